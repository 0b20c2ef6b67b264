"""The bone mask computed from a bone map: threshold, holes, small pieces, gaps and confidence."""

from collections.abc import Callable

import numpy as np
import pytest

from lesionscan.detection import bone as steps
from lesionscan.detection.bone import Bone, find_bone
from lesionscan.radiograph import BoolImage, FloatImage

SIDE = 240
EVERYWHERE = np.ones((SIDE, SIDE), bool)
HOLE_PX = int(steps._LARGEST_HOLE * SIDE)
"""Side of the largest square hole that is filled."""
GAP_PX = int(2 * steps._CLOSING * SIDE)
"""Width of the widest gap that is closed, rounded down."""


def _shaft() -> BoolImage:
    """Return an upright bone that extends beyond both ends of the film."""
    shaft = np.zeros((SIDE, SIDE), bool)
    shaft[:, 80:160] = True
    return shaft


def _film(bone: BoolImage, *, step: float = 0.4) -> FloatImage:
    return np.where(bone, 0.3 + step, 0.3).astype(np.float32)


def _find(bone: BoolImage, *, step: float = 0.4, usable: BoolImage = EVERYWHERE) -> Bone:
    """Find bone in a film with a given brightness step, from a correct bone map."""
    bone_map = np.where(bone, 0.9, 0.1).astype(np.float32)
    return find_bone(bone_map, _film(bone, step=step), usable)


def test_the_mask_is_where_the_map_says_bone() -> None:
    """Pixels from 0.5 up are bone; a clear edge gives confidence 1; the masks are read-only."""
    bone = _shaft()
    bone_map = np.where(bone, 0.5, 0.499).astype(np.float32)

    found = find_bone(bone_map, _film(bone), EVERYWHERE)

    assert (found.mask == bone).all()
    assert found.confidence == 1.0
    assert not found.mask.flags.writeable
    assert not found.search.flags.writeable


def test_holes_are_filled_up_to_the_limit() -> None:
    """A square hole of the maximum size is filled; one that is a pixel longer is not."""
    bone = _shaft()
    small, large = np.s_[30 : 30 + HOLE_PX, 110 : 110 + HOLE_PX], np.s_[120:150, 110:140]
    bone[small] = bone[large] = False
    longer = np.s_[200 : 201 + HOLE_PX, 110 : 110 + HOLE_PX]
    bone[longer] = False

    mask = _find(bone).mask

    assert mask[small].all()
    assert not mask[large].any()
    assert not mask[longer].any()


def test_specks_are_dropped() -> None:
    """A piece of the minimum area is kept; one that is a pixel smaller is removed."""
    least = int(np.ceil(steps._SMALLEST_PIECE * SIDE**2))
    bone = _shaft()
    bone[10, 5 : 5 + least] = True
    bone[20, 5 : 5 + least - 1] = True

    mask = _find(bone).mask

    assert mask[10, 5 : 5 + least].all()
    assert not mask[20, :80].any()


