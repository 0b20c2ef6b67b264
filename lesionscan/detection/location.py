"""Locate a region on its bone, and measure the width of the bone there."""

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
from lesionscan.detection.section import Section, is_long_along
from lesionscan.detection.shaft import ELONGATED, Shaft, axis_of
from lesionscan.radiograph import BoolImage, FloatImage

_GRID_PX = 400
"""Long side of the grid on which axes are found."""
_NEAR_EDGE = 0.05
"""A bone's end this near to the edge of the field, relative to the long side, may be cut by it: the
bone mask can end before the edge."""
_MAX_POINTS = 2_500
"""Approximate number of pixels sampled per region."""
_MOSTLY = 2 / 3
"""If a larger share of the region is on the bone mask, the mask alone gives the half width."""
_NEIGHBOURHOODS = ((3.0, ELONGATED), (2.0, 2.0))
"""Radius, in half widths of the bone, of the piece that gives the local axis, and its least
elongation; the smaller one is used if the larger includes another bone."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Local coordinates along and across the bone around a region, in stored pixels.

    Attributes
    ----------
    bone_id
        Label of the piece of the bone mask.
    axis, across
        Unit vectors (row, col) along and across the bone.
    centre
        (row, col) of the middle of the bone's width.
    width_px
        Width of the bone, the region included.
    reach_px
        Start and end of the region along the axis, relative to the centre.
    """

    bone_id: int
    axis: NDArray[np.float64]
    across: NDArray[np.float64]
    centre: NDArray[np.float64]
    width_px: float
    reach_px: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Location of a region.

    Attributes
    ----------
    location
        None if the region is not on bone.
    lesion_to_bone_width
        Width of the region across the local axis / width of the bone, the region included, so at
        most 1; None without a reliable axis, where the film shows only part of the width, and where
        the outline joins two bones.
    frame
        None without an axis.
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
        float32 (rows, cols), distance to the nearest pixel outside bone, in pixels of this grid;
        error at most 2 %.
    row_scale, column_scale
        Stored pixels per pixel of this grid.
    edge
        bool (rows, cols); what lies at the edge of the exposed field.
    bones
        The pieces by label.
    words
        Body part and orientation from the header.
    likelihood
        float32 (rows, cols) in [0, 1]; the network's bone map, or None.
    """

    pieces: NDArray[np.int32]
    half_width: NDArray[np.float32]
    row_scale: float
    column_scale: float
    edge: BoolImage
    bones: Mapping[int, Shaft]
    words: FilmWords
    likelihood: FloatImage | None

    @classmethod
    def of(
        cls,
        bone: BoolImage,
        *,
        exposed: BoolImage | None = None,
        words: FilmWords | None = None,
        likelihood: FloatImage | None = None,
    ) -> Self:
        """Reduce and label a bone mask.

        Parameters
        ----------
        bone
            bool (rows, cols).
        exposed
            bool (rows, cols); the exposed field, whose edge cuts bones. If None, only the border
            of the film does.
        words
            Body part and orientation from the header; unknown if None.
        likelihood
            float32 in [0, 1], of any size; the network's bone map. If None, only the mask is used.
        """
        rows, cols = bone.shape
        factor = max(1.0, max(rows, cols) / _GRID_PX)
        size = (max(1, round(cols / factor)), max(1, round(rows / factor)))
        small = cv2.resize(bone.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        count, pieces = cv2.connectedComponents(small)
        edge = _edge_of_field(exposed, size)
        side = 2 * round(_NEAR_EDGE * max(size)) + 1
        near_edge = cv2.dilate(edge.view(np.uint8), np.ones((side, side), np.uint8)).view(np.bool_)
        return cls(
            bones={
                label: Shaft.of(np.argwhere(pieces == label), near_edge)
                for label in range(1, count)
            },
            pieces=np.asarray(pieces, np.int32),
            half_width=_half_widths(small.view(np.bool_)),
            row_scale=rows / size[1],
            column_scale=cols / size[0],
            edge=edge,
            words=words or FilmWords(),
            likelihood=None if likelihood is None else _resized(likelihood, size),
        )

    def depth_at(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return `half_width` at the crossings of stored rows and columns, (rows, cols)."""
        indices = (
            np.minimum(((stored + 0.5) / scale).astype(np.int64), side - 1)
            for stored, scale, side in zip(
                (rows, cols),
                (self.row_scale, self.column_scale),
                self.half_width.shape,
                strict=True,
            )
        )
        return np.asarray(self.half_width[np.ix_(*indices)])

    def locate(self, mask: BoolImage, box: tuple[slice, slice], *, reach_px: float) -> Placed:
        """Locate a region on its bone; pixels are taken as square.

        Parameters
        ----------
        mask
            bool; the region in its bounding box.
        box
            Slices of that box in the stored matrix.
        reach_px
            Equivalent radius of the region in stored pixels.
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
        # the region counts as bone: a notch in the mask, or an expansion beside it
        bone, likely, added = self._with_region(bone_id, mask, box)
        # rounded, so that rounding errors do not choose among equally near pixels
        squared = (rows - round(rows.mean(), 6)) ** 2 + (cols - round(cols.mean(), 6)) ** 2
        on_bone = pieces == bone_id
        best = np.argmin(np.where(on_bone, squared, np.inf) if on_bone.any() else squared)
        centre = np.array([rows[best], cols[best]])
        shaft, reach = self.bones[bone_id], reach_px / float(scale.mean())
        if shaft.thinned:
            added = added[(added % 2 == 0).all(axis=1)]
        half_width = self.half_width if on_bone.mean() > _MOSTLY else _half_widths(bone)
        local, reliable = _local_axis(shaft, added, half_width, centre, reach=reach)
        along = shaft.fraction_along(centre)
        if local is None:
            return Placed(self._described(bone_id, along, None, None, None, reach))
        section = Section.at(bone, self.edge, centre, local, likely=likely)
        if section is None:
            return Placed(self._described(bone_id, along, None, None, None, reach))
        across, width, mean_scale = section.across, section.width, float(scale.mean())
        extent = float(np.ptp(rows * across[0] + cols * across[1])) + step / mean_scale
        share = min(1.0, extent / width)
        ratio, position = None, None
        if not section.cut and not section.joined:
            ratio = share if reliable else None
            position = position_of(section.offset, share, float(on_bone.mean()))
        run = (rows - section.middle[0]) * local[0] + (cols - section.middle[1]) * local[1]
        frame = Frame(
            bone_id=bone_id,
            axis=local,
            across=across,
            centre=(section.middle + 0.5) * scale - 0.5,
            width_px=width * mean_scale,
            reach_px=(
                float(run.min() * mean_scale) - 0.5 * step,
                float(run.max() * mean_scale) + 0.5 * step,
            ),
        )
        long = shaft.long or is_long_along(bone, self.edge, centre, local, width=width)
        flare = 0.0 if section.joined else width
        location = self._described(
            bone_id, along, section.offset, ratio, position, reach, long=long, width=flare
        )
        return Placed(location, ratio, frame)

    def _points(
        self, mask: BoolImage, box: tuple[slice, slice]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Sample the pixels of a region: rows and columns on this grid, and the step."""
        step = max(1, int(np.ceil(np.sqrt(mask.size / _MAX_POINTS))))
        places = [
            at * step + step // 2 for at in np.nonzero(mask[step // 2 :: step, step // 2 :: step])
        ]
        if not places[0].size:  # a thin region between the samples
            step, places = 1, list(np.nonzero(mask))
        rows, cols = (
            (at + (side.start + 0.5)) / part - 0.5
            for at, side, part in zip(places, box, (self.row_scale, self.column_scale), strict=True)
        )
        return rows, cols, step

    def _with_region(
        self, bone_id: int, mask: BoolImage, box: tuple[slice, slice]
    ) -> tuple[BoolImage, FloatImage, NDArray[np.float64]]:
        """Return the union of a piece of bone and a region, and the pixels added, (n, 2).

        The second result is the likelihood of bone in the union, 1 in the region.
        """
        both = self.pieces == bone_id
        places, sources = [], []
        for side, scale, length in zip(
            box, (self.row_scale, self.column_scale), both.shape, strict=True
        ):
            at = np.arange(int(side.start / scale), min(int(side.stop / scale) + 1, length))
            source = np.rint((at + 0.5) * scale - 0.5).astype(int) - side.start
            within = (source >= 0) & (source < side.stop - side.start)
            places.append(at[within])
            sources.append(source[within])
        window, region = np.ix_(*places), mask[np.ix_(*sources)]
        added = region & ~both[window]
        both[window] |= added
        likely = both.astype(np.float32)
        if self.likelihood is not None:
            likely *= self.likelihood
            likely[window] = np.where(region, np.float32(1), likely[window])
        rows, cols = np.nonzero(added)
        points = np.stack([places[0][rows], places[1][cols]], axis=1).astype(np.float64)
        return np.asarray(both, np.bool_), likely, points

    def _described(
        self,
        bone_id: int,
        along: float | None,
        across: float | None,
        ratio: float | None,
        position: Position | None,
        reach: float,
        *,
        long: bool = False,
        width: float = 0.0,
    ) -> Location:
        """Return the location with its text."""
        shaft, words = self.bones[bone_id], self.words
        long_bone = (long or None) if words.long_bones else words.long_bones
        third, near_joint = None, None
        if long_bone and along is not None and shaft.axis is not None:
            near_joint = shaft.near_end(along, reach, width)
            if shaft.whole:
                axis = (float(shaft.axis[0]), float(shaft.axis[1]))
                third = third_of(along, axis, words.feet)
        if not words.long_bones:
            position = ratio = None
        location = Location(bone_id, along, across, long_bone, third, near_joint, position)
        return replace(location, text=place_text(location, ratio, words))


