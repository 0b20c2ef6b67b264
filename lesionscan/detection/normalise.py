"""Normalise grey values so that bone lies between 0 and 1.

Only the pixels of a mask are used; otherwise white borders, black shutters and lead letters would
determine the contrast of bone.
"""

import numpy as np

from lesionscan.radiograph import BoolImage, FloatImage


def grey_range(
    pixels: FloatImage, mask: BoolImage, *, low_percent: float, high_percent: float
) -> tuple[float, float]:
    """Return two percentiles of the masked pixels.

    Parameters
    ----------
    pixels
        float32 (rows, cols), bone bright, any unit.
    mask
        bool (rows, cols); the pixels to use.
    low_percent, high_percent
        The percentiles, 0 to 100.

    Returns
    -------
    tuple of float
        The minimum and maximum if the percentiles coincide; (0, 1) for an empty mask.
    """
    values = pixels[mask]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, [low_percent, high_percent]))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return low, high


def rescale(pixels: FloatImage, grey: tuple[float, float]) -> FloatImage:
    """Map a grey range linearly to [0, 1] without clipping. An empty range gives 0."""
    low, high = grey
    if high <= low:
        return np.zeros_like(pixels)
    # halves, since the difference of extreme float32 values overflows
    half = 0.5 * high - 0.5 * low
    scaled: FloatImage = 0.5 * pixels
    scaled /= np.float32(half)
    scaled -= np.float32(0.5 * low / half)
    return scaled


def to_unit(pixels: FloatImage, grey: tuple[float, float]) -> FloatImage:
    """Map a grey range linearly to [0, 1] and clip. An empty range gives 0."""
    scaled = rescale(pixels, grey)
    return np.clip(scaled, 0.0, 1.0, out=scaled)