def test_the_search_closes_notches_that_the_mask_leaves_open() -> None:
    """The search mask closes a narrow notch, except at its mouth, but not a wide one."""
    bone = _shaft()
    narrow, wide = np.s_[40 : 40 + GAP_PX - 1, 80:100], np.s_[120 : 120 + 3 * GAP_PX, 80:110]
    bone[narrow] = bone[wide] = False

    found = _find(bone)

    assert not found.mask[narrow].any()
    assert found.search[narrow][:, GAP_PX // 2 :].all()
    assert not found.search[120 + GAP_PX : 120 + 2 * GAP_PX, 80:90].any()
    assert found.search[found.mask].all()


def test_nothing_unusable_is_bone_or_searched() -> None:
    """Neither mask has unusable pixels, even those of a marker small enough to be filled."""
    usable = EVERYWHERE.copy()
    marker = np.s_[100 : 100 + HOLE_PX, 110 : 110 + HOLE_PX]
    usable[marker] = False
    usable[:, :90] = False

    found = _find(_shaft(), usable=usable)

    assert not found.mask[~usable].any()
    assert not found.search[~usable].any()
    assert found.mask[100, 100]


@pytest.mark.parametrize("share", [0.25, 0.5, 2.0])
def test_the_confidence_grows_with_the_step_at_the_edge(share: float) -> None:
    """The confidence is the brightness step as a share of a clear step, and at most 1."""
    confidence = _find(_shaft(), step=share * steps._CLEAR_STEP).confidence

    assert confidence == pytest.approx(min(share, 1.0), abs=1e-4)


@pytest.mark.parametrize("step", [0.0, -0.2])
def test_a_mask_that_is_not_brighter_than_its_surroundings_is_not_believed(step: float) -> None:
    """The confidence is 0, but the mask is still returned, so that it can be drawn."""
    found = _find(_shaft(), step=step)

    assert found.confidence == 0.0
    assert found.mask.any()


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_no_bone_and_nothing_but_bone_are_not_believed(level: float) -> None:
    """A constant bone map has no edge to measure, so the confidence is 0."""
    film = np.random.default_rng(1).uniform(0, 1, (SIDE, SIDE)).astype(np.float32)

    found = find_bone(np.full(film.shape, level, np.float32), film, EVERYWHERE)

    assert found.mask.all() == bool(level)
    assert found.mask.any() == bool(level)
    assert (found.search == found.mask).all()
    assert found.confidence == 0.0


@pytest.mark.parametrize("rows", [1, SIDE - 1])
def test_an_implausible_share_of_bone_is_not_believed(rows: int) -> None:
    """Bone in a single row, or in all rows but one, gives a confidence below 0.5."""
    bone = np.zeros((SIDE, SIDE), bool)
    bone[:rows] = True

    assert _find(bone).confidence < 0.5


def test_without_a_usable_pixel_nothing_is_found() -> None:
    """Without usable pixels, the masks are empty and the confidence is 0."""
    found = _find(_shaft(), usable=~EVERYWHERE)

    assert not found.mask.any()
    assert not found.search.any()
    assert found.confidence == 0.0


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_film_of_one_pixel_has_no_bone_worth_believing(level: float) -> None:
    """A film of one pixel causes no error and has a confidence of 0."""
    film = np.full((1, 1), level, np.float32)

    found = find_bone(film, film, np.ones((1, 1), bool))

    assert found.mask[0, 0] == bool(level)
    assert found.confidence == 0.0


def test_a_small_film_is_asked_too() -> None:
    """On a film of 48 x 48 pixels, the pixels next to the edge give the confidence."""
    bone = np.zeros((48, 48), bool)
    bone[:, 16:32] = True
    bone_map = bone.astype(np.float32)

    assert find_bone(bone_map, _film(bone), np.ones(bone.shape, bool)).confidence == 1.0


@pytest.mark.parametrize("move", [np.flipud, np.fliplr, lambda image: np.rot90(image, 2), np.rot90])
def test_flips_and_turns_change_nothing(move: Callable[[np.ndarray], np.ndarray]) -> None:
    """Flips and turns move the masks with the film and do not change the confidence."""
    rng = np.random.default_rng(4)
    film = rng.uniform(0, 1, (90, 120)).astype(np.float32)
    bone_map = np.repeat(np.repeat(rng.uniform(0, 1, (9, 12)), 10, 0), 10, 1).astype(np.float32)
    usable = np.ones(film.shape, bool)
    usable[:7, :11] = False

    def turned(image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(move(image))

    found = find_bone(bone_map, film, usable)
    moved = find_bone(turned(bone_map), turned(film), turned(usable))

    assert (moved.mask == turned(found.mask)).all()
    assert (moved.search == turned(found.search)).all()
    assert moved.confidence == pytest.approx(found.confidence, abs=1e-6)
