"""Bone mask -> where on its bone a region lies, and how wide the bone is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage

_GRID_PX = 512
"""Long side of the grid on which axes are found; an axis needs no more."""
_ELONGATED = 3.0
"""Least ratio of the second moments along and across for which an axis exists."""
_NEIGHBOURHOOD = 3.0
"""Radius, in half widths of the bone, of the piece whose axis is the local one."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a region lies on its bone.

    Attributes
    ----------
    bone_id
        1-based number of the connected piece of the bone mask that holds the region.
    along_bone
        Position along that piece's axis, 0 (top or left end) to 1; None where no axis exists.
    across_bone
        Position across it, -1 to 1 of the half width, 0 on the axis; None where no axis exists.
    """

    bone_id: int
    along_bone: float | None
    across_bone: float | None


@dataclass(frozen=True, slots=True, eq=False)
class BoneMap:
    """Connected pieces of a bone mask on a reduced grid.

    Attributes
    ----------
    pieces
        int32 (rows, cols) labels, 0 = no bone.
    half_width
        float32 (rows, cols), distance to the nearest pixel outside bone, in pixels of this grid.
    row_scale, column_scale
        Stored pixels per pixel of this grid.
    bones
        The pieces by their labels.
    """

    pieces: NDArray[np.int32]
    half_width: NDArray[np.float32]
    row_scale: float
    column_scale: float
    bones: Mapping[int, "_Bone"]

    @classmethod
    def of(cls, bone: BoolImage) -> Self:
        """Reduce and label a bone mask, bool (rows, cols)."""
        rows, cols = bone.shape
        factor = max(1.0, max(rows, cols) / _GRID_PX)
        size = (max(1, round(cols / factor)), max(1, round(rows / factor)))
        share = cv2.resize(bone.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        small = (share >= 0.5).astype(np.uint8)
        count, pieces = cv2.connectedComponents(small)
        padded = cv2.distanceTransform(np.pad(small, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return cls(
            bones={
                label: _Bone.of(np.argwhere(pieces == label).astype(np.float64))
                for label in range(1, count)
            },
            pieces=np.asarray(pieces, np.int32),
            half_width=np.asarray(padded[1:-1, 1:-1], np.float32),
            row_scale=rows / size[1],
            column_scale=cols / size[0],
        )

    def locate(
        self, coordinates: NDArray[np.int64], *, reach_px: float
    ) -> tuple[Location | None, float | None]:
        """Place a region on its bone.

        Parameters
        ----------
        coordinates
            (n, 2) rows and columns of the region's pixels in the stored matrix.
        reach_px
            Equivalent radius of the region in stored pixels.

        Returns
        -------
        location
            None where the region lies on no bone.
        lesion_to_bone_width
            Width of the region across the local axis / width of the bone there; None where no
            axis exists. Lengths are compared on the pixel grid, so pixels are taken as square.
        """
        scale = np.array([self.row_scale, self.column_scale])
        points = (coordinates + 0.5) / scale - 0.5
        rows = np.clip(np.rint(points[:, 0]).astype(int), 0, self.pieces.shape[0] - 1)
        cols = np.clip(np.rint(points[:, 1]).astype(int), 0, self.pieces.shape[1] - 1)
        under = np.bincount(self.pieces[rows, cols])
        if under.size < 2 or under[1:].max() == 0:
            return None, None
        bone_id = 1 + int(np.argmax(under[1:]))
        bone = self.bones[bone_id]
        # from the region's pixel on this bone that is nearest to its centroid, which may lie in a
        # notch that the lesion has eaten out of the bone's edge
        on_bone = points[self.pieces[rows, cols] == bone_id]
        # rounded: of pixels equally near, rounding errors must not choose
        centroid = np.round(points.mean(axis=0), 6)
        centre = on_bone[np.argmin(((on_bone - centroid) ** 2).sum(axis=1))]
        local = self._local_axis(bone, centre, reach=reach_px / float(scale.mean()))
        along = bone.fraction_along(centre)
        if local is None:
            return Location(bone_id, along, None), None
        across = np.array([-local[1], local[0]])
        if across[1] < 0 or (across[1] == 0 and across[0] < 0):
            across = -across
        before = self._march(bone_id, centre, -across)
        after = self._march(bone_id, centre, across)
        width = before + after
        offset = (before - after) / width if width > 0 else 0.0
        extent = float(np.ptp(_along(points, across))) + 1.0 / float(scale.mean())
        ratio = extent / width if width > 0 else None
        return Location(bone_id, along, float(np.clip(offset, -1, 1))), ratio

    def _local_axis(
        self, bone: "_Bone", centre: NDArray[np.float64], *, reach: float
    ) -> NDArray[np.float64] | None:
        """Return the unit axis of the bone around a point, or None where it has none."""
        rows, cols = self.pieces.shape
        top, left = (max(0, int(c - reach) - 2) for c in centre)
        near = self.half_width[
            top : min(rows, int(centre[0] + reach) + 3),
            left : min(cols, int(centre[1] + reach) + 3),
        ]
        half_width = float(near.max()) if near.size else 0.0
        radius = max(_NEIGHBOURHOOD * half_width, 1.5 * reach, 4.0)
        # a hair more: the distance transform's last bit varies, and pixels lie on the circle
        points = bone.rows(centre[0] - radius - 1, centre[0] + radius + 1)
        return _axis(points[((points - centre) ** 2).sum(axis=1) <= (radius + 1e-3) ** 2])

    def _march(
        self, bone_id: int, start: NDArray[np.float64], direction: NDArray[np.float64]
    ) -> float:
        """Return the distance from a point to the end of a bone's piece, in grid pixels."""
        longest = int(np.hypot(*self.pieces.shape)) + 1
        steps = np.arange(0, longest, 0.5)
        path = np.rint(start + steps[:, None] * direction).astype(int)
        within = (path >= 0).all(axis=1) & (path < self.pieces.shape).all(axis=1)
        on_bone = np.zeros(steps.size, bool)
        on_bone[within] = self.pieces[path[within, 0], path[within, 1]] == bone_id
        off = np.flatnonzero(~on_bone)
        return float(steps[off[0]]) if off.size else float(steps[-1])


