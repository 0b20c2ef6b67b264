"""Convert between the stored matrix and the smaller working grid of the search.

Relevant lesions are several pixels wide on the working grid, and the time of the search does not
depend on the size of the film.
"""

from dataclasses import dataclass
from math import gcd
from typing import Self

import cv2
import numpy as np
from scipy import ndimage

from lesionscan.detection.morphology import largest_component
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, read_only

_SQUARE = 0.02
"""Deviation of the aspect ratio of square pixels, due to rounded tags."""


def reduced(image: FloatImage, factor: int) -> FloatImage:
    """Average float32 (rows, cols) over blocks of `factor` pixels; the sides are rounded up."""
    if factor == 1:
        return np.ascontiguousarray(image)
    rows, cols = (-(-side // factor) for side in image.shape)
    return np.asarray(cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA), np.float32)


def resized_mask(mask: BoolImage, shape: tuple[int, int], interpolation: int) -> BoolImage:
    """Resize a bool mask to (rows, cols); True where the result is at least half."""
    grey = np.ascontiguousarray(mask).view(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(grey, shape[::-1], interpolation=interpolation) > 127, np.bool_)


@dataclass(frozen=True, slots=True)
class WorkingGrid:
    """The stored and the working grid of a film.

    Attributes
    ----------
    stored
        (rows, cols) of the stored matrix.
    working
        (rows, cols) of the reduced grid; equal to `stored` for small films, because enlarging adds
        no information.
    """

    stored: tuple[int, int]
    working: tuple[int, int]

    @classmethod
    def of(
        cls, shape: tuple[int, int], *, long_side_px: int, pixel_aspect: float = 1.0
    ) -> "WorkingGrid":
        """Create a grid of square pixels with at most `long_side_px` per side.

        Parameters
        ----------
        shape
            (rows, cols) of the stored matrix.
        long_side_px
            Largest side of the working grid, in pixels.
        pixel_aspect
            Height of a stored pixel / its width; scorers are trained on square pixels.
        """
        sides: tuple[float, float] = shape
        if abs(pixel_aspect - 1.0) > _SQUARE:
            sides = shape[0] * max(pixel_aspect, 1.0), shape[1] * max(1.0 / pixel_aspect, 1.0)
        factor = min(long_side_px / max(sides), shape[0] / sides[0], shape[1] / sides[1])
        rows, cols = (max(1, round(n * factor)) for n in sides)
        return cls(stored=shape, working=(rows, cols))

    def reduce(self, image: FloatImage) -> FloatImage:
        """Average float32 (rows, cols) of the stored matrix onto the working grid."""
        if self.working == self.stored:
            return image
        # first by an integer factor, if there is one: OpenCV does that in a quarter of the time
        for shape in (self._reduced_by_integer(), self.working):
            if image.shape != shape:
                image = np.asarray(
                    cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.float32
                )
        return image

    def _reduced_by_integer(self) -> tuple[int, int]:
        """Return the stored shape divided by the largest suitable common factor."""
        most = int(min(s / w for s, w in zip(self.stored, self.working, strict=True)))
        common = gcd(*self.stored)
        factor = max(factor for factor in range(1, most + 1) if common % factor == 0)
        return self.stored[0] // factor, self.stored[1] // factor

    def reduce_mask(self, mask: BoolImage) -> BoolImage:
        """Reduce a bool mask; True where a pixel is fully covered."""
        if mask.all():  # shortcut for most films
            return np.ones(self.working, np.bool_)
        return np.asarray(self.reduce(mask.astype(np.float32)) > 0.999)

    def restore(self, image: FloatImage) -> FloatImage:
        """Interpolate float32 (rows, cols) from the working grid to the stored matrix, linearly."""
        if self.working == self.stored:
            return image
        return np.asarray(
            cv2.resize(image, self.stored[::-1], interpolation=cv2.INTER_LINEAR), np.float32
        )

    def restore_mask(self, mask: BoolImage) -> BoolImage:
        """Resize a bool mask from the working grid to the stored matrix, with smooth edges."""
        if self.working == self.stored:
            return mask
        if mask.all() or not mask.any():  # shortcut for most masks of metal and the field
            return np.full(self.stored, mask.all(), np.bool_)
        return resized_mask(mask, self.stored, cv2.INTER_LINEAR)

    def restore_regions(self, labels: LabelImage) -> tuple["Footprint", ...]:
        """Resize int32 labels from the working grid to the stored matrix, with smooth edges.

        Regions do not overlap: the lower label has precedence, and a region without any pixel left
        is dropped.
        """
        scale = np.array(self.stored) / np.array(self.working)
        taken = np.zeros(self.stored, np.bool_)
        regions = []
        for label, box in enumerate(ndimage.find_objects(labels), start=1):
            if box is None:
                continue
            low = [max(int((s.start - 1) * f), 0) for s, f in zip(box, scale, strict=True)]
            high = [
                min(int(np.ceil((s.stop + 1) * f)), n)
                for s, f, n in zip(box, scale, self.stored, strict=True)
            ]
            near = np.s_[low[0] : high[0], low[1] : high[1]]
            mask = self._enlarged(labels, label, box, near) & ~taken[near]
            if mask.any():
                own = largest_component(mask)
                regions.append(Footprint.of(label, near, own))
                taken[near] |= own
        return tuple(regions)

    def _enlarged(
        self,
        labels: LabelImage,
        label: int,
        box: tuple[slice, slice],
        near: tuple[slice, slice],
    ) -> BoolImage:
        """Return a region of the working grid in a box of the stored matrix."""
        if self.working == self.stored:
            return np.asarray(labels[near] == label, np.bool_)
        # with a margin of one pixel, as the edge is interpolated between the pixels
        top, left = (max(side.start - 1, 0) for side in box)
        own = labels[top : box[0].stop + 1, left : box[1].stop + 1] == label
        scale = [
            stored / working for stored, working in zip(self.stored, self.working, strict=True)
        ]
        # pixel centres are at integers: working = (stored + 0.5) / scale - 0.5
        first = [(side.start + 0.5) / f - 0.5 for side, f in zip(near, scale, strict=True)]
        matrix = np.array([[1 / scale[1], 0, first[1] - left], [0, 1 / scale[0], first[0] - top]])
        soft = cv2.warpAffine(
            own.astype(np.float32),
            matrix,
            (near[1].stop - near[1].start, near[0].stop - near[0].start),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(soft >= 0.5, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """The pixels of a region in the stored matrix.

    Attributes
    ----------
    label
        Label of the region.
    box
        Slices of its bounding box.
    mask
        bool, with the shape of the box.
    """

    label: int
    box: tuple[slice, slice]
    mask: BoolImage

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", read_only(self.mask))

    @classmethod
    def of(cls, label: int, near: tuple[slice, slice], mask: BoolImage) -> Self:
        """Crop a non-empty mask that fills a box to its bounding box."""
        rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        tight = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        box = tuple(
            slice(outer.start + int(inner.start), outer.start + int(inner.stop))
            for outer, inner in zip(near, tight, strict=True)
        )
        return cls(label, (box[0], box[1]), np.ascontiguousarray(mask[tight]))
