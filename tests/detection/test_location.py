from typing import Any

import numpy as np
import pytest

from lesionscan.detection.location import BoneMap
from lesionscan.detection.place import FilmWords, Location, position_of
from lesionscan.radiograph import BoolImage
from tests.detection.made import disk


def _locate(
    bone: BoolImage, region: BoolImage, reach_px: float
) -> tuple[Location | None, float | None]:
    rows, cols = np.nonzero(region)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    placed = BoneMap.of(bone).locate(region[box], box, reach_px=reach_px)
    return placed.location, placed.lesion_to_bone_width


def _bar() -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    bone = np.zeros((400, 200), bool)
    bone[20:380, 80:120] = True
    return bone


def test_a_region_a_quarter_down_an_upright_bone_on_its_axis() -> None:
    """A disk half as wide as its bone lies at 0.25 along it, from the top, and at 0 across it."""
    region = disk((400, 200), (110, 99.5), 10)

    location, ratio = _locate(_bar(), region, 10.0)

    assert location is not None
    assert location.bone_id == 1
    assert location.along_bone == pytest.approx(0.25, abs=0.01)
    assert location.across_bone == pytest.approx(0.0, abs=0.06)
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_across_is_positive_to_the_right() -> None:
    """Half way from the axis to the right edge, `across_bone` is 0.5."""
    region = disk((400, 200), (200, 109.5), 4)

    location, _ = _locate(_bar(), region, 4.0)

    assert location is not None
    assert location.across_bone == pytest.approx(0.5, abs=0.06)


def test_a_level_bone_runs_from_left_to_right() -> None:
    """In a horizontal bone, positions along it count from the left."""
    region = disk((400, 200), (110, 99.5), 10).T

    location, ratio = _locate(_bar().T.copy(), region, 10.0)

    assert location is not None
    assert location.along_bone == pytest.approx(0.25, abs=0.01)
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_the_ratio_holds_on_films_larger_than_the_grid() -> None:
    """The width ratio is correct on a film of 1600 px, which is reduced first."""
    bone = np.kron(_bar(), np.ones((4, 4), bool))
    region = disk(bone.shape, (441.5, 399.5), 40)

    location, ratio = _locate(bone, region, 40.0)

    assert location is not None
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_a_round_bone_has_no_axis() -> None:
    """A round bone, such as a patella, has a location but no axis and no width ratio."""
    location, ratio = _locate(
        disk((200, 200), (100, 100), 60), disk((200, 200), (100, 100), 8), 8.0
    )

    assert location is not None
    assert (location.along_bone, location.across_bone, ratio) == (None, None, None)


@pytest.mark.parametrize(
    ("rows", "is_long"),
    [
        (slice(120, 284), True),  # 164 by 40, both ends visible
        (slice(120, 270), None),  # 150 by 40: a calcaneus or a phalanx
        (slice(0, 125), True),  # cut by the top of the film
        (slice(0, 115), None),
    ],
)
def test_a_long_bone_is_long_for_its_width(rows: slice, is_long: bool | None) -> None:
    """A long bone is four times as long as wide, or three times if the film cuts it."""
    bone = np.zeros((400, 200), bool)
    bone[rows, 80:120] = True
    region = disk((400, 200), (rows.start + 40, 99.5), 8)

    location, _ = _locate(bone, region, 8.0)

    assert location is not None
    assert location.long_bone is is_long
    assert location.position == ("central" if location.across_bone is not None else None)
    words = "long bone" if is_long else "kind of the bone not determined"
    assert location.text.startswith(words) or location.across_bone is None


def test_an_end_near_the_edge_of_the_film_is_no_joint() -> None:
    """A bone mask that ends 14 px (3.5 %) before the film's edge may continue beyond it."""
    bone = np.zeros((400, 200), bool)
    bone[14:, 80:120] = True
    region = disk((400, 200), (40, 99.5), 6)

    location, _ = _locate(bone, region, 6.0)

    assert location is not None
    assert location.long_bone
    assert location.near_joint is None


