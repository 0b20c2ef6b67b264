import numpy as np
import pytest

from lesionscan.detection.location import BoneMap, Location
from lesionscan.radiograph import BoolImage
from tests.detection.made import disk


def _locate(
    bone: BoolImage, region: BoolImage, reach_px: float
) -> tuple[Location | None, float | None]:
    rows, cols = np.nonzero(region)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    return BoneMap.of(bone).locate(region[box], box, reach_px=reach_px)


def _bar() -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    bone = np.zeros((400, 200), bool)
    bone[20:380, 80:120] = True
    return bone


def test_a_region_a_quarter_down_an_upright_bone_on_its_axis() -> None:
    """Along is counted from the top, across is 0 on the axis, width is compared across."""
    region = disk((400, 200), (110, 99.5), 10)

    location, ratio = _locate(_bar(), region, 10.0)

    assert location is not None
    assert location.bone_id == 1
    assert location.along_bone == pytest.approx(0.25, abs=0.01)
    assert location.across_bone == pytest.approx(0.0, abs=0.06)
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_across_is_positive_to_the_right() -> None:
    """Half way between the axis and the right edge is 0.5."""
    region = disk((400, 200), (200, 109.5), 4)

    location, _ = _locate(_bar(), region, 4.0)

    assert location is not None
    assert location.across_bone == pytest.approx(0.5, abs=0.06)


def test_a_level_bone_runs_from_left_to_right() -> None:
    """The same bone on its side."""
    region = disk((400, 200), (110, 99.5), 10).T

    location, ratio = _locate(_bar().T.copy(), region, 10.0)

    assert location is not None
    assert location.along_bone == pytest.approx(0.25, abs=0.01)
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_the_ratio_holds_on_films_larger_than_the_grid() -> None:
    """A 1600-pixel film is reduced first; ratios do not change."""
    bone = np.kron(_bar(), np.ones((4, 4), bool))
    region = disk(bone.shape, (441.5, 399.5), 40)

    location, ratio = _locate(bone, region, 40.0)

    assert location is not None
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_a_round_bone_has_no_axis() -> None:
    """A patella gets a bone number but no place along or across."""
    location, ratio = _locate(
        disk((200, 200), (100, 100), 60), disk((200, 200), (100, 100), 8), 8.0
    )

    assert location is not None
    assert (location.along_bone, location.across_bone, ratio) == (None, None, None)


def test_a_region_off_the_bone_has_no_location() -> None:
    """Nothing under it, nothing said."""
    assert _locate(_bar(), disk((400, 200), (200, 20), 8), 8.0) == (None, None)


def test_the_width_ends_where_the_bone_ends() -> None:
    """A hole at the edge of one limb of a U is compared with that limb, not with the whole U.

    Limbs of 40 pixels, a region of 24: 0.6, wherever its centre lies.
    """
    bone = np.zeros((400, 300), bool)
    bone[20:380, 60:100] = True
    bone[20:380, 200:240] = True
    bone[340:380, 60:240] = True

    ratios = [
        _locate(bone, disk(bone.shape, (150, col), 12), 12.0)[1] for col in (80.0, 93.0, 104.0)
    ]

    assert ratios == [pytest.approx(0.6, abs=0.06)] * 3
