"""Planted lesions remove bone, no more than there is, and change nothing outside their zone."""

import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lesionscan.radiograph import Spacing
from lesionscan.simulation.planting.film_lesions import FilmLesion, draw_candidates
from lesionscan.simulation.planting.plant import PreparedFilm, plant, prepare
from lesionscan.simulation.planting.planted import facts, measure_in_film
from tests.simulation.planting.film_maker import BONE, SOFT, bar, club, film


def greys(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return pixels of any dtype as float64, for calculations."""
    return pixels.astype(np.float64)


PLAIN = FilmLesion(
    "given", (100.0, 79.5), axis_deg=90.0, half_width_px=20.0, detail_px=1.4, diameter_px=24.0,
    elongation=1.0, removed=0.5, margin_px=1.0, wobble=0.0, uneven=0.0,
)  # fmt: skip
"""A round lesion in the middle of the bar, without anything drawn at random."""


@cache
def plain_film() -> PreparedFilm:
    """Return a bar of 100 on soft tissue of 50, without any noise."""
    return prepare(film(bar()), bar())


@cache
def real_looking_film(dtype: str) -> PreparedFilm:
    """Return a shaft with a knob, noise and trabeculae, in the given dtype."""
    picture = film(club(), noise=2.0, grain=3.0)
    scale = {"uint8": 1.0, "uint16": 16.0, "float32": 0.01}[dtype]
    return prepare((picture * scale).astype(dtype), club())


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 5),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
def test_only_the_zone_changes_and_only_bone_goes(seed: int, count: int, dtype: str) -> None:
    """Pixels outside the zone are unchanged, and lesions remove at most the bone's signal."""
    prepared = real_looking_film(dtype)
    planted = plant(prepared, seed, lesions=count)
    image, pixels = prepared.image, planted.pixels
    assert pixels.dtype == image.dtype
    assert pixels.shape == image.shape
    np.testing.assert_array_equal(pixels[~planted.zone], image[~planted.zone])
    assert planted.zone[planted.lesions > 0].all()
    taken = greys(image) - greys(pixels)
    assert (greys(pixels) <= image.max()).all()
    balloon = any(lesion.recipe.widening > 1.0 for lesion in planted.planted)
    # a balloon removes bone in its whole zone, but never goes below the level of soft tissue
    given = np.maximum(greys(image) - prepared.signal.level, 0.0)
    tolerance = 1e-3 * float(image.max())
    assert (taken <= given + tolerance).all()
    if not balloon:
        assert (taken <= prepared.signal.bone_signal + tolerance).all()
        assert prepared.signal.bone[planted.zone].all()
    assert planted.bone[planted.lesions > 0].all()


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 5))
def test_the_number_of_lesions_is_respected(seed: int, count: int) -> None:
    """At most the requested number of lesions is planted, labelled 1, 2, ... and lying apart."""
    planted = plant(real_looking_film("uint8"), seed, lesions=count)
    labels = [lesion.label for lesion in planted.planted]
    assert labels == list(range(1, len(labels) + 1))
    assert len(labels) <= count
    for one, other in combinations([lesion.recipe for lesion in planted.planted], 2):
        assert math.dist(one.centre_px, other.centre_px) > one.radius_px + other.radius_px
    assert set(np.unique(planted.lesions)) == {0, *labels}
    if count > 0:
        assert labels
    else:
        np.testing.assert_array_equal(planted.pixels, real_looking_film("uint8").image)


def test_lesions_have_the_requested_diameters() -> None:
    """Requested diameters of 8 to 12 px become 5 to 14 px, as edges and wobble change them."""
    for seed in range(6):
        done = plant(real_looking_film("uint16"), seed, lesions=3, diameters_px=(8.0, 12.0))
        assert done.planted
        for label in range(1, len(done.planted) + 1):
            area = np.count_nonzero(done.lesions == label)
            assert 5.0 < 2.0 * np.sqrt(area / np.pi) < 14.0


