"""Position of the value in a pixel cell if header, codestream and pixel cells disagree.

A value that is cut off at too few bits wraps around: bone becomes dark and false lesions appear. So
the pixel cells are examined before BitsStored, HighBit and PixelRepresentation (PS3.5 8.1.1) are
used.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.pixel_format import PixelFormat

Cells = NDArray[np.integer[Any]]

_OVERSHOOT = 1 / 16
"""Overshoot of a lossy codec at sharp edges, of the value range; more is taken for values."""

_MOST_BITS = 32
"""Largest BitsAllocated."""

_LEAST_TEARS = 64
"""Smallest number of tears, which are pairs of neighbours on opposite ends of the range; an image
with the wrong sign has one wherever it crosses mid-grey."""

_BAND_ROWS = 256

_FEWER_JUMPS = 2
"""A reading with fewer bits is used if it has fewer than this times the jumps of one with more."""

_FEWER = 10
"""The reading with the right sign has this many times fewer tears than the other."""


@dataclass(frozen=True, slots=True)
class Bits:
    """Position of the values in their pixel cells; `high_bit` counts from 0."""

    stored: int
    high_bit: int
    signed: bool
    notices: tuple[Notice, ...] = ()


def overlay_mask(tags: Tags) -> int:
    """Return the bits of a cell that hold overlay planes (retired: PS3.3 C.9.2 of 2004)."""
    mask = 0
    for group in range(0x6000, 0x6020, 2):  # repeating groups (PS3.5 7.6)
        try:
            element = tags.dataset.get((group, 0x0102))
            position = 0 if element is None else int(element.value)
        except Exception:  # noqa: BLE001 - pydicom raises many types on values it cannot convert
            tags.irregular.append("OverlayBitPosition")
            continue
        if (group, 0x3000) not in tags.dataset and 0 < position < _MOST_BITS:
            mask |= 1 << position
    return mask


def bits_of(
    cells: Cells,
    layout: PixelFormat,
    *,
    high_bit: int,
    precision: int | None,
    overlays: int,
    overshoots: bool,
) -> Bits:
    """Return the position of the values of a grey image, with notices where the header differs.

    Parameters
    ----------
    cells
        Integers (rows, columns), as decoded.
    layout
        The header.
    high_bit
        HighBit in these cells.
    precision
        Bits per sample stated in the codestream (ITU-T T.81, T.87 and T.800), which takes
        precedence over the header; None for uncompressed pixel data and RLE.
    overlays
        From `overlay_mask`.
    overshoots
        Whether a lossy codec may have exceeded the value range.
    """
    if cells.dtype.kind == "i":
        return _of_signed_samples(cells, layout, high_bit, precision, overshoots=overshoots)
    bits, said = _placed(
        cells, layout, high_bit, precision, overlays=overlays, overshoots=overshoots
    )
    sign = _torn_sign(cells, bits, layout, precision)
    said += sign.notices
    return Bits(bits.stored, bits.high_bit, sign.signed, tuple(said))


def _placed(
    cells: Cells,
    layout: PixelFormat,
    high_bit: int,
    precision: int | None,
    *,
    overlays: int,
    overshoots: bool,
) -> tuple[Bits, list[Notice]]:
    """Find the value in unsigned cells from the bits that vary."""
    stored, signed = layout.bits_stored, layout.signed
    varying = _varying_bits(cells) & ~overlays
    shift = high_bit + 1 - stored
    said: list[Notice] = []
    if varying & (1 << shift) - 1:
        if varying >> stored:
            said.append(_disagree("bits below the value (HighBit, BitsStored) are used", "dropped"))
        else:
            said.append(_disagree(f"HighBit is {high_bit}, but the lowest bits are used", "read"))
            shift = 0
    used = _used_bits(varying >> shift, stored)
    if varying >> shift >> used:
        said.append(_disagree(f"bits above the {used} bits of the value are used", "dropped"))
    bits = stored
    if used > stored:
        values = np.right_shift(cells, shift)
        width = min(precision or _MOST_BITS, 8 * cells.dtype.itemsize) - shift
        if _is_sign_extended(values, stored, width):
            signed = True
        elif layout.signed and _is_partly_extended(values, stored, width):
            fault = f"bits above BitsStored, {stored}, repeat the sign in some cells only"
            said.append(_disagree(fault, "dropped"))
        elif not (overshoots and int(values.max()) < (1 << stored) * (1 + _OVERSHOOT)):
            bits = width if precision and not overlays else used
            said.append(_other_bits(stored, bits, precision))
    elif precision and precision < stored and not shift:
        bits = precision
        said.append(_other_bits(stored, bits, precision))
    return Bits(bits, bits + shift - 1, signed), said


def _of_signed_samples(
    cells: Cells, layout: PixelFormat, high_bit: int, precision: int | None, *, overshoots: bool
) -> Bits:
    """Return the bits of samples that are signed in the codestream (ITU-T T.800 A.5.1)."""
    stored, said = layout.bits_stored, []
    if not layout.signed:
        said.append(
            _disagree("PixelRepresentation is 0, but the codestream's samples have a sign", "kept")
        )
    half = 1 << stored - 1
    beyond = max(int(cells.max()) - half + 1, -half - int(cells.min()))
    is_wider = beyond > (2 * half * _OVERSHOOT if overshoots else 0)
    if high_bit + 1 > stored or precision is None or not (is_wider or precision < stored):
        return Bits(stored, high_bit, signed=True, notices=tuple(said))
    said.append(_other_bits(stored, precision, precision))
    return Bits(precision, precision - 1, signed=True, notices=tuple(said))


def _torn_sign(cells: Cells, bits: Bits, layout: PixelFormat, precision: int | None) -> Bits:
    """Decide whether values are signed: the right reading has fewer tears."""
    if not (layout.signed or bits.signed):
        return bits
    if not layout.signed:
        fault = "PixelRepresentation is 0, but the cells hold negative numbers"
        return replace(bits, notices=(_disagree(fault, "read"),))
    with_sign, without = _tears(cells, bits)
    # samples with fewer bits than BitsStored have no sign bit, unless the image shows one
    expected = precision is None or precision >= layout.bits_stored
    torn, other = (with_sign, without) if expected else (without, with_sign)
    overruled = torn >= _LEAST_TEARS and torn >= _FEWER * other
    if expected and overruled:
        fault = "PixelRepresentation is 1, but the picture is torn where the sign changes"
        return replace(bits, signed=False, notices=(_disagree(fault, "read without sign"),))
    return replace(bits, signed=expected != overruled)


def _tears(cells: Cells, bits: Bits) -> tuple[int, int]:
    """Count neighbours more than half the range apart, read as signed and as unsigned values.

    Steps from or to the end of the signed range are not counted: saturated borders have them.
    """
    # in bands that overlap by one row, because noise would take memory for every pair
    bands = (cells[top : top + _BAND_ROWS + 1] for top in range(0, cells.shape[0], _BAND_ROWS))
    counts = [_tears_of_band(band, bits) for band in bands]
    return sum(one for one, _ in counts), sum(other for _, other in counts)


def _tears_of_band(cells: Cells, bits: Bits) -> tuple[int, int]:
    """Count the tears in some rows."""
    shift, half = bits.high_bit + 1 - bits.stored, 1 << bits.stored - 1
    values = np.right_shift(cells, shift) & (2 * half - 1)
    is_high = values >= half
    with_sign = without = 0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        across = is_high[one] != is_high[other]
        first = values[one][across].astype(np.int64)
        second = values[other][across].astype(np.int64)
        near = np.abs(first - second) < half
        ends = [(each == half - 1) | (each == half) for each in (first, second)]
        with_sign += int(np.count_nonzero(near & ~(ends[0] | ends[1])))
        without += int(np.count_nonzero(~near))
    return with_sign, without


def _varying_bits(cells: Cells) -> int:
    """Return the bits that are not the same in all cells: the others hold no value."""
    return int(np.bitwise_or.reduce(cells, axis=None)) & ~int(
        np.bitwise_and.reduce(cells, axis=None)
    )


def _used_bits(varying: int, stored: int) -> int:
    """Return the number of bits that values use: `stored`, and those above that vary."""
    used = stored
    while varying >> used & 1:
        used += 1
    return used


def _is_sign_extended(values: Cells, stored: int, width: int) -> bool:
    """Return whether all bits above a value repeat its sign."""
    above = np.right_shift(values, stored - 1)
    return bool(np.isin(above, (0, (1 << width - stored + 1) - 1)).all())


def _is_partly_extended(values: Cells, stored: int, width: int) -> bool:
    """Return whether the bits above a value repeat its sign in some cells and are 0 in others.

    Values with more bits can look like this, but read with fewer bits they have more jumps.
    """
    above = np.right_shift(values, stored - 1)
    if not bool(np.isin(above, (0, 1, (1 << width - stored + 1) - 1)).all()):
        return False
    return _jumps(values, stored, stored) < _FEWER_JUMPS * _jumps(values, width, stored)


def _jumps(values: Cells, bits: int, stored: int) -> int:
    """Count neighbours at least half the stored range apart, as signed values of `bits` bits."""
    jumps = 0
    for top in range(0, values.shape[0], _BAND_ROWS):
        band = values[top : top + _BAND_ROWS + 1].astype(np.int64) & (1 << bits) - 1
        band -= (band >> bits - 1) << bits
        for axis in (0, 1):
            jumps += int(np.count_nonzero(np.abs(np.diff(band, axis=axis)) >= 1 << stored - 1))
    return jumps


def _other_bits(stored: int, bits: int, precision: int | None) -> Notice:
    """Return the notice that another number of bits than BitsStored was read."""
    source = "the codestream has" if precision else "the pixel values take"
    return _disagree(f"BitsStored is {stored}, but {source} {bits} bits", "read")


def _disagree(fault: str, done: str) -> Notice:
    return notice(
        NoticeCode.BITS_DISAGREE,
        f"{fault}; they were {done}, so check the grey values, and correct the tag",
    )
