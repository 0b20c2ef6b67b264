"""Bone map -> bone mask with a confidence, for any body part.

The network says how much every pixel looks like bone. What stands here makes a mask of it, opens it
where a lesion may have taken the bone's edge along, and asks the film whether to believe it: bone
is brighter than what lies beside it. Where it is not, nothing is scored.
"""

from dataclasses import dataclass

import numpy as np

from lesionscan.detection.morphology import close_disk, dilate_disk, fill_holes, without_specks
from lesionscan.radiograph import BoolImage, FloatImage, read_only

BONE_FROM = 0.5
"""What the bone map has at the edge of a bone."""
_LARGEST_HOLE = 0.03
"""Side of the largest hole filled, as a share of the long side; larger ones are openings of the
pelvis, or lie between two bones."""
_SMALLEST_PIECE = 0.0004
"""Smallest piece of bone kept, as a share of the picture: a sesamoid bone of the hand."""
_CLOSING = 0.02
"""Radius of the closing, as a share of the long side: bridges most lesions at a bone's edge."""
_CLEAR_STEP = 0.08
"""Brightness step across the mask's edge that gives full confidence (share of the range)."""


@dataclass(frozen=True, slots=True, eq=False)
class Bone:
    """A bone mask and how far it can be believed.

    Attributes
    ----------
    mask
        bool (rows, cols); what looks like bone, its holes filled.
    search
        bool (rows, cols); the same with notches and narrow gaps closed: where a lesion may lie
        that has taken the bone's edge with it.
    confidence
        0 to 1; near 0 for pictures without bone.
    """

    mask: BoolImage
    search: BoolImage
    confidence: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", read_only(self.mask))
        object.__setattr__(self, "search", read_only(self.search))


def find_bone(bone_map: FloatImage, image: FloatImage, usable: BoolImage) -> Bone:
    """Find the bones of a normalised radiograph.

    Parameters
    ----------
    bone_map
        float32 (rows, cols) in [0, 1]; how much each pixel looks like bone.
    image
        float32 (rows, cols) in [0, 1], bone bright.
    usable
        bool (rows, cols); the exposed field without markers and metal.
    """
    long_side = max(image.shape)
    likely = fill_holes(bone_map >= BONE_FROM, (_LARGEST_HOLE * long_side) ** 2) & usable
    mask = without_specks(likely, _SMALLEST_PIECE * image.size)
    search = close_disk(mask, _CLOSING * long_side) & usable
    return Bone(mask=mask, search=search, confidence=_confidence(image, mask, usable))


def _confidence(image: FloatImage, mask: BoolImage, usable: BoolImage) -> float:
    """Return how clearly the mask stands out at its edge, if it covers a plausible share."""
    reach = max(0.015 * max(mask.shape), 1.0)  # the nearest pixel on a small film
    outside = usable & ~mask
    inner = mask & dilate_disk(outside, reach)
    outer = outside & dilate_disk(mask, reach)
    if inner.sum() < 32 or outer.sum() < 32:
        return 0.0
    step = float(np.median(image[inner]) - np.median(image[outer]))
    share = float(mask.sum() / usable.sum())
    plausible = np.interp(share, [0.002, 0.01, 0.9, 0.98], [0.0, 1.0, 1.0, 0.0])
    return float(np.clip(step / _CLEAR_STEP, 0.0, 1.0) * plausible)