@pytest.mark.parametrize("diameters", [(3.0, 9.0), (9.0, 8.0)])
def test_diameters_that_cannot_be_are_refused(diameters: tuple[float, float]) -> None:
    """Diameters with too few pixels for an outline, and a descending range, are refused."""
    with pytest.raises(ValueError, match="diameters must be two rising numbers of 4 px or more"):
        plant(plain_film(), 1, diameters_px=diameters)


def test_half_of_the_bone_goes_in_the_middle() -> None:
    """The centre loses 0.5 of the bone, and half way out about 0.94 of that is lost.

    The cortex in front and behind flattens the profile to 0.6 + 0.4 sqrt(1 - r^2).
    """
    planted = plant(plain_film(), 1, lesions=(PLAIN,))
    assert planted.pixels[100, 79] == pytest.approx(SOFT + BONE * 0.5, abs=0.5)
    radius = 6.5 / 12.0  # from the centre of pixel (100, 79.5) to that of (100, 86)
    half_way = 0.5 * (0.6 + 0.4 * np.sqrt(1.0 - radius**2))
    assert planted.pixels[100, 86] == pytest.approx(SOFT + BONE * (1.0 - half_way), abs=0.7)
    assert planted.pixels[100, 95] == SOFT + BONE


def test_bone_loss_is_the_share_of_the_signal_that_went() -> None:
    """Half of 0.6 + 0.4 x 2/3 (the mean of a dome) is 0.43; the margin loses slightly less."""
    (lesion,) = plant(plain_film(), 1, lesions=(PLAIN,)).planted
    assert lesion.bone_loss == pytest.approx(0.42, abs=0.02)


def test_truth_is_the_requested_circle() -> None:
    """A lesion 24 px across has pi 12^2 = 452 px of truth, within 3 %, around its centre."""
    (lesion,) = plant(plain_film(), 1, lesions=(PLAIN,)).planted
    assert lesion.area_px == pytest.approx(np.pi * 144, rel=0.03)
    assert lesion.centroid_px == pytest.approx(PLAIN.centre_px, abs=0.3)
    assert lesion.extent_to_bone_width == pytest.approx(0.6, abs=0.04)
    assert lesion.contrast == pytest.approx(BONE * 0.5 * (0.6 + 0.4 * 2 / 3), abs=2.0)


@pytest.mark.parametrize("margin", [1.5, 3.0, 5.0])
def test_a_margin_has_the_requested_width(margin: float) -> None:
    """From inside to outside, removal falls from 90 to 10 % over 1.2 half widths of the margin."""
    lesion = replace(PLAIN, diameter_px=28.0, margin_px=margin)
    planted = plant(plain_film(), 1, lesions=(lesion,))
    row = SOFT + BONE - planted.pixels[100, 80:].astype(np.float64)
    distance = np.arange(row.size) + 0.5
    radius = np.clip(distance / 14.0, 0.0, 1.0)
    step = row / (BONE * 0.5 * (0.6 + 0.4 * np.sqrt(1.0 - radius**2)))
    out_at = [float(np.interp(-level, -step[2:19], distance[2:19])) for level in (0.9, 0.1)]
    # 3 t^2 - 2 t^3 is 0.1 at t = 0.196: 2 (1 - 2 x 0.196) half widths, plus the film's blur
    wanted = np.hypot(1.217 * margin, 2.56 * 0.6)
    assert out_at[1] - out_at[0] == pytest.approx(wanted, abs=0.8)


def test_complete_removal_leaves_the_soft_tissue_with_its_noise() -> None:
    """Where all bone is removed, level and noise are those of soft tissue, not a constant."""
    picture = film(bar(), noise=3.0, grain=3.0)
    prepared = prepare(picture, bar())
    lesion = replace(PLAIN, diameter_px=34.0, removed=1.0)
    pixels = plant(prepared, 1, lesions=(lesion,)).pixels.astype(np.float64)
    inside = pixels[92:108, 72:88]
    # no pixel falls below the level, which removes the lower half of the noise
    assert SOFT - 1.0 < inside.mean() < SOFT + 6.0
    assert 1.2 < inside.std() < picture[92:108, 72:88].std()
    half = plant(prepared, 1, lesions=(replace(lesion, removed=0.5),)).pixels.astype(np.float64)
    assert 0.7 < half[92:108, 72:88].std() / picture[92:108, 72:88].std() < 1.0


