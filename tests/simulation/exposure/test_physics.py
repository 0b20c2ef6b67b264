"""Physics with known results: slabs, spectra, scatter, detectors, noise and tone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionscan.simulation.exposure.physics import (
    DETECTORS,
    DetectorKind,
    Exposure,
    log_image,
    scattered,
)
from lesionscan.simulation.exposure.spectrum import (
    DENSITY_G_PER_CM3,
    ENERGIES_KEV,
    KILOVOLTS,
    MASS_ATTENUATION_CM2_PER_G,
    SIGNAL_WEIGHTS,
    Material,
    automatic_kv,
    per_mm,
    transmission,
)
from lesionscan.simulation.exposure.tone import ToneCurve, ToneFamily, apply_tone, quantise
from lesionscan.simulation.fields import generator

SHAPE = (128, 128)
FAMILIES: tuple[ToneFamily, ...] = ("s-curve", "linear", "detail", "scanned")


def _passed(kv: int = 70, **thickness_mm: float) -> float:
    """Return the transmission of a stack of slabs of the given thickness in mm."""
    stack = {
        material: np.array([thickness_mm[material]])
        for material in DENSITY_G_PER_CM3
        if material in thickness_mm
    }
    return float(transmission(stack, kv)[0])


def test_weights_of_every_spectrum_sum_to_one() -> None:
    """The weights of a spectrum sum to 1, and without matter all of the signal arrives."""
    for kv in KILOVOLTS:
        assert sum(SIGNAL_WEIGHTS[kv]) == pytest.approx(1.0, abs=1e-9)
        assert min(SIGNAL_WEIGHTS[kv]) >= 0
        assert _passed(kv, muscle=0.0, bone=0.0) == pytest.approx(1.0)


def test_coefficients_are_those_of_the_cited_tables() -> None:
    """At 50 keV, bone, muscle, fat, titanium and lead have the coefficients of NISTIR 5632."""
    column = ENERGIES_KEV.index(50.0)
    # pure titanium has 1.213; Ti-6Al-4V contains 6 % of aluminium
    tabled = {"bone": 0.4242, "muscle": 0.2262, "fat": 0.2123, "titanium": 1.213, "lead": 8.041}
    for material, expected in tabled.items():
        value = MASS_ATTENUATION_CM2_PER_G[material][column]  # type: ignore[index]
        assert value == pytest.approx(expected, rel=0.05 if material == "titanium" else 1e-3)
    assert per_mm("bone")[column] == pytest.approx(0.4242 * 1.92 / 10, rel=1e-3)
    assert DENSITY_G_PER_CM3["titanium"] == 4.43


def test_transmission_is_the_weighted_sum_of_exponentials() -> None:
    """At 55 kV, 5 mm of bone and 40 mm of muscle transmit the sum over energies, 0.115."""
    weights = (0.2300, 0.2153, 0.2423, 0.1845, 0.1275, 0.0002, 0.0002)
    bone = (2.412, 1.331, 0.8472, 0.5696, 0.4242, 0.3312, 0.2570)
    muscle = (0.5556, 0.3783, 0.2989, 0.2522, 0.2263, 0.2082, 0.1916)
    by_hand = sum(
        w * np.exp(-0.192 * 5 * b - 0.105 * 40 * m)
        for w, b, m in zip(weights, bone, muscle, strict=True)
    )
    assert _passed(55, bone=5.0, muscle=40.0) == pytest.approx(by_hand, rel=1e-9)
    assert _passed(55, bone=5.0, muscle=40.0) == pytest.approx(0.1150, abs=5e-5)


def test_bone_hardens_the_beam() -> None:
    """At 70 kV, bone attenuates by 0.174 per mm over 0.1 mm, and by 0.107 per mm over 20 mm.

    The limit at no thickness is the weighted mean of the coefficients, 0.1753.
    """
    mean = sum(w * m for w, m in zip(SIGNAL_WEIGHTS[70], per_mm("bone"), strict=True))
    assert mean == pytest.approx(0.1753, abs=5e-4)
    effective = [-np.log(_passed(70, bone=t)) / t for t in (0.1, 5.0, 10.0, 20.0)]
    assert effective == sorted(effective, reverse=True)
    assert effective[0] == pytest.approx(0.174, abs=1e-3)
    assert effective[-1] == pytest.approx(0.107, abs=1e-3)


def test_flesh_hardens_the_beam_for_bone() -> None:
    """5 mm of bone attenuate less behind 15 cm of muscle than in air."""
    bare = -np.log(_passed(70, bone=5.0))
    behind = np.log(_passed(70, muscle=150.0) / _passed(70, muscle=150.0, bone=5.0))
    assert 0.6 * bare < behind < 0.85 * bare


def test_a_higher_voltage_leaves_less_contrast() -> None:
    """The contrast of 5 mm of bone in muscle falls with every 5 kV."""
    steps = [
        np.log(_passed(kv, muscle=50.0) / _passed(kv, muscle=45.0, bone=5.0)) for kv in KILOVOLTS
    ]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < 0.75 * steps[0]


@given(
    st.sampled_from(KILOVOLTS),
    st.floats(0, 30),
    st.floats(0, 200),
    st.floats(0.01, 5),
    st.sampled_from(["bone", "muscle", "fat", "titanium", "lead"]),
)
def test_more_matter_never_lets_more_pass(
    kv: int, bone: float, muscle: float, extra: float, material: Material
) -> None:
    """Adding any thickness of any material reduces the transmission."""
    stack = {"bone": bone, "muscle": muscle, "fat": 0.0, "titanium": 0.0, "lead": 0.0}
    more = {**stack, material: stack[material] + extra}
    assert _passed(kv, **more) < _passed(kv, **stack)


def test_metal_is_denser_than_any_bone() -> None:
    """10 mm of titanium alloy transmit less than 25 mm of compact bone, the most in a limb."""
    assert _passed(80, titanium=10.0, muscle=100.0) < _passed(80, bone=25.0, muscle=100.0)
    assert _passed(80, lead=1.0) < 0.02


def test_thicker_parts_get_a_higher_voltage() -> None:
    """A hand of 25 mm gets 55 kV, a knee of 120 mm 70 kV, a hip of 200 mm 80 kV."""
    assert [automatic_kv(t) for t in (25.0, 120.0, 200.0, 400.0)] == [55, 70, 80, 80]
    voltages = [automatic_kv(float(t)) for t in range(5, 300, 5)]
    assert voltages == sorted(voltages)


def test_unknown_spectra_and_empty_stacks_are_refused() -> None:
    """A voltage without a spectrum, and a stack without material, are refused."""
    with pytest.raises(ValueError, match="no spectrum for 100 kV; there are 55, 60"):
        transmission({"bone": np.zeros(2)}, 100)
    with pytest.raises(ValueError, match="must name at least one material"):
        transmission({}, 70)


def test_scatter_of_an_even_body_has_its_ratio() -> None:
    """In a wide field of uniform matter, the scatter-to-primary ratio is the requested one."""
    primary = np.full(SHAPE, 0.05)
    scatter = scattered(primary, np.ones(SHAPE), spacing_mm=2.0, ratio=0.5, reference=0.05)
    assert scatter == pytest.approx(0.5 * 0.05, rel=1e-6)


def test_air_scatters_nothing_and_a_narrow_field_less() -> None:
    """Air does not scatter, and a field of 6 cm gives less than 0.7 of a wide field's scatter."""
    beam = np.ones(SHAPE)
    none = scattered(np.ones(SHAPE), beam, spacing_mm=2.0, ratio=0.5, reference=0.1)
    assert float(np.abs(none).max()) < 1e-12
    narrow = np.zeros(SHAPE)
    narrow[49:79, 49:79] = 1.0
    primary = np.full(SHAPE, 0.1)
    wide, small = (
        scattered(primary, field, spacing_mm=2.0, ratio=0.5, reference=0.1)[64, 64]
        for field in (beam, narrow)
    )
    assert 0.1 * wide < small < 0.7 * wide


