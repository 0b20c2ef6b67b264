"""Look-up tables of a DICOM header, of any depth and packing."""

from collections.abc import Sequence

import numpy as np

from lesionscan.reading.dicom_file import DicomFile
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.grayscale import Lut

_MOST_ENTRIES = 65536

# Segments of a palette (PS3.3 C.7.9.2.1 to C.7.9.2.3).
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_OFFSET_BITS = 32


def read_lut(item: Tags, file: DicomFile, *, signed: bool, name: str) -> Lut:
    """Read a modality or VOI LUT (PS3.3 C.11.1.1.1, C.11.2.1.1).

    Parameters
    ----------
    item
        The item with LUTDescriptor and LUTData.
    file
        The file, which determines the byte order.
    signed
        Whether input values may be negative.
    name
        Name of the table in messages.

    Raises
    ------
    ValueError
        If descriptor and data do not form a table.
    """
    return _table(
        item.numbers("LUTDescriptor") or (),
        _lut_bytes(item.raw("LUTData"), little_endian=file.little_endian),
        signed=signed,
        name=name,
    )


def read_palette(file: DicomFile, colour: str, *, signed: bool) -> Lut:
    """Read one of the three tables of a palette, also a segmented one (PS3.3 C.7.6.3.1.5, C.7.9.2).

    Parameters
    ----------
    file
        Its header holds the palette.
    colour
        "Red", "Green" or "Blue".
    signed
        Whether input values may be negative.

    Raises
    ------
    ValueError
        If descriptor and data do not form a table.
    """
    keyword = f"{colour}PaletteColorLookupTable"
    descriptor = file.tags.numbers(f"{keyword}Descriptor") or ()
    name = f"{colour.lower()} palette"
    data = _lut_bytes(file.tags.raw(f"{keyword}Data"), little_endian=file.little_endian)
    segments = file.tags.raw(f"Segmented{keyword}Data")
    if not data and segments is not None:
        words = _lut_bytes(segments, little_endian=file.little_endian)
        narrow = len(descriptor) == 3 and descriptor[2] == 8
        codes = np.frombuffer(words, np.uint8 if narrow else "<u2").tolist()
        data = np.array(_expanded(codes, 8 if narrow else 16), "<u2").tobytes()
    return _table(descriptor, data, signed=signed, name=name)


def _expanded(codes: Sequence[int], code_bits: int) -> list[int]:
    """Expand the segments of a palette (PS3.3 C.7.9.2).

    Raises
    ------
    ValueError
        If they are not valid segments.
    """
    entries: list[int] = []
    at = 0
    while at + 2 < len(codes) and len(entries) < _MOST_ENTRIES:  # without a padding byte
        if codes[at] != _INDIRECT:
            at = _append_segment(entries, codes, at)
            continue
        parts = _OFFSET_BITS // code_bits  # least significant byte first
        offset = sum(
            code << code_bits * place for place, code in enumerate(codes[at + 2 :][:parts])
        )
        start = offset * 8 // code_bits  # offsets are in bytes
        for _ in range(codes[at + 1]):
            if len(entries) < _MOST_ENTRIES:
                start = _append_segment(entries, codes, start)
        at += 2 + parts
    return entries[:_MOST_ENTRIES]


def _append_segment(entries: list[int], codes: Sequence[int], at: int) -> int:
    """Append the entries of the segment at a position; return the position of the next one.

    Raises
    ------
    ValueError
        If there is no valid segment.
    """
    kind, count, *_ = (*codes[at : at + 2], -1, 0)
    values = codes[at + 2 : at + 2 + (count if kind == _DISCRETE else 1)]
    if kind == _DISCRETE and len(values) == count > 0:
        entries.extend(values)
        return at + 2 + count
    if kind == _LINEAR and count > 0 and values and entries:
        steps = np.linspace(entries[-1], values[0], count + 1)[1:]
        entries.extend(np.rint(steps).astype(int).tolist())
        return at + 3
    raise ValueError("the palette's segments are damaged")


def _table(found: Sequence[float], data: bytes, *, signed: bool, name: str) -> Lut:
    """Make a table from its descriptor and its little-endian bytes."""
    descriptor = [int(number) for number in found if abs(number) < 1 << 17]  # False for NaN too
    if len(descriptor) != 3:
        raise ValueError(f"the {name} has no usable descriptor")
    count, first, bits = descriptor
    count = count % _MOST_ENTRIES or _MOST_ENTRIES  # 0 means 65536
    if not 8 <= bits <= 16:
        raise ValueError(f"the {name} is {bits} bits deep, not 8 to 16")
    # The first value is signed if the pixels are, whatever its VR.
    first = (first + 32768) % 65536 - 32768 if signed else first % 65536
    # One 16-bit word per entry, or two 8-bit entries per word.
    if len(data) >= 2 * count:
        return Lut(first, bits, np.frombuffer(data, dtype="<u2", count=count))
    if bits == 8 and len(data) >= count:
        return Lut(first, bits, np.frombuffer(data, dtype=np.uint8, count=count))
    raise ValueError(f"the {name} holds fewer than its {count} entries")


def _lut_bytes(raw: object, *, little_endian: bool) -> bytes:
    """Return LUTData as little-endian bytes; it can be OW (bytes) or US (a list)."""
    if isinstance(raw, bytes):
        order = "<" if little_endian else ">"
        words = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=f"{order}u2")
    elif isinstance(raw, Sequence) and all(isinstance(entry, int) for entry in raw):
        words = np.array([entry & 0xFFFF for entry in raw], dtype=np.uint16)
    else:
        words = np.zeros(0, dtype=np.uint16)
    return words.astype("<u2").tobytes()
