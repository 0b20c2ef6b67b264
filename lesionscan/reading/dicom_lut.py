"""Look-up tables of a DICOM header, whatever their depth and packing."""

from collections.abc import Sequence

import numpy as np

from lesionscan.reading.dicom_file import DicomFile
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.grayscale import Lut


def read_lut(item: Tags, file: DicomFile, *, signed: bool, name: str) -> Lut:
    """Read a modality or VOI LUT (PS3.3 C.11.1.1.1, C.11.2.1.1).

    Parameters
    ----------
    item
        The item with LUTDescriptor and LUTData.
    file
        Says the byte order.
    signed
        Whether what goes into the table may be negative.
    name
        What the table is called in messages.

    Raises
    ------
    ValueError
        When descriptor and data do not make a table.
    """
    return _table(
        item.numbers("LUTDescriptor") or (),
        _lut_bytes(item.raw("LUTData"), little_endian=file.little_endian),
        signed=signed,
        name=name,
    )


def read_palette(file: DicomFile, colour: str, *, signed: bool) -> Lut:
    """Read one of the three tables of a palette (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6).

    Parameters
    ----------
    file
        Its header holds the palette.
    colour
        "Red", "Green" or "Blue".
    signed
        Whether what goes into the table may be negative.

    Raises
    ------
    ValueError
        When descriptor and data do not make a table.
    """
    keyword = f"{colour}PaletteColorLookupTable"
    if f"Segmented{keyword}Data" in file.tags:
        raise ValueError("the palette is stored in segments, which are not read")
    return _table(
        file.tags.numbers(f"{keyword}Descriptor") or (),
        _lut_bytes(file.tags.raw(f"{keyword}Data"), little_endian=file.little_endian),
        signed=signed,
        name=f"{colour.lower()} palette",
    )


def _table(found: Sequence[float], data: bytes, *, signed: bool, name: str) -> Lut:
    """Make a table of its descriptor and its little-endian bytes."""
    descriptor = [int(number) for number in found if abs(number) < 1 << 17]  # not NaN either
    if len(descriptor) != 3:
        raise ValueError(f"the {name} has no usable descriptor")
    count, first, bits = descriptor
    count = count % 65536 or 65536  # 0 stands for 65536
    if not 8 <= bits <= 16:
        raise ValueError(f"the {name} is {bits} bits deep, not 8 to 16")
    # The first value has the pixels' sign, whichever VR it was written with.
    first = (first + 32768) % 65536 - 32768 if signed else first % 65536
    # One 16-bit word an entry, or 8-bit entries packed two to a word.
    if len(data) >= 2 * count:
        return Lut(first, bits, np.frombuffer(data, dtype="<u2", count=count))
    if bits == 8 and len(data) >= count:
        return Lut(first, bits, np.frombuffer(data, dtype=np.uint8, count=count))
    raise ValueError(f"the {name} holds fewer than its {count} entries")


def _lut_bytes(raw: object, *, little_endian: bool) -> bytes:
    """Return LUTData as little-endian bytes; it comes as OW bytes or as a list of US."""
    if isinstance(raw, bytes):
        order = "<" if little_endian else ">"
        words = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=f"{order}u2")
    elif isinstance(raw, Sequence) and all(isinstance(entry, int) for entry in raw):
        words = np.array([entry & 0xFFFF for entry in raw], dtype=np.uint16)
    else:
        words = np.zeros(0, dtype=np.uint16)
    return words.astype("<u2").tobytes()