def test_a_bone_beside_another_one_does_not_flare() -> None:
    """Where a second bone joins the mask, the width of the first one counts."""
    bone = np.zeros((400, 200), bool)
    bone[:, 40:80] = True
    bone[250:, 120:160] = bone[250:260, 40:160] = True
    region = disk((400, 200), (330, 59.5), 6)

    location, _ = _locate(bone, region, 6.0)

    assert location is not None
    assert location.long_bone
    assert location.near_joint is not True


def test_a_region_off_the_bone_has_no_location() -> None:
    """A region outside the bone has neither a location nor a width ratio."""
    assert _locate(_bar(), disk((400, 200), (200, 20), 8), 8.0) == (None, None)


def test_the_width_ends_where_the_bone_ends() -> None:
    """A hole in one limb of a U is compared with that limb, not with the whole U."""
    bone = np.zeros((400, 300), bool)
    bone[20:380, 60:100] = True
    bone[20:380, 200:240] = True
    bone[340:380, 60:240] = True

    assert _locate(bone, disk(bone.shape, (150, 80.0), 12), 12.0)[1] == pytest.approx(0.6, abs=0.06)


def test_a_bone_that_the_film_cuts_lengthwise_has_no_width() -> None:
    """The width of a bone along the film's border is unknown, so there is no width ratio."""
    bone = np.zeros((400, 200), bool)
    bone[:, :60] = True
    region = disk((400, 200), (200, 25), 15)
    location, ratio = _locate(bone, region, reach_px=15.0)

    assert ratio is None
    assert location is not None
    assert location.position is None
    assert "% of its width" not in location.text


@pytest.mark.parametrize(("column", "expected"), [(99.5, 0.6), (112.0, 24 / 44), (124.0, 24 / 56)])
def test_what_a_region_takes_counts_as_bone(column: float, expected: float) -> None:
    """The width of a 40 px bar includes the part of a 24 px disk that lies beyond its edge."""
    region = disk((400, 200), (200, column), 12)

    ratio = _locate(_bar(), region, 12.0)[1]

    assert ratio == pytest.approx(expected, abs=0.05)
    # a mask without the lesion gives the same ratio
    if column < 120:  # otherwise the axis of the notched bone is unclear
        assert _locate(_bar() & ~region, region, 12.0)[1] == pytest.approx(expected, abs=0.05)


def test_a_balloon_takes_all_of_its_bone() -> None:
    """A disk of 70 px on a bar of 40 px has a width ratio of 1, not 1.75."""
    assert _locate(_bar(), disk((400, 200), (200, 99.5), 35), 35.0)[1] == pytest.approx(
        1.0, abs=0.02
    )


def test_the_frame_is_the_bone_around_the_region() -> None:
    """The frame has the bone's centre, axis and width and the region's extent, in film pixels."""
    bone = np.kron(_bar(), np.ones((4, 4), bool))
    region = disk(bone.shape, (801.5, 380.0), 40)
    rows, cols = np.nonzero(region)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]

    frame = BoneMap.of(bone).locate(region[box], box, reach_px=40.0).frame

    assert frame is not None
    assert frame.centre == pytest.approx((801.5, 399.5), abs=6)
    assert frame.width_px == pytest.approx(160, abs=6)
    assert frame.reach_px == pytest.approx((-40, 40), abs=6)
    assert frame.axis == pytest.approx((1, 0), abs=1e-3)
    assert frame.across == pytest.approx((0, 1), abs=1e-3)


def _femur() -> BoolImage:
    """Return a bone of 320 x 30 px with ends 60 px wide, entirely within the film."""
    bone = np.zeros((400, 200), bool)
    bone[40:360, 85:115] = True
    bone[40:90, 70:130] = True
    bone[310:360, 70:130] = True
    return bone


