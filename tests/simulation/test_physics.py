"""Known physics: slabs, noise and tone."""

import numpy as np
import pytest

from lesionscan.simulation.fields import generator
from lesionscan.simulation.physics import (
    BONE_PER_MM,
    FAT_PER_MM,
    MUSCLE_PER_MM,
    Exposure,
    ToneCurve,
    apply_tone,
    line_integral,
    log_image,
    quantise,
    transmission,
)

SHAPE = (128, 128)
NO_SCATTER = Exposure(photons_per_mm2=1e7, scatter_to_primary=0.0)


def test_a_slab_of_muscle_obeys_beer_lambert() -> None:
    """100 mm of muscle pass exp(-0.0226 x 100) = 0.1044 of the photons."""
    zero = np.zeros(SHAPE)
    slab = line_integral(bone_mm=zero, muscle_mm=zero + 100.0, fat_mm=zero)
    assert transmission(slab) == pytest.approx(0.1044, abs=1e-4)


def test_bone_absorbs_three_times_as_much_as_muscle() -> None:
    """The coefficients keep the order bone, muscle, fat, with bone about three times muscle."""
    assert pytest.approx(3.1, abs=0.1) == BONE_PER_MM / MUSCLE_PER_MM
    assert FAT_PER_MM < MUSCLE_PER_MM


def test_coefficients_follow_from_the_cited_tables() -> None:
    """Each coefficient is the log-log interpolation at 55 keV of the tabled 50 and 60 keV."""
    tables = (
        (BONE_PER_MM, 0.4242, 0.3148, 1.92),
        (MUSCLE_PER_MM, 0.2262, 0.2048, 1.05),
        (FAT_PER_MM, 0.2123, 0.1974, 0.95),
    )
    weight = np.log(55 / 50) / np.log(60 / 50)
    for per_mm, at_50, at_60, density in tables:
        mass = np.exp((1 - weight) * np.log(at_50) + weight * np.log(at_60))
        assert per_mm == pytest.approx(mass * density / 10, rel=0.01)


def test_log_image_of_a_slab_returns_its_attenuation() -> None:
    """Without scatter the mean log image is the line integral that went in."""
    log = log_image(
        generator(1), transmission(np.full(SHAPE, 1.5)), spacing_mm=0.2, exposure=NO_SCATTER
    )
    assert float(log.mean()) == pytest.approx(1.5, abs=1e-3)


def test_quantum_noise_falls_with_the_root_of_the_dose() -> None:
    """Sixteen times the photons leave a quarter of the noise."""
    primary = np.full(SHAPE, 0.1)
    noise = [
        float(log_image(generator(2), primary, spacing_mm=0.2, exposure=Exposure(dose, 0.0)).std())
        for dose in (1e6, 1.6e7)
    ]
    assert noise[0] / noise[1] == pytest.approx(4.0, rel=0.05)


def test_scatter_lowers_contrast_by_its_ratio() -> None:
    """A small step of attenuation shrinks to about 1 / (1 + ratio) behind a scattering body."""
    attenuation = np.full(SHAPE, 3.0)
    attenuation[56:72, 56:72] -= 0.1
    exposure = Exposure(1e9, scatter_to_primary=0.5, scatter_width_mm=60.0, blur_mm=0.0)
    log = log_image(generator(3), transmission(attenuation), spacing_mm=1.0, exposure=exposure)
    step = float(log[20:40, 20:40].mean() - log[60:68, 60:68].mean())
    assert step == pytest.approx(0.1 / 1.5, rel=0.1)


def test_air_stays_dark() -> None:
    """Air scatters nothing, so that its log value is 0 and it is drawn at about 3 %."""
    log = log_image(generator(4), np.ones(SHAPE), spacing_mm=0.2, exposure=Exposure(1e9, 0.5))
    assert float(log.mean()) == pytest.approx(0.0, abs=1e-3)
    tone = ToneCurve(2.0, 3.0)
    assert float(apply_tone(log, spacing_mm=0.2, tone=tone, field=np.ones(SHAPE)).mean()) < 0.08


def test_tone_curve_passes_through_its_anchors() -> None:
    """A flat field without compression is drawn at 20 % for `low` and 85 % for `high`."""
    tone = ToneCurve(2.0, 3.0, detail=0.0, compression=0.0)
    for level, drawn in ((2.0, 0.20), (3.0, 0.85)):
        picture = apply_tone(np.full(SHAPE, level), spacing_mm=0.5, tone=tone, field=np.ones(SHAPE))
        assert picture == pytest.approx(drawn, abs=2e-3)


def test_the_border_of_the_field_does_not_colour_it() -> None:
    """A flat exposed half is drawn the same with a bright border beside it."""
    tone = ToneCurve(2.0, 3.0)
    field = np.zeros(SHAPE)
    field[:, :64] = 1.0
    log = np.where(field > 0, 2.5, 8.0)
    drawn = apply_tone(log, spacing_mm=0.5, tone=tone, field=field)
    assert np.ptp(drawn[:, :64]) < 1e-6


def test_tone_curve_never_turns_back() -> None:
    """More attenuation is never drawn darker."""
    tone = ToneCurve(2.0, 3.0, detail=0.0, compression=0.0)
    drawn = [
        float(
            apply_tone(np.full((8, 8), level), spacing_mm=0.5, tone=tone, field=np.ones((8, 8)))[
                0, 0
            ]
        )
        for level in np.linspace(-0.2, 5.0, 60)
    ]
    assert np.all(np.diff(drawn) >= 0)


def test_inverted_pixels_are_the_complement() -> None:
    """MONOCHROME1 stores the top value minus what MONOCHROME2 stores."""
    picture = np.linspace(0, 1, 4096).reshape(64, 64)
    plain = quantise(picture, bits=12, inverted=False)
    assert np.array_equal(quantise(picture, bits=12, inverted=True), 4095 - plain)
    assert plain.max() == 4095


def test_impossible_exposures_are_refused() -> None:
    """An exposure needs photons, and its scatter and blur are not negative."""
    with pytest.raises(ValueError, match="photons_per_mm2 must be over 0"):
        Exposure(photons_per_mm2=0.0)
    with pytest.raises(ValueError, match="must not be negative"):
        Exposure(scatter_to_primary=-0.1)


def test_a_tone_curve_needs_room() -> None:
    """The bright anchor lies over the dark one."""
    with pytest.raises(ValueError, match="high must be over low"):
        ToneCurve(3.0, 2.0)
