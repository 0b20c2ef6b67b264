"""Trunk: lumbar spine in two views, ribs, pelvis, and the shapes that they are made of."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionscan.reading.acquisition import BODY_PARTS as BODY_PART_TERMS
from lesionscan.reading.acquisition import VIEW_POSITIONS
from lesionscan.simulation import phantom as phantoms
from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.assembly import assemble
from lesionscan.simulation.body.outlines import inside, signed_distance_mm
from lesionscan.simulation.body.person import Person, Pose, draw_person, even, flipped, side_sign
from lesionscan.simulation.body.strips import Strip, smooth_path, strip_bone
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.fields import Field, Grid, Window, generator
from lesionscan.simulation.parts.bowel import gas_bubbles, gas_loop
from lesionscan.simulation.parts.pelvis import pelvis
from lesionscan.simulation.parts.spine import lumbar_spine, lumbar_spine_lateral
from lesionscan.simulation.parts.thorax import rib_from_front, ribs
from lesionscan.simulation.parts.vertebrae import LUMBAR, THORACIC, Vertebra, stacked, worn
from lesionscan.simulation.random_lesions import draw_lesions

BUILDERS: dict[str, Callable[[np.random.Generator], Anatomy]] = {
    "lumbar_spine": lumbar_spine,
    "lumbar_spine_lateral": lumbar_spine_lateral,
    "ribs": ribs,
    "pelvis": pelvis,
}
PARTS = tuple(BUILDERS)
FILM = Film(marker="none")
PERSON = Person(size=1.0, mass=1.0)
LEVELS = ("L1", "L2", "L3", "L4", "L5")


def _grid(anatomy: Anatomy, rows: int = 150) -> Grid:
    width, height = anatomy.field_mm
    return Grid(rows, max(64, round(rows * width / height)), height / rows)


def _whole(grid: Grid) -> Window:
    return Window(grid, 0, grid.rows, 0, grid.cols)


@pytest.fixture(autouse=True)
def _known_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the parts under test with make_phantom, whether or not it lists them already."""
    known = MappingProxyType({**phantoms.BODY_PARTS, **BUILDERS})
    monkeypatch.setattr(phantoms, "BODY_PARTS", known)


@pytest.mark.parametrize("part", PARTS)
def test_a_film_of_the_trunk_shows_bone_in_flesh(part: str) -> None:
    """Bone is brighter than flesh, lesions lie in bone, and the bone does not fill the film."""
    film = phantoms.make_phantom(part, 3, lesions=2, long_side_px=200, film=FILM)
    picture = film.stored / (2**FILM.bits - 1)
    assert picture[film.bone].mean() > picture[~film.bone].mean() + 0.15
    assert 0.1 < film.bone.mean() < 0.72
    assert film.planted
    assert not (film.lesions.astype(bool) & ~film.bone).any()


@pytest.mark.parametrize("part", PARTS)
def test_names_are_unique_and_terms_are_the_standards(part: str) -> None:
    """Bone names are unique, targets are bones, and body part and view are DICOM terms."""
    anatomy = BUILDERS[part](generator(1))
    names = [bone.name for bone in anatomy.bones]
    assert len(set(names)) == len(names)
    assert anatomy.targets
    assert set(anatomy.targets) <= set(names)
    assert anatomy.body_part in BODY_PART_TERMS
    assert anatomy.view in VIEW_POSITIONS


def test_targets_are_the_bones_where_such_lesions_are_seen() -> None:
    """Targets are vertebral bodies, ribs, ilium, sacrum and femur."""
    assert lumbar_spine(generator(2)).targets == LEVELS
    assert lumbar_spine_lateral(generator(2)).targets == LEVELS
    assert pelvis(generator(2)).targets == (
        "ilium_right", "ilium_left", "sacrum", "femur_right", "femur_left",
    )  # fmt: skip
    targets = ribs(generator(2)).targets
    assert {"rib_5_posterior", "rib_5_lateral", "rib_5_anterior"} <= set(targets)
    assert all(name.startswith("rib_") for name in targets)


