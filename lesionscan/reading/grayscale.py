"""Stored pixel values -> grey values that mean the same in every file; arrays in, arrays out.

No step clips by a display window: narrow windows clip lesions, and a window is a display choice.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage, FloatImage

EXACT_BITS = 24
"""float32 holds every integer of up to 24 bits."""

CHANNEL_TOLERANCE = 8 / 255
"""Largest difference between colour channels, of full scale, that JPEG's chroma rounding makes."""

Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Greys:
    """Grey values and the range that their format allows (not the range that occurs).

    The range serves to invert: low + high - value maps the format onto itself, so a MONOCHROME1
    picture and its MONOCHROME2 complement give the same numbers, whatever they show.
    """

    values: Numbers
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A modality look-up table (PS3.3 C.11.1.1): `entries[value - first]`, `bits` deep."""

    first: int
    bits: int
    entries: NDArray[np.integer[Any]]


def stored_greys(
    cells: Numbers, *, bits_stored: int, high_bit: int, signed: bool, clip: bool
) -> Greys:
    """Cut the stored value out of each pixel cell (PS3.5 8.1.1) and give it its sign.

    Parameters
    ----------
    cells
        Integer array of whole cells.
    bits_stored, high_bit
        Where the value lies in its cell; bits outside it (old overlays) are dropped.
    signed
        PixelRepresentation 1: two's complement of `bits_stored` bits.
    clip
        For lossy codecs, which may overshoot the range: clip instead of wrapping around.
    """
    wide: NDArray[np.integer[Any]] = cells.astype(
        np.int64 if cells.dtype.itemsize > 2 else np.int32
    )
    low, high = (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1)
    if not signed:
        low, high = (0, (1 << bits_stored) - 1)
    shift = high_bit + 1 - bits_stored
    np.right_shift(wide, shift, out=wide)
    if clip:
        np.clip(wide, low, high, out=wide)
    else:
        np.bitwise_and(wide, (1 << bits_stored) - 1, out=wide)
        if signed:
            np.subtract(wide, 1 << bits_stored, out=wide, where=wide > high)
    if bits_stored > EXACT_BITS:
        # Inverting about a range of 2**32 would round every value away in float32.
        return Greys(wide, float(wide.min()), float(wide.max()))
    return Greys(wide, float(low), float(high))


def not_padding(values: Numbers, first: int | None, last: int | None) -> BoolImage:
    """Return True where a stored value is no padding (PS3.3 C.7.5.1.1.2), `first` to `last`.

    Parameters
    ----------
    first, last
        PixelPaddingValue and PixelPaddingRangeLimit, either way round; without the second only
        the first is padding, without the first nothing is.
    """
    if first is None:
        return np.ones(values.shape, dtype=np.bool_)
    other = first if last is None else last
    return (values < min(first, other)) | (values > max(first, other))


def rescale(greys: Greys, *, slope: float, intercept: float) -> Greys:
    """Apply RescaleSlope and RescaleIntercept (PS3.3 C.11.1.1.2).

    Raises
    ------
    ValueError
        When the slope is zero or the result would not be finite in float32.
    """
    ends = sorted((slope * greys.low + intercept, slope * greys.high + intercept))
    largest = float(np.finfo(np.float32).max)
    if slope == 0 or not all(abs(value) <= largest for value in (slope, *ends)):
        raise ValueError(f"rescale slope {slope:g} and intercept {intercept:g} cannot be used")
    if (slope, intercept) == (1.0, 0.0):
        return greys
    return Greys(greys.values * slope + intercept, ends[0], ends[1])


def apply_modality_lut(greys: Greys, lut: Lut) -> Greys:
    """Apply a modality LUT (PS3.3 C.11.1.1.1): values outside it take its first or last entry.

    The index is a wide integer and clipped before use: 8-bit tables wrap around otherwise.
    """
    index = np.clip(greys.values - lut.first, 0, lut.entries.size - 1)
    entries = lut.entries.astype(np.int32)
    # Tables deeper than they say occur; their real range is then the largest entry.
    high = max((1 << lut.bits) - 1, int(entries.max()))
    return Greys(entries[index], 0.0, float(high))


def attenuation(greys: Greys, *, linear: bool, bright_is_dense: bool) -> Greys:
    """Turn raw detector values into attenuation, dense tissue bright (PS3.3 C.8.11.3.1.2).

    Parameters
    ----------
    linear
        PixelIntensityRelationship LIN: values follow the beam's intensity, which falls
        exponentially with thickness, so the logarithm is taken.
    bright_is_dense
        PixelIntensityRelationshipSign -1: higher values mean less intensity.
    """
    if not linear:
        return greys if bright_is_dense else inverted(greys)
    intensity = greys if not bright_is_dense else inverted(greys)
    span = greys.high - greys.low
    thickness = np.log1p(span) - np.log1p(np.maximum(intensity.values - greys.low, 0.0))
    return Greys(thickness, 0.0, float(np.log1p(span)))


def inverted(greys: Greys) -> Greys:
    """Swap dark and bright within the format's range (MONOCHROME1, PS3.3 C.7.6.3.1.2)."""
    total = float(greys.low + greys.high)
    if greys.values.dtype.kind == "i" and total.is_integer():
        return replace(greys, values=int(total) - greys.values)  # a float64 copy is avoided
    return replace(greys, values=total - greys.values)


def as_float_image(greys: Greys) -> FloatImage:
    """Return the values as a contiguous float32 array, exact for integers of up to 24 bits."""
    return np.ascontiguousarray(greys.values, dtype=np.float32)


def grey_from_channels(channels: Numbers, *, full_scale: float) -> Numbers | None:
    """Return the one grey picture in an array (rows, cols, 3), or None when it shows colour.

    Equal channels come back unchanged; small differences, as JPEG makes them, are averaged.
    """
    spread = np.max(channels, axis=2).astype(np.float64) - np.min(channels, axis=2)
    largest = float(spread.max())
    if largest == 0:
        return np.ascontiguousarray(channels[..., 0])
    if largest > CHANNEL_TOLERANCE * full_scale:
        return None
    return np.asarray(np.mean(channels, axis=2, dtype=np.float32))


def grey_from_luma_chroma(channels: Numbers, *, full_scale: float) -> Numbers | None:
    """Return the luma of an array (rows, cols, Y Cb Cr) without colour, else None.

    Grey is a chroma of half the full scale, rounded up (PS3.3 C.7.6.3.1.2).
    """
    chroma = channels[..., 1:].astype(np.float64) - np.ceil(full_scale / 2)
    if float(np.abs(chroma).max()) > CHANNEL_TOLERANCE / 2 * full_scale:
        return None
    return np.ascontiguousarray(channels[..., 0])
