"""Crop a region and its surroundings from the film, on a reduced grid.

On this grid a region is at most 48 pixels wide, which bounds the time on large films and averages
quantum noise.
"""

from dataclasses import dataclass
from typing import Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import Footprint, reduced, resized_mask
from lesionscan.detection.margin import profiles_across
from lesionscan.detection.morphology import distance_to
from lesionscan.radiograph import BoolImage, FloatImage

_ACROSS_PX = 48
"""Largest region diameter on the reduced grid."""

_AnyT = TypeVar("_AnyT", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A region and its surroundings on a reduced grid; images are (rows, cols) of that grid.

    Attributes
    ----------
    factor
        Stored pixels per pixel of this grid.
    film, lucency, in_bone, in_field
        Film, lucency map, bone mask and exposed field.
    inside
        Mask of the region.
    distance, depth
        Distance to the nearest pixel inside and outside the region, in pixels of this grid.
    edge_alignment
        As in `Region`.
    profiles, profiles_in_bone, profile_reach
        Grey values across the margin, whether they are in bone, and the reach to each side; see
        `lesionscan.detection.margin.profiles_across`.
    radius
        Equivalent radius in pixels of this grid.
    """

    factor: int
    film: FloatImage
    lucency: FloatImage
    inside: BoolImage
    in_bone: BoolImage
    in_field: BoolImage
    distance: FloatImage
    depth: FloatImage
    edge_alignment: float
    profiles: NDArray[np.float32]
    profiles_in_bone: BoolImage
    profile_reach: float
    radius: float

    @classmethod
    def of(
        cls,
        footprint: Footprint,
        contour: NDArray[np.int32],
        image: FloatImage,
        bone: BoolImage,
        exposed: BoolImage,
        lucency: FloatImage,
    ) -> Self:
        """Crop a region; for parameters see `lesionscan.detection.surroundings.look_around`."""
        mask, box = footprint.mask, footprint.box
        radius = float(np.sqrt(np.count_nonzero(mask) / np.pi))
        factor = max(1, round(2.0 * radius / _ACROSS_PX))
        reach = int(np.ceil(0.6 * radius)) + 4 * factor
        crop = _Crop.around(box, image.shape, reach=reach, factor=factor)
        own = np.zeros(crop.shape, np.bool_)
        corner = crop.corner_of(box)
        own[corner[0] :, corner[1] :][: mask.shape[0], : mask.shape[1]] = mask
        inside = _reduced_mask(own, factor)
        film = reduced(crop.of(image), factor)
        distance, depth = np.full(film.shape, np.inf, np.float32), np.zeros_like(film)
        if inside.any():
            distance = distance_to(inside)
            depth = _depth(inside)
        profile_reach = max(2.0, 0.6 * radius / factor)
        outline = (contour + corner + 0.5) / factor - 0.5
        in_bone = _reduced_mask(crop.of(bone), factor)
        profiles = profiles_across(
            np.dstack([film, in_bone.astype(np.float32)]), outline, reach=profile_reach
        )
        return cls(
            factor=factor,
            film=film,
            lucency=reduced(crop.of(lucency), factor),
            inside=inside,
            in_bone=in_bone,
            in_field=_reduced_mask(crop.of(exposed, repeat_edge=False), factor),
            distance=distance,
            depth=depth,
            edge_alignment=_alignment(film, distance, depth) if inside.any() else 0.0,
            profiles=profiles[:, :, 0],
            profiles_in_bone=profiles[:, :, 1] > 0.5,
            profile_reach=profile_reach,
            radius=radius / factor,
        )


@dataclass(frozen=True, slots=True)
class _Crop:
    """A box of the stored matrix whose sides are multiples of a factor.

    Attributes
    ----------
    near
        Slices of its part in the matrix.
    padding
        Rows above and below, columns to the left and right outside the matrix.
    """

    near: tuple[slice, slice]
    padding: tuple[int, int, int, int]

    @classmethod
    def around(
        cls, box: tuple[slice, slice], shape: tuple[int, ...], *, reach: int, factor: int
    ) -> Self:
        near: list[slice] = []
        padding: list[int] = []
        for side, length in zip(box, shape, strict=True):
            low, high = max(side.start - reach, 0), min(side.stop + reach, length)
            missing = -(high - low) % factor
            # evenly on both sides, so that a rotated film is cropped alike
            low, high = low - missing // 2, high + missing - missing // 2
            near.append(slice(max(low, 0), min(high, length)))
            padding += [max(-low, 0), max(high - length, 0)]
        return cls((near[0], near[1]), (padding[0], padding[1], padding[2], padding[3]))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = (side.stop - side.start for side in self.near)
        return rows + sum(self.padding[:2]), cols + sum(self.padding[2:])

    def corner_of(self, box: tuple[slice, slice]) -> tuple[int, int]:
        """Return the row and column of a box's corner in this crop."""
        rows, cols = (
            inner.start - outer.start for inner, outer in zip(box, self.near, strict=True)
        )
        return rows + self.padding[0], cols + self.padding[2]

    def of(self, array: NDArray[_AnyT], *, repeat_edge: bool = True) -> NDArray[_AnyT]:
        """Crop an array; outside the matrix its edge pixels are repeated, or zero."""
        inside = array[self.near]
        if not any(self.padding):
            return inside
        top, bottom, left, right = self.padding
        widths = ((top, bottom), (left, right))
        padded = np.pad(inside, widths, mode="edge") if repeat_edge else np.pad(inside, widths)
        return np.asarray(padded, array.dtype)


def _reduced_mask(mask: BoolImage, factor: int) -> BoolImage:
    """Reduce a mask by a factor; True where at least half of the pixels are True."""
    if factor == 1:
        return np.ascontiguousarray(mask)
    rows, cols = (side // factor for side in mask.shape)
    return resized_mask(mask, (rows, cols), cv2.INTER_AREA)


def _depth(inside: BoolImage) -> FloatImage:
    """Return the distance to the nearest pixel outside the region; the border counts as outside."""
    rows, cols = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    padded = cv2.copyMakeBorder(
        inside[box].view(np.uint8), *(1, 1, 1, 1), cv2.BORDER_CONSTANT, value=0
    )
    depth = np.zeros(inside.shape, np.float32)
    depth[box] = distance_to(padded == 0)[1:-1, 1:-1]
    return depth


def _alignment(film: FloatImage, distance: FloatImage, depth: FloatImage) -> float:
    """Return the mean cosine between brightness gradient and outward normal along the edge."""
    edge = np.flatnonzero((distance <= 1.5) & (depth <= 1.5))
    if not edge.size:
        return 0.0
    gradient, normal = (
        [cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3).ravel()[edge] for order in ((0, 1), (1, 0))]
        for smooth in (
            cv2.GaussianBlur(film, (0, 0), 1.0),
            cv2.GaussianBlur(distance - depth, (0, 0), 1.0),
        )
    )
    length = np.hypot(*gradient) * np.hypot(*normal)
    cosine = (gradient[0] * normal[0] + gradient[1] * normal[1]) / np.maximum(length, 1e-9)
    return float(cosine.mean())
