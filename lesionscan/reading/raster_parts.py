"""Whether the parts of a PNG or TIFF file are all there, before its pixels are decoded.

Pillow does not compare the checksums of a PNG's pixels, and tifffile fills strips and tiles that a
TIFF does not have with zeros.
"""

import math
from struct import unpack_from

import imagecodecs
import tifffile

from lesionscan.reading.codes import ErrorCode, UnreadableFileError, damaged, truncated
from lesionscan.reading.codestream import codestream_header
from lesionscan.reading.jpeg2000_tiles import check_tiles
from lesionscan.reading.jpeg_scan import decode_jpeg

_PNG_SIGNATURE_BYTES = 8

# Of the compressions that tifffile knows, those that show when a strip or tile is not whole.
_NONE, _JPEG, _PNG = 1, 7, 34933
_JPEG2000 = frozenset({33003, 33004, 33005, 34712})
_OF_BYTES = frozenset({5, 8, 32946, 32773, 34925, 34926, 50000})
"""LZW, Deflate, PackBits, LZMA and Zstandard; tifffile refuses what they decode to when short."""

_MOST_PADDING = 16
"""Rows and columns that a JPEG strip or tile may have above its own: a whole block of colour."""


def check_png_chunks(data: bytes) -> None:
    """Compare the checksums of the chunks that the pixels depend on (PNG 5.3).

    Raises
    ------
    UnreadableFileError
        `truncated` or `undecodable`.
    """
    at = _PNG_SIGNATURE_BYTES
    while at + 8 <= len(data):
        (length,) = unpack_from(">L", data, at)
        kind = data[at + 4 : at + 8]
        if not kind[0] & 0x20 or kind == b"tRNS":  # critical, or transparency
            if at + 12 + length > len(data):
                raise truncated()
            check = imagecodecs.deflate_crc32(
                data[at + 4 : at + 8 + length]
            )  # ten times zlib's pace
            if unpack_from(">L", data, at + 8 + length) != (check,):
                raise damaged()
        if kind == b"IEND":
            return
        at += 12 + length


def check_tiff_segments(page: tifffile.TiffPage, data: bytes) -> bool:
    """Check that a page has all its strips or tiles, and that each is whole.

    Parameters
    ----------
    page
        The page; its sizes have been checked.
    data
        The whole file.

    Returns
    -------
    bool
        Whether compressed data do not add up, so that parts of the picture may be damaged.

    Raises
    ------
    UnreadableFileError
        `truncated`, `undecodable`, or `unsupported_transfer_syntax` for a compression that does
        not show when it is damaged.
    """
    compression = int(page.compression)
    if compression not in _OF_BYTES | _JPEG2000 | {_NONE, _JPEG, _PNG}:
        raise UnreadableFileError(
            ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the compression of this TIFF is not read; save it with LZW or Deflate",
        )
    segments = _segments(page, len(data))
    if compression == _JPEG:
        doubtful = [_is_doubtful_jpeg(page, data[segment]) for segment in segments]
        return any(doubtful)
    if compression in _JPEG2000:
        doubtful = [_is_doubtful_jpeg2000(data[segment]) for segment in segments]
        return any(doubtful)
    if compression == _PNG:
        for segment in segments:
            check_png_chunks(data[segment])
    return False


def _segments(page: tifffile.TiffPage, length: int) -> list[slice]:
    """Return where each strip or tile is, in a file of that length (TIFF 6.0 sections 3, 15)."""
    height, width = _segment_shape(page)
    count = math.ceil(page.imagelength / height) * math.ceil(page.imagewidth / width)
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        count *= page.samplesperpixel
    offsets, sizes = page.dataoffsets, page.databytecounts
    if page.is_contiguous:  # read in one piece, whatever its parts are said to be
        if sum(sizes) < page.nbytes:
            raise truncated()
        count = len(offsets)
    if min(len(offsets), len(sizes)) < count:
        raise truncated()
    found = []
    for start, size in zip(offsets[:count], sizes[:count], strict=True):
        if start < 1 or size < 1 or start + size > length:
            raise truncated()
        found.append(slice(start, start + size))
    return found


def _segment_shape(page: tifffile.TiffPage) -> tuple[int, int]:
    """Return rows and columns of a strip or tile."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return page.rowsperstrip, page.imagewidth


def _is_doubtful_jpeg(page: tifffile.TiffPage, segment: bytes) -> bool:
    """Check a strip or tile that is a JPEG picture, its tables kept beside it or not."""
    if page.jpegtables is not None:  # start of image, tables, end of image
        segment = page.jpegtables[:-2] + segment[2:]
    header = codestream_header(segment)
    if header is None:
        raise damaged()
    height, width = _segment_shape(page)
    if header.rows > height + _MOST_PADDING or header.columns > width + _MOST_PADDING:
        raise damaged()
    _, doubtful = decode_jpeg(segment)
    return doubtful


def _is_doubtful_jpeg2000(segment: bytes) -> bool:
    if codestream_header(segment) is None:
        raise damaged()
    return check_tiles(segment)