def _words_of(bone: BoolImage, row: int, radius: int = 8, **more: Any) -> Location:  # noqa: ANN401
    region = disk(bone.shape, (row, 100), radius)
    rows, cols = np.nonzero(region)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    location = BoneMap.of(bone, **more).locate(region[box], box, reach_px=float(radius)).location
    assert location is not None
    return location


@pytest.mark.parametrize(
    ("row", "feet", "third", "near"),
    [
        (60, None, "end_third", True),
        (200, None, "middle_third", False),
        (340, None, "end_third", True),
        (60, (1.0, 0.0), "proximal_third", True),
        (340, (1.0, 0.0), "distal_third", True),
        (340, (-1.0, 0.0), "proximal_third", True),
        (340, (0.0, 1.0), "end_third", True),
    ],
)
def test_thirds_of_a_bone_that_is_all_in_the_film(
    row: int, feet: tuple[float, float] | None, third: str, *, near: bool
) -> None:
    """A third is proximal or distal only if the file says in which direction the feet are."""
    location = _words_of(_femur(), row, words=FilmWords(feet=feet))

    assert (location.third, location.near_joint, location.long_bone) == (third, near, True)
    assert location.text.startswith(third.replace("_", " ") + " of a long bone")


def test_a_bone_that_the_film_cuts_has_no_thirds() -> None:
    """The third is unknown if an end of the bone is outside the film or the exposed field."""
    bone = _femur()
    cut = bone[:300]
    exposed = np.ones_like(bone)
    exposed[:, :] = True
    exposed[300:] = False

    assert _words_of(cut, 200).third is None
    assert _words_of(bone & exposed, 200, exposed=exposed).third is None
    assert _words_of(cut, 200).text.startswith("long bone, third not determined")


def test_two_bones_that_meet_have_no_thirds() -> None:
    """Femur and tibia in one piece have no thirds; their wide middle counts as near a joint."""
    bone = np.zeros((400, 200), bool)
    bone[20:380, 85:115] = True
    bone[150:250, 60:140] = True

    location = _words_of(bone, 200)

    assert location.third is None
    assert location.near_joint is True  # where the bone flares


def test_what_the_file_says_of_the_place() -> None:
    """Side and body part are those in the file; a film of the spine has no long bones."""
    knee = FilmWords.of({"body_part_examined": "KNEE", "image_laterality": "R"})
    spine = FilmWords.of({"body_part_examined": "LSPINE", "patient_orientation": "L\\F"})

    assert _words_of(_bar(), 200, words=knee).text == (
        "right knee: long bone, third not determined, central, 42 % of its width"
    )
    assert _words_of(_bar(), 200, words=spine).long_bone is False
    assert _words_of(_bar(), 200, words=spine).text.startswith("lspine: not a long bone")
    assert spine.feet is None  # not a limb


