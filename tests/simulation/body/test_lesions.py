"""Lesions remove bone, no more than there is, inside the outline of the truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionscan.simulation.body.bones import BoneMaps, bone_window, fill_bone, outline_distance_mm
from lesionscan.simulation.body.lesions import (
    Lesion,
    LesionMaps,
    blown_up,
    lesion_field,
    remove_bone,
)
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.parts.lower_limb import knee
from lesionscan.simulation.random_lesions import KINDS, Kind, draw_lesions, small_hole

GRID = Grid(440, 330, 0.5)
FEMUR = knee(generator(5)).bone("femur")
PLAIN = Lesion("femur", 0.85, 0.0, 20.0, wobble=0.0, elongation=1.0)


def _plant(lesion: Lesion) -> tuple[BoneMaps, LesionMaps]:
    window = bone_window(FEMUR, GRID, margin_mm=lesion.diameter_mm)
    distance = outline_distance_mm(FEMUR, window)
    field = lesion_field(generator(1), lesion, FEMUR, window)
    distance, thinned = blown_up(distance, lesion, field)
    maps = fill_bone(generator(2), FEMUR, window, distance, thinned)
    return maps, remove_bone(lesion, field, maps)


@settings(max_examples=12)
@given(
    along=st.floats(0.5, 0.98),
    across=st.floats(-1.1, 1.1),
    diameter=st.floats(3.0, 60.0),
    removed=st.floats(0.1, 1.0),
    shell=st.floats(0.0, 2.0),
    expansile=st.booleans(),
)
def test_no_more_bone_is_removed_than_is_there(
    along: float, across: float, diameter: float, removed: float, shell: float, *, expansile: bool
) -> None:
    """Removed thickness is at least 0 and at most the mineral, and truth lies in the bone."""
    lesion = Lesion(
        "femur", along, across, diameter, removed=removed, shell_mm=shell, expansile=expansile
    )
    maps, done = _plant(lesion)
    assert (done.removed_mm >= 0).all()
    assert (done.removed_mm <= maps.mineral + 1e-12).all()
    assert (maps.volume[done.truth] > 0).all()
    assert (maps.mineral - done.removed_mm + done.added_mm <= maps.volume + 1e-9).all()


def test_a_round_lesion_has_the_area_of_its_diameter() -> None:
    """The truth of a smooth lesion of 20 mm has an area of pi / 4 x 20^2 mm2, within 4 %."""
    _, done = _plant(PLAIN)
    assert done.truth.sum() * 0.25 == pytest.approx(np.pi * 100, rel=0.04)


@pytest.mark.parametrize("margin", [0.5, 1.5, 3.0])
def test_truth_is_the_half_height_of_the_margin(margin: float) -> None:
    """The truth is as large as the area where over half of the full removal takes place."""
    lesion = replace(PLAIN, margin_mm=margin, shell_mm=0.0)
    window = bone_window(FEMUR, GRID, margin_mm=20.0)
    field = lesion_field(generator(1), lesion, FEMUR, window)
    ring = np.abs(field.distance - margin) < 0.5
    half = 0.5 * float(np.median(field.fraction[ring]))
    assert (field.fraction > half).sum() == pytest.approx(field.outlined.sum(), rel=0.06)


def test_a_shell_is_kept() -> None:
    """Bone within the shell is hardly removed and does not belong to the truth."""
    maps, done = _plant(replace(PLAIN, across=0.8, shell_mm=2.0, removed=1.0))
    edge = (maps.distance > 0) & (maps.distance < 1.0)
    assert not done.truth[edge].any()
    assert done.removed_mm[edge].max() < 0.05


def test_an_expansile_lesion_widens_the_bone() -> None:
    """A balloon enlarges the bone and thins it inside; the truth has the area of its diameter."""
    lesion = replace(PLAIN, along=0.8, diameter_mm=60.0, expansile=True)
    plain_maps, _ = _plant(replace(lesion, expansile=False))
    maps, done = _plant(lesion)
    assert (maps.distance > 0).sum() > 1.05 * (plain_maps.distance > 0).sum()
    assert done.truth.sum() * 0.25 == pytest.approx(np.pi * 900, rel=0.05)
    inside = done.truth & (plain_maps.distance > 0)
    assert maps.mineral[inside].mean() < 0.6 * plain_maps.mineral[inside].mean()


def test_a_sclerotic_rim_adds_bone_outside_the_lesion() -> None:
    """A rim adds mineral, but hardly any in the middle of the lesion."""
    _, bare = _plant(PLAIN)
    maps, done = _plant(replace(PLAIN, rim_mm=3.0))
    middle = done.removed_mm > 0.8 * done.removed_mm.max()
    assert bare.added_mm.max() == 0
    assert done.added_mm.max() > 1.5
    assert done.added_mm[middle & (maps.distance > 0)].max() < 0.3


def test_septa_keep_bone() -> None:
    """A lesion with septa removes less bone than the same lesion without them."""
    _, open_ = _plant(PLAIN)
    _, walled = _plant(replace(PLAIN, septa=1.0))
    assert walled.removed_mm.sum() < 0.95 * open_.removed_mm.sum()


def test_a_one_sided_lesion_fades_to_one_side() -> None:
    """One half of a one-sided lesion removes less than 0.85 of what the other half removes.

    The halves of any other round lesion remove the same, within 10 %. The outlines of both agree,
    within 3 % of the area.
    """
    window = bone_window(FEMUR, GRID, margin_mm=20.0)
    shares, outlines = {}, {}
    for one_sided in (0.0, 1.0):
        lesion = replace(PLAIN, one_sided=one_sided)
        field = lesion_field(generator(1), lesion, FEMUR, window)
        x, y = window.coordinates_mm()
        centre = FEMUR.point_mm(lesion.along, lesion.across)
        turns = np.deg2rad(np.arange(0, 360, 30))
        halves = [
            field.fraction[
                (field.distance > 1)
                & ((x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn) > 0)
            ].mean()
            for turn in turns
        ]
        shares[one_sided] = min(halves) / max(halves)
        outlines[one_sided] = field.outlined
    assert shares[0.0] > 0.9
    assert shares[1.0] < 0.85
    assert np.mean((outlines[0.0] != outlines[1.0])[outlines[0.0] | outlines[1.0]]) < 0.03


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_draws_lesions_of_its_name(kind: Kind) -> None:
    """Random lesions have the name and options of their kind, and scale with the bone's width."""
    drafts = [kind(generator(seed), 12.0) for seed in range(60)]
    assert {draft.kind for draft in drafts} == {kind.__name__}
    assert all(0.08 <= draft.removed <= 1.0 for draft in drafts)
    assert all(draft.expansile == (draft.kind == "expansile") for draft in drafts)
    assert all((draft.gap is None) == (draft.kind != "condylar") for draft in drafts)
    double = [kind(generator(seed), 24.0) for seed in range(60)]
    ratios = [b.diameter / a.diameter for a, b in zip(drafts, double, strict=True)]
    assert ratios == pytest.approx([2.0] * 60)