def test_a_shell_of_cortex_is_kept() -> None:
    """A lesion across the bone's edge spares the outer 3 px with a shell, but not without one."""
    lesion = replace(PLAIN, centre_px=(100.0, 92.0), removed=1.0)
    breached = plant(plain_film(), 1, lesions=(lesion,))
    standing = plant(plain_film(), 1, lesions=(replace(lesion, shell_px=3.0),))
    assert breached.pixels[100, 98] < SOFT + 0.45 * BONE
    assert standing.pixels[100, 98] == pytest.approx(SOFT + BONE, abs=0.5)
    assert standing.pixels[100, 90] < SOFT + 0.6 * BONE
    assert not standing.lesions[100, 97:].any()
    assert breached.lesions[100, 98] == 1


def test_a_rim_is_brighter_than_bone_and_no_denser_than_cortex() -> None:
    """A rim brightens bone outside the margin by at most 15 %, and nothing inside the lesion."""
    planted = plant(plain_film(), 1, lesions=(replace(PLAIN, rim=0.3),))
    bare = plant(plain_film(), 1, lesions=(PLAIN,))
    added = greys(planted.pixels) - greys(bare.pixels)
    assert added.max() > 5.0
    assert planted.pixels[100:].max() <= SOFT + 1.15 * BONE
    row, col = np.mgrid[:200, :160]
    away = np.hypot(row - 100.0, col - 79.5)
    assert np.abs(added[away < 10]).max() < 0.5
    assert 12.0 < away[np.unravel_index(added.argmax(), added.shape)] < 16.0


def test_septa_keep_bone() -> None:
    """A lesion with septa removes less bone than the same lesion without them."""
    bare = plant(plain_film(), 1, lesions=(PLAIN,))
    walled = plant(plain_film(), 1, lesions=(replace(PLAIN, septa=1.0),))
    assert walled.pixels.sum(dtype=np.float64) > bare.pixels.sum(dtype=np.float64) + 500


def test_moth_eaten_margins_break_up() -> None:
    """Holes in the margin make the removal uneven along the outline."""
    whole = plant(plain_film(), 1, lesions=(replace(PLAIN, margin_px=3.0),))
    eaten = plant(plain_film(), 1, lesions=(replace(PLAIN, margin_px=3.0, moth_eaten=1.0),))
    row, col = np.mgrid[:200, :160]
    ring = np.abs(np.hypot(row - 100.0, col - 79.5) - 12.0) < 1.0
    assert eaten.pixels[ring].std() > 1.5 * whole.pixels[ring].std()


def test_a_one_sided_lesion_fades() -> None:
    """A one-sided lesion has less contrast on one side; an ordinary one is even all round."""
    even = plant(plain_film(), 1, lesions=(PLAIN,)).pixels
    faded = plant(plain_film(), 1, lesions=(replace(PLAIN, one_sided=1.0),)).pixels
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    at = (
        np.rint(100 + 7 * np.sin(angles)).astype(int),
        np.rint(79.5 + 7 * np.cos(angles)).astype(int),
    )
    assert np.ptp(even[at]) < 5.0
    assert np.ptp(faded[at]) > 12.0


