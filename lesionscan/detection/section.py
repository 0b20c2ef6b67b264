"""The bone across its local axis."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.shaft import is_long
from lesionscan.radiograph import BoolImage, FloatImage

_BESIDE, _SECTIONS = (0.3, 2.0), 28
"""Distances along the bone, in widths, at which sections may cross two bones, and number of
sections on either side."""
_SAMPLES = 65
"""Number of samples of a section."""
_LEAST_PART, _LEAST_FORK = 10, 3
"""Minimum width of either bone in samples (0.15 of the width), and minimum number of successive
sections that cross both (0.15 of the width)."""
_LESS_LIKELY = 0.7, 0.8, 0.9
"""Levels of the network's bone map: a narrow gap between two bones is part of the bone mask, but
less likely to be bone."""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """The bone across its local axis at a place; lengths in pixels of the reduced grid.

    Attributes
    ----------
    across
        float64 (2,), unit (row, col) vector, to the right or, if level, downwards.
    middle
        float64 (2,), (row, col) of the middle of the width.
    width
        Width of the bone.
    offset
        Position of the place, -1 to 1 in half widths of the bone.
    cut
        Whether the film shows only part of the width.
    joined
        Whether the width is that of two bones that touch.
    """

    across: NDArray[np.float64]
    middle: NDArray[np.float64]
    width: float
    offset: float
    cut: bool
    joined: bool

    @classmethod
    def at(
        cls,
        bone: BoolImage,
        edge: BoolImage,
        centre: NDArray[np.float64],
        axis: NDArray[np.float64],
        *,
        likely: FloatImage | None = None,
    ) -> Self | None:
        """Measure the section at a place.

        Parameters
        ----------
        bone, edge
            bool (rows, cols); a piece of the bone mask, and the edge of the exposed field.
        centre
            float64 (2,), (row, col) of the place.
        axis
            float64 (2,), unit vector along the bone.
        likely
            float32 (rows, cols) in [0, 1]; likelihood of bone in that piece. If None, only the mask
            shows whether two bones touch.

        Returns
        -------
        Section or None
            None if the bone has no width there.
        """
        across = np.array([-axis[1], axis[0]])
        if across[1] < 0 or (across[1] == 0 and across[0] < 0):
            across = -across
        before, after, cut = _run(bone, edge, centre, across)
        width = before + after
        if width <= 0:
            return None
        middle = centre + 0.5 * (after - before) * across
        offset = float(np.clip((before - after) / width, -1, 1))
        if likely is None:
            likely = bone.astype(np.float32)
        return cls(across, middle, width, offset, cut, _is_joined(likely, middle, axis, width))


def is_long_along(
    bone: BoolImage,
    edge: BoolImage,
    centre: NDArray[np.float64],
    axis: NDArray[np.float64],
    *,
    width: float,
) -> bool:
    """Return whether a bone is long for its width along its local axis; see `Section.at`."""
    before, after, cut = _run(bone, edge, centre, axis)
    return is_long(before + after, width, cut=cut)


def _run(
    bone: BoolImage, edge: BoolImage, centre: NDArray[np.float64], way: NDArray[np.float64]
) -> tuple[float, float, bool]:
    """Return the distances to the bone's edge on both sides, and whether the film cuts it."""
    before, after = (_distance_to_edge(bone, centre, one) for one in (-way, way))
    ends = np.rint([centre - before * way, centre + after * way]).astype(int)
    inside = ends.clip(0, np.array(edge.shape) - 1)
    return before, after, bool(edge[inside[:, 0], inside[:, 1]].any())


def _is_joined(
    likely: FloatImage,
    middle: NDArray[np.float64],
    axis: NDArray[np.float64],
    width: float,
) -> bool:
    """Return whether the width at a place is that of two bones that touch.

    This is so if sections nearby, across the same axis, cross two bones, as above the place where
    the masks of radius and ulna meet. A hole in the mask that is at least 0.15 of the width long
    has the same effect.

    Parameters
    ----------
    likely
        float32 (rows, cols) in [0, 1]; likelihood of bone, 0 outside a piece of the bone mask.
    middle
        float64 (2,), (row, col) of the middle of its width there.
    axis
        float64 (2,), unit vector along the bone.
    width
        In pixels.
    """
    away = np.linspace(*_BESIDE, _SECTIONS) * width
    along = np.concatenate([-away[::-1], away])
    offsets = np.linspace(-0.5, 0.5, _SAMPLES) * width
    across = np.array([-axis[1], axis[0]])
    rows, cols = (
        np.rint(middle[k] + along[:, None] * axis[k] + offsets * across[k]).astype(np.intp)
        for k in (0, 1)
    )
    inside = (rows >= 0) & (rows < likely.shape[0]) & (cols >= 0) & (cols < likely.shape[1])
    values = likely[rows.clip(0, likely.shape[0] - 1), cols.clip(0, likely.shape[1] - 1)]
    values = np.where(inside, values, np.float32(0))
    return any(
        _longest_run(side) >= _LEAST_FORK
        for level in (0.0, *_LESS_LIKELY)
        for side in np.split(_are_forked(values > level), 2)
    )


def _are_forked(sections: BoolImage) -> BoolImage:
    """Return which sections have two runs of bone with a gap of two samples or more.

    Parameters
    ----------
    sections
        bool (n, samples).
    """
    padded = np.pad(sections.view(np.uint8), ((0, 0), (_LEAST_PART, _LEAST_PART)))
    wide = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((1, _LEAST_PART), np.uint8))
    runs = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, np.ones((1, 2), np.uint8))
    starts = (runs[:, 1:] > runs[:, :-1]).sum(axis=1)
    return np.asarray(starts >= 2, np.bool_)


def _longest_run(values: BoolImage) -> int:
    """Return the length of the longest run of True."""
    changes = np.flatnonzero(np.diff(np.pad(values, 1).astype(np.int8)))
    return int((changes[1::2] - changes[::2]).max(initial=0))


def _distance_to_edge(
    bone: BoolImage, start: NDArray[np.float64], direction: NDArray[np.float64]
) -> float:
    """Return the distance from a point to the edge of the bone.

    Parameters
    ----------
    bone
        bool (rows, cols).
    start
        float64 (2,), the point, as (row, col).
    direction
        float64 (2,), unit vector.

    Returns
    -------
    float
        In pixels; to the border of the grid if the bone reaches it.
    """
    longest = int(np.hypot(*bone.shape)) + 1
    steps = np.arange(0, longest, 0.5)
    rows, cols = (
        np.rint(at + steps * part).astype(int) for at, part in zip(start, direction, strict=True)
    )
    tall, wide = bone.shape
    beyond = np.flatnonzero((rows < 0) | (rows >= tall) | (cols < 0) | (cols >= wide))
    inside = np.s_[: beyond[0] if beyond.size else steps.size]
    off = np.flatnonzero(~bone[rows[inside], cols[inside]])
    end = off[0] if off.size else min(inside.stop, steps.size - 1)
    return float(steps[end])