def test_scatter_lowers_contrast_by_its_ratio() -> None:
    """Scatter reduces a small step of attenuation to about 1 / (1 + ratio)."""
    attenuation = np.full(SHAPE, 3.0)
    attenuation[60:68, 60:68] -= 0.1
    primary = np.exp(-attenuation)
    scatter = scattered(
        primary, np.ones(SHAPE), spacing_mm=1.0, ratio=0.5, reference=float(np.exp(-3.0))
    )
    log = -np.log(primary + scatter)
    step = float(log[20:40, 20:40].mean() - log[62:66, 62:66].mean())
    assert step == pytest.approx(0.1 / 1.5, rel=0.05)


def test_a_negative_ratio_is_refused() -> None:
    """A scatter-to-primary ratio below 0 is refused."""
    with pytest.raises(ValueError, match="ratio must not be negative"):
        scattered(np.ones(SHAPE), np.ones(SHAPE), spacing_mm=1.0, ratio=-0.1, reference=0.5)


@pytest.mark.parametrize(
    ("kind", "half", "fifth"), [("csi", 1.30, 2.60), ("cr", 1.09, 2.13), ("film", 1.34, 2.41)]
)
def test_detectors_lose_contrast_where_theirs_do(
    kind: DetectorKind, half: float, fifth: float
) -> None:
    """The transfer function of each detector is 0.5 and 0.2 at its frequencies in 1/mm."""
    detector = DETECTORS[kind]
    assert detector.transfer(0.0) == pytest.approx(1.0)
    assert detector.transfer(half) == pytest.approx(0.5, abs=0.01)
    assert detector.transfer(fifth) == pytest.approx(0.2, abs=0.01)


