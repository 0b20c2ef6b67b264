"""Conversion of stored pixel values to grey values, on arrays.

Grey values for the search are never clipped by a window, because narrow windows clip lesions.
`shown_grey` makes the image that a viewer would show, for display only.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage, FloatImage

EXACT_BITS = 24
"""float32 represents every integer of up to 24 bits."""

Numbers = NDArray[Any]

_WIDEST = 1e9
"""Largest number in a window; only 32-bit values are larger, for which no window is meant."""


@dataclass(frozen=True, slots=True, eq=False)
class Greys:
    """Grey values, and the range that their format allows (not the range that occurs).

    The range is used to invert: low + high - value maps the format onto itself, so a MONOCHROME1
    image and its MONOCHROME2 complement give the same values.
    """

    values: Numbers
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A look-up table (modality: PS3.3 C.11.1.1, VOI: C.11.2.1.1): `entries[value - first]`.

    `bits` is the stated depth of the entries.
    """

    first: int
    bits: int
    entries: NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Window:
    """A display window (PS3.3 C.11.2.1.2), in grey values after the modality transform.

    Raises
    ------
    ValueError
        If it is invalid: LINEAR needs a width of at least 1, the others more than 0.
    """

    centre: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"

    def __post_init__(self) -> None:
        least = 1.0 if self.function == "LINEAR" else 0.0
        wide_enough = least <= self.width <= _WIDEST and self.width > 0
        if not (wide_enough and abs(self.centre) <= _WIDEST):  # False for NaN too
            raise ValueError(
                f"window centre {self.centre:g} and width {self.width:g} cannot be used"
            )


def stored_greys(
    cells: Numbers, *, bits_stored: int, high_bit: int, signed: bool, clip: bool
) -> Greys:
    """Extract the stored values from the pixel cells (PS3.5 8.1.1), with their sign.

    Parameters
    ----------
    cells
        Integer array of complete cells.
    bits_stored, high_bit
        Position of the value in its cell; other bits (old overlays) are dropped.
    signed
        PixelRepresentation 1: two's complement of `bits_stored` bits.
    clip
        Clip instead of wrapping around; for lossy codecs, which may exceed the range.
    """
    wide: NDArray[np.integer[Any]] = cells.astype(
        np.int64 if cells.dtype.itemsize > 2 else np.int32
    )
    low, high = (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1)
    if not signed:
        low, high = (0, (1 << bits_stored) - 1)
    shift = high_bit + 1 - bits_stored
    if shift:
        np.right_shift(wide, shift, out=wide)
    if clip:
        np.clip(wide, low, high, out=wide)
    else:
        np.bitwise_and(wide, (1 << bits_stored) - 1, out=wide)
        if signed:
            np.subtract(wide, 1 << bits_stored, out=wide, where=wide > high)
    if bits_stored > EXACT_BITS:
        # Inverting within a range of 2**32 would lose every value to rounding in float32.
        return Greys(wide, float(wide.min()), float(wide.max()))
    return Greys(wide, float(low), float(high))


def not_padding(values: Numbers, first: int | None, last: int | None) -> BoolImage:
    """Return False for padding (PS3.3 C.7.5.1.1.2): stored values from `first` to `last`.

    Parameters
    ----------
    first, last
        PixelPaddingValue and PixelPaddingRangeLimit, in either order. Without `last`, only `first`
        is padding; without `first`, nothing is.
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
        If the slope is zero, or the result would be constant or not finite in float32.
    """
    ends = sorted((slope * greys.low + intercept, slope * greys.high + intercept))
    largest = float(np.finfo(np.float32).max)
    finite = all(abs(value) <= largest for value in (slope, *ends))
    if not finite or np.float32(ends[0]) == np.float32(ends[1]):
        raise ValueError(f"rescale slope {slope:g} and intercept {intercept:g} cannot be used")
    if (slope, intercept) == (1.0, 0.0):
        return greys
    return Greys(greys.values * slope + intercept, ends[0], ends[1])


def apply_modality_lut(greys: Greys, lut: Lut) -> Greys:
    """Apply a modality LUT (PS3.3 C.11.1.1.1): values beyond its ends get its first or last entry.

    The index is a wide integer that is clipped before use; otherwise 8-bit tables wrap around.
    """
    entries = lut.entries.astype(np.int32)
    return Greys(entries[lut_index(greys.values, lut)], 0.0, float(_highest(lut)))


def lut_index(values: Numbers, lut: Lut) -> NDArray[np.integer[Any]]:
    """Return the index in a table of each value, clipped to its first and last entry.

    Parameters
    ----------
    values
        Input values.
    lut
        The table.
    """
    # clipped first: a huge value does not fit into an integer
    near = np.clip(values, lut.first, lut.first + lut.entries.size - 1) - lut.first
    return near if near.dtype.kind in "iu" else np.rint(near).astype(np.intp)


def _highest(lut: Lut) -> int:
    """Return the entry that is white: that of the stated depth, or the largest if it is above."""
    return max((1 << lut.bits) - 1, int(lut.entries.max()))


def shown_grey(greys: Greys, voi: Window | Lut, *, dark_is_high: bool) -> NDArray[np.uint8]:
    """Return the image that a viewer shows, black 0 and white 255.

    Parameters
    ----------
    greys
        After the modality transform, before any inversion.
    voi
        The window, or the VOI look-up table.
    dark_is_high
        MONOCHROME1: the image is inverted after the window (PS3.3 C.7.6.3.1.2).
    """
    values = greys.values
    span = greys.high - greys.low
    if values.dtype.kind in "iu" and span < min(values.size, 1 << 16):
        # computed once for each grey value
        every = np.arange(int(greys.low), int(greys.high) + 1)
        table = _shown(every, voi, dark_is_high=dark_is_high)
        return np.asarray(table[values - int(greys.low)], np.uint8)
    return _shown(values, voi, dark_is_high=dark_is_high)


def _shown(values: Numbers, voi: Window | Lut, *, dark_is_high: bool) -> NDArray[np.uint8]:
    if isinstance(voi, Lut):
        share = voi.entries[lut_index(values, voi)] / _highest(voi)
    else:
        share = _windowed(values.astype(np.float64), voi)
    if dark_is_high:
        share = 1.0 - share
    return np.asarray(np.rint(255.0 * share), np.uint8)


def _windowed(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """Map values to 0 to 1 (PS3.3 C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2)."""
    centre, width = window.centre, window.width
    if window.function == "SIGMOID":
        steps = np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)  # exp stays finite
        return np.asarray(1.0 / (1.0 + np.exp(steps)))
    if window.function == "LINEAR":  # defined for integers: shifted by half a value
        centre, width = centre - 0.5, width - 1.0
    if width == 0:
        return np.asarray(values > centre, np.float64)
    return np.clip((values - centre) / width + 0.5, 0.0, 1.0)


def attenuation(greys: Greys, *, linear: bool, bright_is_dense: bool) -> Greys:
    """Convert raw detector values to attenuation, dense tissue bright (PS3.3 C.8.11.3.1.2).

    Parameters
    ----------
    linear
        PixelIntensityRelationship LIN: values are proportional to the intensity of the beam, which
        falls exponentially with thickness, so the logarithm is taken.
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
        return replace(greys, values=int(total) - greys.values)  # avoids a float64 copy
    return replace(greys, values=total - greys.values)


def as_float_image(greys: Greys) -> FloatImage:
    """Return the values as a contiguous float32 array, exact for integers of up to 24 bits."""
    return np.ascontiguousarray(greys.values, dtype=np.float32)
