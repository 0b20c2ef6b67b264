"""Compressed pixel data -> arrays, through imagecodecs alone, never more than the header declares.

The codec is chosen by the codestream's own first bytes, not by the transfer syntax: files whose
two disagree exist, and the codestream is what has to be decoded. Its own size is read before any
memory is taken, so a small file cannot claim a huge picture (or hide one behind a small header).
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Literal

import imagecodecs
import numpy as np

from lesionscan.codes import ErrorCode
from lesionscan.reading import jpeg2000_tiles
from lesionscan.reading.errors import UnreadableFileError, damaged, truncated
from lesionscan.reading.jpeg_limits import check_jpeg
from lesionscan.reading.jpeg_scan import Cells, decode_jpeg

_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0"
_END_OF_CODESTREAM = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "

# JPEG start-of-frame markers (ITU-T T.81 table B.1): baseline, extended, progressive, lossless.
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3)
_JPEG_LS_FRAME = 0xF7  # ITU-T T.87

_MAX_BOXES = 1000
_MAX_TABLE_BYTES = 1 << 20
_MAX_FRAGMENTS = 1 << 18
"""More than any radiograph has; a hostile file may claim millions of empty ones."""

_HOLE = bytes(256)
"""Arithmetic-coded data look like noise; empty packets, a zero byte each, are fewer than that."""

_J2K_TILE = b"\xff\x90"
_HIGH_THROUGHPUT = b"\xff\x50"  # CAP, present in HTJ2K (ITU-T T.814 A.3.1)


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """What a codestream says about itself; `body` is where its header segment ends."""

    family: Literal["jpeg", "jpeg_ls", "jpeg2000"]
    rows: int
    columns: int
    samples: int
    precision: int
    body: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where a fragment's bytes are in the stream, and whether a codestream may end with it."""

    start: int
    length: int
    ends_codestream: bool


@dataclass(frozen=True, slots=True)
class Fragments:
    """Encapsulated pixel data as listed, without being read (PS3.5 A.4).

    Attributes
    ----------
    offsets
        The Basic Offset Table; empty where it says nothing.
    fragments
        In their order, the table left out.
    complete
        Whether the end marker was found.
    """

    offsets: tuple[int, ...]
    fragments: tuple[Fragment, ...]
    complete: bool


