"""Bone mask -> where on its bone a region lies, and how wide the bone is there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.place import (
    FilmWords,
    Location,
    Position,
    place_text,
    position_of,
    third_of,
)
from lesionscan.detection.shaft import ELONGATED, Shaft, axis_of
from lesionscan.radiograph import BoolImage

_GRID_PX = 400
"""Long side of the grid on which axes are found; an axis needs no more."""
_MOST_POINTS = 2_500
"""Pixels of a region that are looked at, about."""
_MOSTLY = 2 / 3
"""Share of a region on the bone mask from which on the mask alone gives the bone's half width."""
_NEIGHBOURHOODS = ((3.0, ELONGATED), (2.0, 2.0))
"""Radius, in half widths of the bone, of the piece whose axis is the local one, and how elongated
it must be: a smaller one where the first takes in another bone."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The bone around a region as a piece of a tube, in stored pixels.

    Attributes
    ----------
    bone_id
        Number of its piece of the bone mask.
    axis, across
        Unit (row, col) vectors along the bone and across it.
    centre
        (row, col) of the middle of the bone's width there.
    width_px
        The bone's width there; the region counts as bone.
    reach_px
        Where the region begins and ends along the axis, from the centre on.
    """

    bone_id: int
    axis: NDArray[np.float64]
    across: NDArray[np.float64]
    centre: NDArray[np.float64]
    width_px: float
    reach_px: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A region's place.

    Attributes
    ----------
    location
        None where it lies on no bone.
    lesion_to_bone_width
        Width of the region across the local axis / width of the bone there, the region counted as
        bone, so at most 1; None where no axis is clear, or the film shows a part of the width only.
    frame
        The bone around it; None where no axis exists.
    """

    location: Location | None = None
    lesion_to_bone_width: float | None = None
    frame: Frame | None = None


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
    edge
        bool (rows, cols); what lies at the edge of the exposed field.
    bones
        The pieces by their labels.
    words
        What the file says of the place.
    """

    pieces: NDArray[np.int32]
    half_width: NDArray[np.float32]
    row_scale: float
    column_scale: float
    edge: BoolImage
    bones: Mapping[int, Shaft]
    words: FilmWords

    @classmethod
    def of(
        cls, bone: BoolImage, *, exposed: BoolImage | None = None, words: FilmWords | None = None
    ) -> Self:
        """Reduce and label a bone mask.

        Parameters
        ----------
        bone
            bool (rows, cols).
        exposed
            bool (rows, cols); the exposed field, whose edge cuts bones; the picture's edge alone
            where None.
        words
            What the file says of the place; nothing where None.
        """
        rows, cols = bone.shape
        factor = max(1.0, max(rows, cols) / _GRID_PX)
        size = (max(1, round(cols / factor)), max(1, round(rows / factor)))
        small = cv2.resize(bone.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        count, pieces = cv2.connectedComponents(small)
        edge = _edge_of_field(exposed, size)
        return cls(
            bones={
                label: Shaft.of(np.argwhere(pieces == label), edge) for label in range(1, count)
            },
            pieces=np.asarray(pieces, np.int32),
            half_width=_half_widths(small.view(np.bool_)),
            row_scale=rows / size[1],
            column_scale=cols / size[0],
            edge=edge,
            words=words or FilmWords(),
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

    def locate(self, mask: BoolImage, box: tuple[slice, slice], *, reach_px: float) -> Placed:
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
        Placed
            Lengths are compared on the pixel grid, so pixels are taken as square.
        """
        scale = np.array([self.row_scale, self.column_scale])
        rows, cols, step = self._points(mask, box)
        nearest = tuple(
            np.rint(at).astype(int).clip(0, side - 1)
            for at, side in zip((rows, cols), self.pieces.shape, strict=True)
        )
        pieces = self.pieces[nearest]
        under = np.bincount(pieces, minlength=2)
        if under[1:].max() == 0:  # in a hole of the mask?
            top, left = (max(at.min() - 2, 0) for at in nearest)
            beside = self.pieces[top : nearest[0].max() + 3, left : nearest[1].max() + 3]
            under = np.bincount(beside.ravel(), minlength=2)
            if under[1:].max() == 0:
                return Placed()
        bone_id = 1 + int(np.argmax(under[1:]))
        # what a lesion has taken was bone: a notch in the mask, a balloon beside it
        bone, more = self._with_region(bone_id, mask, box)
        # rounded: of pixels equally near, rounding errors must not choose
        away = (rows - round(rows.mean(), 6)) ** 2 + (cols - round(cols.mean(), 6)) ** 2
        on_bone = pieces == bone_id
        best = np.argmin(np.where(on_bone, away, np.inf) if on_bone.any() else away)
        centre = np.array([rows[best], cols[best]])
        shaft, reach = self.bones[bone_id], reach_px / float(scale.mean())
        if shaft.thinned:
            more = more[(more % 2 == 0).all(axis=1)]
        half_width = self.half_width if on_bone.mean() > _MOSTLY else _half_widths(bone)
        local, clear = _local_axis(shaft, more, half_width, centre, reach=reach)
        along = shaft.fraction_along(centre)
        if local is None:
            return Placed(self._described(bone_id, along, None, None, None, reach))
        across = np.array([-local[1], local[0]])
        if across[1] < 0 or (across[1] == 0 and across[0] < 0):
            across = -across
        before, after = _march(bone, centre, -across), _march(bone, centre, across)
        width = before + after
        ends = np.rint([centre - before * across, centre + after * across]).astype(int)
        inside = ends.clip(0, np.array(self.edge.shape) - 1)
        cut = bool(self.edge[inside[:, 0], inside[:, 1]].any())
        if width <= 0:
            return Placed(self._described(bone_id, along, None, None, None, reach))
        offset = float(np.clip((before - after) / width, -1, 1))
        extent = float(np.ptp(rows * across[0] + cols * across[1])) + step / float(scale.mean())
        taken = min(1.0, extent / width)
        ratio = taken if clear and not cut else None
        position = None if cut else position_of(offset, taken, float(on_bone.mean()))
        middle = centre + 0.5 * (after - before) * across
        run = (rows - middle[0]) * local[0] + (cols - middle[1]) * local[1]
        frame = Frame(
            bone_id=bone_id,
            axis=local,
            across=across,
            centre=(middle + 0.5) * scale - 0.5,
            width_px=width * float(scale.mean()),
            reach_px=(
                float(run.min() * scale.mean()) - 0.5 * step,
                float(run.max() * scale.mean()) + 0.5 * step,
            ),
        )
        return Placed(self._described(bone_id, along, offset, ratio, position, reach), ratio, frame)

    def _points(
        self, mask: BoolImage, box: tuple[slice, slice]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Return a region's pixels on the reduced grid, and of how many stored ones each is one."""
        # of a large region every second pixel each way, or every third, ...
        step = max(1, int(np.ceil(np.sqrt(mask.size / _MOST_POINTS))))
        places = [
            at * step + step // 2 for at in np.nonzero(mask[step // 2 :: step, step // 2 :: step])
        ]
        if not places[0].size:  # thin, between the steps
            step, places = 1, list(np.nonzero(mask))
        rows, cols = (
            (at + (side.start + 0.5)) / part - 0.5
            for at, side, part in zip(places, box, (self.row_scale, self.column_scale), strict=True)
        )
        return rows, cols, step

    def _with_region(
        self, bone_id: int, mask: BoolImage, box: tuple[slice, slice]
    ) -> tuple[BoolImage, NDArray[np.float64]]:
        """Return a piece of bone and a region as one, and what the region adds, (n, 2)."""
        both = self.pieces == bone_id
        places, sources = [], []
        for side, scale, most in zip(
            box, (self.row_scale, self.column_scale), both.shape, strict=True
        ):
            at = np.arange(int(side.start / scale), min(int(side.stop / scale) + 1, most))
            source = np.rint((at + 0.5) * scale - 0.5).astype(int) - side.start
            within = (source >= 0) & (source < side.stop - side.start)
            places.append(at[within])
            sources.append(source[within])
        window = np.ix_(*places)
        added = mask[np.ix_(*sources)] & ~both[window]
        both[window] |= added
        rows, cols = np.nonzero(added)
        more = np.stack([places[0][rows], places[1][cols]], axis=1).astype(np.float64)
        return np.asarray(both, np.bool_), more

    def _described(
        self,
        bone_id: int,
        along: float | None,
        across: float | None,
        ratio: float | None,
        position: Position | None,
        reach: float,
    ) -> Location:
        """Return the location of these numbers, with its words."""
        shaft, words = self.bones[bone_id], self.words
        long_bone = (across is not None or None) if words.long_bones else False
        third, near_joint = None, None
        if long_bone and along is not None and shaft.axis is not None:
            near_joint = shaft.near_end(along, reach)
            if shaft.whole:
                axis = (float(shaft.axis[0]), float(shaft.axis[1]))
                third = third_of(along, axis, words.feet)
        if long_bone is False:
            position = ratio = None
        location = Location(bone_id, along, across, long_bone, third, near_joint, position)
        return replace(location, text=place_text(location, ratio, words))


def _half_widths(bone: BoolImage) -> NDArray[np.float32]:
    """Return how far each pixel lies from the nearest one outside bone."""
    padded = cv2.distanceTransform(np.pad(bone.view(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(padded[1:-1, 1:-1], np.float32)


def _local_axis(
    bone: Shaft,
    more: NDArray[np.float64],
    half_width: NDArray[np.float32],
    centre: NDArray[np.float64],
    *,
    reach: float,
) -> tuple[NDArray[np.float64] | None, bool]:
    """Return the unit axis of the bone around a point, None for none, and if it is clear.

    `more` are pixels (n, 2) that count as bone too.
    It is clear where all of the piece around the point is a tube. Where that is not so, as
    beside another bone or near a joint, what hangs together may be.
    """
    top, left = (max(0, int(c - reach) - 2) for c in centre)
    bottom, right = (int(c + reach) + 3 for c in centre)
    around = half_width[top:bottom, left:right]
    deepest = float(around.max()) if around.size else 0.0
    for widths, elongated in _NEIGHBOURHOODS:
        radius = max(widths * deepest, 1.5 * reach, 4.0)
        # a hair more: the distance transform's last bit varies, and pixels lie on the circle
        rows, cols = bone.between(centre[0] - radius - 1, centre[0] + radius + 1)
        rows, cols = (np.concatenate(pair) for pair in zip((rows, cols), more.T, strict=True))
        near = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2 <= (radius + 1e-3) ** 2
        rows, cols = rows[near], cols[near]
        if widths == _NEIGHBOURHOODS[0][0]:
            axis = axis_of(rows, cols, elongated)
            if axis is not None:
                return axis, True
        axis = axis_of(*_connected(rows, cols, centre), elongated)
        if axis is not None:
            return axis, False
    return None, False


def _connected(
    rows: NDArray[np.float64], cols: NDArray[np.float64], centre: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leave out pixels that hang together with those nearest to a point only by a way round.

    Radius and ulna are one piece where they meet at the wrist.
    """
    if not rows.size:
        return rows, cols
    # of a large bone every second pixel is there
    step = 1 if ((rows + cols) % 2 == 1).any() else 2
    y, x = (((at - at.min()) / step).astype(np.intp) for at in (rows, cols))
    picture = np.zeros((y.max() + 1, x.max() + 1), np.uint8)
    picture[y, x] = 1
    _, pieces = cv2.connectedComponents(picture)
    nearest = int(np.argmin((rows - centre[0]) ** 2 + (cols - centre[1]) ** 2))
    own = pieces[y, x] == pieces[y[nearest], x[nearest]]
    return rows[own], cols[own]


def _edge_of_field(exposed: BoolImage | None, size: tuple[int, int]) -> BoolImage:
    """Return what lies at the edge of the exposed field, on a grid of (cols, rows)."""
    edge = np.zeros(size[::-1], np.bool_)
    if exposed is not None and not exposed.all():
        small = cv2.resize(exposed.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        edge = cv2.erode(small, np.ones((5, 5), np.uint8)) == 0
    edge[:2], edge[-2:], edge[:, :2], edge[:, -2:] = True, True, True, True
    return edge


def _march(bone: BoolImage, start: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Return the distance from a point to where bone ends, in grid pixels."""
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