def _forearm(gap: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return two bones side by side that touch below row 300, above which a gap parts them."""
    bone = np.zeros((400, 200), bool)
    bone[20:380, 70:130] = True
    bone[:300, 100 - gap // 2 : 100 + gap // 2] = False
    return bone


@pytest.mark.parametrize(("row", "gap", "joined"), [(325, 8, True), (325, 0, False)])
def test_bones_that_touch_have_no_width(row: int, gap: int, *, joined: bool) -> None:
    """Where a section nearby crosses two bones, position and share of the width are unknown."""
    region = disk((400, 200), (row, 90), 8)
    location, ratio = _locate(_forearm(gap), region, 8.0)

    assert location is not None
    assert (ratio is None, location.position is None) == (joined, joined)


@pytest.mark.parametrize(("lowest", "joined"), [(0.65, True), (0.85, True), (0.95, False)])
def test_bones_that_touch_are_told_by_a_less_likely_line_between(
    lowest: float, *, joined: bool
) -> None:
    """A line that the network holds to be bone less surely, beyond the region, is a gap."""
    likelihood = np.where(_bar(), 0.98, 0.02).astype(np.float32)
    likelihood[20:380, 98:102] = lowest
    location = _words_of(_bar(), 200, likelihood=likelihood)
    assert (location.position is None) is joined


def test_a_region_of_less_likely_bone_is_no_gap() -> None:
    """A lesion lowers the likelihood of bone; that does not divide its bone."""
    likelihood = np.where(_bar(), 0.98, 0.02).astype(np.float32)
    likelihood[160:240, 96:104] = 0.4
    assert _words_of(_bar(), 200, likelihood=likelihood).position is None
    region = np.zeros((400, 200), bool)
    region[160:240, 96:104] = True
    box = np.s_[160:240, 96:104]
    placed = BoneMap.of(_bar(), likelihood=likelihood).locate(region[box], box, reach_px=14.0)
    assert placed.location is not None
    assert placed.location.position == "central"


def test_a_notch_or_a_spur_is_no_second_bone() -> None:
    """A short hole in a bone and a thin spur beside it do not hide the width."""
    bone = _bar()
    bone[235:238, 98:102] = False
    bone[210:240, 112:116] = False  # leaves a spur of 4 px
    region = disk((400, 200), (200, 99.5), 8)
    assert _locate(bone, region, 8.0)[1] is not None


def test_the_width_of_joined_bones_is_no_flare() -> None:
    """It does not put a place near a joint; an end of the bones nearby does."""
    assert _words_of(_forearm(24), 325).near_joint is None  # the film's edge may cut the bones
    ending = _forearm(24)
    ending[360:] = False
    assert _words_of(ending, 325).near_joint is True


@pytest.mark.parametrize("part", ["PELVIS", "CHEST", "LSPINE"])
def test_a_film_of_both_sides_has_no_side(part: str) -> None:
    """On films of the trunk and the spine, the side in the header is not that of the bone."""
    words = FilmWords.of({"body_part_examined": part, "image_laterality": "L"})
    assert words.site == part.lower()


def test_on_a_film_of_the_trunk_an_elongated_bone_is_of_unknown_kind() -> None:
    """It may be a femur or a rib, so its text has no position and no share of the width either."""
    pelvis = FilmWords.of({"body_part_examined": "PELVIS"})
    location = _words_of(_bar(), 200, words=pelvis)
    assert (location.long_bone, location.position) == (None, None)
    assert location.text == "pelvis: kind of the bone not determined"


def test_a_file_that_says_nothing_gives_no_words() -> None:
    """Without header, there is neither a side nor a body part."""
    assert FilmWords.of({}) == FilmWords()


@pytest.mark.parametrize(
    ("said", "feet"),
    [
        ("L\\F", (1.0, 0.0)),
        ("L\\H", (-1.0, 0.0)),
        ("F\\A", (0.0, 1.0)),
        ("HL\\A", (0.0, -1.0)),
        ("L\\P", None),
        ("", None),
    ],
)
def test_where_the_feet_are(said: str, feet: tuple[float, float] | None) -> None:
    """Patient Orientation (PS3.3 C.7.6.1.1.1) gives the direction of rows, then of columns."""
    facts = {"body_part_examined": "FEMUR", "patient_orientation": said}
    assert FilmWords.of(facts).feet == feet


@pytest.mark.parametrize(
    ("across", "ratio", "on_bone", "position"),
    [
        (0.2, 0.3, 1.0, "central"),
        (0.5, 0.85, 1.0, "central"),
        (-0.5, 0.4, 1.0, "eccentric"),
        (0.8, 0.2, 1.0, "cortical"),
        (0.6, 0.1, 1.0, "eccentric"),
        (0.9, 0.3, 0.2, "surface"),
        (0.1, 0.3, 0.2, "central"),
    ],
)
def test_across_the_bone(across: float, ratio: float, on_bone: float, position: str) -> None:
    """The position follows from the offset, the width ratio and the share on bone."""
    assert position_of(across, ratio, on_bone) == position
