"""Variation between patients and films: build, bone loss, pose, field and decoys."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.assembly import Body, assemble
from lesionscan.simulation.body.variation import TYPICAL, Variation, draw_variation, varied
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, make_phantom

FILM = Film(marker="none")


def _part(name: str, variation: Variation, seed: int = 3) -> Anatomy:
    """Return a body part of a patient with this variation."""
    return varied(generator(seed, 31), BODY_PARTS[name](generator(seed, 0)), variation)


def _body(anatomy: Anatomy, rows: int = 240) -> Body:
    """Return the maps of a part on a grid with the given number of rows."""
    width, height = anatomy.field_mm
    spacing = height / rows
    return assemble(3, anatomy, Grid(rows, round(width / spacing), spacing), ())


def _brightness(phantom: Phantom) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the image scaled to [0, 1], bone bright."""
    return np.asarray(phantom.stored / (2**phantom.film.bits - 1), dtype=np.float64)


def test_a_typical_adult_is_the_anatomy_as_drawn() -> None:
    """The default variation changes nothing, so that recipes keep their images."""
    drawn = BODY_PARTS["knee"](generator(1, 0))
    assert varied(generator(1, 31), drawn, TYPICAL) is drawn
    plain = make_phantom("knee", 2, lesions=1, long_side_px=128)
    named = make_phantom("knee", 2, lesions=1, long_side_px=128, variation=Variation())
    assert np.array_equal(plain.stored, named.stored)


def test_the_same_seed_draws_the_same_patient() -> None:
    """The same seed draws the same variation, and another seed draws another one."""
    one, again, other = (draw_variation(generator(seed, 30)) for seed in (5, 5, 6))
    assert one == again
    assert one != other


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_drawn_patients_are_valid(seed: int) -> None:
    """Random patients are valid, and exactly those below size 0.925 have open growth plates."""
    person = draw_variation(generator(seed))
    assert not (person.growth_plates and person.bone_loss)
    assert person.growth_plates == (person.size < 0.925)


def test_archives_hold_children_old_people_closeups_and_folds() -> None:
    """Every kind of variation occurs among 300 patients, at a plausible rate."""
    people = [draw_variation(generator(seed)) for seed in range(300)]
    assert 0.08 < np.mean([p.growth_plates for p in people]) < 0.25
    assert 0.1 < np.mean([p.bone_loss > 0.2 for p in people]) < 0.4
    assert min(p.zoom for p in people) < 0.8 < 1.25 < max(p.zoom for p in people)
    assert min(p.tilt_deg for p in people) < -12 < 12 < max(p.tilt_deg for p in people)
    for name in ("foramina", "skin_folds", "soft_gas"):
        assert 0.005 < np.mean([getattr(p, name) > 0 for p in people]) < 0.5


def test_osteoporosis_takes_mineral_and_keeps_the_outline() -> None:
    """Bone loss reduces the mineral of the same bones and makes the trabeculae coarser."""
    healthy = _body(_part("knee", replace(TYPICAL, girth=1.001)))
    porous_part = _part("knee", replace(TYPICAL, girth=1.001, bone_loss=1.0))
    porous = _body(porous_part)
    assert 0.4 < porous.bone_mm.sum() / healthy.bone_mm.sum() < 0.75
    assert np.array_equal(porous.bone_labels, healthy.bone_labels)
    assert porous_part.bone("femur").coarse > 1.5


def test_a_stout_person_has_more_flesh_and_a_fat_one_more_fat() -> None:
    """More flesh and more fat can be set separately, and more flesh does not change the bones."""
    usual = _body(_part("femur", replace(TYPICAL, flesh=1.001)))
    stout = _body(_part("femur", replace(TYPICAL, flesh=1.3)))
    fat = _body(_part("femur", replace(TYPICAL, fat=2.0, flesh=1.001)))
    assert stout.muscle_mm.sum() > 1.15 * usual.muscle_mm.sum()
    assert fat.fat_mm.sum() > 1.3 * usual.fat_mm.sum()
    assert np.array_equal(stout.bone_mm, usual.bone_mm)


