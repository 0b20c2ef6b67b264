import numpy as np
import pytest

from lesionscan.detection.regions import fill_outside, find_dark_regions
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage
from tests.detection.made import disk

RADII = np.geomspace(3.0, 40.0, 8)


def _slab(noise: float = 0.003) -> FloatImage:
    film = np.full((240, 240), 0.7, np.float32)
    return film + np.random.default_rng(2).normal(0, noise, film.shape).astype(np.float32)


def _find(
    film: FloatImage,
    search: BoolImage | None = None,
    *,
    found: LabelImage | None = None,
    seen: FloatImage | None = None,
    max_regions: int = 20,
) -> LabelImage:
    inside = np.ones(film.shape, bool) if search is None else search
    known = np.zeros(film.shape, np.int32) if found is None else found
    inner = fill_outside(film, inside)
    lucency = np.zeros(film.shape, np.float32) if seen is None else seen
    return find_dark_regions(
        film, inner, lucency, inside, found=known, radii_px=RADII, max_regions=max_regions
    )


def _labelled(*masks: BoolImage) -> LabelImage:
    """Return a label image in which the masks are regions 1, 2, ..."""
    labels: LabelImage = np.zeros(masks[0].shape, np.int32)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    return labels


@pytest.mark.parametrize("radius", [6.0, 12.0, 25.0])
def test_a_round_hole_is_outlined_best(radius: float) -> None:
    """The most salient region is the hole: centre within a pixel, area within 10 %."""
    film = _slab()
    hole = disk(film.shape, (118.0, 131.0), radius)
    film[hole] -= 0.2

    best = _find(film) == 1

    assert np.argwhere(best).mean(axis=0) == pytest.approx((118.0, 131.0), abs=1.0)
    assert best.sum() == pytest.approx(hole.sum(), rel=0.1)


def test_a_canal_open_at_both_ends_is_less_salient_than_a_faint_hole() -> None:
    """A hole ranks above a dark band across the film that is twice as deep."""
    film = _slab()
    film[:, 60:80] -= 0.2
    hole = disk(film.shape, (120, 160), 12)
    film[hole] -= 0.1

    best = _find(film) == 1

    assert hole[best].mean() > 0.9


def test_two_holes_are_two_regions() -> None:
    """Two adjacent holes are two regions."""
    film = _slab()
    first, second = disk(film.shape, (80, 80), 10), disk(film.shape, (80, 112), 10)
    film[first | second] -= 0.2

    labels = _find(film)

    assert {labels[80, 80], labels[80, 112]} == {1, 2}


def test_regions_stay_inside_the_search_mask() -> None:
    """Pixels outside the search mask are in no region, however dark they are."""
    film = _slab()
    search = np.zeros(film.shape, bool)
    search[:, 60:180] = True
    film[~search] = 0.1

    assert not _find(film, search)[~search].any()


def test_known_regions_keep_their_numbers_and_their_ground() -> None:
    """New regions get the next numbers and no pixels of known regions."""
    film = _slab(noise=0.05)
    hole = disk(film.shape, (120, 120), 12)
    film[hole] -= 0.3
    known = _labelled(disk(film.shape, (40, 40), 20), disk(film.shape, (200, 190), 6))
    before = known.copy()

    labels = _find(film, found=known)

    assert (labels[known > 0] == known[known > 0]).all()
    assert np.count_nonzero(labels == 1) == np.count_nonzero(known == 1)
    assert np.unique(labels).tolist() == list(range(21))
    assert (labels[hole] == 3).mean() > 0.9
    assert (known == before).all()


def test_a_hole_that_is_known_is_not_found_again() -> None:
    """A known hole, or the ring around it, is not a new region, but another hole is."""
    film = _slab()
    known, other = disk(film.shape, (70, 70), 10), disk(film.shape, (170, 160), 10)
    film[known | other] -= 0.2

    labels = _find(film, found=_labelled(known))

    assert (labels[known] == 1).all()
    assert labels[170, 160] == 2
    ring = disk(film.shape, (70, 70), 20) & ~known
    assert not labels[ring].any()


@pytest.mark.parametrize("max_regions", [1, 2, 3])
def test_known_regions_count_among_the_most(max_regions: int) -> None:
    """Known regions count towards the maximum and are never removed."""
    film = _slab(noise=0.05)
    known = _labelled(disk(film.shape, (40, 40), 10), disk(film.shape, (200, 190), 6))

    labels = _find(film, found=known, max_regions=max_regions)

    assert labels.max() == max(max_regions, 2)
    assert (labels[known > 0] == known[known > 0]).all()


def test_nothing_to_search_leaves_the_known_regions() -> None:
    """With an empty search mask, a copy of the known regions is returned."""
    film = _slab()
    nowhere = np.zeros(film.shape, bool)
    known = _labelled(disk(film.shape, (40, 40), 10))

    labels = _find(film, nowhere, found=known)

    assert (labels == known).all()
    assert labels is not known
    assert not _find(film, nowhere).any()


def test_no_more_regions_than_asked_for() -> None:
    """Labels are consecutive from 1 up to the maximum."""
    labels = _find(_slab(noise=0.05), max_regions=5)

    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4, 5]


def test_bone_continues_smoothly_outside() -> None:
    """Pixels outside the mask are filled with the level of the nearest bone, not of air."""
    film = np.zeros((100, 100), np.float32)
    bone = np.zeros(film.shape, bool)
    bone[:, :50] = True
    film[bone] = 0.8

    filled = fill_outside(film, bone)

    assert filled == pytest.approx(0.8, abs=0.01)
