"""One piece of bone: its axis if it has one, its ends, and how wide it is along the axis."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage

ELONGATED = 3.0
"""Least ratio of the second moments along and across for which an axis exists."""
_LARGE = 10_000
"""Pixels of a bone from which on every second one each way gives its axis."""
_LONG = 4.0
"""Least length over width of a bone of which both ends are to be seen."""
_FLARE = 1.5
"""Width over that of the shaft from which on a place counts as the flare towards a joint."""
_CUT = 3.0
"""Pixels from the edge of the field within which a bone's end is cut by it."""


def axis_of(
    rows: NDArray[np.float64], cols: NDArray[np.float64], elongated: float = ELONGATED
) -> NDArray[np.float64] | None:
    """Return the unit (row, col) direction in which points spread most; None if none stands out.

    Parameters
    ----------
    rows, cols
        The points.
    elongated
        Least ratio of their second moments.
    """
    if len(rows) < 8:
        return None
    spread, directions = np.linalg.eigh(_second_moments(rows, cols))
    if spread[1] < elongated * max(spread[0], 1e-9):
        return None
    # rounded: a path along it must not step aside for a rounding error
    axis = np.round(directions[:, 1], 9)
    # from top to bottom, or from left to right where it is level
    upwards = axis[0] < 0 if abs(axis[0]) > 1e-9 else axis[1] < 0
    return -axis if upwards else axis


def _second_moments(rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 2) second central moments of points.

    Neither through BLAS nor einsum, whose sums round otherwise with another number of threads or
    another place in memory.
    """
    rows, cols = rows - rows.mean(), cols - cols.mean()
    mixed = (rows * cols).mean()
    return np.array([[(rows * rows).mean(), mixed], [mixed, (cols * cols).mean()]])


@dataclass(frozen=True, slots=True, eq=False)
class Shaft:
    """A piece of bone; lengths in pixels of the reduced grid.

    Attributes
    ----------
    rows, cols
        Its pixels in the order of rows; of a large piece a quarter of them stands for all.
    axis
        Unit (row, col) vector, or None.
    ends
        Its first and last position along the axis.
    cut
        Whether the edge of the picture or of the exposed field cuts each end.
    widths
        How wide it is across the axis, for every pixel from end to end; empty without axis.
    thinned
        Whether a quarter of the pixels stands for all.
    whole
        Whether both ends are to be seen, of one long bone: with a waist in the middle.
    narrow
        Width of its shaft: a fifth of its length, the ends left out, is narrower.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    axis: NDArray[np.float64] | None
    ends: tuple[float, float]
    cut: tuple[bool, bool]
    widths: NDArray[np.float64]
    thinned: bool
    whole: bool
    narrow: float

    @classmethod
    def of(cls, pixels: NDArray[np.intp], edge: BoolImage) -> Self:
        """Measure a piece.

        Parameters
        ----------
        pixels
            intp (n, 2), its pixels as (row, col) in the order of rows.
        edge
            bool (rows, cols); what lies at the edge of the exposed field.
        """
        rows, cols = pixels.T
        at_edge = edge[rows, cols]
        share = 1
        if len(rows) > _LARGE:
            even = (rows % 2 == 0) & (cols % 2 == 0)
            rows, cols, at_edge, share = rows[even], cols[even], at_edge[even], 4
        y, x = rows.astype(np.float64), cols.astype(np.float64)
        axis = axis_of(y, x)
        if axis is None:
            none = np.empty(0)
            return cls(
                y,
                x,
                None,
                (0.0, 0.0),
                (False, False),
                none,
                thinned=share > 1,
                whole=False,
                narrow=0.0,
            )
        at = y * axis[0] + x * axis[1]
        low, high = float(at.min()), float(at.max())
        step = 2.0 if share > 1 else 1.0
        counts = np.bincount(((at - low) / step).astype(np.intp)) * (share / step)
        cuts = at[at_edge]
        cut = (bool((cuts <= low + _CUT).any()), bool((cuts >= high - _CUT).any()))
        widths = np.repeat(counts, int(step))
        tenth = len(widths) // 10
        narrow = float(np.quantile(widths[tenth : len(widths) - tenth], 0.2))
        whole = not any(cut) and _has_waist(widths)
        return cls(y, x, axis, (low, high), cut, widths, share > 1, whole, narrow)

    def between(self, first: float, last: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the rows and columns of its pixels in some rows."""
        start, stop = np.searchsorted(self.rows, (first, last))
        return self.rows[start:stop], self.cols[start:stop]

    def fraction_along(self, centre: NDArray[np.float64]) -> float | None:
        """Return a point's position along the axis, 0 to 1; None without one."""
        if self.axis is None:
            return None
        low, high = self.ends
        at = float(centre[0] * self.axis[0] + centre[1] * self.axis[1])
        return float(np.clip((at - low) / max(high - low, 1e-9), 0.0, 1.0))

    def near_end(self, along: float, reach: float) -> bool | None:
        """Say whether a place lies near one of its ends or in a flare.

        Parameters
        ----------
        along
            Position along the axis, 0 to 1.
        reach
            How far a lesion goes on to either side, which may have widened the bone itself.

        Returns
        -------
        bool or None
            None where the film ends before that can be determined.
        """
        length = len(self.widths)
        if length < 8:
            return None
        at = along * (length - 1)
        beside = np.rint([at - reach - 2.0, at + reach + 2.0]).clip(0, length - 1)
        if float(self.widths[beside.astype(np.intp)].max()) >= _FLARE * self.narrow:
            return True
        quarter = max(1, length // 4)
        away = (at, length - 1 - at)
        ends = (float(self.widths[:quarter].max()), float(self.widths[-quarter:].max()))
        if any(not cut and d <= w for d, w, cut in zip(away, ends, self.cut, strict=True)):
            return True
        # beyond the film's edge an end may be near
        return False if all(d >= 2.0 * self.narrow for d in away) else None


def _has_waist(widths: NDArray[np.float64]) -> bool:
    """Say whether a piece is that of one long bone: long, and narrower in the middle."""
    if len(widths) < 3:
        return False
    first, middle, last = np.array_split(widths, 3)
    waist = float(np.median(middle))
    return len(widths) >= _LONG * waist and waist <= 0.9 * min(first.max(), last.max())
