"""Decoding of the pixel data of a DICOM file to stored values, frame by frame."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.codestream import STARTS, decode_codestream
from lesionscan.reading.colour import (
    MOST_COLOURED,
    colour_ignored,
    from_channels,
    from_luma_chroma,
)
from lesionscan.reading.dicom_bits import bits_of, overlay_mask
from lesionscan.reading.dicom_extent import (
    all_chroma,
    fewer_frames,
    more_frames,
    native_extent,
    other_size,
)
from lesionscan.reading.dicom_file import DicomFile, PixelElement
from lesionscan.reading.errors import UnreadableFileError, pixel_data_doubtful, truncated
from lesionscan.reading.fragments import (
    Group,
    frame_bytes,
    frame_groups,
    is_encapsulated,
    list_fragments,
)
from lesionscan.reading.grayscale import Greys, stored_greys
from lesionscan.reading.pixel_format import MAX_CELL_BYTES, SHARED_CHROMA, PixelFormat
from lesionscan.reading.rle import decode_rle, is_rle_header

_LOSSLESS = (
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)


@dataclass(frozen=True, slots=True)
class CompressedFrames:
    """The fragments of each frame, whether the end marker after them was found, and the limit."""

    groups: tuple[Group, ...]
    complete: bool
    max_megapixels: float


def locate_pixels(
    file: DicomFile, pixels: PixelElement, layout: PixelFormat, *, max_megapixels: float
) -> tuple[PixelElement | CompressedFrames, PixelFormat, list[Notice]]:
    """Find the pixel data and the number of frames in them, which can differ from NumberOfFrames.

    Parameters
    ----------
    file
        The file; its stream is moved.
    pixels
        Position of the data.
    layout
        Their format according to the header.
    max_megapixels
        The setting.

    Returns
    -------
    pixels, layout, notices
        Position of the frames, their actual format, and notices where the header is wrong.

    Raises
    ------
    UnreadableFileError
        As `list_fragments`, `frame_groups` and `native_extent`.
    """
    length = pixels.length
    if length is not None and not is_encapsulated(file.stream, pixels.start, length):
        layout, notices = all_chroma(length, layout)
        layout, found = native_extent(file, pixels, layout, max_megapixels=max_megapixels)
        return pixels, layout, [*notices, *found]
    if length is not None:
        file.tags.irregular.append("PixelData")
    file.stream.seek(pixels.start)
    listed = list_fragments(file.stream)
    groups = frame_groups(listed, declared=layout.frames)
    notices = []
    if len(groups) != layout.frames:
        correct = more_frames if len(groups) > layout.frames else fewer_frames
        layout, notices = correct(layout, len(groups))
    return CompressedFrames(tuple(groups), listed.complete, max_megapixels), layout, notices


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """The stored values of a frame, one grey value per pixel.

    Attributes
    ----------
    greys
        The values.
    layout
        Their format: size, bits and sign as in the pixel data.
    notices
        Inconsistencies of the header or the data.
    """

    greys: Greys
    layout: PixelFormat
    notices: tuple[Notice, ...]


def decode_pixels(
    file: DicomFile, pixels: PixelElement | CompressedFrames, layout: PixelFormat, *, frame: int
) -> Stored:
    """Decode one frame of the pixel data to stored values, one grey value per pixel.

    Parameters
    ----------
    file
        The file; its stream is moved.
    pixels
        Position of the data, from `locate_pixels`.
    layout
        Their format.
    frame
        Number of the frame, from 1; it must exist.

    Raises
    ------
    UnreadableFileError
        `truncated`, `undecodable`, `unsupported_transfer_syntax` or `colour_photograph`.
    """
    decoded = (
        _encapsulated(file, pixels, layout, frame=frame)
        if isinstance(pixels, CompressedFrames)
        else _native(file, pixels, layout, frame=frame)
    )
    cells, notices = decoded.cells, list(decoded.notices)
    if cells.ndim > 2:
        to_grey = from_luma_chroma if decoded.luma_chroma else from_channels
        merged = to_grey(cells, full_scale=(1 << layout.bits_stored) - 1)
        cells = np.rint(merged.greys).astype(cells.dtype)
        if merged.coloured:
            notices.append(colour_ignored(merged.coloured))
    bits = bits_of(
        cells,
        layout,
        high_bit=decoded.high_bit,
        precision=decoded.precision,
        overlays=overlay_mask(file.tags),
        overshoots=decoded.lossy and layout.signed == (cells.dtype.kind == "i"),
    )
    greys = stored_greys(
        cells,
        bits_stored=bits.stored,
        high_bit=bits.high_bit,
        signed=bits.signed,
        # The unsigned cells of a signed image are bit patterns, which clipping would destroy.
        clip=decoded.lossy and bits.signed == (cells.dtype.kind == "i"),
    )
    layout = replace(layout, bits_stored=bits.stored, high_bit=bits.high_bit, signed=bits.signed)
    if cells.shape != (layout.rows, layout.columns):
        layout, said = other_size(layout, *cells.shape)
        notices.extend(said)
    return Stored(greys, layout, (*notices, *bits.notices))


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    """Decoded cells, (rows, columns) or (rows, columns, 3), and how to interpret them.

    `high_bit` is the highest bit of the value in these cells, `precision` the bits per sample that
    the codestream states, `lossy` whether the codec may have exceeded the value range,
    `luma_chroma` whether the channels are Y, Cb, Cr, `notices` what is inconsistent in the data.
    """

    cells: NDArray[Any]
    high_bit: int
    precision: int | None = None
    lossy: bool = False
    luma_chroma: bool = False
    notices: tuple[Notice, ...] = ()


def _encapsulated(
    file: DicomFile, frames: CompressedFrames, layout: PixelFormat, *, frame: int
) -> _Decoded:
    """Decode a compressed frame."""
    data = frame_bytes(
        file.stream,
        frames.groups[frame - 1],
        max_bytes=int(frames.max_megapixels * 1e6) * MAX_CELL_BYTES + (1 << 20),
        complete=frames.complete,
    )
    # the first bytes decide, since the transfer syntax may be wrong
    if not data.startswith(STARTS):
        is_rle = is_rle_header(data)
        if not is_rle and len(data) - layout.frame_bytes in (0, 1):  # PS3.5 A.4.11
            return _cells(data[: layout.frame_bytes], layout, little_endian=True)
        if is_rle or file.transfer_syntax == RLELossless:
            return _rle(data, layout)
    decoded = decode_codestream(data, max_megapixels=frames.max_megapixels)
    cells, header = decoded.cells, decoded.header
    notices = [pixel_data_doubtful()] if decoded.doubtful else []
    if header.samples != layout.samples:
        notices.append(_other_samples(layout, header.samples))
    if decoded.another_follows:
        notices.append(
            notice(
                NoticeCode.PIXELS_LEFT_OVER,
                "another compressed picture follows the first in the same fragment of PixelData; "
                "it was not read, so export the pictures again, each in a fragment of its own",
            )
        )
    # A codestream with exactly the stored bits is right-aligned, whatever HighBit is.
    is_wider = header.precision > layout.bits_stored
    return _Decoded(
        cells,
        min(layout.high_bit, header.precision - 1) if is_wider else layout.bits_stored - 1,
        precision=header.precision,
        lossy=file.transfer_syntax not in _LOSSLESS,
        # libjpeg has converted it to RGB
        luma_chroma=layout.photometric == "YBR_FULL" and header.family != "jpeg",
        notices=tuple(notices),
    )


def _rle(data: bytes, layout: PixelFormat) -> _Decoded:
    """Decode an RLE frame; the number of segments determines the width of its cells."""
    samples = _rle_samples(data, layout)
    decoded = decode_rle(data, rows=layout.rows, columns=layout.columns, samples=samples)
    notices = [pixel_data_doubtful()] if decoded.doubtful else []
    if samples != layout.samples:
        notices.append(_other_samples(layout, samples))
    allocated = 8 * decoded.cells.dtype.itemsize
    if allocated != layout.bits_allocated:
        notices.append(
            notice(
                NoticeCode.BITS_DISAGREE,
                f"BitsAllocated is {layout.bits_allocated}, but the RLE segments make cells of "
                f"{allocated} bits, which were read",
            )
        )
    is_inside = layout.high_bit < allocated
    return _Decoded(
        decoded.cells,
        layout.high_bit if is_inside else layout.bits_stored - 1,
        precision=allocated if allocated < layout.bits_stored else None,
        luma_chroma=layout.photometric == "YBR_FULL",
        notices=tuple(notices),
    )


def _rle_samples(data: bytes, layout: PixelFormat) -> int:
    """Return the number of samples: each has one, two or four segments (PS3.5 G.2)."""
    segments = int.from_bytes(data[:4], "little")
    return {1: 1, 2: 1, 4: 1, 3: 3, 6: 3, 12: 3}.get(segments, layout.samples)


def _other_samples(layout: PixelFormat, samples: int) -> Notice:
    return notice(
        NoticeCode.HEADER_IRREGULAR,
        f"SamplesPerPixel is {layout.samples}, but the compressed picture has {samples}, which "
        "were read",
    )


def _native(file: DicomFile, pixels: PixelElement, layout: PixelFormat, *, frame: int) -> _Decoded:
    """Read uncompressed cells (PS3.5 8.1.1), no more than the header declares."""
    if not file.is_native:
        raise UnreadableFileError(
            ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the transfer syntax is compressed or private but the pixel data are not encapsulated; "
            "convert the file to Explicit VR Little Endian",
        )
    size = layout.frame_bytes
    # Big-endian words hold two 8-bit cells in swapped order (PS3.5 8.1.1, annex D of 2006).
    swapped = layout.cell_bytes == 1 and not file.little_endian and pixels.vr == "OW"
    first = (frame - 1) * size
    # whole words, so that both cells of each are there to be swapped
    start, end = (first - first % 2, first + size + (first + size) % 2) if swapped else (
        first, first + size
    )  # fmt: skip
    file.stream.seek(pixels.start + start)
    whole = pixels.length is not None and pixels.length >= end
    data = file.stream.read(end - start) if whole else b""
    if len(data) < end - start:
        raise truncated()
    if swapped:
        data = np.frombuffer(data, dtype=">u2").astype("<u2").tobytes()
        data = data[first - start : first - start + size]
    return _cells(data, layout, little_endian=file.little_endian)


def _cells(data: bytes, layout: PixelFormat, *, little_endian: bool) -> _Decoded:
    """Arrange the uncompressed cells of a frame."""
    shape = (layout.rows, layout.columns, layout.samples)
    order = "<" if little_endian else ">"
    cells: NDArray[Any] = np.frombuffer(data, dtype=f"{order}u{layout.cell_bytes}")
    if layout.samples == 1:
        cells = cells.reshape(shape[:2])
    elif layout.photometric == SHARED_CHROMA:
        cells = _with_own_chroma(cells, layout)
    else:
        return _channels(cells, layout)
    is_luma_chroma = layout.photometric == SHARED_CHROMA
    return _Decoded(cells, layout.high_bit, luma_chroma=is_luma_chroma)


def _channels(cells: NDArray[Any], layout: PixelFormat) -> _Decoded:
    """Arrange colours by pixel or by plane (PS3.3 C.7.6.3.1.3), whichever makes the image grey."""
    size = layout.rows * layout.columns
    ways = (cells.reshape(size, layout.samples), cells.reshape(layout.samples, size).T)
    # in a grey image the last two channels are equal, in RGB and in luma and chroma
    alike = [float((way[:, -1] == way[:, -2]).mean()) for way in ways]
    is_other = alike[not layout.planar] > max(alike[layout.planar], 1 - MOST_COLOURED)
    said = notice(
        NoticeCode.HEADER_IRREGULAR,
        f"PlanarConfiguration is {int(layout.planar)}, but the picture is grey only the other way, "
        "as which it was read",
    )
    return _Decoded(
        ways[layout.planar != is_other].reshape(layout.rows, layout.columns, layout.samples),
        layout.high_bit,
        luma_chroma=layout.photometric == "YBR_FULL",
        notices=(said,) if is_other else (),
    )


def _with_own_chroma(cells: NDArray[Any], layout: PixelFormat) -> NDArray[Any]:
    """Return (rows, columns, Y Cb Cr) from groups Y Y Cb Cr, each of which is two pixels."""
    if layout.columns % 2:
        raise UnreadableFileError(
            ErrorCode.BAD_HEADER,
            f"Columns is {layout.columns}, but in YBR_FULL_422 two columns share their chroma; "
            "export the image again",
        )
    pairs = cells.reshape(layout.rows, layout.columns // 2, 4)
    luma = pairs[..., :2].reshape(layout.rows, layout.columns, 1)
    return np.concatenate([luma, np.repeat(pairs[..., 2:], 2, axis=1)], axis=2)
