"""PNG files: chunks by the standard, packed by zlib-ng, which takes a third of OpenCV's time.

Every scan writes three pictures a film, and packing them was a tenth of its time. What is written
here is the plainest PNG there is (ISO/IEC 15948): one chunk of pixels, every row as its difference
from the row above.
"""

import struct
import zlib

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_UP = 2
"""Filter type: minus the pixel above (clause 9.2)."""
_LEVEL = 2
"""Of zlib-ng; higher ones take longer and save little."""


def encode_png(picture: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return the PNG bytes of a picture; the same picture, same bytes.

    Parameters
    ----------
    picture
        uint8 or uint16, grey (rows, cols) or blue-green-red (rows, cols, 3), at least one pixel.

    Raises
    ------
    ValueError
        When the array is no such picture.
    """
    # OpenCV, which reorders the colours, knows one order of bytes
    colour = picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype.isnative
    if not (picture.ndim == 2 or colour) or picture.dtype.kind != "u" or picture.itemsize > 2:
        raise ValueError(f"no PNG can be made of an array {picture.dtype} {picture.shape}")
    if not picture.size:
        raise ValueError(f"no PNG can be made of an empty array {picture.shape}")
    ordered = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if colour else picture
    rows, columns = picture.shape[:2]
    # most significant byte first (clause 7.1)
    cells = np.ascontiguousarray(ordered, f">u{picture.itemsize}").view(np.uint8).reshape(rows, -1)
    lines = np.empty((rows, 1 + cells.shape[1]), np.uint8)
    lines[:, 0] = _UP
    lines[0, 1:] = cells[0]
    np.subtract(cells[1:], cells[:-1], out=lines[1:, 1:])
    kind = _COLOUR if colour else _GREY
    header = struct.pack(">IIBBBBB", columns, rows, 8 * picture.itemsize, kind, 0, 0, 0)
    del picture, ordered, cells  # packing takes the most memory of a whole scan
    pixels = bytes(imagecodecs.zlibng_encode(lines.data, level=_LEVEL))  # type: ignore[arg-type]
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk: length, name, data, checksum of the latter two (clause 5.3)."""
    checksum = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