@pytest.mark.parametrize("part", PARTS)
def test_the_same_seed_draws_the_same_person(part: str) -> None:
    """Outlines are equal for the same seed and differ by over 1 mm for another."""
    one, again, other = (BUILDERS[part](generator(seed)) for seed in (4, 4, 5))
    for a, b in zip(one.bones, again.bones, strict=True):
        assert np.array_equal(a.outline_mm, b.outline_mm)
    name = one.targets[0]
    first, second = one.bone(name).outline_mm, other.bone(name).outline_mm
    assert np.abs(first - second).max() > 1.0


@pytest.mark.parametrize("part", PARTS)
def test_gas_takes_soft_tissue_away_and_no_bone(part: str) -> None:
    """Gas thins the flesh by over 3 mm in part of the image, and does not change the bone."""
    anatomy = BUILDERS[part](generator(6))
    grid = _grid(anatomy)
    with_gas = assemble(6, anatomy, grid, ())
    without = assemble(6, replace(anatomy, gas=()), grid, ())
    lost = (without.muscle_mm + without.fat_mm) - (with_gas.muscle_mm + with_gas.fat_mm)
    assert np.array_equal(with_gas.bone_mm, without.bone_mm)
    assert (lost > 3.0).mean() > 0.004
    assert lost.min() > -1.5


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_random_lesions_can_be_drawn_on_every_part(part: str) -> None:
    """Random lesions are placed in targets, and at least 80 % of them are in the truth."""
    found = drawn = 0
    for seed in range(4):
        anatomy = BUILDERS[part](generator(seed))
        lesions = draw_lesions(generator(seed, 3), anatomy, count=2)
        assert lesions
        assert {lesion.bone for lesion in lesions} <= set(anatomy.targets)
        body = assemble(seed, anatomy, _grid(anatomy, 250), lesions)
        drawn += len(lesions)
        found += len(np.unique(body.truth)) - 1
        assert body.removed_mm.max() > 0.3
    assert found >= 0.8 * drawn


@settings(max_examples=12)
@given(part=st.sampled_from(PARTS), seed=st.integers(0, 200))
def test_every_place_along_a_target_has_a_width(part: str, seed: int) -> None:
    """A target has a plausible width at every place, and most of its outline is in the image."""
    anatomy = BUILDERS[part](generator(seed))
    field = np.array(anatomy.field_mm)
    for name in anatomy.targets:
        bone = anatomy.bone(name)
        in_view = ((bone.outline_mm > 0) & (bone.outline_mm < field)).all(axis=1)
        assert in_view.mean() > 0.5
        for along in np.linspace(0.04, 0.96, 24):
            x, y, half = bone.point_mm(float(along), 0.0)
            assert np.isfinite([x, y]).all()
            assert 1.5 < half < 90.0


@pytest.mark.parametrize("part", PARTS)
def test_the_middle_of_a_target_is_bone(part: str) -> None:
    """Over 95 % of the places along the middle of the targets are inside the outline."""
    hits = []
    for seed in (7, 8, 9):
        anatomy = BUILDERS[part](generator(seed))
        window = _whole(_grid(anatomy, 400))
        for name in anatomy.targets:
            bone = anatomy.bone(name)
            mask = inside(bone.outline_mm, window)
            for along in np.linspace(0.1, 0.9, 17):
                x, y, _ = bone.point_mm(float(along), 0.0)
                row, col = int(y / window.grid.spacing_mm), int(x / window.grid.spacing_mm)
                if 0 <= row < mask.shape[0] and 0 <= col < mask.shape[1]:
                    hits.append(mask[row, col])
    assert np.mean(hits) > 0.95


@pytest.mark.parametrize("part", ["lumbar_spine", "lumbar_spine_lateral"])
def test_vertebrae_stand_in_order_with_discs_between(part: str) -> None:
    """Vertebral bodies follow each other downwards, 2 to 15 mm apart."""
    anatomy = BUILDERS[part](generator(8))
    window = _whole(_grid(anatomy, 500))
    middles = [anatomy.bone(name).outline_mm.mean(axis=0) for name in LEVELS]
    assert all(lower[1] - upper[1] > 25 for upper, lower in pairwise(middles))
    for upper, lower in pairwise(LEVELS):
        here = inside(anatomy.bone(upper).outline_mm, window)
        away = signed_distance_mm(window, anatomy.bone(lower).outline_mm)
        assert 2.0 < -away[here].max() < 15.0