def test_a_detector_spreads_but_keeps_the_signal() -> None:
    """A point keeps its sum, and a sine of 1 cycle per mm is reduced by the transfer function."""
    detector = DETECTORS["csi"]
    point = np.zeros(SHAPE)
    point[64, 64] = 1.0
    spread = detector.spread(point, spacing_mm=0.3, blur_mm=0.0)
    assert float(spread.sum()) == pytest.approx(1.0, rel=0.01)
    x = np.arange(600) * 0.05
    wave = np.tile(1.0 + 0.5 * np.sin(2.0 * np.pi * x), (80, 1))
    kept = detector.spread(wave, spacing_mm=0.05, blur_mm=0.0)[40, 200:400]
    assert float(np.ptp(kept)) == pytest.approx(detector.transfer(1.0), rel=0.03)


def test_log_image_of_a_slab_returns_its_attenuation() -> None:
    """The mean log image of a slab is its attenuation, and that of air is 0."""
    for attenuation in (0.0, 1.5):
        signal = np.full(SHAPE, np.exp(-attenuation))
        log = log_image(generator(1), signal, spacing_mm=0.2, exposure=Exposure(1e8))
        assert float(log.mean()) == pytest.approx(attenuation, abs=2e-3)


def test_quantum_noise_falls_with_the_root_of_the_dose() -> None:
    """Sixteen times the quanta give a quarter of the noise."""
    signal = np.full(SHAPE, 0.1)
    noise = [
        float(
            log_image(
                generator(2), signal, spacing_mm=0.2, exposure=Exposure(dose, electronic=0.0)
            ).std()
        )
        for dose in (4e4, 6.4e5)
    ]
    assert noise[0] / noise[1] == pytest.approx(4.0, rel=0.05)


def test_grain_is_smoother_than_salt_and_pepper() -> None:
    """The detector's spread correlates the noise of neighbouring pixels."""
    log = log_image(
        generator(3), np.full(SHAPE, 0.1), spacing_mm=0.15, exposure=Exposure(1e5, electronic=0.0)
    )
    grain = log - log.mean()
    alike = float((grain[:, 1:] * grain[:, :-1]).mean() / (grain**2).mean())
    assert 0.04 < alike < 0.6


