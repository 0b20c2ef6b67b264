"""Convert a reviewer's outline to pixels, and to the columns of the table of candidates."""

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
    """Size and spacing of the picture that an outline was drawn on.

    Attributes
    ----------
    shape
        Rows and columns, in pixels.
    spacing_mm
        Distance between neighbouring (rows, columns), in mm; None if unknown.
    """

    shape: tuple[int, int]
    spacing_mm: tuple[float, float] | None


def outlined(outline_px: Sequence[tuple[float, float]], shape: tuple[int, int]) -> BoolImage:
    """Return the pixels whose centres lie inside a polygon.

    Parameters
    ----------
    outline_px
        Corners as (row, column), pixel centres at integers; the last is joined to the first. If it
        crosses itself, the even-odd rule applies.
    shape
        Rows and columns of the picture; the polygon is clipped to it.

    Returns
    -------
    ndarray
        bool (rows, cols). Two polygons that share only a side have no pixel in common.
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
    """Measure the region inside an outline, for the columns of the table of candidates.

    Parameters
    ----------
    outline_px
        As for `outlined`.
    film
        The picture it was drawn on.

    Returns
    -------
    dict or None
        Cells by column; millimetres only if the spacing is known. None if no pixel is inside.
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
    """Add drawn lesions to a label image of accepted ones.

    Parameters
    ----------
    accepted
        (rows, cols), 0 = none, otherwise 1 to n, without gaps.
    missed
        Masks of drawn lesions, bool (rows, cols) each.

    Returns
    -------
    ndarray
        uint16 (rows, cols), with labels from n + 1 on for the drawn ones, in their order. Pixels
        that have a label keep it; a drawn lesion without pixels of its own gets no label.
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
