"""Regions of a lucency map: one per peak, outlined at the common edges of film and map."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lesionscan.detection.lucencies import find_lucencies
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage
from tests.detection.made import disk

SHAPE = (200, 240)


def _hill(place: tuple[float, float], height: float, width: float) -> FloatImage:
    """Return a round peak: a Gaussian with a height and a standard deviation in pixels."""
    rows, cols = np.indices(SHAPE)
    away = (rows - place[0]) ** 2 + (cols - place[1]) ** 2
    return np.asarray(height * np.exp(-away / (2 * width**2)), np.float32)


def _disk(place: tuple[float, float], height: float, radius: float) -> FloatImage:
    """Return a plateau that falls to half its height at `radius`, within a few pixels."""
    rows, cols = np.indices(SHAPE)
    away = np.hypot(rows - place[0], cols - place[1])
    return np.asarray(height / (1 + np.exp((away - radius) / 1.5)), np.float32)


def _find(
    lucency: FloatImage,
    usable: BoolImage | None = None,
    *,
    film: FloatImage | None = None,
    most: int = 100,
) -> LabelImage:
    """Label the regions of a map; the film is constant by default, so that only the map counts."""
    everywhere = np.ones(lucency.shape, bool) if usable is None else usable
    image = np.full(lucency.shape, 0.5, np.float32) if film is None else film
    labels, _ = find_lucencies(lucency, image, everywhere, max_regions=most)
    return labels


def test_two_hills_are_two_regions_in_order_of_height() -> None:
    """The higher of two peaks is region 1, wherever it is; the pixels between are background."""
    low, high = (60, 50), (130, 180)

    labels = _find(_hill(low, 0.4, 8) + _hill(high, 0.7, 8))

    assert labels.dtype == np.int32
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert labels[high] == 1
    assert labels[low] == 2
    assert labels[95, 115] == 0


@pytest.mark.parametrize("height", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("radius", [8.0, 16.0, 40.0])
def test_a_plateau_is_outlined_at_its_edge(height: float, radius: float) -> None:
    """The region has the area and centroid of the plateau, whatever its height."""
    region = _find(_disk((100, 120), height, radius)) == 1

    assert region.sum() == pytest.approx(np.pi * radius**2, rel=0.1)
    assert np.argwhere(region).mean(axis=0) == pytest.approx((100, 120), abs=0.5)


def test_a_fading_peak_is_outlined_at_the_edge_in_the_film() -> None:
    """A peak that fades slowly is outlined at the edge of a hole of radius 16 px in the film."""
    hole = disk(SHAPE, (100, 120), 16)
    film = np.where(hole, 0.3, 0.6).astype(np.float32)
    lucency = _hill((100, 120), 0.6, 10)

    seen, blind = _find(lucency, film=film) == 1, _find(lucency) == 1

    assert seen.sum() == pytest.approx(hole.sum(), rel=0.1)
    assert blind.sum() < 0.7 * hole.sum()


def test_a_region_of_a_few_pixels_keeps_its_outline() -> None:
    """The outline of a region with a radius below 2 px is not moved to edges of the film."""
    film = np.random.default_rng(1).uniform(0, 1, SHAPE).astype(np.float32)
    lucency = _hill((100, 120), 0.9, 0.9)

    assert (_find(lucency, film=film) == _find(lucency)).all()
    assert _find(lucency)[100, 120] == 1


def test_a_low_bump_on_the_flank_of_a_hill_belongs_to_it() -> None:
    """A low peak on the flank of a higher one belongs to the region of the higher one."""
    labels = _find(_hill((100, 100), 0.8, 14) + _hill((100, 118), 0.3, 4))

    assert labels.max() == 1
    assert labels[100, 118] == 1


def test_a_hill_beside_a_higher_one_is_its_own_region() -> None:
    """Each of two adjacent peaks has its own region, and the higher one is region 1."""
    lucency = _hill((100, 90), 0.9, 8) + _hill((100, 124), 0.6, 12)

    labels = _find(lucency)

    assert labels[100, 90] == 1
    assert labels[100, 124] == 2
    assert labels.max() == 2


@pytest.mark.parametrize(("reach", "regions"), [(22, 1), (60, 2)])
def test_an_area_that_is_mostly_taken_gives_no_region(reach: float, regions: int) -> None:
    """A faint plateau around a high one is a region of its own only if it is much larger."""
    high, faint = disk(SHAPE, (100, 120), 16), disk(SHAPE, (100, 120), reach)
    lucency = np.where(high, 0.8, np.where(faint, 0.05, 0.0)).astype(np.float32)

    assert _find(lucency).max() == regions


def test_every_region_is_one_piece() -> None:
    """In a noisy map, whose regions limit each other, each region is a single component."""
    noise = np.random.default_rng(5).normal(0, 1, SHAPE).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4.0)
    lucency = np.clip(0.1 + 0.1 * smooth / smooth.std(), 0, 1).astype(np.float32)

    labels = _find(lucency)

    assert labels.max() > 10
    for label in range(1, int(labels.max()) + 1):
        pieces, _ = cv2.connectedComponents((labels == label).astype(np.uint8))
        assert pieces == 2  # the background and the region


def test_a_dark_core_belongs_to_the_lucency_around_it() -> None:
    """A hole in a region is filled."""
    ring = disk(SHAPE, (100, 120), 30) & ~disk(SHAPE, (100, 120), 8)

    assert _find(np.where(ring, 0.6, 0.0).astype(np.float32))[100, 120] == 1


def test_nothing_lies_outside_what_is_usable() -> None:
    """No unusable pixel is labelled, whether of a peak, a filled hole or the flank of a peak."""
    usable = np.ones(SHAPE, bool)
    usable[disk(SHAPE, (100, 120), 6)] = False
    usable[:, :40] = False
    lucency = _hill((100, 120), 0.8, 20) + _hill((100, 35), 0.8, 10)

    labels = _find(lucency, usable)

    assert labels[100, 130] > 0
    assert labels[100, 42] > 0
    assert not labels[~usable].any()
    assert not _find(lucency, np.zeros(SHAPE, bool)).any()


def test_the_slopes_are_the_foot_of_the_hills_around_their_regions() -> None:
    """Slopes are usable pixels just outside an outline, not inside it or far away."""
    lucency = _hill((100, 120), 0.8, 12)
    usable = np.ones(SHAPE, bool)
    usable[:, :110] = False

    labels, slopes = find_lucencies(lucency, np.full(SHAPE, 0.5, np.float32), usable, max_regions=9)

    assert slopes.dtype == np.bool_
    assert not (slopes & (labels > 0)).any()
    assert not (slopes & ~usable).any()
    last = np.flatnonzero(labels[100])[-1]
    assert slopes[100, last + 1 : last + 4].all()
    assert not slopes[disk(SHAPE, (100, 120), 40) == 0].any()


@pytest.mark.parametrize("level", [0.0, 0.005])
def test_without_a_peak_there_are_no_slopes(level: float) -> None:
    """A map without peaks has no slopes, so that dark regions may lie anywhere."""
    flat = np.full(SHAPE, level, np.float32)

    _, slopes = find_lucencies(flat, flat, np.ones(SHAPE, bool), max_regions=9)

    assert not slopes.any()


def test_no_more_regions_than_asked_for_and_those_the_highest() -> None:
    """Of nine peaks, the three highest are returned."""
    heights = {(row, col): 0.1 + 0.01 * (row + col) / 10 for row in (40, 100, 160)
               for col in (40, 120, 200)}  # fmt: skip
    lucency = np.sum([_hill(place, height, 6) for place, height in heights.items()], axis=0)

    labels = _find(np.asarray(lucency, np.float32), most=3)

    assert [labels[place] for place in ((160, 200), (100, 200), (160, 120))] == [1, 2, 3]
    assert np.unique(labels).tolist() == [0, 1, 2, 3]


def test_equal_heights_are_ordered_by_place() -> None:
    """Peaks of equal height are ordered from top to bottom, then from left to right."""
    hill = np.zeros(SHAPE, np.float32)
    places = [(40, 60), (40, 180), (140, 60)]
    for row, col in places:
        hill[row - 5 : row + 6, col - 5 : col + 6] = 0.5

    labels = _find(hill)

    assert [labels[place] for place in places] == [1, 2, 3]


@pytest.mark.parametrize("level", [0.0, 0.005])
def test_a_faint_map_has_no_region(level: float) -> None:
    """A map at the level of the network's noise has no region."""
    assert not _find(np.full(SHAPE, level, np.float32)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (7, 200)])
def test_a_constant_map_is_one_region(shape: tuple[int, int]) -> None:
    """A constant map of 0.5 is one region, however small the film."""
    assert np.unique(_find(np.full(shape, 0.5, np.float32)))[-1] == 1


def test_the_map_is_left_as_it_was() -> None:
    """A read-only map is accepted and not modified."""
    lucency = _hill((100, 120), 0.5, 10)
    before = lucency.copy()
    lucency.flags.writeable = False

    _find(lucency, np.zeros(SHAPE, bool))

    assert (lucency == before).all()


@pytest.mark.parametrize("move", [np.flipud, np.fliplr, lambda image: np.rot90(image, 2)])
def test_flips_change_nothing(move: Callable[[np.ndarray], np.ndarray]) -> None:
    """Flipping a map with many peaks flips the regions and keeps their order."""
    noise = np.random.default_rng(2).normal(0, 1, SHAPE).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 7.0)
    lucency = np.clip(0.1 + 0.2 * smooth / smooth.std(), 0, 1).astype(np.float32)

    labels = _find(lucency)
    moved = _find(np.ascontiguousarray(move(lucency)))

    assert labels.max() > 5
    assert (moved != move(labels)).mean() < 0.001
