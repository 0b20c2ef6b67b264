"""Compute the bone mask from the network's bone map, with a confidence.

The confidence comes from the film: bone is brighter than its surroundings. Where it is not, the
film is not searched.
"""

from dataclasses import dataclass

import numpy as np

from lesionscan.detection.morphology import (
    close_disk,
    dilate_disk,
    fill_holes,
    without_small_components,
)
from lesionscan.radiograph import BoolImage, FloatImage, read_only

BONE_FROM = 0.5
"""Threshold of the bone map."""
_LARGEST_HOLE = 0.03
"""Side of the largest hole filled, as a share of the long side; larger ones are openings of the
pelvis, or gaps between bones."""
_SMALLEST_PIECE = 0.0004
"""Smallest piece of bone kept, as a share of the film's area: a sesamoid bone of the hand."""
_CLOSING = 0.02
"""Radius of the closing, as a share of the long side: bridges most lesions at the edge of bone."""
_CLEAR_STEP = 0.08
"""Brightness step across the mask's edge that gives full confidence, as a share of the range."""


@dataclass(frozen=True, slots=True, eq=False)
class Bone:
    """A bone mask and its confidence.

    Attributes
    ----------
    mask
        bool (rows, cols); the bone mask, holes filled.
    search
        bool (rows, cols); the mask with notches and narrow gaps closed, so that it includes lesions
        that destroyed the edge of the bone.
    confidence
        0 to 1; near 0 for images without bone.
    """

    mask: BoolImage
    search: BoolImage
    confidence: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", read_only(self.mask))
        object.__setattr__(self, "search", read_only(self.search))


def find_bone(bone_map: FloatImage, image: FloatImage, usable: BoolImage) -> Bone:
    """Find the bones in a normalised radiograph.

    Parameters
    ----------
    bone_map
        float32 (rows, cols) in [0, 1]; output of the network.
    image
        float32 (rows, cols) in [0, 1], bone bright.
    usable
        bool (rows, cols); `Field.usable`.
    """
    long_side = max(image.shape)
    likely = fill_holes(bone_map >= BONE_FROM, (_LARGEST_HOLE * long_side) ** 2) & usable
    mask = without_small_components(likely, _SMALLEST_PIECE * image.size)
    search = close_disk(mask, _CLOSING * long_side) & usable
    return Bone(mask=mask, search=search, confidence=_confidence(image, mask, usable))


def _confidence(image: FloatImage, mask: BoolImage, usable: BoolImage) -> float:
    """Return how clear the edge of the mask is, lowered if it covers an implausible share."""
    reach = max(0.015 * max(mask.shape), 1.0)  # at least one pixel on a small film
    outside = usable & ~mask
    inner = mask & dilate_disk(outside, reach)
    outer = outside & dilate_disk(mask, reach)
    if inner.sum() < 32 or outer.sum() < 32:
        return 0.0
    step = float(np.median(image[inner]) - np.median(image[outer]))
    share = float(mask.sum() / usable.sum())
    plausible = np.interp(share, [0.002, 0.01, 0.9, 0.98], [0.0, 1.0, 1.0, 0.0])
    return float(np.clip(step / _CLEAR_STEP, 0.0, 1.0) * plausible)
