import numpy as np
import pytest

from lesionscan.detection.morphology import (
    close_disk,
    dilate_disk,
    distance_to,
    fill_holes,
    largest_component,
    without_small_components,
)
from tests.detection.made import disk


def test_the_distance_is_euclidean_but_for_two_percent() -> None:
    """The distance is Euclidean in every direction, within 2.5 %; (3, 4) is 5, within 1 %."""
    mask = np.zeros((41, 41), bool)
    mask[20, 20] = True

    distance = distance_to(mask)

    assert distance[23, 24] == pytest.approx(5.0, rel=0.01)
    rows, cols = np.mgrid[-20:21, -20:21]
    assert distance == pytest.approx(np.hypot(rows, cols), rel=0.025)


def test_holes_are_filled_up_to_an_area_and_only_inside() -> None:
    """A small hole is filled; a large one and a notch at the border are not."""
    mask = np.ones((60, 60), bool)
    mask[10:13, 10:13] = False
    mask[30:50, 30:50] = False
    mask[0:3, 40:43] = False

    filled = fill_holes(mask, 9.0)

    assert filled[11, 11]
    assert not filled[40, 40]
    assert not filled[0, 41]


def test_dilation_by_a_disk_is_exact() -> None:
    """Dilating a point gives the disk of that radius."""
    point = np.zeros((41, 41), bool)
    point[20, 20] = True

    assert (dilate_disk(point, 9.0) == disk((41, 41), (20, 20), 9.0)).all()


def test_dilating_nothing_gives_nothing() -> None:
    """An empty mask stays empty."""
    assert not dilate_disk(np.zeros((9, 9), bool), 3.0).any()


def test_closing_bridges_a_gap() -> None:
    """Away from the border, a radius of 3 closes a gap of 4 pixels but not one of 12."""
    gap = np.ones((40, 40), bool)
    gap[:, 18:22] = False
    wide = np.ones((40, 40), bool)
    wide[:, 14:26] = False

    assert close_disk(gap, 3.0)[3:-3].all()
    assert (close_disk(wide, 3.0) == wide).all()


def test_closing_leaves_the_empty_and_the_full_mask_alone() -> None:
    """Closing changes neither an empty nor a full mask, so the image border has no effect."""
    for mask in (np.zeros((9, 9), bool), np.ones((9, 9), bool)):
        assert (close_disk(mask, 3.0) == mask).all()


def test_specks_are_dropped_and_the_rest_stays_as_it_is() -> None:
    """Pieces of at least 4 pixels are kept; pixels that touch at a corner are one piece."""
    mask = np.zeros((20, 20), bool)
    mask[2, 2:5] = True
    mask[6, 2:6] = True
    mask[10, 2:5] = mask[11, 5:7] = True

    kept = without_small_components(mask, 4.0)

    assert not kept[2].any()
    assert (kept[6:] == mask[6:]).all()
    assert not without_small_components(np.zeros((5, 5), bool), 1.0).any()
    assert without_small_components(np.ones((5, 5), bool), 25.0).all()


def test_the_largest_piece_is_kept() -> None:
    """Only the largest component is kept, and an empty mask stays empty."""
    large, small = disk((60, 60), (20, 20), 8), disk((60, 60), (45, 45), 4)

    assert (largest_component(large | small) == large).all()
    assert not largest_component(np.zeros((5, 5), bool)).any()