def _resized(image: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Return an image on another grid; `size` is (cols, rows)."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _half_widths(bone: BoolImage) -> NDArray[np.float32]:
    """Return the distance of each pixel to the nearest pixel outside bone."""
    padded = cv2.distanceTransform(np.pad(bone.view(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(padded[1:-1, 1:-1], np.float32)


def _local_axis(
    bone: Shaft,
    added: NDArray[np.float64],
    half_width: NDArray[np.float32],
    centre: NDArray[np.float64],
    *,
    reach: float,
) -> tuple[NDArray[np.float64] | None, bool]:
    """Return the unit axis of the bone around a point or None, and whether it is reliable.

    It is reliable if all bone around the point is elongated. Otherwise, as beside another bone or
    near a joint, only the bone connected to the point is used. `added` are further pixels of bone,
    (n, 2).
    """
    top, left = (max(0, int(c - reach) - 2) for c in centre)
    bottom, right = (int(c + reach) + 3 for c in centre)
    around = half_width[top:bottom, left:right]
    deepest = float(around.max()) if around.size else 0.0
    for widths, elongated in _NEIGHBOURHOODS:
        radius = max(widths * deepest, 1.5 * reach, 4.0)
        # tolerance: the last bit of the distance transform varies, and pixels lie on the circle
        rows, cols = bone.between(centre[0] - radius - 1, centre[0] + radius + 1)
        rows, cols = (np.concatenate(pair) for pair in zip((rows, cols), added.T, strict=True))
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
    """Keep the pixels that are connected, within this set, to the one nearest to a point.

    Radius and ulna form one piece where they meet at the wrist.
    """
    if not rows.size:
        return rows, cols
    # large bones have every second pixel only
    step = 1 if ((rows + cols) % 2 == 1).any() else 2
    y, x = (((at - at.min()) / step).astype(np.intp) for at in (rows, cols))
    picture = np.zeros((y.max() + 1, x.max() + 1), np.uint8)
    picture[y, x] = 1
    _, pieces = cv2.connectedComponents(picture)
    nearest = int(np.argmin((rows - centre[0]) ** 2 + (cols - centre[1]) ** 2))
    own = pieces[y, x] == pieces[y[nearest], x[nearest]]
    return rows[own], cols[own]


def _edge_of_field(exposed: BoolImage | None, size: tuple[int, int]) -> BoolImage:
    """Return the mask of the edge of the exposed field; `size` is (cols, rows)."""
    edge = np.zeros(size[::-1], np.bool_)
    if exposed is not None and not exposed.all():
        small = cv2.resize(exposed.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        edge = cv2.erode(small, np.ones((5, 5), np.uint8)) == 0
    edge[:2], edge[-2:], edge[:, :2], edge[:, -2:] = True, True, True, True
    return edge
