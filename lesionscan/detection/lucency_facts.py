"""Lucency map -> how lucent a region is, and how much more so than what surrounds it."""

from dataclasses import dataclass

import numpy as np

from lesionscan.detection.morphology import distance_to
from lesionscan.radiograph import BoolImage, FloatImage

_ACROSS_PX = 64
"""Regions are looked at on at most this many pixels across; the map has no finer detail."""


@dataclass(frozen=True, slots=True)
class LucencyFacts:
    """What the lucency map says about one region; all dimensionless.

    Attributes
    ----------
    mean, peak
        Mean and maximum inside, 0 to 1.
    contrast
        Mean inside minus mean in the ring around, -1 to 1; 0 without exposed surroundings.
    """

    mean: float
    peak: float
    contrast: float


def look_at_lucency(
    mask: BoolImage, box: tuple[slice, slice], lucency: FloatImage, exposed: BoolImage
) -> LucencyFacts:
    """Measure a region on the lucency map.

    Parameters
    ----------
    mask
        bool; the region inside its bounding box, at least one pixel of it.
    box
        Slices of that box in the full arrays.
    lucency, exposed
        Full (rows, cols) arrays: float32 in [0, 1], and the exposed field.
    """
    inside = lucency[box][mask]
    mean = float(inside.mean())
    radius = float(np.sqrt(inside.size / np.pi))
    step = max(1, round(2.0 * radius / _ACROSS_PX))
    width = max(2.0 * step, 0.5 * radius)
    reach = int(np.ceil(width))
    top, left = max(box[0].start - reach, 0), max(box[1].start - reach, 0)
    near = np.s_[top : box[0].stop + reach, left : box[1].stop + reach]
    region = np.zeros(lucency[near].shape, np.bool_)
    corner = (box[0].start - top, box[1].start - left)
    region[corner[0] : corner[0] + mask.shape[0], corner[1] : corner[1] + mask.shape[1]] = mask
    coarse = np.ascontiguousarray(region[::step, ::step])
    contrast = 0.0
    if coarse.any():  # a thin region may fall between the steps
        ring = ~coarse & (distance_to(coarse) * step <= width) & exposed[near][::step, ::step]
        if ring.any():
            contrast = mean - float(lucency[near][::step, ::step][ring].mean())
    return LucencyFacts(mean, float(inside.max()), contrast)