def test_size_girth_and_bow_change_the_bones() -> None:
    """A small tibia is shorter, a slender one narrower, a bent one displaced in the middle."""
    usual = BODY_PARTS["lower_leg"](generator(3, 0)).bone("tibia")
    low, high = usual.reach()
    length, width = (high - low) * usual.scale, usual.point_mm(0.5, 0.0)[2]
    small = _part("lower_leg", replace(TYPICAL, size=0.7)).bone("tibia")
    assert (small.reach()[1] - small.reach()[0]) * small.scale == pytest.approx(0.7 * length)
    assert small.depth[0][1] == pytest.approx(0.7 * usual.depth[0][1])
    slender = _part("lower_leg", replace(TYPICAL, girth=0.85)).bone("tibia")
    assert slender.point_mm(0.5, 0.0)[2] == pytest.approx(0.85 * width, rel=0.03)
    bent = _part("lower_leg", replace(TYPICAL, bow_mm=5.0)).bone("tibia")
    straight = _part("lower_leg", replace(TYPICAL, bow_mm=0.001)).bone("tibia")
    moved = [bent.point_mm(at, 0.0)[0] - straight.point_mm(at, 0.0)[0] for at in (0.05, 0.5, 0.95)]
    assert abs(moved[1]) == pytest.approx(5.0, abs=0.3)
    assert max(abs(moved[0]), abs(moved[2])) < 1.5


def test_a_turned_limb_shows_the_bones_behind_shifted() -> None:
    """Turning a knee about its long axis moves patella and fibula in opposite directions."""
    names = ("femur", "patella", "fibula")
    turned, other = (_part("knee", replace(TYPICAL, turn_deg=angle)) for angle in (12.0, -12.0))
    shift = {
        name: float((turned.bone(name).outline_mm - other.bone(name).outline_mm).mean(axis=0)[0])
        for name in names
    }
    assert shift["patella"] < shift["femur"] - 8.0
    assert shift["fibula"] > shift["femur"] + 3.0


def test_a_worn_joint_is_narrower() -> None:
    """The width of the gap moves the bone beyond the joint, and not the one before it."""
    wide, worn = (_part("knee", replace(TYPICAL, joint_mm=gap)) for gap in (1.0, -1.0))
    step = wide.bone("tibia").outline_mm - worn.bone("tibia").outline_mm
    assert step == pytest.approx(np.broadcast_to([0.0, 2.0], step.shape))
    assert np.array_equal(wide.bone("femur").outline_mm, worn.bone("femur").outline_mm)


@pytest.mark.parametrize("name", ["knee", "pelvis", "hand", "foot_lateral"])
def test_a_close_up_is_a_smaller_field_on_bone(name: str) -> None:
    """Zoom divides the size of the field, and bone stays in it even off centre."""
    usual = BODY_PARTS[name](generator(3, 0)).field_mm
    for shift in ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)):
        close = _part(name, replace(TYPICAL, zoom=1.6, shift=shift))
        assert close.field_mm[1] == pytest.approx(usual[1] / 1.6)
        assert _body(close, 128).bone_volume_mm.astype(bool).mean() > 0.05
        assert close.targets


def test_a_wide_field_stops_where_the_drawing_ends() -> None:
    """A field is at most `widest` times the drawn one, and scales with the patient's size."""
    drawn = BODY_PARTS["knee"](generator(3, 0))
    wide = _part("knee", replace(TYPICAL, zoom=0.5))
    assert wide.field_mm[1] == pytest.approx(drawn.field_mm[1] / drawn.widest)
    child = _part("knee", replace(TYPICAL, zoom=0.5, size=0.7))
    assert child.field_mm[1] == pytest.approx(0.7 * wide.field_mm[1])


def test_the_shift_moves_the_bones_in_the_picture() -> None:
    """Positive shifts move the field right and down, and thus the bones left and up."""
    right, left = (
        _part("wrist", replace(TYPICAL, zoom=1.2, shift=(side, side))) for side in (1.0, -1.0)
    )
    step = (right.bone("radius").outline_mm - left.bone("radius").outline_mm).mean(axis=0)
    assert step[0] < -5
    assert step[1] < -5


def test_targets_out_of_the_picture_are_dropped() -> None:
    """A close-up of fingers has fewer target bones than the whole hand."""
    close = _part("hand", replace(TYPICAL, zoom=2.0, shift=(-1.0, -1.0)))
    assert set(close.targets) < set(BODY_PARTS["hand"](generator(3, 0)).targets)


