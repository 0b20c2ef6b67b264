"""Decoding of compressed pixel data with imagecodecs, never to more than the header declares.

The first bytes of the codestream choose the codec, not the transfer syntax: in some files the two
disagree, and the codestream is what has to be decoded. The size stated in the codestream is read
before memory is allocated, so a small file cannot make the decoder allocate a huge image.
"""

import struct
from dataclasses import dataclass
from typing import Literal

import imagecodecs

from lesionscan.codes import ErrorCode
from lesionscan.reading import jpeg2000_tiles
from lesionscan.reading.errors import UnreadableFileError, damaged, truncated
from lesionscan.reading.jpeg_limits import check_jpeg
from lesionscan.reading.jpeg_scan import Cells, decode_jpeg
from lesionscan.reading.limits import check_picture_size

_END_OF_CODESTREAM = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
STARTS = (b"\xff\xd8\xff", jpeg2000_tiles.START, _JP2_SIGNATURE)
"""First bytes of the codestreams of all formats."""

# JPEG start-of-frame markers (ITU-T T.81 table B.1): baseline, extended, progressive, lossless.
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3)
_JPEG_LS_FRAME = 0xF7  # ITU-T T.87

_MAX_BOXES = 1000


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """The header of a codestream; `body` is the position after its header segment."""

    family: Literal["jpeg", "jpeg_ls", "jpeg2000"]
    rows: int
    columns: int
    samples: int
    precision: int
    body: int


def codestream_header(data: bytes) -> CodestreamHeader | None:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 codestream; None if it is none of these.

    Raises
    ------
    UnreadableFileError
        `too_large` for a JPEG with more segments than `check_jpeg` allows.
    """
    if data.startswith(jpeg2000_tiles.START):
        return _jpeg2000_header(data, 0)
    if data.startswith(_JP2_SIGNATURE):  # a JP2 file: PS3.5 8.2.4 forbids it, but it occurs
        start = _jp2_codestream(data)
        return None if start is None else _jpeg2000_header(data, start)
    if not data.startswith(b"\xff\xd8"):
        return None
    check_jpeg(data)
    return _jpeg_header(data)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded image.

    Attributes
    ----------
    cells
        Integers of shape (rows, columns) or (rows, columns, samples).
    header
        The header of the codestream.
    doubtful
        Whether the data are inconsistent, so that parts of the image may be damaged.
    another_follows
        Whether another codestream follows the first.
    """

    cells: Cells
    header: CodestreamHeader
    doubtful: bool
    another_follows: bool


def decode_codestream(data: bytes, *, max_megapixels: float) -> Decoded:
    """Decode a codestream, after checking the size that it states.

    Parameters
    ----------
    data
        The codestream; bytes after its end are ignored.
    max_megapixels
        The setting.

    Raises
    ------
    UnreadableFileError
        `unsupported_transfer_syntax`, `too_large`, `truncated` or `undecodable`.
    """
    header = codestream_header(data)
    if header is None:
        raise UnreadableFileError(
            ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the pixel compression is not RLE, JPEG, JPEG-LS or JPEG 2000; "
            "decompress the file first (dcmdjpeg, gdcmconv --raw)",
        )
    rows, columns, samples = header.rows, header.columns, header.samples
    if samples not in (1, 3) or min(rows, columns) < 1:
        raise UnreadableFileError(
            ErrorCode.UNDECODABLE,
            f"the compressed picture is {rows} x {columns} pixels of {samples} samples; export it "
            "again as grey",
        )
    check_picture_size(rows, columns, max_megapixels=max_megapixels)
    # The end marker cannot occur inside entropy-coded data (T.81 B.1.1.5, T.87, T.800 A.1).
    if data.rfind(_END_OF_CODESTREAM, header.body) < 0:
        raise truncated()
    if header.family == "jpeg":
        cells, doubtful = decode_jpeg(data)
    elif header.family == "jpeg_ls":
        cells, doubtful = _decode(data, "jpegls"), False
    else:
        cells, doubtful = _decode_jpeg2000(data)
    expected = (rows, columns) if samples == 1 else (rows, columns, samples)
    if cells.shape != expected or cells.dtype.kind not in "iu":
        raise damaged()
    return Decoded(cells, header, doubtful, _another_follows(data, header.body))


def _decode(data: bytes, codec: Literal["jpegls", "jpeg2k"]) -> Cells:
    try:
        cells: Cells = getattr(imagecodecs, f"{codec}_decode")(data)
    except Exception:  # noqa: BLE001 - each codec has its own errors; all mean damaged data
        raise damaged() from None
    return cells


def _decode_jpeg2000(data: bytes) -> tuple[Cells, bool]:
    """Decode JPEG 2000; bytes between the last tile-part and the end marker are skipped."""
    try:
        cells = _decode(data, "jpeg2k")
    except UnreadableFileError:
        ended = jpeg2000_tiles.ended_behind_tiles(data)
        if ended is None:
            raise
        return _decode(ended, "jpeg2k"), True
    return cells, jpeg2000_tiles.check_tiles(data)


def _another_follows(data: bytes, body: int) -> bool:
    """Return whether another codestream follows an end marker, with or without a padding byte."""
    return any(
        data.find(_END_OF_CODESTREAM + pad + start, body) >= 0
        for start in STARTS
        for pad in (b"", b"\0")
    )


def _jpeg_header(data: bytes) -> CodestreamHeader | None:
    """Walk the marker segments to the start of frame (ITU-T T.81 B.2.2)."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _JPEG_FRAMES or marker == _JPEG_LS_FRAME:
            if at + 10 > len(data):
                return None
            precision, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            family: Literal["jpeg", "jpeg_ls"] = "jpeg_ls" if marker == _JPEG_LS_FRAME else "jpeg"
            return CodestreamHeader(family, rows, columns, samples, precision, at + 2 + length)
        # Start of scan before a start of frame, or a frame type that is not supported.
        if marker == 0xDA or (0xC5 <= marker <= 0xCF and marker not in (0xC8, 0xCC)):
            return None
        at += 2 + length
    return None


def _jp2_codestream(data: bytes) -> int | None:
    """Return the start of the codestream that a decoder uses: that in the first codestream box.

    ITU-T T.800 I.4. Other boxes can contain anything, including the header of another codestream.
    """
    at = 0
    for _ in range(_MAX_BOXES):
        if at + 16 > len(data):
            break
        length, kind = struct.unpack_from(">L4s", data, at)
        head = 8
        if length == 1:
            length, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if kind == b"jp2c":
            return at + head
        if length < head:  # the last box, or an invalid one
            break
        at += length
    return None


def _jpeg2000_header(data: bytes, start: int) -> CodestreamHeader | None:
    """Read the SIZ segment (ITU-T T.800 A.5.1)."""
    if len(data) < start + 45 or not data.startswith(jpeg2000_tiles.START, start):
        return None
    length = struct.unpack_from(">H", data, start + 4)[0]
    right, bottom, left, top = struct.unpack_from(">4L", data, start + 8)
    (samples,) = struct.unpack_from(">H", data, start + 40)
    depth, step_x, step_y = struct.unpack_from(">3B", data, start + 42)
    if not (step_x and step_y):
        return None
    return CodestreamHeader(
        family="jpeg2000",
        rows=-(-bottom // step_y) + (-top // step_y),
        columns=-(-right // step_x) + (-left // step_x),
        samples=samples,
        precision=(depth & 0x7F) + 1,
        body=start + 4 + length,
    )
