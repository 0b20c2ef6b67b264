"""Read files as :class:`~lesionscan.radiograph.Radiograph`: the only package that knows formats."""

import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode, NoticeCode
from lesionscan.files import open_ordinary
from lesionscan.radiograph import Radiograph
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.frames import Frames
from lesionscan.reading.limits import check_file_size
from lesionscan.reading.sniff import HEAD_BYTES, file_format, looks_like_image
from lesionscan.reading.spacing import users_spacing
from lesionscan.settings import Settings

__all__ = [
    "Frames",
    "UnreadableFileError",
    "check_file_size",
    "looks_like_image",
    "open_radiographs",
    "read_radiograph",
]

_ABOUT_SPACING = frozenset(
    {
        NoticeCode.NO_SPACING,
        NoticeCode.BAD_SPACING,
        NoticeCode.MAGNIFICATION_CORRECTED,
        NoticeCode.PIXEL_ASPECT,
    }
)


def read_radiograph(
    path: Path | str, *, settings: Settings | None = None, frame: int | None = None
) -> Radiograph:
    """Read one radiograph from a DICOM, PNG, JPEG or TIFF file, detected by content.

    Parameters
    ----------
    path
        The file.
    settings
        Limits, polarity and spacing are used. Defaults if None.
    frame
        Number of the frame or page, from 1. May be None if there is only one.

    Returns
    -------
    Radiograph
        float32, after the modality transform, bone bright, not clipped by a window.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read as a radiograph; see :class:`ErrorCode`.
    ValueError
        If there is no frame of that number.
    """
    with open_radiographs(path, settings=settings) as frames:
        if frame is None and frames.count > 1:
            raise UnreadableFileError(
                ErrorCode.MULTI_FRAME,
                f"the file holds {frames.count} pictures; say which, from 1 on",
            )
        if frame is not None and not 1 <= frame <= frames.count:
            raise ValueError(f"frame must be 1 to {frames.count}, got {frame}")
        return frames.read(frame or 1)


@contextmanager
def open_radiographs(path: Path | str, *, settings: Settings | None = None) -> Iterator[Frames]:
    """Open a file that may hold several radiographs, to read them one at a time.

    Parameters
    ----------
    path
        The file.
    settings
        As in `read_radiograph`.

    Yields
    ------
    Frames
        Their number, and a function that reads one; a frame can fail without the others.

    Raises
    ------
    UnreadableFileError
        As `read_radiograph`.
    """
    chosen = settings if settings is not None else Settings()
    with ExitStack() as stack:
        with _failures_in_words():  # but not failures of the caller while the file is open
            frames = stack.enter_context(_opened(Path(path), chosen))

        def read(number: int) -> Radiograph:
            with _failures_in_words():
                return _finished(frames.read(number), number, frames.count, chosen)

        def show(number: int) -> NDArray[np.uint8] | None:
            with _failures_in_words():
                return frames.show(number)

        yield Frames(frames.count, read, show)


@contextmanager
def _failures_in_words() -> Iterator[None]:
    """Convert errors of the file system and of memory to `UnreadableFileError`."""
    try:
        yield
    except FileNotFoundError:
        raise UnreadableFileError(
            ErrorCode.MISSING_FILE, "there is no such file; check the path"
        ) from None
    except PermissionError:
        raise UnreadableFileError(
            ErrorCode.PERMISSION_DENIED, "reading is not permitted; change the file's permissions"
        ) from None
    except OSError as error:
        raise UnreadableFileError(
            ErrorCode.IO_ERROR,
            f"reading failed ({error.strerror or 'no reason given'}); check the disk or network",
        ) from None
    except MemoryError:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE,
            "the picture does not fit into memory; lower max_megapixels or run fewer jobs",
        ) from None


@contextmanager
def _opened(path: Path, settings: Settings) -> Iterator[Frames]:
    """Open a file and find its frames; errors of the file system are raised as OSError."""
    facts = path.stat()
    # Opening a pipe or a device could wait for ever, so only ordinary files are opened.
    if not stat.S_ISREG(facts.st_mode):
        raise UnreadableFileError(
            ErrorCode.NOT_AN_IMAGE, "this is no ordinary file but a folder, a pipe or a device"
        )
    if facts.st_size == 0:
        raise UnreadableFileError(ErrorCode.EMPTY_FILE, "the file has no bytes; copy it again")
    check_file_size(facts.st_size, settings)
    with open_ordinary(path) as stream:
        frames = _frames(stream, settings)
        frames.check(at_most=settings.max_frames)
        yield frames


def _frames(stream: BinaryIO, settings: Settings) -> Frames:
    """Choose the reader by the content of the file."""
    name = file_format(stream.read(HEAD_BYTES))
    if name is None:
        raise UnreadableFileError(
            ErrorCode.NOT_AN_IMAGE,
            "the content is neither DICOM, PNG, JPEG nor TIFF; export the image again",
        )
    # Imported here, because each imports a codec library that the other does not need, and the
    # search for files, which only detects formats, needs neither.
    if name == "dicom":
        from lesionscan.reading.dicom import dicom_frames

        return dicom_frames(stream, settings)
    from lesionscan.reading.raster import raster_frames

    return raster_frames(stream, name, settings)


def _finished(radiograph: Radiograph, frame: int, frames: int, settings: Settings) -> Radiograph:
    """Add the number of the frame, and apply the spacing given by the user."""
    if settings.spacing_mm is not None:
        # warnings about the spacing in the file no longer apply
        notices = [one for one in radiograph.notices if one.code not in _ABOUT_SPACING]
        spacing, found = users_spacing(
            settings.spacing_mm, radiograph.spacing, radiograph.pixel_aspect
        )
        radiograph = replace(
            radiograph,
            spacing=spacing,
            pixel_aspect=spacing.row_mm / spacing.column_mm,
            notices=(*notices, *found),
        )
    return replace(radiograph, frame=frame, frames=frames)