def test_an_expansile_lesion_widens_the_bone() -> None:
    """The bone is wider at the lesion, but not near its ends, with a wall at its new edge.

    No pixel outside the zone changes, and the zone ends where the balloon ends.
    """
    lesion = replace(
        PLAIN, diameter_px=70.0, elongation=1.5, removed=0.8, shell_px=1.5, expansile=True
    )
    assert lesion.widening == pytest.approx(0.46 * 70 / np.sqrt(1.5) / 20, rel=1e-6)
    prepared = plain_film()
    planted = plant(prepared, 3, lesions=(lesion,))
    widths = planted.bone.sum(axis=1)
    assert widths[85:115].max() > 46
    assert widths[:30] == pytest.approx(40, abs=1)
    outside = planted.zone & ~prepared.signal.bone
    assert (greys(planted.pixels) - greys(prepared.image))[outside].max() > 15.0
    np.testing.assert_array_equal(planted.pixels[~planted.zone], prepared.image[~planted.zone])
    assert not planted.zone[:25].any()
    assert (planted.lesions > 0).sum(axis=1).max() > 40


def test_a_balloon_no_wider_than_the_bone_is_no_balloon() -> None:
    """An expansile lesion that is narrower than the bone changes pixels of bone only."""
    lesion = replace(PLAIN, expansile=True)
    assert lesion.widening == 1.0
    planted = plant(plain_film(), 1, lesions=(lesion,))
    assert plain_film().signal.bone[planted.zone].all()


def test_a_mirrored_film_gets_a_mirrored_lesion() -> None:
    """The same recipe at the mirrored place gives the mirrored image, except for rounding."""
    picture, mask = film(club(), noise=2.0), club()
    lesion = replace(PLAIN, centre_px=(165.0, 112.0), half_width_px=40.0, elongation=1.5,
                     angle_deg=20.0, removed=0.8)  # fmt: skip
    mirrored = replace(lesion, centre_px=(165.0, 199.0 - 112.0), angle_deg=-20.0)
    here = plant(prepare(picture, mask), 1, lesions=(lesion,))
    there = plant(prepare(picture[:, ::-1], mask[:, ::-1]), 1, lesions=(mirrored,))
    assert np.abs(greys(here.pixels) - greys(there.pixels)[:, ::-1]).max() < 0.5
    assert (here.lesions != there.lesions[:, ::-1]).sum() <= 4


def test_grey_steps_do_not_matter() -> None:
    """A film of 8 bits and its copy as floats get the same lesions, except for rounding."""
    picture = np.rint(film(club(), noise=2.0, grain=3.0))
    bits = plant(prepare(picture.astype(np.uint8), club()), 9, lesions=2)
    floats = plant(prepare(picture.astype(np.float32), club()), 9, lesions=2)
    assert np.abs(greys(bits.pixels) - greys(floats.pixels)).max() <= 1.0
    np.testing.assert_array_equal(bits.lesions, floats.lesions)


def test_lesions_near_each_other_share_the_bone() -> None:
    """Two overlapping lesions remove no more than the bone, and the first keeps its label."""
    other = replace(PLAIN, centre_px=(108.0, 79.5), removed=1.0)
    planted = plant(plain_film(), 1, lesions=(replace(PLAIN, removed=1.0), other))
    assert planted.pixels[planted.zone].min() >= SOFT - 1e-3
    assert planted.lesions[100, 79] == 1
    assert planted.lesions[115, 79] == 2


def test_the_same_seed_gives_the_same_pixels() -> None:
    """The same seed gives the same pixels and lesions, and another seed gives other pixels."""
    prepared = real_looking_film("uint16")
    one, same, other = (plant(prepared, seed) for seed in ((4, 2), (4, 2), (4, 3)))
    np.testing.assert_array_equal(one.pixels, same.pixels)
    assert one.planted == same.planted
    assert not np.array_equal(one.pixels, other.pixels)


