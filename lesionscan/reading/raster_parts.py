"""Checks that a PNG or TIFF file is complete, before its pixels are decoded.

Pillow does not verify the checksums of PNG pixel data, and tifffile fills missing strips and tiles
of a TIFF with zeros.
"""

import math
from collections.abc import Iterable, Iterator
from struct import unpack_from

import imagecodecs
import tifffile

from lesionscan.codes import ErrorCode
from lesionscan.reading.codestream import codestream_header
from lesionscan.reading.errors import UnreadableFileError, damaged, truncated
from lesionscan.reading.jpeg2000_tiles import check_tiles
from lesionscan.reading.jpeg_scan import decode_jpeg

_PNG_SIGNATURE_BYTES = 8
_MOST_CHUNKS = 1_000_000
"""Chunks of a PNG, for each of which Pillow makes an object; 100 megapixels in chunks of 1 kB are
200,000."""

_MOST_PADDING = 16
"""Rows and columns by which a JPEG may exceed its strip or tile: a complete block of colour."""


def check_png_chunks(data: bytes) -> bool:
    """Verify the checksums of the chunks that the pixels depend on (PNG 5.3).

    Returns
    -------
    bool
        Whether another PNG follows.

    Raises
    ------
    UnreadableFileError
        `truncated`, `undecodable`, or `too_large` if there are more chunks than an encoder writes.
    """
    at = _PNG_SIGNATURE_BYTES
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            return False
        (length,) = unpack_from(">L", data, at)
        kind = data[at + 4 : at + 8]
        if not kind[0] & 0x20 or kind == b"tRNS":  # critical, or transparency
            if at + 12 + length > len(data):
                raise truncated()
            check = imagecodecs.deflate_crc32(
                data[at + 4 : at + 8 + length]
            )  # ten times as fast as zlib's
            if unpack_from(">L", data, at + 8 + length) != (check,):
                raise damaged()
        if kind == b"IEND":
            return data[at + 12 + length :].startswith(data[:_PNG_SIGNATURE_BYTES])
        at += 12 + length
    raise UnreadableFileError(
        ErrorCode.TOO_LARGE, "the PNG holds more parts than a radiograph's; save the picture again"
    )


def check_tiff_segments(page: tifffile.TiffPage, file_bytes: int) -> bool:
    """Check that a page has all its strips or tiles, and that each is complete.

    Parameters
    ----------
    page
        The page, whose size has been checked.
    file_bytes
        Length of the file, which must be open.

    Returns
    -------
    bool
        Whether compressed data are inconsistent, so that parts of the image may be damaged.

    Raises
    ------
    UnreadableFileError
        `truncated`, or `undecodable`.
    """
    segments = _segments(page, file_bytes)
    if page.compression == tifffile.COMPRESSION.JPEG:
        doubtful = [_is_doubtful_jpeg(page, data) for data in _read(page, segments)]
        return any(doubtful)
    if page.compression == tifffile.COMPRESSION.JPEG2000:
        doubtful = [_is_doubtful_jpeg2000(page, data) for data in _read(page, segments)]
        return any(doubtful)
    return False


def _read(page: tifffile.TiffPage, segments: Iterable[slice]) -> Iterator[bytes]:
    stream = page.parent.filehandle
    for segment in segments:
        stream.seek(segment.start)
        yield stream.read(segment.stop - segment.start)


def _segments(page: tifffile.TiffPage, length: int) -> list[slice]:
    """Return the position of each strip or tile in a file of that length (TIFF 6.0 3, 15)."""
    height, width = _segment_shape(page)
    count = math.ceil(page.imagelength / height) * math.ceil(page.imagewidth / width)
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        count *= page.samplesperpixel
    offsets, sizes = page.dataoffsets, page.databytecounts
    if page.is_contiguous and offsets:  # tifffile reads it in one piece and ignores the strips
        start, end = offsets[0], offsets[0] + page.nbytes
        if sum(sizes) < page.nbytes or start < 1 or end > length:
            raise truncated()
        return [slice(start, end)]
    if min(len(offsets), len(sizes)) < count:
        raise truncated()
    found = []
    for start, size in zip(offsets[:count], sizes[:count], strict=True):
        if start < 1 or size < 1 or start + size > length:
            raise truncated()
        found.append(slice(start, start + size))
    return found


def _segment_shape(page: tifffile.TiffPage) -> tuple[int, int]:
    """Return the rows and columns of a strip or tile."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _is_doubtful_jpeg(page: tifffile.TiffPage, segment: bytes) -> bool:
    """Check a strip or tile in JPEG, with its own tables or those of the page."""
    if page.jpegtables is not None:  # start of image, tables, end of image
        segment = page.jpegtables[:-2] + segment[2:]
    _check_segment_size(page, segment)
    _, doubtful = decode_jpeg(segment)
    return doubtful


def _is_doubtful_jpeg2000(page: tifffile.TiffPage, segment: bytes) -> bool:
    _check_segment_size(page, segment)
    return check_tiles(segment)


def _check_segment_size(page: tifffile.TiffPage, segment: bytes) -> None:
    """Refuse a codestream with an image larger than its strip or tile, before it is decoded."""
    header = codestream_header(segment)
    if header is None:
        raise damaged()
    height, width = _segment_shape(page)
    if (
        header.rows > height + _MOST_PADDING
        or header.columns > width + _MOST_PADDING
        or header.samples > page.samplesperpixel
    ):
        raise damaged()