def list_fragments(stream: BinaryIO) -> Fragments:
    """List the fragments of the pixel data that start here.

    Parameters
    ----------
    stream
        Stands behind the element's length.

    Raises
    ------
    UnreadableFileError
        `truncated` when there is no fragment before the file's end, `undecodable` when it is no
        list of fragments.
    """
    here = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(here)
    offsets: tuple[int, ...] | None = None
    fragments: list[Fragment] = []
    while True:
        head = stream.read(8)
        tag = head[:4]
        if tag == _SEQUENCE_END:
            return Fragments(offsets or (), tuple(fragments), complete=True)
        if len(head) < 8:
            # Some writers leave the end marker out; the codestream itself says if it is whole.
            if fragments:
                return Fragments(offsets or (), tuple(fragments), complete=False)
            raise truncated()
        if tag != _ITEM:
            raise _undecodable("the pixel data are no list of fragments")
        (length,) = struct.unpack("<L", head[4:])
        if offsets is None:
            table = stream.read(min(length, _MAX_TABLE_BYTES))
            if len(table) < length:
                raise truncated()
            offsets = struct.unpack(f"<{length // 4}L", table[: length // 4 * 4])
            continue
        start = stream.tell()
        stream.seek(max(start, min(start + length, end) - 3))
        last = stream.read(min(3, length))
        fragments.append(Fragment(start, length, _END_OF_CODESTREAM in last))
        if len(fragments) > _MAX_FRAGMENTS:
            raise _undecodable("the pixel data are in too many fragments")
        stream.seek(start + length)


def encapsulated_frame(
    stream: BinaryIO, listed: Fragments, *, frame: int, frames: int, max_bytes: int
) -> bytes:
    """Join the fragments of one frame.

    Parameters
    ----------
    stream
        Where the fragments are.
    listed
        From `list_fragments`.
    frame, frames
        Which of how many, from 1 on.
    max_bytes
        The most that a frame may take.

    Raises
    ------
    UnreadableFileError
        `truncated` when the file ends before or within it, `undecodable` when nothing says which
        fragments make the frame, `too_large` above `max_bytes`, `no_pixels` when it is empty.
    """
    chosen = _of_frame(listed, frame, frames)
    if sum(fragment.length for fragment in chosen) > max_bytes:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE, "the compressed pixel data are too long; raise max_megapixels"
        )
    parts = []
    for fragment in chosen:
        stream.seek(fragment.start)
        parts.append(stream.read(fragment.length))
        if len(parts[-1]) < fragment.length:
            raise truncated()
    joined = b"".join(parts)
    if not joined:
        raise UnreadableFileError(
            ErrorCode.NO_PIXELS, "the pixel data are empty; export the image again"
        )
    return joined


def _of_frame(listed: Fragments, frame: int, frames: int) -> Sequence[Fragment]:
    """Return the fragments of one frame: by their number, by the table, or by their ends."""
    fragments = listed.fragments
    if frames == 1:
        return fragments
    if len(fragments) == frames:
        return fragments[frame - 1 : frame]
    if len(listed.offsets) == frames and fragments:
        starts = [fragments[0].start + offset for offset in (*listed.offsets, 1 << 62)]
        chosen = [f for f in fragments if starts[frame - 1] <= f.start < starts[frame]]
        if not chosen and not listed.complete:
            raise truncated()
        return chosen
    # a codestream's end marker may lie before a byte of padding
    ends = [number for number, one in enumerate(fragments, start=1) if one.ends_codestream]
    if listed.complete and len(ends) != frames:
        raise _undecodable("the pixel data do not say where each frame starts")
    if frame > len(ends):
        raise truncated()
    return fragments[([0, *ends])[frame - 1] : ends[frame - 1]]


def _undecodable(fault: str) -> UnreadableFileError:
    return UnreadableFileError(ErrorCode.UNDECODABLE, f"{fault}; export it again")


def codestream_header(data: bytes) -> CodestreamHeader | None:
    """Return what a JPEG, JPEG-LS or JPEG 2000 codestream declares, None when it is neither.

    Raises
    ------
    UnreadableFileError
        `too_large` for a JPEG of more parts than `check_jpeg` allows.
    """
    if data.startswith(jpeg2000_tiles.START):
        return _jpeg2000_header(data, 0)
    if data.startswith(_JP2_SIGNATURE):  # a whole JP2 file, against PS3.5 8.2.4, but seen
        start = _jp2_codestream(data)
        return None if start is None else _jpeg2000_header(data, start)
    if not data.startswith(b"\xff\xd8"):
        return None
    check_jpeg(data)
    return _jpeg_header(data)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded picture.

    Attributes
    ----------
    cells
        Integers of shape (rows, columns) or (rows, columns, samples).
    header
        What the codestream says about itself.
    doubtful
        Whether the data do not add up, so that parts of the picture may be damaged.
    """

    cells: Cells
    header: CodestreamHeader
    doubtful: bool


def decode_codestream(data: bytes, *, rows: int, columns: int, samples: int) -> Decoded:
    """Decode a codestream whose size must be what the image header says.

    Raises
    ------
    UnreadableFileError
        `unsupported_transfer_syntax`, `truncated` or `undecodable`.
    """
    header = codestream_header(data)
    if header is None:
        raise UnreadableFileError(
            ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the pixel compression is not RLE, JPEG, JPEG-LS or JPEG 2000; "
            "decompress the file first (dcmdjpeg, gdcmconv --raw)",
        )
    if (header.rows, header.columns, header.samples) != (rows, columns, samples):
        raise UnreadableFileError(
            ErrorCode.UNDECODABLE,
            f"the compressed picture is {header.rows} x {header.columns} x {header.samples}, the "
            f"header says {rows} x {columns} x {samples}; export it again",
        )
    # The end marker cannot occur inside entropy-coded data (T.81 B.1.1.5, T.87, T.800 A.1).
    if data.rfind(_END_OF_CODESTREAM, header.body) < 0:
        raise truncated()
    if header.family == "jpeg":
        cells, doubtful = decode_jpeg(data)
    else:
        is_jpeg_ls = header.family == "jpeg_ls"
        decode = imagecodecs.jpegls_decode if is_jpeg_ls else imagecodecs.jpeg2k_decode
        try:
            cells = decode(data)
        except Exception:  # noqa: BLE001 - each codec has its own errors; all mean damaged data
            raise damaged() from None
        doubtful = not is_jpeg_ls and jpeg2000_tiles.check_tiles(data)
    expected = (rows, columns) if samples == 1 else (rows, columns, samples)
    if cells.shape != expected or cells.dtype.kind not in "iu":
        raise damaged()
    return Decoded(cells, header, doubtful)


def decode_rle(data: bytes, *, rows: int, columns: int, samples: int, cell_bytes: int) -> Cells:
    """Decode DICOM RLE (PS3.5 annex G): every segment must give its byte of every pixel.

    Raises
    ------
    UnreadableFileError
        `truncated` when a segment gives fewer bytes, `undecodable` when it gives more or the
        segments are damaged.
    """
    # The 64-byte header gives the number of segments: one for each byte of each sample.
    count = samples * cell_bytes
    if len(data) < 64 or struct.unpack_from("<L", data)[0] != count:
        raise damaged()
    offsets = (*struct.unpack_from(f"<{count}L", data, 4), len(data))
    cells = np.empty((samples, rows * columns, cell_bytes), dtype=np.uint8)
    for number, (start, end) in enumerate(pairwise(offsets)):
        if not 64 <= start <= end <= len(data):
            raise damaged()
        try:
            plane = imagecodecs.packbits_decode(data[start:end], out=rows * columns)
        except Exception:  # noqa: BLE001 - the codec's errors all mean damaged data
            raise damaged() from None
        if len(plane) < rows * columns:
            raise truncated()
        sample, byte = divmod(number, cell_bytes)  # the most significant byte first (PS3.5 G.2)
        cells[sample, :, cell_bytes - 1 - byte] = np.frombuffer(plane, np.uint8)
    pictures = cells.view(f"<u{cell_bytes}").reshape(samples, rows, columns)
    return pictures[0] if samples == 1 else np.moveaxis(pictures, 0, -1)


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
        # Start of scan before a start of frame, or a frame type nothing here decodes.
        if marker == 0xDA or (0xC5 <= marker <= 0xCF and marker not in (0xC8, 0xCC)):
            return None
        at += 2 + length
    return None


def _jp2_codestream(data: bytes) -> int | None:
    """Return where the codestream starts that a decoder takes: in the first box of its kind.

    ITU-T T.800 I.4. Other boxes may hold anything, another codestream's header too.
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
        if length < head:  # the last box, or nonsense
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
