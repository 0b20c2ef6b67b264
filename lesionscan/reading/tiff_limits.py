"""Limits on the directories of a TIFF before parsing, and on its pages before decoding.

tifffile makes an object for every tag, value, strip and tile; their numbers are checked here first.
"""

import io
import struct
from typing import BinaryIO

import tifffile

from lesionscan.codes import ErrorCode
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.limits import METADATA_BYTES, check_picture_size

_MOST_TAGS = 4096
"""Tags in one directory, the limit of tifffile."""
_MOST_VALUES = 1 << 18
"""Numbers in one tag; a 16-bit palette has 196,608."""
_MOST_VALUES_OF_ALL = 1 << 22
_MOST_SEGMENTS = 1 << 17
"""Strips or tiles of one page: 33 megapixels in tiles of 16 x 16 pixels, the smallest."""
_BYTES_PER_PIXEL = 8
"""Bytes per pixel of a decoded page: four channels of 16 bits, or one of 64."""

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
               16: 8, 17: 8, 18: 8}  # fmt: skip
"""TIFF 6.0 section 2, and BigTIFF's."""
_BYTE_TYPES = (1, 2, 6, 7)

_COMPRESSIONS = frozenset(
    {
        tifffile.COMPRESSION.NONE,
        tifffile.COMPRESSION.LZW,
        tifffile.COMPRESSION.ADOBE_DEFLATE,
        tifffile.COMPRESSION.DEFLATE,
        tifffile.COMPRESSION.PACKBITS,
        tifffile.COMPRESSION.ZSTD,
        tifffile.COMPRESSION.LZMA,
        tifffile.COMPRESSION.JPEG,
        tifffile.COMPRESSION.JPEG2000,
    }
)
"""Compressions that reveal an incomplete segment, and whose decoders stop at its size; the size of
a JPEG or JPEG 2000 is compared with that of the segment (`raster_parts`)."""


def check_directories(stream: BinaryIO, *, pages: int, start: int | None = None) -> None:
    """Refuse directories with more entries than a radiograph has, before they are parsed.

    Parameters
    ----------
    stream
        The file; it is moved.
    pages
        Number of directories that will be read.
    start
        Position of the first one; None for the first of the file.

    Raises
    ------
    UnreadableFileError
        `too_large`.
    """
    file_bytes = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    count_form, entry_form, next_form = ("Q", "HHQ", "Q") if big else ("H", "HHL", "L")
    entry_bytes = 20 if big else 12
    try:
        (at,) = struct.unpack_from(order + next_form, head, 8 if big else 4)
        at = at if start is None else start
        values = size = 0
        for _ in range(pages):
            if not 0 < at < file_bytes:  # offsets of BigTIFF may be too large to seek
                return
            stream.seek(at)
            (tags,) = _read(stream, order + count_form)
            if tags > _MOST_TAGS:
                raise _too_many("tags")
            entries = stream.read(tags * entry_bytes)
            for entry in range(0, len(entries), entry_bytes):
                _tag, kind, count = struct.unpack_from(order + entry_form, entries, entry)
                size += count * _TYPE_BYTES.get(kind, 1)
                if kind not in _BYTE_TYPES:
                    values += count
                    if count > _MOST_VALUES:
                        raise _too_many("values in one tag")
            if values > _MOST_VALUES_OF_ALL or size > METADATA_BYTES:
                raise _too_many("values")
            (at,) = _read(stream, order + next_form)
    except struct.error:
        return  # end of the directories; tifffile decides what can be used


def _read(stream: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def check_page(page: tifffile.TiffPage, *, max_megapixels: float) -> None:
    """Refuse a page whose segments may take more memory than the image that it declares.

    Parameters
    ----------
    page
        The page; the file is open.
    max_megapixels
        The setting.

    Raises
    ------
    UnreadableFileError
        `too_large` or `unsupported_transfer_syntax`.
    """
    if page.compression not in _COMPRESSIONS:
        raise UnreadableFileError(
            ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the compression of this TIFF is not read; save it with LZW or Deflate",
        )
    rows, columns = page.imagelength, page.imagewidth
    if page.is_tiled:  # complete tiles are decoded, even if only a part is in the image
        rows = -(-rows // page.tilelength) * page.tilelength
        columns = -(-columns // page.tilewidth) * page.tilewidth
        check_picture_size(rows, columns, max_megapixels=max_megapixels)
    planes = page.samplesperpixel if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE else 1
    segments = planes * (
        (rows // page.tilelength) * (columns // page.tilewidth)
        if page.is_tiled
        else -(-rows // max(1, min(page.rowsperstrip, rows)))
    )
    listed = max(len(page.dataoffsets), len(page.databytecounts))
    if max(segments, listed) > _MOST_SEGMENTS:
        raise _too_many("strips or tiles")
    if rows * columns * page.samplesperpixel * page.bitspersample > (
        max_megapixels * 1e6 * _BYTES_PER_PIXEL * 8
    ):
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE,
            f"{rows} x {columns} pixels of {page.samplesperpixel} x {page.bitspersample} bits take "
            "too much memory; save one channel of 8 or 16 bits",
        )


def _too_many(what: str) -> UnreadableFileError:
    return UnreadableFileError(
        ErrorCode.TOO_LARGE,
        f"the TIFF holds more {what} than a radiograph's; save the picture again",
    )
