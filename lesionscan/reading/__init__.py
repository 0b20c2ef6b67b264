"""Files in, :class:`~lesionscan.radiograph.Radiograph` out: the only room that knows formats."""

import stat
from pathlib import Path

from lesionscan.radiograph import Radiograph
from lesionscan.reading.codes import ErrorCode, NoticeCode, UnreadableFileError
from lesionscan.reading.sniff import HEAD_BYTES, file_format, looks_like_image
from lesionscan.settings import Settings

__all__ = ["ErrorCode", "NoticeCode", "UnreadableFileError", "looks_like_image", "read_radiograph"]


def read_radiograph(path: Path | str, *, settings: Settings | None = None) -> Radiograph:
    """Read one radiograph from a DICOM, PNG, JPEG or TIFF file, told apart by content.

    Parameters
    ----------
    path
        The file.
    settings
        Only `max_megapixels` is used; the defaults when None.

    Returns
    -------
    Radiograph
        float32, after the modality transform, bone bright, not clipped by a window.

    Raises
    ------
    UnreadableFileError
        For every file that cannot become a radiograph; see :class:`ErrorCode`.
    """
    limit = (settings if settings is not None else Settings()).max_megapixels
    try:
        return _read(Path(path), max_megapixels=limit)
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


def _read(path: Path, *, max_megapixels: float) -> Radiograph:
    """Dispatch on content; failures of the file system pass through as OSError."""
    facts = path.stat()
    # Opening a pipe or a device could wait for ever, so only ordinary files are opened.
    if not stat.S_ISREG(facts.st_mode):
        raise UnreadableFileError(
            ErrorCode.NOT_AN_IMAGE, "this is a folder or a device, not a file; name a file"
        )
    if facts.st_size == 0:
        raise UnreadableFileError(ErrorCode.EMPTY_FILE, "the file has no bytes; copy it again")
    with path.open("rb") as stream:
        name = file_format(stream.read(HEAD_BYTES))
        if name is None:
            raise UnreadableFileError(
                ErrorCode.NOT_AN_IMAGE,
                "the content is neither DICOM, PNG, JPEG nor TIFF; export the image again",
            )
        # Imported here: each pulls in a codec library that the other does not need, and batch
        # discovery, which only sniffs, needs neither.
        if name == "dicom":
            from lesionscan.reading.dicom import read_dicom

            return read_dicom(stream, max_megapixels=max_megapixels)
        from lesionscan.reading.raster import read_raster

        return read_raster(stream, name, max_megapixels=max_megapixels)