def test_a_spine_from_the_side_is_lordotic() -> None:
    """L3 lies in front (left) of L1 and of L5, as the lumbar curve bulges forward."""
    for seed in range(5):
        anatomy = lumbar_spine_lateral(generator(seed))
        first, third, last = (
            anatomy.bone(name).outline_mm[:, 0].mean() for name in ("L1", "L3", "L5")
        )
        assert third < first
        assert third < last


def test_an_iliac_wing_is_thin_in_its_middle() -> None:
    """The iliac fossa, a normal lucency, has less mineral than the roof of the hip joint."""
    anatomy = pelvis(generator(9))
    bone = anatomy.bone("ilium_left")
    grid = _grid(anatomy, 300)
    mineral = assemble(9, replace(anatomy, bones=(bone,), gas=()), grid, ()).bone_mm

    def around(along: float, across: float) -> float:
        """Return the mean mineral within 6 mm of a place given in local coordinates."""
        place_x, place_y = bone.placed(((along, across),))[0]
        x, y = _whole(grid).coordinates_mm()
        return float(mineral[np.hypot(x - place_x, y - place_y) < 6.0].mean())

    assert around(-88.0, 101.0) < 0.6 * around(-36.0, 90.0)


def test_a_rib_comes_in_parts_that_follow_each_other() -> None:
    """A rib's posterior, lateral and anterior parts follow each other; rib 12 has one part."""
    rear, side, front = rib_from_front(generator(10), 6, Pose(PERSON, (0.0, 0.0)), 1.0, 1.0)
    assert [b.name for b in (rear, side, front)] == [
        "rib_6_posterior", "rib_6_lateral", "rib_6_anterior",
    ]  # fmt: skip
    for one, other in ((rear, side), (side, front)):
        end, start = one.point_mm(0.97, 0.0)[:2], other.point_mm(0.03, 0.0)[:2]
        assert np.hypot(end[0] - start[0], end[1] - start[1]) < 15.0
    assert rear.point_mm(0.05, 0.0)[0] < 30.0
    assert len(rib_from_front(generator(10), 12, Pose(PERSON, (0.0, 0.0)), 1.0, 1.0)) == 1


def test_a_straight_strip_has_its_length_and_width() -> None:
    """A path of 60 mm with a half width of 5 mm gives a bone of 60 x 10 mm, times the scale."""
    path: Field = np.column_stack([np.linspace(0.0, 60.0, 31), np.zeros(31)])
    strip = Strip(((0.0, 5.0), (1.0, 5.0)), ((0.0, 8.0), (1.0, 8.0)), ((0.0, 1.0), (1.0, 1.0)))
    bone = strip_bone(generator(11), "rod", path, strip, Pose(Person(1.2, 1.0), (10.0, 40.0)))
    assert bone.direction == pytest.approx((1.0, 0.0), abs=1e-9)
    x, y, half = bone.point_mm(0.5, 0.0)
    assert (x, y) == pytest.approx((10.0 + 1.2 * 30.0, 40.0), abs=1.5)
    assert half == pytest.approx(6.0, rel=0.2)
    low, high = bone.reach()
    assert high - low == pytest.approx(60.0 + 2 * 0.55 * 5.0, rel=0.05)


def test_a_joined_strip_fades_at_its_joint() -> None:
    """At the end where another strip continues, the depth of a strip falls to almost nothing."""
    path: Field = np.column_stack([np.zeros(31), np.linspace(0.0, 60.0, 31)])
    flat = ((0.0, 8.0), (1.0, 8.0))
    strip = Strip(((0.0, 5.0), (1.0, 5.0)), flat, flat, joined=(False, True))
    bone = strip_bone(generator(12), "rod", path, strip, Pose(PERSON, (0.0, 0.0)))
    assert bone.depth[0] == pytest.approx((0.0, 8.0))
    assert bone.depth[-1] == pytest.approx((60.0, 0.24))
    assert dict(bone.depth)[30.0] == pytest.approx(8.0)


