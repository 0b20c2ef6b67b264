"""From a reviewer's outline to pixels, and to the numbers that the table of candidates has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage
from lesionscan.reporting.conversion import rounded
from lesionscan.results.csv_text import Cell


@dataclass(frozen=True, slots=True)
class DrawnOn:
    """The picture that an outline was drawn on.

    Attributes
    ----------
    shape
        Rows and columns, in pixels.
    spacing_mm
        Distance of neighbouring (rows, columns), in mm; None where it is not known.
    """

    shape: tuple[int, int]
    spacing_mm: tuple[float, float] | None


def outlined(outline_px: Sequence[tuple[float, float]], shape: tuple[int, int]) -> BoolImage:
    """Return the pixels whose centres lie inside a polygon.

    Parameters
    ----------
    outline_px
        Corners as (row, column), pixel centres at integers; the last is joined to the first. Where
        it crosses itself, what is encircled twice is outside (even-odd rule).
    shape
        Rows and columns of the picture; what lies beyond is cut off.

    Returns
    -------
    ndarray
        bool (rows, cols). Two polygons that share a side share no pixel.
    """
    rows, columns = shape
    mask = np.zeros(shape, np.bool_)
    corners = np.asarray(outline_px, np.float64)
    first, second = corners, np.roll(corners, -1, axis=0)
    low = max(0, math.ceil(corners[:, 0].min()))
    high = min(rows - 1, math.floor(corners[:, 0].max()))
    for row in range(low, high + 1):
        crossing = (first[:, 0] <= row) != (second[:, 0] <= row)
        above, below = first[crossing], second[crossing]
        share = (row - above[:, 0]) / (below[:, 0] - above[:, 0])
        ends = np.ceil(np.sort(above[:, 1] + share * (below[:, 1] - above[:, 1])))
        for start, stop in np.clip(ends, 0, columns).astype(int).reshape(-1, 2):
            mask[row, start:stop] = True
    return mask


def outline_cells(
    outline_px: Sequence[tuple[float, float]], film: DrawnOn
) -> dict[str, Cell] | None:
    """Measure what an outline encloses, in the columns of the table of candidates.

    Parameters
    ----------
    outline_px
        As for `outlined`.
    film
        What it was drawn on.

    Returns
    -------
    dict or None
        By column; millimetres only where the spacing is known. None where no pixel is inside.
    """
    rows, columns = np.nonzero(outlined(outline_px, film.shape))
    if not rows.size:
        return None
    diameter = math.sqrt(4 * rows.size / math.pi)
    cells: dict[str, Cell] = {
        **_pair("centroid", "px", (rows.mean(), columns.mean())),
        "bbox_first_row_px": int(rows.min()),
        "bbox_first_column_px": int(columns.min()),
        "bbox_end_row_px": int(rows.max()) + 1,
        "bbox_end_column_px": int(columns.max()) + 1,
        "area_px": float(rows.size),
        "equivalent_diameter_px": rounded(diameter),
        "size": rounded(diameter / max(film.shape)),
    }
    if film.spacing_mm is not None:
        row_mm, column_mm = film.spacing_mm
        area = rows.size * row_mm * column_mm
        cells |= _pair("centroid", "mm", (rows.mean() * row_mm, columns.mean() * column_mm))
        cells["area_mm2"] = rounded(area)
        cells["equivalent_diameter_mm"] = rounded(math.sqrt(4 * area / math.pi))
    return cells


def lesion_mask(accepted: NDArray[np.uint16], missed: Sequence[BoolImage]) -> NDArray[np.uint16]:
    """Add drawn lesions to a picture of accepted ones.

    Parameters
    ----------
    accepted
        (rows, cols), 0 = none, otherwise 1 to n, each number there.
    missed
        bool (rows, cols) each.

    Returns
    -------
    ndarray
        uint16 (rows, cols), with numbers from n + 1 on for the drawn ones, in their order. What is
        taken stays; a drawn lesion that has no pixel of its own gets no number.
    """
    mask = accepted.copy()
    for pixels in missed:
        free = pixels & (mask == 0)
        if free.any():
            mask[free] = mask.max() + 1
    return mask


def _pair(name: str, unit: str, values: tuple[float, float]) -> dict[str, Cell]:
    row, column = values
    return {f"{name}_row_{unit}": rounded(row), f"{name}_column_{unit}": rounded(column)}
