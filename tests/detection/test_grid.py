import cv2
import numpy as np
import pytest

from lesionscan.detection.grid import WorkingGrid, reduced, resized_mask
from tests.detection.made import disk


def test_small_films_keep_their_grid() -> None:
    """A film smaller than the limit is not resized, and its regions are returned unchanged."""
    grid = WorkingGrid.of((200, 100), long_side_px=640)
    labels = disk((200, 100), (50, 50), 9).astype(np.int32)

    assert grid.working == (200, 100)
    (footprint,) = grid.restore_regions(labels)
    assert (footprint.label, footprint.box) == (1, np.s_[41:60, 41:60])
    assert np.array_equal(footprint.mask, labels[footprint.box] == 1)


def test_the_long_side_is_bounded_and_the_aspect_kept() -> None:
    """A film of 2000 x 1000 pixels is searched on a grid of 640 x 320."""
    assert WorkingGrid.of((2000, 1000), long_side_px=640).working == (640, 320)


def test_a_label_comes_back_at_its_place_and_size() -> None:
    """A disk of radius 40 px, reduced and restored, keeps its place, and its area within 2 %."""
    stored = disk((1600, 1200), (700.5, 411.0), 40.0)
    grid = WorkingGrid.of(stored.shape, long_side_px=640)
    small = (grid.reduce(stored.astype(np.float32)) >= 0.5).astype(np.int32) * 7

    (back,) = grid.restore_regions(small)

    assert back.label == 7
    assert back.mask.sum() == pytest.approx(stored.sum(), rel=0.02)
    corner = (back.box[0].start, back.box[1].start)
    assert np.argwhere(back.mask).mean(axis=0) + corner == pytest.approx((700.5, 411.0), abs=0.5)
    for side in (back.mask[0], back.mask[-1], back.mask[:, 0], back.mask[:, -1]):
        assert side.any()  # the box is tight


def test_a_region_at_the_border_of_the_film_reaches_it() -> None:
    """A region at the border of the working grid is restored up to the border of the film."""
    grid = WorkingGrid.of((1600, 1200), long_side_px=400)
    small = np.zeros(grid.working, np.int32)
    small[:20, :30] = 1

    (back,) = grid.restore_regions(small)

    assert back.box == np.s_[0:80, 0:120]
    assert back.mask.mean() > 0.99


def test_no_pixel_belongs_to_two_regions() -> None:
    """Restored neighbours do not overlap, and together they cover the area of both."""
    grid = WorkingGrid.of((1000, 700), long_side_px=400)
    small = np.zeros(grid.working, np.int32)
    small[50:80, 60:90], small[50:80, 90:130] = 1, 2

    whole = np.zeros(grid.stored, int)
    for footprint in grid.restore_regions(small):
        whole[footprint.box] += footprint.mask

    assert whole.max() == 1
    assert whole.sum() == pytest.approx(30 * 70 * 2.5**2, rel=0.02)


def test_a_reduced_mask_is_true_only_where_it_was_wholly_covered() -> None:
    """A reduced pixel is false if any of its stored pixels is false."""
    mask = np.ones((1280, 1280), bool)
    mask[:, 641] = False

    reduced = WorkingGrid.of(mask.shape, long_side_px=640).reduce_mask(mask)

    assert np.flatnonzero(~reduced[0]).tolist() == [320]


@pytest.mark.parametrize("shape", [(3000, 2400), (2140, 1760), (1999, 1501), (701, 650)])
def test_a_turned_film_is_reduced_alike_and_to_its_last_row(shape: tuple[int, int]) -> None:
    """Reduction commutes with a half turn and includes the first and the last row."""
    grid = WorkingGrid.of(shape, long_side_px=400)
    film = np.random.default_rng(1).random(shape).astype(np.float32)
    turned = np.ascontiguousarray(film[::-1, ::-1])
    assert grid.reduce(turned)[::-1, ::-1] == pytest.approx(grid.reduce(film), abs=2e-5)
    for row in (0, -1):
        mask = np.ones(shape, bool)
        mask[row] = False
        reduced = grid.reduce_mask(mask)
        assert not reduced[row].any()
        assert reduced[2:-2].all()


@pytest.mark.slow
def test_a_map_comes_back_at_its_place() -> None:
    """A horizontal gradient, reduced and restored, keeps its values at the same places."""
    stored = np.tile(np.linspace(0, 1, 1280, dtype=np.float32), (900, 1))
    grid = WorkingGrid.of(stored.shape, long_side_px=640)

    back = grid.restore(grid.reduce(stored))

    assert back.dtype == np.float32
    assert back == pytest.approx(stored, abs=1e-3)


def test_a_map_of_a_small_film_stays_as_it_is() -> None:
    """If both grids are equal, the map itself is returned."""
    film = np.ones((200, 100), np.float32)

    assert WorkingGrid.of(film.shape, long_side_px=640).restore(film) is film


def test_pixels_are_averaged_and_the_sides_rounded_up() -> None:
    """Blocks of 2 x 2 pixels are averaged, and an incomplete block counts as one."""
    film = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert reduced(film, 2).tolist() == [[1.5], [5.5]]
    assert reduced(np.ones((5, 3), np.float32), 2).shape == (3, 2)
    assert np.array_equal(reduced(film.T, 1), film.T)


def test_a_resized_mask_is_true_from_a_half_on() -> None:
    """A resized pixel is true if at least half of its area was."""
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0]], np.bool_)
    assert resized_mask(mask, (1, 2), cv2.INTER_AREA).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("stored", "aspect", "working"),
    [
        ((500, 600), 2.0, (500, 300)),  # never enlarged: the columns are reduced
        ((600, 500), 0.5, (300, 500)),
        ((2000, 1000), 2.0, (640, 160)),
        ((1000, 2000), 0.5, (160, 640)),
        ((2000, 1000), 1.01, (640, 320)),  # rounding
    ],
)
def test_the_working_grid_has_square_pixels(
    stored: tuple[int, int], aspect: float, working: tuple[int, int]
) -> None:
    """The working grid has square pixels, whatever the aspect ratio of the stored ones."""
    grid = WorkingGrid.of(stored, long_side_px=640, pixel_aspect=aspect)
    assert grid.working == working
    assert grid.reduce(np.zeros(stored, np.float32)).shape == working
