"""Check that a JPEG 2000 codestream has all its tiles: OpenJPEG silently leaves missing ones grey.

OpenJPEG itself checks the length of each tile-part.
"""

import struct
from collections import Counter

from lesionscan.reading.errors import UnreadableFileError, truncated

START = b"\xff\x4f\xff\x51"  # SOC and SIZ (ITU-T T.800 A.4.1, A.5.1)
_TILE_PART, _END = b"\xff\x90", b"\xff\xd9"  # SOT, EOC
_HIGH_THROUGHPUT = b"\xff\x50"  # CAP, present in HTJ2K (ITU-T T.814 A.3.1)

_HOLE = bytes(256)
"""Zeros in a row that are suspicious: coded data look like noise, and empty packets (a zero byte
each) are fewer."""


def check_tiles(data: bytes) -> bool:
    """Check that every tile, and every part that a tile declares, is present.

    Parameters
    ----------
    data
        A codestream, or a JP2 file, whose SIZ segment has been read.

    Returns
    -------
    bool
        Whether it has more zeros in a row than an encoder writes. The arithmetic decoder accepts
        any bytes, so nothing else reveals a gap. HTJ2K stores some bits uncoded, where zeros
        can be valid.

    Raises
    ------
    UnreadableFileError
        `truncated`.
    """
    start, first, _ = _walk(data)
    high_throughput = data.find(_HIGH_THROUGHPUT, start, first) >= 0
    return not high_throughput and data.find(_HOLE, first, data.rfind(_END)) >= 0


def ended_behind_tiles(data: bytes) -> bytes | None:
    """Return a codestream with its end marker directly after the last tile-part.

    Parameters
    ----------
    data
        A codestream, or a JP2 file, whose SIZ segment has been read.

    Returns
    -------
    bytes or None
        None if the end marker is there already, or if tiles are missing.
    """
    try:
        _, _, end = _walk(data)
    except UnreadableFileError:
        return None
    if end > len(data) or data.startswith(_END, end):
        return None
    return data[:end] + _END


def _walk(data: bytes) -> tuple[int, int, int]:
    """Return where the codestream, its first tile-part, and what follows its last one start."""
    start = data.index(START)
    size = struct.unpack_from(">8L", data, start + 8)
    right, bottom, _, _, width, height, left, top = size
    (length,) = struct.unpack_from(">H", data, start + 4)
    first = data.find(_TILE_PART, start + 4 + length)
    if first < 0 or not (width and height):
        raise truncated()
    parts: Counter[int] = Counter()
    counted: Counter[int] = Counter()
    at = first
    while data.startswith(_TILE_PART, at) and at + 12 <= len(data):
        tile, bytes_long, _, count = struct.unpack_from(">HLBB", data, at + 4)
        parts[tile] += 1
        counted[tile] = max(counted[tile], count)  # 0 if not stated (T.800 A.4.2)
        if not bytes_long:  # extends to the end of the codestream
            at = data.rfind(_END)
            break
        at += bytes_long
    tiles = -((left - right) // width) * -((top - bottom) // height)
    if len(parts) < tiles or any(parts[tile] < count for tile, count in counted.items()):
        raise truncated()
    return start, first, at