def test_a_whole_width_lesion_spans_the_bone() -> None:
    """An enchondroma has 0.8 to 1 of the bone's width; in a thin bone, a balloon is wider."""
    short = {}
    for kind in KINDS:
        drafts = [kind(generator(seed), 5.0) for seed in range(60)]
        short[drafts[0].kind] = [d.diameter / np.sqrt(d.elongation) / 10.0 for d in drafts]
    assert 0.79 < min(short["whole_width"]) < max(short["whole_width"]) <= 1.0
    assert min(short["expansile"]) > 1.2
    assert max(short["punched_out"]) < 0.4


def test_a_condylar_lesion_reaches_the_joint() -> None:
    """A giant cell tumour ends 0.4 to 3.1 mm from an end of its bone."""
    anatomy = knee(generator(3))
    found = [
        lesion
        for seed in range(60)
        for lesion in draw_lesions(generator(seed), anatomy, count=1)
        if lesion.kind == "condylar"
    ]
    assert len(found) >= 3
    for lesion in found:
        bone = anatomy.bone(lesion.bone)
        length = float(np.ptp(bone.reach())) * bone.scale
        to_end = min(lesion.along, 1.0 - lesion.along) * length
        reach = 0.5 * lesion.diameter_mm * np.sqrt(lesion.elongation)
        assert 0.4 < to_end - reach < 3.1


def test_many_lesions_may_come_as_a_cluster() -> None:
    """Of draws of five lesions, about a third are clusters of small lesions in one bone."""
    anatomy = knee(generator(3))
    draws = [draw_lesions(generator(seed), anatomy, count=5) for seed in range(30)]
    clusters = [drawn for drawn in draws if drawn and drawn[0].kind == "cluster"]
    assert 4 <= len(clusters) <= 17
    for drawn in clusters:
        assert {lesion.kind for lesion in drawn} == {"cluster"}
        assert len({lesion.bone for lesion in drawn}) == 1
    few = [draw_lesions(generator(seed), anatomy, count=2) for seed in range(10)]
    assert all(lesion.kind != "cluster" for drawn in few for lesion in drawn)
    assert small_hole(generator(1), 10.0).kind == "cluster"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("along", 1.1), ("across", -1.3), ("diameter_mm", 0.0), ("elongation", 0.9),
        ("removed", 0.0), ("margin_mm", 0.0), ("wobble", 0.4), ("moth_eaten", 2.0),
        ("rim_mm", -1.0), ("septa", 1.5), ("shell_mm", 6.0),
        ("one_sided", 1.1),
    ],
)  # fmt: skip
def test_a_lesion_out_of_range_is_refused(name: str, value: float) -> None:
    """A number outside its range is refused, and the message names it."""
    with pytest.raises(ValueError, match=f"{name} of a lesion must be in"):
        replace(PLAIN, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(12))
def test_drawn_lesions_keep_apart(seed: int) -> None:
    """Random lesions lie in the image and do not touch each other."""
    anatomy = knee(generator(seed))
    drawn = draw_lesions(generator(seed, 1), anatomy, count=5)
    assert len(drawn) >= 3
    spots = [(*anatomy.bone(d.bone).point_mm(d.along, d.across)[:2], d.diameter_mm) for d in drawn]
    for i, (x, y, size) in enumerate(spots):
        assert 0 < x < anatomy.field_mm[0]
        assert 0 < y < anatomy.field_mm[1]
        for other_x, other_y, other_size in spots[:i]:
            assert np.hypot(x - other_x, y - other_y) > 0.5 * (size + other_size)


def test_a_negative_number_of_lesions_is_refused() -> None:
    """A number of lesions below 0 is refused."""
    with pytest.raises(ValueError, match="number of lesions must be 0 or greater"):
        draw_lesions(generator(1), knee(generator(1)), count=-1)
