"""The region inside an outline, as pixels and as measurements."""

import numpy as np
import pytest
from skimage.measure import grid_points_in_poly

from lesionscan.reporting.tables import CANDIDATE_COLUMNS
from lesionscan.review.outline import DrawnOn, lesion_mask, outline_cells, outlined
from tests.review.made import SQUARE

SHAPE = (40, 50)
BOX = [(row, column) for row, column in SQUARE]


def test_pixels_whose_centre_is_inside_belong() -> None:
    """A square outline contains exactly the pixels with centres inside."""
    mask = outlined(BOX, SHAPE)
    assert mask.sum() == 100
    assert mask[10:20, 20:30].all()


def test_neighbours_share_no_pixel() -> None:
    """Two triangles that form a square have all of its pixels, each in only one of them."""
    one = outlined([(5, 5), (5, 25), (25, 5)], SHAPE)
    two = outlined([(5, 25), (25, 25), (25, 5)], SHAPE)
    assert not (one & two).any()
    assert (one | two).sum() == 400


def test_any_outline_is_filled_as_others_fill_it() -> None:
    """Random, self-intersecting outlines are filled as by scikit-image."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        corners = rng.uniform(-5, 45, (rng.integers(3, 12), 2))
        expected = grid_points_in_poly(SHAPE, corners)
        assert (outlined([(row, column) for row, column in corners], SHAPE) == expected).all()


def test_a_circle_has_the_area_of_one() -> None:
    """A circle's area is accurate to 1 %, for any centre and either direction."""
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    for row, column in ((100.0, 100.0), (100.3, 99.6)):
        points = [(row + 60 * np.sin(a), column + 60 * np.cos(a)) for a in angles]
        mask = outlined(points, (200, 200))
        assert abs(mask.sum() / (np.pi * 3600) - 1) < 0.01
        assert (mask == outlined(points[::-1], (200, 200))).all()


def test_an_outline_may_cross_itself_and_the_border() -> None:
    """Areas enclosed twice are outside, and parts beyond the film are cut off."""
    outer, inner = [(0, 0), (0, 20), (20, 20), (20, 0)], [(5, 5), (5, 15), (15, 15), (15, 5)]
    twice = outlined([*outer, outer[0], *inner, inner[0]], SHAPE)
    assert twice[2, 10]
    assert not twice[10, 10]
    assert twice.sum() == 300
    beyond = outlined([(30, 40), (30, 900), (900, 900), (900, 40)], SHAPE)
    assert beyond.sum() == 100
    assert not outlined([(100, 100), (100, 200), (200, 200)], SHAPE).any()


def test_an_outline_is_measured() -> None:
    """Position and size are given in pixels, and in mm if the spacing is known."""
    cells = outline_cells(BOX, DrawnOn(SHAPE, (0.2, 0.1)))
    assert cells is not None
    assert set(cells) <= set(CANDIDATE_COLUMNS)
    assert (cells["centroid_row_px"], cells["centroid_column_px"]) == (14.5, 24.5)
    assert [cells[f"bbox_{name}_px"] for name in ("first_row", "end_row")] == [10, 20]
    assert [cells[f"bbox_{name}_px"] for name in ("first_column", "end_column")] == [20, 30]
    assert (cells["area_px"], cells["area_mm2"]) == (100.0, 2.0)
    assert cells["equivalent_diameter_px"] == pytest.approx(11.2838, abs=1e-4)
    assert cells["equivalent_diameter_mm"] == pytest.approx(1.59577, abs=1e-5)
    assert cells["size"] == pytest.approx(11.2838 / 50, abs=1e-5)
    assert (cells["centroid_row_mm"], cells["centroid_column_mm"]) == (2.9, 2.45)


def test_no_spacing_no_millimetres() -> None:
    """Without spacing there are no values in mm; an outline without pixels has no values."""
    cells = outline_cells(BOX, DrawnOn(SHAPE, None))
    assert cells is not None
    assert not [name for name in cells if "mm" in name]
    assert outline_cells([(1.1, 1.1), (1.1, 1.2), (1.2, 1.1)], DrawnOn(SHAPE, None)) is None


def test_drawn_lesions_get_the_next_numbers() -> None:
    """Drawn lesions get the next labels, but never overwrite others, and none if fully covered."""
    accepted = np.zeros(SHAPE, np.uint16)
    accepted[10:20, 20:30] = 1
    inside, beside = outlined(BOX, SHAPE), outlined([(15, 25), (15, 45), (35, 25)], SHAPE)
    mask = lesion_mask(accepted, [inside, beside])
    assert np.unique(mask).tolist() == [0, 1, 2]
    assert (mask == 1).sum() == 100
    assert (mask == 2).sum() == (beside & ~inside).sum()
    assert not (accepted == 2).any()
