"""Image -> bone mask with a confidence, for any body part, without training.

A first guess takes what is brighter than the tissue around it at several scales. Then every pixel
goes to the nearer of two local grey levels, that of the bone and that of the soft tissue in its
neighbourhood, and the levels are taken anew (local binary fitting, Li et al., IEEE Trans Image
Process 2008;17:1940): this fills the spongy ends of bones, which are darker than their cortex.
Holes are filled, since a lytic lesion is a hole. The confidence says how clearly the mask's edge
steps from bright to dark; where it is low nothing is scored.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.filters import threshold_multiotsu

from lesionscan.detection.morphology import close_disk, dilate_disk, fill_holes, open_disk
from lesionscan.radiograph import BoolImage, FloatImage, read_only

_SCALES = (0.04, 0.08, 0.16)
"""Widths of the neighbourhoods that pixels are compared with, as shares of the long side: from a
metacarpal to half a pelvis."""
_GLOBAL_WEIGHT = 0.2
"""Weight of the picture-wide brightness beside the local one: fills wide bones."""
_FITTING_SCALE = 0.05
"""Width of the neighbourhood whose two grey levels are taken, as a share of the long side."""
_FITTING_ROUNDS = 4
_BONE_SHARE = 0.4
"""Share of the way from the soft tissue's level to the bone's at which a pixel becomes bone; below
a half, because spongy bone is darker than the cortex that rules the mean."""
_CLOSING = 0.03
"""Radius of the closing, as a share of the long side: bridges most lesions at a bone's edge."""
_LARGEST_HOLE = 0.14
"""Side of the largest hole filled, as a share of the long side; larger ones are pelvic openings."""
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


def find_bone(image: FloatImage, usable: BoolImage) -> Bone:
    """Find the bones of a normalised radiograph.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright; best at a long side of 256 to 1024.
    usable
        bool (rows, cols); the exposed field without markers and metal.
    """
    long_side = max(image.shape)
    sigma = max(0.7, 0.003 * long_side)
    smooth = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    levels = _grey_classes(smooth[usable])
    if levels is None:
        nothing = np.zeros_like(usable)
        return Bone(mask=nothing, search=nothing, confidence=0.0)
    air_to_tissue, tissue_to_bone = levels
    tissue = (smooth > 0.5 * air_to_tissue) & usable
    brighter = _brighter_than_surroundings(smooth, tissue)
    spread = max(float(smooth[usable].std()), 1e-3)
    bright = brighter + _GLOBAL_WEIGHT * (smooth - tissue_to_bone) / spread > 0.0
    fitted = _fit_local_levels(smooth, bright & tissue, tissue)
    mask = _close_and_fill(fitted) & tissue
    search = close_disk(mask, _CLOSING * long_side) & tissue
    return Bone(mask=mask, search=search, confidence=_confidence(smooth, mask, tissue))


def _grey_classes(values: FloatImage) -> tuple[float, float] | None:
    """Return the grey levels between air, soft tissue and bone; None where there are no classes."""
    if values.size < 64:
        return None
    stride = max(1, values.size // 40_000)
    try:
        low, high = threshold_multiotsu(values[::stride], classes=3, nbins=128)
    except ValueError:  # fewer grey values than classes
        return None
    return float(low), float(high)


def _brighter_than_surroundings(smooth: FloatImage, tissue: BoolImage) -> FloatImage:
    """Return brightness above the surrounding tissue's mean, in its spread, over all scales."""
    weight = tissue.astype(np.float32)
    total = np.zeros_like(smooth)
    for scale in _SCALES:
        sigma = scale * max(smooth.shape)
        share = np.maximum(_wide_blur(weight, sigma), 1e-4)
        mean = _wide_blur(smooth * weight, sigma) / share
        mean_square = _wide_blur(smooth * smooth * weight, sigma) / share
        spread = np.sqrt(np.maximum(mean_square - mean * mean, 0.0))
        total += (smooth - mean) / np.maximum(spread, 0.04)
    return (total / len(_SCALES)).astype(np.float32)


def _fit_local_levels(smooth: FloatImage, guess: BoolImage, tissue: BoolImage) -> BoolImage:
    """Give every tissue pixel to the local bone or soft-tissue level, and take the levels anew."""
    long_side = max(smooth.shape)
    sigma = _FITTING_SCALE * long_side
    bone = guess
    for _ in range(_FITTING_ROUNDS):
        soft = tissue & ~bone
        bone_level = _local_mean(smooth, bone, sigma)
        soft_level = _local_mean(smooth, soft, sigma)
        step = bone_level - soft_level
        bone = (smooth > soft_level + _BONE_SHARE * step) & (step > 0.02) & tissue
        bone = close_disk(bone, 0.012 * long_side) & tissue
    return bone


def _local_mean(smooth: FloatImage, mask: BoolImage, sigma: float) -> FloatImage:
    """Return the Gaussian-weighted mean of the masked pixels around every pixel."""
    weight = mask.astype(np.float32)
    mean = _wide_blur(smooth * weight, sigma) / np.maximum(_wide_blur(weight, sigma), 1e-5)
    return mean.astype(np.float32)


def _wide_blur(array: FloatImage, sigma: float) -> FloatImage:
    """Blur with a wide Gaussian, on a reduced grid where that changes nothing visible."""
    factor = max(1, int(sigma // 8))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma), np.float32)
    rows, cols = array.shape
    small = cv2.resize(
        array, (-(-cols // factor), -(-rows // factor)), interpolation=cv2.INTER_AREA
    )
    blurred = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return np.asarray(cv2.resize(blurred, (cols, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _close_and_fill(bright: BoolImage) -> BoolImage:
    """Bridge gaps, fill holes, drop thin threads and specks."""
    long_side = max(bright.shape)
    closed = fill_holes(close_disk(bright, 0.012 * long_side), (_LARGEST_HOLE * long_side) ** 2)
    opened = open_disk(closed, 0.006 * long_side)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened.astype(np.uint8))
    sizeable = stats[:, cv2.CC_STAT_AREA] >= 0.0015 * bright.size
    sizeable[0] = False
    return np.asarray(sizeable[labels])


def _confidence(smooth: FloatImage, mask: BoolImage, tissue: BoolImage) -> float:
    """Return how clearly the mask stands out: its edge's step, and a plausible share of tissue."""
    reach = 0.015 * max(mask.shape)
    inner = mask & dilate_disk(~mask & tissue, reach)
    outer = tissue & ~mask & dilate_disk(mask, reach)
    if inner.sum() < 32 or outer.sum() < 32:
        return 0.0
    step = float(np.median(smooth[inner]) - np.median(smooth[outer]))
    share = float(mask.sum() / tissue.sum())
    plausible = np.interp(share, [0.01, 0.05, 0.85, 0.97], [0.0, 1.0, 1.0, 0.0])
    return float(np.clip(step / _CLEAR_STEP, 0.0, 1.0) * plausible)
