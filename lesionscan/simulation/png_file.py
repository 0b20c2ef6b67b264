"""Masks as PNG files whose bytes depend on nothing but the mask.

zlib, zlib-ng and the versions of either compress differently, and which one Pillow or Python
carries depends on the machine. Masks are runs of equal pixels, so a run-length deflate is enough.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def png_bytes(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return a greyscale PNG of 8 or 16 bits (PNG specification, third edition).

    Raises
    ------
    ValueError
        When the image is not a two-dimensional uint8 or uint16 array.
    """
    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"need a 2-D uint8 or uint16 array, got {image.dtype} {image.shape}")
    rows, cols = image.shape
    width = image.dtype.itemsize
    raw = np.ascontiguousarray(image, dtype=f">u{width}").view(np.uint8).reshape(rows, cols * width)
    # filter 2 (Up): a row equal to the one above becomes zeros
    above = np.vstack([np.zeros((1, cols * width), dtype=np.uint8), raw[:-1]])
    filtered = np.empty((rows, cols * width + 1), dtype=np.uint8)
    filtered[:, 0] = 2
    filtered[:, 1:] = raw - above
    data = filtered.tobytes()
    stream = b"\x78\x01" + _deflate(filtered.ravel()) + struct.pack(">I", zlib.adler32(data))
    header = struct.pack(">IIBBBBB", cols, rows, 8 * width, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", stream), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk: length, name, body, checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _deflate(data: NDArray[np.uint8]) -> bytes:
    """Return one deflate block with fixed codes (RFC 1951 3.2.6) that only knows runs.

    A run is its first byte, then matches of length 3 to 258 at distance 1.
    """
    starts = np.flatnonzero(np.concatenate([[True], data[1:] != data[:-1]]))
    lengths = np.diff(np.concatenate([starts, [data.size]]))
    bits = ["110"]  # last block, fixed codes; multi-bit header fields start with the lowest bit
    for value, length in zip(data[starts].tolist(), lengths.tolist(), strict=True):
        literal = _literal(value)
        bits.append(literal)
        whole, rest = divmod(length - 1, 258)
        bits.append(_MATCH_258 * whole)
        bits.append(literal * rest if rest < 3 else _match(rest))
    bits.append("0000000")  # end of block
    text = "".join(bits)
    packed = np.packbits(
        np.array(list(text.encode("ascii")), dtype=np.uint8) - 48, bitorder="little"
    )
    return packed.tobytes()


def _literal(symbol: int) -> str:
    """Return the fixed Huffman code of a literal or length symbol, highest bit first."""
    if symbol < 144:
        return f"{symbol + 0x30:08b}"
    if symbol < 256:
        return f"{symbol - 144 + 0x190:09b}"
    if symbol < 280:
        return f"{symbol - 256:07b}"
    return f"{symbol - 280 + 0xC0:08b}"


def _match(length: int) -> str:
    """Return the code of a match of 3 to 257 bytes at distance 1 (RFC 1951 3.2.5)."""
    offset = length - 3
    if offset < 8:
        return _literal(257 + offset) + "00000"
    extra = offset.bit_length() - 3
    symbol = 257 + 4 * extra + (offset >> extra)
    low = offset & ((1 << extra) - 1)
    return _literal(symbol) + f"{low:0{extra}b}"[::-1] + "00000"


_MATCH_258 = _literal(285) + "00000"