def second_moments(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 2) second central moments of (n, 2) points.

    Neither through BLAS nor einsum, whose sums round otherwise with another number of threads or
    another place in memory.
    """
    rows, cols = (points[:, i] - points[:, i].mean() for i in (0, 1))
    mixed = (rows * cols).mean()
    return np.array([[(rows * rows).mean(), mixed], [mixed, (cols * cols).mean()]])


def _along(points: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the position of (n, 2) points along a direction (without BLAS, as above)."""
    return np.asarray(points[:, 0] * axis[0] + points[:, 1] * axis[1], np.float64)


def _axis(points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the unit (row, col) direction in which points spread most; None if none stands out."""
    if len(points) < 8:
        return None
    spread, directions = np.linalg.eigh(second_moments(points))
    if spread[1] < _ELONGATED * max(spread[0], 1e-9):
        return None
    # rounded: a path along it must not step aside for a rounding error
    axis = np.round(directions[:, 1], 9)
    # from top to bottom, or from left to right where it is level
    upwards = axis[0] < 0 if abs(axis[0]) > 1e-9 else axis[1] < 0
    return -axis if upwards else axis


@dataclass(frozen=True, slots=True, eq=False)
class _Bone:
    """One piece: its pixels in the order of rows, its axis if it has one, and where that ends."""

    points: NDArray[np.float64]
    axis: NDArray[np.float64] | None
    ends: tuple[float, float]

    @classmethod
    def of(cls, points: NDArray[np.float64]) -> Self:
        axis = _axis(points)
        at = np.zeros(1) if axis is None else _along(points, axis)
        return cls(points, axis, (float(at.min()), float(at.max())))

    def rows(self, first: float, last: float) -> NDArray[np.float64]:
        """Return its pixels in some rows."""
        start, stop = np.searchsorted(self.points[:, 0], (first, last))
        return self.points[start:stop]

    def fraction_along(self, centre: NDArray[np.float64]) -> float | None:
        """Return a point's position along the axis, 0 to 1; None without one."""
        if self.axis is None:
            return None
        low, high = self.ends
        at = float(_along(centre[None], self.axis)[0])
        return float(np.clip((at - low) / max(high - low, 1e-9), 0.0, 1.0))