def test_impossible_exposures_are_refused() -> None:
    """An exposure without quanta, or with a negative blur, is refused."""
    with pytest.raises(ValueError, match="quanta_per_mm2 must be over 0"):
        Exposure(quanta_per_mm2=0.0)
    with pytest.raises(ValueError, match="must not be negative"):
        Exposure(blur_mm=-0.1)


def _drawn(level: float, tone: ToneCurve) -> float:
    """Return the grey value that the tone curve gives to a constant log image."""
    flat = np.full((8, 8), level)
    return float(apply_tone(flat, spacing_mm=0.5, tone=tone, field=np.ones((8, 8)))[0, 0])


@pytest.mark.parametrize("family", FAMILIES)
def test_tone_curves_pass_through_their_anchors(family: ToneFamily) -> None:
    """Without compression, a constant image of `low` is drawn as `flesh`, and `high` as `bone`."""
    tone = ToneCurve(2.0, 3.0, family, detail=0.0, compression=0.0, flesh=0.25, bone=0.8)
    # a scanned film has less range: from density 3 (0.02) to base plus fog (0.93)
    expected = {0.25: 0.02 + 0.91 * 0.25, 0.8: 0.02 + 0.91 * 0.8} if family == "scanned" else {}
    for level, share in ((2.0, 0.25), (3.0, 0.8)):
        assert _drawn(level, tone) == pytest.approx(expected.get(share, share), abs=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_tone_curves_never_turn_back(family: ToneFamily) -> None:
    """More attenuation is never drawn darker, and air is dark."""
    tone = ToneCurve(2.0, 3.0, family, detail=0.0, compression=0.0)
    drawn = [_drawn(float(level), tone) for level in np.linspace(-0.2, 5.0, 60)]
    assert np.all(np.diff(drawn) >= 0)
    assert drawn[0] < 0.08


def test_weak_detail_gains_most() -> None:
    """Multi-frequency processing enhances a faint edge more than a strong one."""

    def lifted(step: float) -> float:
        log = np.full(SHAPE, 2.5)
        log[:, 64:] += step
        field = np.ones(SHAPE)
        plain, lifting = (
            apply_tone(
                log,
                spacing_mm=0.3,
                tone=ToneCurve(0.0, 5.0, "detail", detail=gain, compression=0.0),
                field=field,
            )
            for gain in (0.0, 1.5)
        )
        return float(np.ptp(lifting[64]) / np.ptp(plain[64]))

    assert lifted(0.02) > lifted(0.5) > 1.0


def test_the_border_of_the_field_does_not_colour_it() -> None:
    """A constant exposed half remains constant beside a bright border."""
    tone = ToneCurve(2.0, 3.0)
    field = np.zeros(SHAPE)
    field[:, :64] = 1.0
    log = np.where(field > 0, 2.5, 8.0)
    drawn = apply_tone(log, spacing_mm=0.5, tone=tone, field=field)
    assert np.ptp(drawn[:, :64]) < 1e-6


def test_a_tone_curve_needs_room() -> None:
    """A tone curve whose anchors do not increase, on either scale, is refused."""
    with pytest.raises(ValueError, match="high must be over low"):
        ToneCurve(3.0, 2.0)
    with pytest.raises(ValueError, match=r"flesh and bone must rise between 0\.03 and 1"):
        ToneCurve(2.0, 3.0, flesh=0.9, bone=0.8)


def test_inverted_pixels_are_the_complement() -> None:
    """MONOCHROME1 stores the maximum value minus the value in MONOCHROME2."""
    picture = np.linspace(0, 1, 4096).reshape(64, 64)
    plain = quantise(picture, bits=12, inverted=False)
    assert np.array_equal(quantise(picture, bits=12, inverted=True), 4095 - plain)
    assert plain.max() == 4095
