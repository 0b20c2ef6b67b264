"""Limbs: the bones have their anatomical positions and their normal lucencies."""

from dataclasses import replace

import numpy as np
import pytest

from lesionscan.simulation.body.anatomy import Anatomy, Builder
from lesionscan.simulation.body.assembly import assemble
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import sparse_patch
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.parts.arm import humerus, with_fossae
from lesionscan.simulation.parts.arm_lateral import elbow_lateral
from lesionscan.simulation.parts.foot import foot, foot_lateral
from lesionscan.simulation.parts.lower_leg import lower_leg
from lesionscan.simulation.parts.lower_limb_lateral import ankle_lateral, knee_lateral
from lesionscan.simulation.phantom import BODY_PARTS

LATERALS = ("knee_lateral", "ankle_lateral", "foot_lateral", "elbow_lateral")
LIMBS = ("lower_leg", "humerus", "elbow", "forearm", "foot", *LATERALS)


def _middle(part: Anatomy, name: str) -> tuple[float, float]:
    """Return x and y of the middle of a bone's outline, in mm."""
    x, y = part.bone(name).outline_mm.mean(axis=0)
    return float(x), float(y)


@pytest.mark.parametrize("name", LIMBS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_targets_carry_names_of_bones_in_the_picture(name: str, seed: int) -> None:
    """Targets, growth plates and shifted bones are bones of the part, and targets are in view."""
    part = BODY_PARTS[name](generator(seed, 0))
    width, height = part.field_mm
    names = [bone.name for bone in part.bones]
    assert len(set(names)) == len(names)
    for target in part.targets:
        points = part.bone(target).outline_mm
        inside = (points[:, 0] > 0) & (points[:, 0] < width)
        assert (inside & (points[:, 1] > 0) & (points[:, 1] < height)).any()
    assert {plate[0] for plate in part.physes} <= set(names)
    assert {*part.beyond_joint, *dict(part.behind)} <= set(names)


@pytest.mark.parametrize("name", LIMBS)
def test_growth_plates_lie_in_their_bones(name: str) -> None:
    """Each growth plate lies in its bone, less than 45 mm from one end."""
    part = BODY_PARTS[name](generator(2, 0))
    for bone_name, at, _ in part.physes:
        low, high = part.bone(bone_name).reach()
        assert low < at < high
        assert min(at - low, high - at) < 45.0


def test_the_bones_of_a_lower_leg_stand_as_they_do() -> None:
    """Femur, tibia and talus are in this order; the fibula is lateral and as long as the tibia."""
    part = lower_leg(generator(1, 0))
    assert _middle(part, "femur")[1] < _middle(part, "tibia")[1] < _middle(part, "talus")[1]
    assert _middle(part, "fibula")[0] < _middle(part, "tibia")[0] - 20
    (t0, t1), (f0, f1) = part.bone("tibia").reach(), part.bone("fibula").reach()
    assert 350 < t1 - t0 < 410
    assert f1 - f0 == pytest.approx(t1 - t0, rel=0.08)


def _widths(bone: Bone, steps: tuple[float, ...]) -> list[float]:
    return [2.0 * bone.point_mm(step, 0.0)[2] for step in steps]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spliced_bones_have_no_step(seed: int) -> None:
    """Along a shaft made of two drawings, the width changes by under 2 mm per 2 % of its length."""
    for bone in (lower_leg(generator(seed, 0)).bone("tibia"),
                 lower_leg(generator(seed, 0)).bone("fibula"),
                 humerus(generator(seed, 0)).bone("humerus")):  # fmt: skip
        shaft = _widths(bone, tuple(np.linspace(0.35, 0.7, 18)))
        assert np.abs(np.diff(shaft)).max() < 2.0


def test_a_knee_from_the_side_has_its_kneecap_in_front() -> None:
    """The patella lies in front (left) of the femur's end, the fibula behind the tibia's axis."""
    part = knee_lateral(generator(1, 0))
    end = part.bone("femur").point_mm(0.97, 0.0)
    x, y = _middle(part, "patella")
    assert x < end[0] - 25
    assert abs(y - end[1]) < 50
    assert part.bone("fibula").point_mm(0.02, 0.0)[0] > part.bone("tibia").point_mm(0.1, 0.0)[0]


def test_a_foot_from_the_side_stands_on_heel_and_toes() -> None:
    """The calcaneus is behind the first metatarsal, and both reach equally low, within 25 mm."""
    part = foot_lateral(generator(1, 0))
    heel, head = part.bone("calcaneus").outline_mm, part.bone("metatarsal_1").outline_mm
    assert head[:, 0].max() < heel[:, 0].min()
    assert abs(heel[:, 1].max() - head[:, 1].max()) < 25


def test_the_great_toe_of_a_right_foot_is_on_the_left() -> None:
    """In a foot with the toes up, the first ray lies to the left of the fifth."""
    part = foot(generator(1, 0))
    assert _middle(part, "metatarsal_1")[0] < _middle(part, "metatarsal_5")[0]
    assert _middle(part, "distal_phalanx_1")[1] < _middle(part, "calcaneus")[1]


def test_an_elbow_is_bent_from_the_side() -> None:
    """The humerus is upright, the radius points to the left, and the ulna lies below it."""
    part = elbow_lateral(generator(1, 0))
    assert abs(part.bone("humerus").direction[1]) > 0.95
    assert part.bone("radius").direction[0] < -0.95
    assert _middle(part, "radius")[1] < _middle(part, "ulna")[1]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (ankle_lateral, "calcaneus"), (knee_lateral, "tibia"), (elbow_lateral, "radius"),
        (humerus, "humerus"), (BODY_PARTS["forearm"], "radius"), (BODY_PARTS["hip"], "femur"),
        (BODY_PARTS["shoulder"], "humerus"), (foot, "calcaneus"),
    ],
)  # fmt: skip
def test_normal_rarefactions_are_sparse_and_no_lesions(part: Builder, name: str) -> None:
    """Ward's triangle, the calcaneal pseudo-cyst, tubercles and tuberosities have less mineral."""
    drawn = part(generator(4, 0))
    dense = replace(
        drawn,
        bones=tuple(
            replace(bone, rarefactions=()) if bone.name == name else bone for bone in drawn.bones
        ),
    )
    assert drawn.bone(name).rarefactions
    width, height = drawn.field_mm
    grid = Grid(200, round(200 * width / height), height / 200)
    sparse, full = (assemble(4, anatomy, grid, ()) for anatomy in (drawn, dense))
    lost = full.bone_mm - sparse.bone_mm
    assert lost.max() > 0.1
    assert lost.min() > -1e-9
    assert not sparse.truth.any()


