"""Decoding of DICOM RLE (PS3.5 annex G); refused unless every pixel comes from the file."""

import contextlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode
from lesionscan.reading.errors import UnreadableFileError, damaged, truncated

HEADER_BYTES = 64
_MOST_SEGMENTS = 15
_CELL_BYTES = (1, 2, 4)

_PACKET = 128
"""Largest number of bytes that one packet decodes to (PS3.5 G.3.1)."""

_USUAL_SURPLUS = 3
"""Bytes that may follow: padding read as a packet, one additional pixel, or a short run."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedRle:
    """A decoded image.

    Attributes
    ----------
    cells
        Unsigned integers of shape (rows, columns) or (rows, columns, samples), as wide as the
        number of segments implies.
    doubtful
        Whether more data follow the last pixel than encoders write.
    """

    cells: NDArray[np.unsignedinteger[Any]]
    doubtful: bool


def is_rle_header(head: bytes) -> bool:
    """Return whether an RLE frame may start with these bytes (PS3.5 G.5).

    Parameters
    ----------
    head
        At least the 64 bytes of a header.
    """
    if len(head) < HEADER_BYTES:
        return False
    count, *offsets = struct.unpack_from("<16L", head)
    if not 1 <= count <= _MOST_SEGMENTS or offsets[0] != HEADER_BYTES or any(offsets[count:]):
        return False
    return all(one <= other for one, other in pairwise(offsets[:count]))


def decode_rle(data: bytes, *, rows: int, columns: int, samples: int) -> DecodedRle:
    """Decode an RLE frame: every segment must decode to one byte for every pixel.

    Data after the last pixel are ignored: padding, one additional pixel, a run beyond the end.

    Raises
    ------
    UnreadableFileError
        `truncated` if a segment decodes to fewer bytes, `undecodable` if segments are damaged or
        contain more rows than the header states.
    """
    cell_bytes = _cell_bytes(data, samples)
    # The 64-byte header states the number of segments: one for each byte of each sample.
    count = samples * cell_bytes
    offsets = (*struct.unpack_from(f"<{count}L", data, 4), len(data))
    cells = np.empty((samples, rows * columns, cell_bytes), dtype=np.uint8)
    surplus = []
    for number, (start, end) in enumerate(pairwise(offsets)):
        if not HEADER_BYTES <= start <= end <= len(data):
            raise damaged()
        plane, behind = _segment(data[start:end], rows * columns, columns)
        sample, byte = divmod(number, cell_bytes)  # the most significant byte first (PS3.5 G.2)
        cells[sample, :, cell_bytes - 1 - byte] = plane
        surplus.append(behind)
    if min(surplus) >= columns and min(surplus) > _PACKET:
        raise UnreadableFileError(
            ErrorCode.UNDECODABLE,
            f"the compressed picture has more than the {rows} rows and {columns} columns of the "
            "header; correct Rows and Columns, or export it again",
        )
    pictures = cells.view(f"<u{cell_bytes}").reshape(samples, rows, columns)
    return DecodedRle(
        pictures[0] if samples == 1 else np.moveaxis(pictures, 0, -1),
        doubtful=max(surplus) > _USUAL_SURPLUS,
    )


def _cell_bytes(data: bytes, samples: int) -> int:
    """Return the number of bytes in a cell, which is the number of segments per sample."""
    if len(data) < HEADER_BYTES:
        raise damaged()
    cell_bytes, rest = divmod(struct.unpack_from("<L", data)[0], samples)
    if rest or cell_bytes not in _CELL_BYTES:
        raise damaged()
    return int(cell_bytes)


def _segment(data: bytes, size: int, columns: int) -> tuple[NDArray[np.uint8], int]:
    """Decode a segment; return its first `size` bytes, and the number of bytes after them."""
    planes = []
    # Decoded twice, over 0 and over 255: bytes that the decoder does not reach differ.
    for canary in (0, 255):
        plane = bytearray([canary]) * (size + columns + 2 * _PACKET)
        # it stops at an incomplete packet, or at one that exceeds the buffer
        with contextlib.suppress(Exception):
            imagecodecs.packbits_decode(data, out=plane)
        planes.append(np.frombuffer(plane, np.uint8))
    first, second = planes
    untouched = np.flatnonzero(first != second)
    reached = int(untouched[0]) if untouched.size else first.size
    if reached < size:
        raise truncated()
    return first[:size], reached - size