_PROGRAM = """
import hashlib
from lesionscan.simulation.planting.plant import plant, prepare
from tests.simulation.planting.film_maker import club, film
picture = film(club(), noise=2.0, grain=3.0).astype("uint8")
planted = [plant(prepare(picture, club()), seed, lesions=3) for seed in range(6)]
data = b"".join(one.pixels.tobytes() + one.lesions.tobytes() for one in planted)
print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("narrow", [False, True])
def test_another_process_makes_the_same_bytes(narrow: bool) -> None:
    """The same seeds give the same pixels in a new process, with wide or narrow SIMD in NumPy."""
    environment = dict(os.environ)
    if narrow:
        environment["NPY_DISABLE_CPU_FEATURES"] = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM],
        capture_output=True, text=True, check=True, env=environment,
    ).stdout.strip()  # fmt: skip
    picture = film(club(), noise=2.0, grain=3.0).astype(np.uint8)
    planted = [plant(prepare(picture, club()), seed, lesions=3) for seed in range(6)]
    data = b"".join(one.pixels.tobytes() + one.lesions.tobytes() for one in planted)
    assert made == hashlib.sha256(data).hexdigest()


def test_all_kinds_are_drawn_and_fit_the_bone() -> None:
    """All kinds are drawn, at many sizes and densities, and condylar ones lie in the knob."""
    axes = real_looking_film("uint8").axes
    drawn = [
        lesion
        for seed in range(12)
        for lesion in draw_candidates(np.random.default_rng(seed), axes, count=1)
    ]
    kinds = {lesion.kind for lesion in drawn}
    assert kinds == {
        "punched_out", "geographic", "faint", "permeative", "cortical", "whole_width",
        "expansile", "condylar", "rimmed",
    }  # fmt: skip
    widths = [lesion.diameter_px / (2.0 * lesion.half_width_px) for lesion in drawn]
    assert min(widths) < 0.15
    assert max(widths) > 1.1
    removed = [lesion.removed for lesion in drawn]
    assert min(removed) < 0.15
    assert max(removed) > 0.85
    assert all(lesion.centre_px[0] > 120 for lesion in drawn if lesion.kind == "condylar")
    assert all(lesion.removed <= 0.35 for lesion in drawn if lesion.kind in {"faint", "rimmed"})
    assert all(lesion.rim > 0.07 for lesion in drawn if lesion.kind == "rimmed")


def test_a_film_without_a_joint_gets_no_condylar_lesion() -> None:
    """A shaft that is cut at both ends gets no condylar lesion."""
    axes = plain_film().axes
    for seed in range(6):
        drawn = draw_candidates(np.random.default_rng(seed), axes, count=1)
        assert all(lesion.kind != "condylar" for lesion in drawn)


def test_a_bone_may_be_narrower_than_a_pixel_at_its_tip() -> None:
    """Lesions are drawn even if the axis ends with half widths below 1 px, as in thin outlines."""
    axis = plain_film().axes[0]
    shape = axis.half_widths_px.shape
    tip = replace(axis, half_widths_px=np.where(np.arange(*shape) < 3, 0.5, axis.half_widths_px))
    drawn = list(draw_candidates(np.random.default_rng(0), (tip,), count=9))
    assert drawn
    assert min(lesion.half_width_px for lesion in drawn) == 1.0


def test_many_lesions_may_come_as_a_cluster() -> None:
    """Of twelve films with five lesions each, one to nine have a cluster of small lesions."""
    prepared = plain_film()
    films = [plant(prepared, seed, lesions=5) for seed in range(12)]
    clusters = [f for f in films if f.planted and f.planted[0].recipe.kind == "cluster"]
    assert 1 <= len(clusters) <= 9
    for planted in clusters:
        assert {lesion.recipe.kind for lesion in planted.planted} == {"cluster"}
        assert all(lesion.extent_to_bone_width < 0.4 for lesion in planted.planted)


def test_millimetres_need_a_spacing() -> None:
    """Areas and diameters in millimetres are None unless the spacing is known."""
    (without,) = plant(plain_film(), 1, lesions=(PLAIN,)).planted
    assert without.area_mm2 is None
    assert without.equivalent_diameter_mm is None
    known = prepare(film(bar()), bar(), spacing=Spacing(0.2, 0.2, "user", "detector"))
    (lesion,) = plant(known, 1, lesions=(PLAIN,)).planted
    assert lesion.area_mm2 == pytest.approx(0.04 * lesion.area_px, abs=1e-3)
    assert lesion.equivalent_diameter_mm == pytest.approx(24 * 0.2, rel=0.02)


def test_facts_are_plain_json() -> None:
    """The facts of a lesion can be stored as JSON, and include kind, place, size and recipe."""
    (lesion,) = plant(plain_film(), 1, lesions=(PLAIN,)).planted
    entry = json.loads(json.dumps(facts(lesion)))
    assert entry["kind"] == "given"
    assert entry["label"] == 1
    assert entry["area_mm2"] is None
    assert entry["recipe"]["centre_px"] == [100.0, 79.5]
    assert {"contrast_to_noise", "removed_to_noise", "extent_to_bone_width"} <= set(entry)


def test_records_are_read_only() -> None:
    """The arrays of prepared and of planted films are read-only."""
    planted = plant(plain_film(), 1)
    for array in (planted.pixels, planted.lesions, plain_film().signal.level, plain_film().image):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_films_that_cannot_be_used_are_refused() -> None:
    """Each fault of a film or mask is refused with its own message."""
    picture, mask = film(bar()), bar()
    with pytest.raises(ValueError, match=r"at least 64 px per side, got \(60, 60\)"):
        prepare(picture[:60, :60], mask[:60, :60])
    with pytest.raises(ValueError, match="integer dtype or float32, got float64"):
        prepare(picture.astype(np.float64), mask)
    with pytest.raises(ValueError, match=r"must be bool of shape \(200, 160\), got bool"):
        prepare(picture, mask[:, 1:])
    with pytest.raises(ValueError, match="must be bool of shape"):
        prepare(picture, mask.astype(np.uint8))
    with pytest.raises(ValueError, match="must be finite"):
        prepare(np.where(mask, np.float32(np.nan), picture), mask)
    with pytest.raises(ValueError, match="the film is constant"):
        prepare(np.full_like(picture, 7.0), mask)
    with pytest.raises(ValueError, match="the bone mask is empty"):
        prepare(picture, np.zeros_like(mask))
    with pytest.raises(ValueError, match="no outlined bone can carry a lesion: none is 8 px wide"):
        prepare(film(bar(half=2)), bar(half=2))
    with pytest.raises(ValueError, match="not brighter than its surroundings"):
        prepare((200 - picture).astype(np.float32), mask)


def test_wrong_requests_are_refused() -> None:
    """Negative numbers, lesions outside the bone and labels without pixels are refused."""
    with pytest.raises(ValueError, match="seed must be 0 or greater, got -1"):
        plant(plain_film(), -1)
    with pytest.raises(ValueError, match="number of lesions must be 0 or greater, got -2"):
        plant(plain_film(), 1, lesions=-2)
    for centre in ((100.0, 20.0), (900.0, 79.5)):
        with pytest.raises(ValueError, match="removes no bone; its centre must be in the bone"):
            plant(plain_film(), 1, lesions=(replace(PLAIN, centre_px=centre),))
    nothing = np.zeros((64, 64))
    labels = nothing.astype(np.uint16)
    with pytest.raises(ValueError, match="lesion 1 has no pixel"):
        measure_in_film(
            1,
            PLAIN,
            film=nothing,
            removed=nothing,
            bone_signal=nothing.astype(np.float32),
            truth=labels,
            bone=labels > 0,
            spacing=None,
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("half_width_px", 0.0), ("detail_px", 0.0), ("diameter_px", 1.0), ("elongation", 0.5),
        ("removed", 0.0), ("margin_px", 0.0), ("wobble", 0.5), ("moth_eaten", 1.5), ("rim", 2.0),
        ("septa", -0.1), ("shell_px", -1.0), ("one_sided", 1.5), ("uneven", -0.1),
    ],
)  # fmt: skip
def test_a_recipe_out_of_range_is_refused(name: str, value: float) -> None:
    """A number outside its range is refused, and the message names it."""
    with pytest.raises(ValueError, match=f"{name} of a film lesion must be in"):
        replace(PLAIN, **{name: value})  # type: ignore[arg-type]