def test_paths_pass_through_their_points() -> None:
    """A smooth path starts and ends at its first and last point and does not overshoot."""
    path = smooth_path(((0.0, 0.0), (10.0, 4.0), (30.0, 5.0)))
    assert path[0] == pytest.approx((0.0, 0.0))
    assert path[-1] == pytest.approx((30.0, 5.0))
    assert (np.diff(path, axis=0) >= 0).all()


def test_upright_vertebrae_stand_a_disc_apart() -> None:
    """Two bodies of 20 mm with a disc of 5 mm have centres 25 mm apart, times the scale."""
    plain = Vertebra("A", 40, 30, 20, 20, 5, 20, 8, 12, 60)
    poses = stacked(Person(1.2, 1.0), (plain, replace(plain, name="B")), (0, 0), 1, (50.0, 80.0))
    assert poses[1].at_mm == pytest.approx((50.0, 80.0))
    assert poses[0].at_mm == pytest.approx((50.0, 80.0 - 1.2 * 25.0))


def test_a_tilted_column_leans() -> None:
    """If a column is turned clockwise by 10 degrees, the lower vertebra moves to the left."""
    upper, lower = stacked(PERSON, LUMBAR[:2], (10.0, 10.0), 0, (0.0, 0.0))
    assert upper.at_mm == (0.0, 0.0)
    assert np.rad2deg(np.arctan2(-lower.at_mm[0], lower.at_mm[1])) == pytest.approx(10.0)


def test_discs_wear_and_bodies_do_not() -> None:
    """Wear changes only the height of the discs, and reduces it by up to 60 %."""
    for seed in range(12):
        for old, new in zip(LUMBAR, worn(generator(seed), LUMBAR), strict=True):
            assert replace(new, disc=old.disc) == old
            assert 0.39 * old.disc < new.disc < 1.03 * old.disc


def test_vertebrae_grow_downwards() -> None:
    """From T4 down, no body is narrower than the one above it, as the load increases."""
    column = (*THORACIC[3:], *LUMBAR)
    widths = [vertebra.width for vertebra in column]
    assert widths == sorted(widths)
    assert len({vertebra.name for vertebra in (*THORACIC, *LUMBAR)}) == 17


def test_a_person_fills_bones_by_their_mass() -> None:
    """The mass multiplies trabecular bone, but not cortex and depth."""
    profiles = even(10.0, 4.0, 0.5, 0.2)
    filled = Person(size=1.0, mass=0.75).filled(profiles)
    assert filled == replace(profiles, trabecular=((0.0, 0.2 * 0.75),))
    assert 1.0 < draw_person(generator(13)).size < 1.25


def test_the_left_of_a_person_is_the_right_of_the_picture() -> None:
    """Points drawn for the left side are unchanged, and mirrored for the right side."""
    assert (side_sign("left"), side_sign("right")) == (1.0, -1.0)
    assert flipped(((3.0, 4.0),), "left") == ((3.0, 4.0),)
    assert flipped(((3.0, 4.0),), "right") == ((3.0, -4.0),)


def test_bowel_lies_along_its_path_and_bubbles_about_their_centre() -> None:
    """A loop covers its path and stays within 15 mm of it; bubbles lie around their centre."""
    window = _whole(Grid(200, 200, 1.0))
    loop = gas_loop(generator(14), ((60.0, 50.0), (60.0, 150.0)), 10.0)
    mask = inside(loop.outline_mm, window)
    assert mask[60:140, 60].all()
    assert not mask[:, :45].any()
    assert not mask[:, 75:].any()
    many = gas_bubbles(generator(15), (100.0, 80.0), (6.0, 3.0), count=80, radius_mm=(2.0, 8.0))
    middles = np.array([bubble.outline_mm.mean(axis=0) for bubble in many])
    assert middles.mean(axis=0) == pytest.approx((100.0, 80.0), abs=2.5)
    assert middles.std(axis=0) == pytest.approx((6.0, 3.0), rel=0.3)
