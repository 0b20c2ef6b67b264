"""Number of frames, rows and columns in uncompressed pixel data, if the header is wrong."""

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.dicom_file import DicomFile, PixelElement
from lesionscan.reading.limits import check_picture_size
from lesionscan.reading.pixel_format import SHARED_CHROMA, PixelFormat

_LOOKED_AT_BYTES = 1 << 20
"""Enough to distinguish 16-bit from 8-bit cells."""

_LOOKED_AT_ROWS = 64

_SMOOTHER = 4
"""Every second byte, or part of a row, is this many times closer to the next such one than to
those between."""

_SEAM = 1.5
"""Largest difference across a seam within one image, in differences of neighbouring rows (noise);
between two films it is far larger."""

_STRUCTURE = 4
"""Least structure of a row, in the same unit; any row fits one with less, as in a black border."""

_EDGE_ROWS = 3
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class _Data:
    """Complete uncompressed pixel data."""

    file: DicomFile
    start: int
    length: int

    def read(self, first: int, size: int) -> bytes:
        self.file.stream.seek(self.start + first)
        return self.file.stream.read(size)


def native_extent(
    file: DicomFile, pixels: PixelElement, layout: PixelFormat, *, max_megapixels: float
) -> tuple[PixelFormat, list[Notice]]:
    """Return the format with the frames, rows and cells that fit the length of PixelData.

    Parameters
    ----------
    file
        The file; its stream is moved.
    pixels
        Position of the data (PS3.5 8.1.1).
    layout
        The Image Pixel module (PS3.3 C.7.6.3), NumberOfFrames from C.7.6.6.
    max_megapixels
        The setting, also for images with more rows than the header states.

    Returns
    -------
    layout, notices
        The format to use, and what was assumed. If data are missing, the format is unchanged, so
        that no frame is invented.

    Raises
    ------
    UnreadableFileError
        `too_large`.
    """
    length = pixels.length or 0
    is_there = file.stream.seek(0, io.SEEK_END) >= pixels.start + length
    held, rest = divmod(length, layout.frame_bytes)
    if not (is_there and file.is_native):
        return layout, []
    data = _Data(file, pixels.start, length)
    if held == layout.frames and rest <= 1:
        return _exchanged(data, layout)
    if _has_narrow_cells(length, layout):
        return _other_cells(layout, layout.bits_allocated // 2, "half as many bytes")
    if held == 0:
        return layout, []
    if held < layout.frames:
        return fewer_frames(layout, held + (rest > 1))
    if _has_wide_cells(data, layout):
        return _other_cells(layout, 16, "twice as many bytes")
    if rest <= 1 and held == _COLOURS * layout.frames and _has_colours(data, layout):
        return replace(layout, samples=_COLOURS, planar=False), [
            notice(
                NoticeCode.HEADER_IRREGULAR,
                f"SamplesPerPixel is {layout.samples}, but PixelData holds three equal samples of "
                "each pixel, which were read",
            )
        ]
    if rest <= 1 and _is_interlaced(data, layout, held):
        columns = layout.columns * held
        check_picture_size(layout.rows, columns, max_megapixels=max_megapixels)
        return replace(layout, columns=columns), [
            notice(
                NoticeCode.FRAMES_DISAGREE,
                f"Columns is {layout.columns}, but each row of PixelData has {columns} columns, "
                "which were read",
            )
        ]
    if rows := _seamless_rows(data, layout):
        check_picture_size(rows, layout.columns, max_megapixels=max_megapixels)
        return replace(layout, rows=rows), [
            notice(
                NoticeCode.FRAMES_DISAGREE,
                f"Rows is {layout.rows}, but the picture continues without a seam over {rows} rows "
                "of PixelData, which were read",
            )
        ]
    if rest <= 1:
        return more_frames(layout, held)
    behind = length - layout.frames * layout.frame_bytes
    return layout, [
        notice(
            NoticeCode.PIXELS_LEFT_OVER,
            f"PixelData has {behind} bytes more than Rows, Columns, BitsAllocated and "
            "NumberOfFrames describe; they were not read, so check these tags",
        )
    ]


def all_chroma(length: int, layout: PixelFormat) -> tuple[PixelFormat, list[Notice]]:
    """Return the format, without subsampling of chroma if the length of the data excludes it.

    Parameters
    ----------
    length
        Bytes of PixelData.
    layout
        According to the header.
    """
    each = replace(layout, photometric="YBR_FULL")
    if layout.photometric != SHARED_CHROMA or length < layout.frames * each.frame_bytes:
        return layout, []
    return each, [
        notice(
            NoticeCode.HEADER_IRREGULAR,
            "PhotometricInterpretation is YBR_FULL_422, but PixelData is as long as YBR_FULL, as "
            "which it was read",
        )
    ]


def more_frames(layout: PixelFormat, held: int) -> tuple[PixelFormat, list[Notice]]:
    """Return the format with the frames that the pixel data hold, more than NumberOfFrames.

    Parameters
    ----------
    layout
        According to the header.
    held
        The number of frames.
    """
    return replace(layout, frames=held), [
        notice(
            NoticeCode.FRAMES_DISAGREE,
            f"NumberOfFrames is {layout.frames} or missing, but PixelData holds {held} pictures of "
            f"{layout.rows} rows; all were read, so check NumberOfFrames, Rows and Columns",
        )
    ]


def fewer_frames(layout: PixelFormat, held: int) -> tuple[PixelFormat, list[Notice]]:
    """Return the format with the frames that the pixel data hold, fewer than NumberOfFrames.

    Parameters
    ----------
    layout
        According to the header.
    held
        The number of frames, at least 1.
    """
    return replace(layout, frames=held), [
        notice(
            NoticeCode.FRAMES_DISAGREE,
            f"NumberOfFrames is {layout.frames}, but PixelData holds {held}, which were read; "
            "export the image again if some are missing",
        )
    ]


def other_size(layout: PixelFormat, rows: int, columns: int) -> tuple[PixelFormat, list[Notice]]:
    """Return the format with the size of the compressed image, which differs from the header.

    Parameters
    ----------
    layout
        According to the header.
    rows, columns
        According to the codestream, which can be decoded without the header.
    """
    return replace(layout, rows=rows, columns=columns), [
        notice(
            NoticeCode.FRAMES_DISAGREE,
            f"Rows and Columns are {layout.rows} and {layout.columns}, but the compressed picture "
            f"has {rows} rows and {columns} columns, which were read; check that the pixel spacing "
            "is meant for them",
        )
    ]


def _exchanged(data: _Data, layout: PixelFormat) -> tuple[PixelFormat, list[Notice]]:
    """Return the format with Rows and Columns swapped, if rows are similar only then."""
    other = replace(layout, rows=layout.columns, columns=layout.rows)
    if layout.rows == layout.columns or layout.samples > 1 or min(layout.rows, layout.columns) < 3:
        return layout, []
    lines = _middle_lines(data, other)
    down, along = (float(np.abs(np.diff(lines, axis=axis)).mean()) for axis in (0, 1))
    apart = float(np.abs(np.diff(_middle_lines(data, layout), axis=0)).mean())
    # a film is about as smooth along columns as along rows; a ramp across row ends is not
    if apart <= _SMOOTHER * down or down > _SMOOTHER * along:
        return layout, []
    return other, [
        notice(
            NoticeCode.FRAMES_DISAGREE,
            f"Rows is {layout.rows} and Columns {layout.columns}, but the picture is one only with "
            f"{other.rows} rows of {other.columns} columns, which were read",
        )
    ]


def _has_colours(data: _Data, layout: PixelFormat) -> bool:
    """Return whether each value is repeated three times, like grey stored as colour."""
    unit = _COLOURS * layout.cell_bytes
    first = data.length // (2 * unit) * unit
    cells = np.frombuffer(data.read(first, 100 * unit), f"<u{layout.cell_bytes}")
    each = cells[: cells.size // _COLOURS * _COLOURS].reshape(-1, _COLOURS)
    is_equal = each.min(axis=1) == each.max(axis=1)
    return layout.samples == 1 and bool(is_equal.all()) and bool(np.ptp(each[:, 0]))


def _other_cells(layout: PixelFormat, bits: int, found: str) -> tuple[PixelFormat, list[Notice]]:
    return replace(layout, bits_allocated=bits), [
        notice(
            NoticeCode.BITS_DISAGREE,
            f"BitsAllocated is {layout.bits_allocated}, but PixelData has {found} and they are "
            f"cells of {bits} bits, which were read",
        )
    ]


def _has_narrow_cells(length: int, layout: PixelFormat) -> bool:
    """Return whether there are half of the declared bytes, and BitsStored needs no more."""
    expected, rest = divmod(layout.frames * layout.frame_bytes, 2)
    is_half = rest == 0 and length - expected in (0, expected % 2)
    return is_half and layout.high_bit < layout.bits_allocated // 2


def _has_wide_cells(data: _Data, layout: PixelFormat) -> bool:
    """Return whether declared 8-bit cells have 16 bits: high bytes of neighbours are similar."""
    twice = 2 * layout.frames * layout.frame_bytes
    if layout.bits_allocated != 8 or layout.samples > 1 or data.length != twice:
        return False
    size = min(_LOOKED_AT_BYTES, data.length // 2 * 2)
    first = (data.length - size) // 4 * 2  # the middle, at the start of a cell
    cells = np.frombuffer(data.read(first, size), "<u2" if data.file.little_endian else ">u2")
    high, low = (cells >> 8).astype(np.int16), (cells & 255).astype(np.int16)
    apart = float(np.abs(high - low).mean())
    return float(np.abs(np.diff(high)).mean()) * _SMOOTHER < apart


def _seamless_rows(data: _Data, layout: PixelFormat) -> int | None:
    """Return the number of rows if the first image continues below its last row, else None."""
    rows, rest = divmod(data.length, layout.row_bytes)
    if layout.frames > 1 or layout.samples > 1 or rest > 1 or layout.rows < _EDGE_ROWS:
        return None
    seams = range(layout.rows, rows - _EDGE_ROWS + 1, layout.rows)
    return rows if seams and all(_is_seamless(data, layout, seam) for seam in seams) else None


def _is_interlaced(data: _Data, layout: PixelFormat, parts: int) -> bool:
    """Return whether Columns is too small: then every second (or third ...) row is similar."""
    if layout.frames > 1 or layout.samples > 1 or min(layout.rows, _LOOKED_AT_ROWS) <= 2 * parts:
        return False
    lines = _middle_lines(data, layout)
    alike = float(np.abs(lines[parts:] - lines[:-parts]).mean())
    return alike * _SMOOTHER < float(np.abs(np.diff(lines, axis=0)).mean())


def _middle_lines(data: _Data, layout: PixelFormat) -> NDArray[np.float32]:
    """Return some rows around the middle of the first image."""
    count = min(layout.rows, _LOOKED_AT_ROWS)
    return _lines(data, layout, (layout.rows - count) // 2, count)


def _lines(data: _Data, layout: PixelFormat, first: int, count: int) -> NDArray[np.float32]:
    """Return rows of uncompressed cells as integers."""
    order, kind = "<" if data.file.little_endian else ">", "i" if layout.signed else "u"
    cells: NDArray[Any] = np.frombuffer(
        data.read(first * layout.row_bytes, count * layout.row_bytes),
        f"{order}{kind}{layout.cell_bytes}",
    )
    return cells.reshape(count, layout.columns).astype(np.float32)


def _is_seamless(data: _Data, layout: PixelFormat, seam: int) -> bool:
    """Return whether the rows on both sides of a seam differ no more than other neighbours."""
    lines = _lines(data, layout, seam - _EDGE_ROWS, 2 * _EDGE_ROWS)
    apart = np.abs(np.diff(lines, axis=0)).mean(axis=1)
    step, others = float(apart[_EDGE_ROWS - 1]), np.delete(apart, _EDGE_ROWS - 1)
    noise = float(others.max())
    structure = float(lines[_EDGE_ROWS - 1 : _EDGE_ROWS + 1].std(axis=1).min())
    # equal rows meet where a film is followed by its mirror image
    is_step = float(others.min()) <= _SEAM * step <= _SEAM**2 * noise
    return is_step and structure > _STRUCTURE * noise