def test_forearms_point_up_and_down() -> None:
    """About half of the forearms have the hand up."""
    up = [
        _middle(part, "capitate")[1] < 0.5 * part.field_mm[1]
        for part in (BODY_PARTS["forearm"](generator(seed, 0)) for seed in range(12))
    ]
    assert 2 <= sum(up) <= 10


def test_the_fossae_lie_at_the_elbow_whichever_end_the_bone_is_drawn_from() -> None:
    """From the shoulder, places along count from the other end, and those across change sign."""
    bone = humerus(generator(3)).bone("humerus")
    bare = replace(bone, rarefactions=(), foramina=(), grooves=())
    up = with_fossae(generator(5), bare, from_shoulder=False)
    down = with_fossae(generator(5), bare, from_shoulder=True)
    length = {a.along + b.along for a, b in zip(up.rarefactions, down.rarefactions, strict=True)}
    assert len({round(one, 6) for one in length}) == 1
    assert [spot.across for spot in up.rarefactions] == [-s.across for s in down.rarefactions]
    assert max(spot.along for spot in up.rarefactions) < 30
    (plate,), (turned,) = up.grooves, down.grooves
    for (along, _), (other, _) in zip(plate.points, turned.points, strict=True):
        assert along + other == pytest.approx(max(length))
    # in the lower half of the shaft, where the elbow is
    assert min(spot.along for spot in down.rarefactions) > 200


def test_sparse_places_differ_from_person_to_person() -> None:
    """Losses are 0.1 to 1 times the maximum, and sizes 0.8 to 1.35 times the usual one."""
    drawn = [sparse_patch(generator(seed), 1.0, 2.0, (10.0, 5.0), most=0.8) for seed in range(200)]
    losses = [spot.loss for spot in drawn]
    assert 0.08 <= min(losses) < 0.15
    assert 0.73 < max(losses) <= 0.8
    assert all(spot.radius_along == pytest.approx(2 * spot.radius_across) for spot in drawn)
    assert 8.0 <= min(spot.radius_along for spot in drawn) < 9.0
    assert 12.5 < max(spot.radius_along for spot in drawn) <= 13.5
