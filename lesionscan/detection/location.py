"""Bone mask -> where on its bone a region lies, and how wide the bone is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lesionscan.radiograph import BoolImage

_GRID_PX = 400
"""Long side of the grid on which axes are found; an axis needs no more."""
_ELONGATED = 3.0
"""Least ratio of the second moments along and across for which an axis exists."""
_MOST_POINTS = 2_500
"""Pixels of a region that are looked at, about."""
_LARGE_BONE = 10_000
"""Pixels of a bone from which on every second one each way gives its axis."""
_MOST_PIECES = 2**31 - 1
"""Labels are int32."""
_NEIGHBOURHOOD = 3.0
"""Radius, in half widths of the bone, of the piece whose axis is the local one."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a candidate lies on its bone."""

    bone_id: Annotated[
        int,
        Field(ge=1, le=_MOST_PIECES, description="Number of the connected piece of the bone mask."),
    ]
    along_bone: Annotated[
        float | None,
        Field(
            description="Position along the bone's axis, 0 (top or left end) to 1; null without "
            "axis."
        ),
    ]
    across_bone: Annotated[
        float | None,
        Field(
            description="Position across the bone in units of its half width, -1 to 1, 0 on the "
            "axis; null without axis."
        ),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class BoneMap:
    """Connected pieces of a bone mask on a reduced grid.

    Attributes
    ----------
    pieces
        int32 (rows, cols) labels, 0 = no bone.
    half_width
        float32 (rows, cols), distance to the nearest pixel outside bone, in pixels of this grid,
        2 % off at most.
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
        small = cv2.resize(bone.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        count, pieces = cv2.connectedComponents(small)
        padded = cv2.distanceTransform(np.pad(small, 1), cv2.DIST_L2, cv2.DIST_MASK_5)
        return cls(
            bones={
                label: _Bone.of(*(at.astype(np.float64) for at in np.nonzero(pieces == label)))
                for label in range(1, count)
            },
            pieces=np.asarray(pieces, np.int32),
            half_width=np.asarray(padded[1:-1, 1:-1], np.float32),
            row_scale=rows / size[1],
            column_scale=cols / size[0],
        )

    def depth_at(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how deep the crossings of stored rows and columns lie in bone, in pixels here."""
        at = (
            np.minimum(((place + 0.5) / scale).astype(np.int64), side - 1)
            for place, scale, side in zip(
                (rows, cols),
                (self.row_scale, self.column_scale),
                self.half_width.shape,
                strict=True,
            )
        )
        return np.asarray(self.half_width[np.ix_(*at)])

    def locate(
        self, mask: BoolImage, box: tuple[slice, slice], *, reach_px: float
    ) -> tuple[Location | None, float | None]:
        """Place a region on its bone.

        Parameters
        ----------
        mask
            bool; the region inside its bounding box.
        box
            Slices of that box in the stored matrix.
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
        # of a large region every second pixel each way, or every third, ...
        step = max(1, int(np.ceil(np.sqrt(mask.size / _MOST_POINTS))))
        places = [
            at * step + step // 2 for at in np.nonzero(mask[step // 2 :: step, step // 2 :: step])
        ]
        if not places[0].size:  # thin, between the steps
            step, places = 1, list(np.nonzero(mask))
        rows, cols = (
            (at + (side.start + 0.5)) / part - 0.5
            for at, side, part in zip(places, box, scale, strict=True)
        )
        nearest = tuple(
            np.rint(at).astype(int).clip(0, side - 1)
            for at, side in zip((rows, cols), self.pieces.shape, strict=True)
        )
        pieces = self.pieces[nearest]
        under = np.bincount(pieces)
        if under.size < 2 or under[1:].max() == 0:
            return None, None
        bone_id = 1 + int(np.argmax(under[1:]))
        bone = self.bones[bone_id]
        # from the region's pixel on this bone that is nearest to its centroid, which may lie in a
        # notch that the lesion has eaten out of the bone's edge
        # rounded: of pixels equally near, rounding errors must not choose
        away = (rows - round(rows.mean(), 6)) ** 2 + (cols - round(cols.mean(), 6)) ** 2
        best = np.argmin(np.where(pieces == bone_id, away, np.inf))
        centre = np.array([rows[best], cols[best]])
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
        extent = float(np.ptp(rows * across[0] + cols * across[1])) + step / float(scale.mean())
        ratio = extent / width if width > 0 else None
        return Location(bone_id, along, float(np.clip(offset, -1, 1))), ratio

    def _local_axis(
        self, bone: "_Bone", centre: NDArray[np.float64], *, reach: float
    ) -> NDArray[np.float64] | None:
        """Return the unit axis of the bone around a point, or None where it has none."""
        top, left = (max(0, int(c - reach) - 2) for c in centre)
        bottom, right = (int(c + reach) + 3 for c in centre)
        around = self.half_width[top:bottom, left:right]
        half_width = float(around.max()) if around.size else 0.0
        radius = max(_NEIGHBOURHOOD * half_width, 1.5 * reach, 4.0)
        # a hair more: the distance transform's last bit varies, and pixels lie on the circle
        rows, cols = bone.between(centre[0] - radius - 1, centre[0] + radius + 1)
        near = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2 <= (radius + 1e-3) ** 2
        return _axis(rows[near], cols[near])

    def _march(
        self, bone_id: int, start: NDArray[np.float64], direction: NDArray[np.float64]
    ) -> float:
        """Return the distance from a point to the end of a bone's piece, in grid pixels."""
        longest = int(np.hypot(*self.pieces.shape)) + 1
        steps = np.arange(0, longest, 0.5)
        rows, cols = (
            np.rint(at + steps * part).astype(int)
            for at, part in zip(start, direction, strict=True)
        )
        tall, wide = self.pieces.shape
        beyond = np.flatnonzero((rows < 0) | (rows >= tall) | (cols < 0) | (cols >= wide))
        inside = np.s_[: beyond[0] if beyond.size else steps.size]
        off = np.flatnonzero(self.pieces[rows[inside], cols[inside]] != bone_id)
        end = off[0] if off.size else min(inside.stop, steps.size - 1)
        return float(steps[end])


def _second_moments(rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 2) second central moments of points.

    Neither through BLAS nor einsum, whose sums round otherwise with another number of threads or
    another place in memory.
    """
    rows, cols = rows - rows.mean(), cols - cols.mean()
    mixed = (rows * cols).mean()
    return np.array([[(rows * rows).mean(), mixed], [mixed, (cols * cols).mean()]])


def _axis(rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the unit (row, col) direction in which points spread most; None if none stands out."""
    if len(rows) < 8:
        return None
    spread, directions = np.linalg.eigh(_second_moments(rows, cols))
    if spread[1] < _ELONGATED * max(spread[0], 1e-9):
        return None
    # rounded: a path along it must not step aside for a rounding error
    axis = np.round(directions[:, 1], 9)
    # from top to bottom, or from left to right where it is level
    upwards = axis[0] < 0 if abs(axis[0]) > 1e-9 else axis[1] < 0
    return -axis if upwards else axis


@dataclass(frozen=True, slots=True, eq=False)
class _Bone:
    """One piece of bone: its pixels in the order of rows, its axis if it has one, and its ends.

    Of a large piece a quarter of the pixels stands for all.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    axis: NDArray[np.float64] | None
    ends: tuple[float, float]

    @classmethod
    def of(cls, rows: NDArray[np.float64], cols: NDArray[np.float64]) -> Self:
        if len(rows) > _LARGE_BONE:
            even = (rows % 2 == 0) & (cols % 2 == 0)
            rows, cols = rows[even], cols[even]
        axis = _axis(rows, cols)
        at = np.zeros(1) if axis is None else rows * axis[0] + cols * axis[1]
        return cls(rows, cols, axis, (float(at.min()), float(at.max())))

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