def test_growth_plates_open_by_argument_or_by_patient() -> None:
    """The argument takes precedence over the patient, which decides if it is None."""
    child = replace(TYPICAL, growth_plates=True)
    by_patient = make_phantom("knee", 4, lesions=0, long_side_px=128, film=FILM, variation=child)
    by_argument = make_phantom(
        "knee", 4, lesions=0, long_side_px=128, film=FILM, growth_plates=True
    )
    closed = make_phantom(
        "knee", 4, lesions=0, long_side_px=128, film=FILM, variation=child, growth_plates=False
    )
    assert np.array_equal(by_patient.stored, by_argument.stored)
    assert not np.array_equal(by_patient.stored, closed.stored)


_WITHOUT_DECOYS = replace(TYPICAL, flesh=1.001)


@cache
def _lower_leg(person: Variation) -> Phantom:
    return make_phantom("lower_leg", 5, lesions=0, long_side_px=700, film=FILM, variation=person)


@pytest.mark.parametrize(
    ("decoy", "darker"), [("foramina", True), ("skin_folds", False), ("soft_gas", True)]
)
def test_decoys_change_the_picture_and_not_the_truth(decoy: str, darker: bool) -> None:
    """Foramina and gas are darker, skin folds brighter, and none of them is a lesion."""
    plain = _lower_leg(_WITHOUT_DECOYS)
    drawn = _lower_leg(replace(_WITHOUT_DECOYS, **{decoy: 3}))  # type: ignore[arg-type]
    change = _brightness(drawn) - _brightness(plain)
    assert (change.min() < -0.04) if darker else (change.max() > 0.01)
    assert np.abs(change).mean() < 0.01
    assert not drawn.lesions.any()
    assert np.array_equal(drawn.bones, plain.bones)


def test_a_foramen_is_a_small_dark_dot_in_a_shaft() -> None:
    """A foramen is about 1.5 to 2 mm wide, is in a shaft, and removes its share of the mineral."""
    part = _part("lower_leg", replace(TYPICAL, foramina=1))
    ((bone, hole),) = [(bone, hole) for bone in part.bones for hole in bone.foramina]
    assert 1.4 < 2 * hole.radius * bone.scale < 2.1
    assert bone.name in ("tibia", "fibula")
    with_hole = _body(part, 900)
    without = _body(replace(part, bones=tuple(replace(b, foramina=()) for b in part.bones)), 900)
    share = with_hole.bone_mm / np.maximum(without.bone_mm, 1e-9)
    assert 1.0 - share.min(where=without.bone_mm > 1, initial=1.0) == pytest.approx(
        hole.loss, abs=0.03
    )


def test_folds_of_skin_end_with_the_skin() -> None:
    """A skin fold adds flesh on the limb and hardly any beside it."""
    part = _part("femur", replace(TYPICAL, skin_folds=3))
    bare = _body(replace(part, soft=tuple(body for body in part.soft if not body.fold)))
    folded = _body(part)
    more = (folded.muscle_mm + folded.fat_mm) - (bare.muscle_mm + bare.fat_mm)
    assert more.max() > 1.0
    assert more[(bare.muscle_mm + bare.fat_mm) == 0].max(initial=0.0) < 0.05


_OUT_OF_RANGE = {
    "bone_loss": 1.1, "size": 0.4, "girth": 0.7, "bow_mm": 30.0, "turn_deg": 40.0, "flesh": 0.1,
    "fat": 5.0, "joint_mm": 9.0, "tilt_deg": -45.0, "zoom": 3.0, "aspect": 0.2, "foramina": -1,
    "skin_folds": 99, "soft_gas": -1,
}  # fmt: skip


@pytest.mark.parametrize("name", list(_OUT_OF_RANGE))
def test_a_variation_out_of_range_is_refused(name: str) -> None:
    """A number outside its range is refused, and the message names it."""
    with pytest.raises(ValueError, match=f"{name} of a variation must be in"):
        replace(TYPICAL, **{name: _OUT_OF_RANGE[name]})  # type: ignore[arg-type]


def test_a_shift_out_of_range_is_refused() -> None:
    """A shift beyond the field, to the right or down, is refused."""
    with pytest.raises(ValueError, match="shift right of a variation"):
        replace(TYPICAL, shift=(1.5, 0.0))
    with pytest.raises(ValueError, match="shift down of a variation"):
        replace(TYPICAL, shift=(0.0, -1.5))


def test_every_number_of_a_variation_is_checked() -> None:
    """The test of ranges covers every number of a variation."""
    numbers = {field.name for field in fields(Variation)} - {"growth_plates", "shift"}
    assert numbers == set(_OUT_OF_RANGE)
