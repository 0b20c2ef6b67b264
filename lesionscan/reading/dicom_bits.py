"""Where the value lies in a pixel cell, when header, codestream and cells say different things.

A value cut off at too few bits wraps around: bone becomes dark and lesions appear that are none. So
the cells are asked before BitsStored, HighBit and PixelRepresentation (PS3.5 8.1.1) are believed.
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
"""Of the value range: what a lossy codec adds at hard edges; farther out lie values."""

_MOST_BITS = 32
"""BitsAllocated is no more."""

_LEAST_TEARS = 64
"""Of two neighbouring pixels each; a torn picture has one wherever it crosses mid-grey."""

_BAND_ROWS = 256

_FEWER_JUMPS = 2
"""Times the jumps of a reading by more bits that one by fewer may have to be believed."""

_FEWER = 10
"""Times fewer tears has the picture that is read rightly."""


@dataclass(frozen=True, slots=True)
class Bits:
    """How the values lie in their cells; `high_bit` counts from 0."""

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
    """Return where the values of a grey picture lie, with what contradicts the header.

    Parameters
    ----------
    cells
        Integers (rows, columns), as the codec gives them.
    layout
        What the header says.
    high_bit
        HighBit in these cells.
    precision
        Bits of a sample by the codestream (ITU-T T.81, T.87 and T.800), which is believed where
        it and the header disagree; None for native cells and RLE.
    overlays
        From `overlay_mask`.
    overshoots
        Whether a lossy codec may have gone beyond the value range.
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
    """Find the value in unsigned cells by which of their bits vary."""
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
    """Return the bits of samples to which their codestream gives a sign (ITU-T T.800 A.5.1)."""
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
    """Decide whether a bit pattern is two's complement, by the reading that is not torn."""
    if not (layout.signed or bits.signed):
        return bits
    if not layout.signed:
        fault = "PixelRepresentation is 0, but the cells hold negative numbers"
        return replace(bits, notices=(_disagree(fault, "read"),))
    with_sign, without = _tears(cells, bits)
    # samples of fewer bits than BitsStored have no sign bit, unless the picture shows one
    expected = precision is None or precision >= layout.bits_stored
    torn, other = (with_sign, without) if expected else (without, with_sign)
    overruled = torn >= _LEAST_TEARS and torn >= _FEWER * other
    if expected and overruled:
        fault = "PixelRepresentation is 1, but the picture is torn where the sign changes"
        return replace(bits, signed=False, notices=(_disagree(fault, "read without sign"),))
    return replace(bits, signed=expected != overruled)


def _tears(cells: Cells, bits: Bits) -> tuple[int, int]:
    """Count neighbours more than half the range apart: as two's complement, and without a sign.

    Steps from or to the end of a range are none of the first, since saturated borders have them.
    """
    # a band at a time, with one row of the next: of noise every pair takes its bytes
    bands = (cells[top : top + _BAND_ROWS + 1] for top in range(0, cells.shape[0], _BAND_ROWS))
    counts = [_tears_of_band(band, bits) for band in bands]
    return sum(one for one, _ in counts), sum(other for _, other in counts)


def _tears_of_band(cells: Cells, bits: Bits) -> tuple[int, int]:
    """Count the tears of some rows."""
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
    """Return the bits that are not the same in all cells: the others hold no values."""
    return int(np.bitwise_or.reduce(cells, axis=None)) & ~int(
        np.bitwise_and.reduce(cells, axis=None)
    )


def _used_bits(varying: int, stored: int) -> int:
    """Return how many bits the values take: a range that goes on beyond a bit uses the next."""
    used = stored
    while varying >> used & 1:
        used += 1
    return used


def _is_sign_extended(values: Cells, stored: int, width: int) -> bool:
    """Return whether all bits above a value repeat its sign."""
    above = np.right_shift(values, stored - 1)
    return bool(np.isin(above, (0, (1 << width - stored + 1) - 1)).all())


def _is_partly_extended(values: Cells, stored: int, width: int) -> bool:
    """Return whether the bits above a value repeat its sign or are 0, from cell to cell.

    Values of more bits may look the same; read with fewer, they jump where their neighbours do not.
    """
    above = np.right_shift(values, stored - 1)
    if not bool(np.isin(above, (0, 1, (1 << width - stored + 1) - 1)).all()):
        return False
    return _jumps(values, stored, stored) < _FEWER_JUMPS * _jumps(values, width, stored)


def _jumps(values: Cells, bits: int, stored: int) -> int:
    """Count neighbours half the range of the stored bits apart, in two's complement of `bits`."""
    jumps = 0
    for top in range(0, values.shape[0], _BAND_ROWS):
        band = values[top : top + _BAND_ROWS + 1].astype(np.int64) & (1 << bits) - 1
        band -= (band >> bits - 1) << bits
        for axis in (0, 1):
            jumps += int(np.count_nonzero(np.abs(np.diff(band, axis=axis)) >= 1 << stored - 1))
    return jumps


def _other_bits(stored: int, bits: int, precision: int | None) -> Notice:
    """Say how many bits were read in place of BitsStored."""
    source = "the codestream has" if precision else "the pixel values take"
    return _disagree(f"BitsStored is {stored}, but {source} {bits} bits", "read")


def _disagree(fault: str, done: str) -> Notice:
    return notice(
        NoticeCode.BITS_DISAGREE,
        f"{fault}; they were {done}, so check the grey values, and correct the tag",
    )
