"""Axis, ends and width profile of one piece of bone."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage

ELONGATED = 3.0
"""Minimum ratio of the second moments along and across for an axis to exist."""
_LARGE = 10_000
"""In bones with more pixels, every second row and column is used."""
_LONG, _LONG_IF_CUT = 4.0, 3.0
"""Minimum length / width of the shaft of a long bone: with both ends visible, and if the film cuts
it."""
_FLARE = 1.5
"""Width / width of the shaft from which the bone counts as flaring towards a joint."""
_CUT = 3.0
"""A bone's end is cut if the bone touches the edge of the field within this many pixels of it."""


def axis_of(
    rows: NDArray[np.float64], cols: NDArray[np.float64], elongated: float = ELONGATED
) -> NDArray[np.float64] | None:
    """Return the unit (row, col) direction of the largest spread of points; None without one.

    Parameters
    ----------
    rows, cols
        The points.
    elongated
        Minimum ratio of their second moments.
    """
    if len(rows) < 8:
        return None
    spread, directions = np.linalg.eigh(_second_moments(rows, cols))
    if spread[1] < elongated * max(spread[0], 1e-9):
        return None
    # rounded, so that rounding errors do not shift a path along it
    axis = np.round(directions[:, 1], 9)
    # from top to bottom, or from left to right where it is level
    upwards = axis[0] < 0 if abs(axis[0]) > 1e-9 else axis[1] < 0
    return -axis if upwards else axis


def _second_moments(rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 2) second central moments of points.

    Not by BLAS or einsum, whose rounding depends on the number of threads or the memory alignment.
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
        Its pixels, sorted by row; for a large piece only a quarter of them.
    axis
        Unit (row, col) vector, or None.
    ends
        First and last position along the axis.
    cut
        Whether each end is cut by the edge of the film or of the exposed field.
    widths
        Width across the axis, for every pixel from end to end; empty without axis.
    thinned
        Whether only a quarter of the pixels is kept.
    whole
        Whether it is one long bone with both ends visible, narrower in the middle.
    narrow
        Width of the shaft: the 0.2 quantile of `widths` without both ends.
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
            intp (n, 2), its pixels as (row, col), sorted by row.
        edge
            bool (rows, cols); the edge of the exposed field, and what is so near it that the bone
            may continue beyond it.
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

    @property
    def long(self) -> bool:
        """Whether it is as long for its width as a long bone, as far as the film shows it."""
        known = self.axis is not None and self.narrow > 0
        return known and is_long(len(self.widths), self.narrow, cut=any(self.cut))

    def between(self, first: float, last: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the rows and columns of its pixels between two rows."""
        start, stop = np.searchsorted(self.rows, (first, last))
        return self.rows[start:stop], self.cols[start:stop]

    def fraction_along(self, centre: NDArray[np.float64]) -> float | None:
        """Return a point's position along the axis, 0 to 1; None without one."""
        if self.axis is None:
            return None
        low, high = self.ends
        at = float(centre[0] * self.axis[0] + centre[1] * self.axis[1])
        return float(np.clip((at - low) / max(high - low, 1e-9), 0.0, 1.0))

    def near_end(self, along: float, reach: float, width: float) -> bool | None:
        """Return whether a position is near one of the ends or in a flare.

        Parameters
        ----------
        along
            Position along the axis, 0 to 1.
        reach
            Extent of the lesion to either side, which is skipped: it may have widened the bone.
        width
            Width of the bone there, across its local axis; the widths along the axis of the whole
            piece may include another bone. 0 if it is the width of two bones.

        Returns
        -------
        bool or None
            False only in a bone that is `whole`; in other pieces, an end may be hidden by the edge
            of the film or by a bone that touches it, and the result is None.
        """
        length = len(self.widths)
        if length < 8:
            return None
        at = along * (length - 1)
        beside = np.rint([at - reach - 2.0, at + reach + 2.0]).clip(0, length - 1)
        beside_width = float(self.widths[beside.astype(np.intp)].max())
        if self.narrow > 0 and min(beside_width, width) >= _FLARE * self.narrow:
            return True
        quarter = max(1, length // 4)
        away = (at, length - 1 - at)
        ends = (float(self.widths[:quarter].max()), float(self.widths[-quarter:].max()))
        if any(not cut and d <= w for d, w, cut in zip(away, ends, self.cut, strict=True)):
            return True
        return False if self.whole else None


def is_long(length: float, width: float, *, cut: bool) -> bool:
    """Return whether a bone is as long for its width as a long bone, as far as the film shows it.

    Parameters
    ----------
    length, width
        In the same unit.
    cut
        Whether the film cuts its length.
    """
    return length >= (_LONG_IF_CUT if cut else _LONG) * width


def _has_waist(widths: NDArray[np.float64]) -> bool:
    """Return whether a piece is long and narrower in the middle, as one long bone is."""
    if len(widths) < 3:
        return False
    first, middle, last = np.array_split(widths, 3)
    waist = float(np.median(middle))
    return len(widths) >= _LONG * waist and waist <= 0.9 * min(first.max(), last.max())
