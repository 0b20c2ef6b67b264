"""The Image Pixel module of a DICOM file: checked first, then decoded to stored values."""

from dataclasses import dataclass
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

from lesionscan.codes import ErrorCode
from lesionscan.reading.codestream import (
    Fragments,
    decode_codestream,
    decode_rle,
    encapsulated_frame,
    list_fragments,
)
from lesionscan.reading.colour import colour_photograph, from_channels, from_luma_chroma
from lesionscan.reading.dicom_file import DicomFile, PixelElement, Tags
from lesionscan.reading.errors import UnreadableFileError, truncated
from lesionscan.reading.grayscale import Greys, stored_greys
from lesionscan.reading.limits import check_picture_size

_LOSSLESS = (
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

_MOST_FRAMES = 2**31 - 1
"""What an IS can hold (PS3.5 6.2)."""

MAX_CELL_BYTES = 6
"""Three samples of 16 bits: the most that a pixel read here takes in the file."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel module (PS3.3 C.7.6.3), checked."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def cell_bytes(self) -> int:
        """Bytes of one sample in native data."""
        return self.bits_allocated // 8


def pixel_format(tags: Tags, *, max_megapixels: float) -> PixelFormat:
    """Read and check the Image Pixel module, the declared size before anything else.

    Raises
    ------
    UnreadableFileError
        `bad_header`, `too_large`, `not_a_radiograph` or `colour_photograph`.
    """
    rows, columns = _required(tags, "Rows"), _required(tags, "Columns")
    check_picture_size(rows, columns, max_megapixels=max_megapixels)
    allocated = _required(tags, "BitsAllocated")
    if allocated == 1:
        raise UnreadableFileError(
            ErrorCode.NOT_A_RADIOGRAPH, "the picture is black and white without greys"
        )
    if allocated not in (8, 16, 32):
        raise _bad_header(f"BitsAllocated is {allocated}, not 8, 16 or 32")
    samples = _samples(tags)
    if samples * allocated > 8 * MAX_CELL_BYTES:
        raise _bad_header(f"BitsAllocated is {allocated} in a picture of {samples} channels")
    stored = _required(tags, "BitsStored")
    if stored > allocated:
        raise _bad_header(f"BitsStored is {stored}, more than BitsAllocated {allocated}")
    high_bit = tags.integer("HighBit")
    if high_bit is None or not stored - 1 <= high_bit < allocated:
        tags.irregular.append("HighBit")
        high_bit = stored - 1
    sign = tags.integer("PixelRepresentation")
    if sign not in (0, 1):
        tags.irregular.append("PixelRepresentation")
    return PixelFormat(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=sign == 1,
        photometric=_photometric(tags),
        planar=tags.integer("PlanarConfiguration") == 1,
        frames=_frames(tags),
    )


def _frames(tags: Tags) -> int:
    """Return NumberOfFrames; 0 and less are written where one is meant."""
    frames = tags.integer("NumberOfFrames") or 1
    if frames > _MOST_FRAMES:
        raise _bad_header("NumberOfFrames is no number of frames")
    return max(1, frames)


def _samples(tags: Tags) -> int:
    """Return SamplesPerPixel, 1 when it is missing."""
    samples = tags.integer("SamplesPerPixel")
    if samples is None:
        tags.irregular.append("SamplesPerPixel")
        return 1
    if samples not in (1, 3):
        raise _bad_header(f"SamplesPerPixel is {samples}, not 1 or 3")
    return samples


def _photometric(tags: Tags) -> str:
    """Return PhotometricInterpretation where greys can be had from it (PS3.3 C.7.6.3.1.2)."""
    value = (tags.code("PhotometricInterpretation") or "").upper()
    samples = tags.integer("SamplesPerPixel") or 1
    if value in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR") and samples == 1:
        return value
    if value in ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT") and samples == 3:
        return value
    if value in ("YBR_PARTIAL_420", "YBR_PARTIAL_422"):
        raise colour_photograph()
    raise _bad_header(
        "PhotometricInterpretation is missing or does not fit SamplesPerPixel, so that bright "
        "and dark cannot be told apart"
    )


def _required(tags: Tags, keyword: str) -> int:
    """Return a number that must be at least 1."""
    value = tags.integer(keyword)
    if value is None:
        raise _bad_header(f"{keyword} is missing or no whole number")
    if value < 1:
        raise _bad_header(f"{keyword} is {value}")
    return value


def locate_pixels(file: DicomFile, pixels: PixelElement) -> PixelElement | Fragments:
    """Return where the pixel data are, the fragments of compressed ones listed.

    Raises
    ------
    UnreadableFileError
        As `list_fragments`.
    """
    if pixels.length is not None:
        return pixels
    file.stream.seek(pixels.start)
    return list_fragments(file.stream)


def decode_pixels(
    file: DicomFile, pixels: PixelElement | Fragments, layout: PixelFormat, *, frame: int
) -> tuple[Greys, bool, float]:
    """Decode one frame of the pixel data to stored values, one grey a pixel.

    Parameters
    ----------
    file
        The file; its stream is moved.
    pixels
        Where the data are, from `locate_pixels`.
    layout
        How they are packed.
    frame
        Which frame, from 1 on; the file has as many.

    Returns
    -------
    stored
        The stored values.
    doubtful
        Whether the data do not add up, so that parts of the picture may be damaged.
    coloured
        The share of coloured pixels, whose colour is ignored.

    Raises
    ------
    UnreadableFileError
        `truncated`, `undecodable`, `unsupported_transfer_syntax` or `colour_photograph`.
    """
    decoded = (
        _encapsulated(file, pixels, layout, frame=frame)
        if isinstance(pixels, Fragments)
        else _native(file, pixels, layout, frame=frame)
    )
    cells, coloured = decoded.cells, 0.0
    if layout.samples > 1:
        to_grey = from_luma_chroma if decoded.luma_chroma else from_channels
        merged = to_grey(cells, full_scale=(1 << layout.bits_stored) - 1)
        cells, coloured = np.rint(merged.greys).astype(cells.dtype), merged.coloured
    stored = stored_greys(
        cells,
        bits_stored=layout.bits_stored,
        high_bit=decoded.high_bit,
        # JPEG 2000 says itself whether its samples have a sign (ITU-T T.800 A.5.1).
        signed=layout.signed or cells.dtype.kind == "i",
        clip=decoded.clip,
    )
    return stored, decoded.doubtful, coloured


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    """Cells as the codec gives them, (rows, columns) or (rows, columns, 3), and how to read them.

    `high_bit` is where the value lies in these cells, `clip` whether a lossy codec may have
    overshot the value range, `luma_chroma` whether the channels are Y, Cb, Cr, `doubtful` whether
    the data do not add up.
    """

    cells: NDArray[Any]
    high_bit: int
    clip: bool = False
    luma_chroma: bool = False
    doubtful: bool = False


def _encapsulated(
    file: DicomFile, fragments: Fragments, layout: PixelFormat, *, frame: int
) -> _Decoded:
    """Decode a compressed frame."""
    data = encapsulated_frame(
        file.stream,
        fragments,
        frame=frame,
        frames=layout.frames,
        max_bytes=layout.rows * layout.columns * MAX_CELL_BYTES + (1 << 20),
    )
    rows, columns, samples = layout.rows, layout.columns, layout.samples
    luma_chroma = layout.photometric == "YBR_FULL"
    if file.transfer_syntax == RLELossless:
        cells = decode_rle(
            data, rows=rows, columns=columns, samples=samples, cell_bytes=layout.cell_bytes
        )
        return _Decoded(cells, layout.high_bit, luma_chroma=luma_chroma)
    decoded = decode_codestream(data, rows=rows, columns=columns, samples=samples)
    cells, header = decoded.cells, decoded.header
    # A codestream of just the stored bits is right-aligned, whatever HighBit said of the cell.
    high_bit = layout.high_bit if header.precision > layout.bits_stored else layout.bits_stored - 1
    lossy = file.transfer_syntax not in _LOSSLESS
    return _Decoded(
        cells,
        high_bit,
        # Unsigned cells of a signed picture are a bit pattern, which clipping would destroy.
        clip=lossy and layout.signed == (cells.dtype.kind == "i"),
        luma_chroma=luma_chroma and header.family != "jpeg",  # libjpeg has made RGB of it
        doubtful=decoded.doubtful,
    )


def _native(file: DicomFile, pixels: PixelElement, layout: PixelFormat, *, frame: int) -> _Decoded:
    """Read uncompressed cells (PS3.5 8.1.1), no more than the header declares."""
    if not file.is_native:
        raise UnreadableFileError(
            ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
            "the transfer syntax is compressed or private but the pixel data are not encapsulated; "
            "convert the file to Explicit VR Little Endian",
        )
    if layout.photometric == "YBR_FULL_422":  # half the chroma samples: made for colour
        raise colour_photograph()
    shape = (layout.rows, layout.columns, layout.samples)
    size = layout.rows * layout.columns * layout.samples * layout.cell_bytes
    # Big-endian words hold two 8-bit cells in swapped order (PS3.5 8.1.1, annex D of 2006).
    swapped = layout.cell_bytes == 1 and not file.little_endian and pixels.vr == "OW"
    first = (frame - 1) * size
    # whole words, so that swapping finds each cell's partner
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
    order = "<" if file.little_endian else ">"
    cells = np.frombuffer(data, dtype=f"{order}u{layout.cell_bytes}")
    if layout.samples == 1:
        cells = cells.reshape(shape[:2])
    elif layout.planar:
        cells = np.moveaxis(cells.reshape(shape[2], *shape[:2]), 0, -1)
    else:
        cells = cells.reshape(shape)
    return _Decoded(cells, layout.high_bit, luma_chroma=layout.photometric == "YBR_FULL")


def _bad_header(fault: str) -> UnreadableFileError:
    """Return the error for a header whose pixels cannot be decoded."""
    return UnreadableFileError(ErrorCode.BAD_HEADER, f"{fault}; export the image again")
