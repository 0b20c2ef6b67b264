"""Limits on the declared size of an image and on the length of a file.

Every reader checks the header with these functions before memory is allocated.
"""

from lesionscan.codes import ErrorCode
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.settings import Settings

LARGEST_SIDE_PX = 65_535
"""Largest side in pixels. Rows and Columns of DICOM and the sides of a JPEG are 16-bit numbers."""

METADATA_BYTES = 64 << 20
"""Allowance for everything but pixel data: colour profiles, thumbnails, private elements."""


def check_picture_size(rows: int, columns: int, *, max_megapixels: float) -> None:
    """Refuse an excessive declared size before memory is allocated.

    Parameters
    ----------
    rows, columns
        At least 1.
    max_megapixels
        The setting.

    Raises
    ------
    UnreadableFileError
        `too_large`.
    """
    if max(rows, columns) > LARGEST_SIDE_PX:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE,
            f"{rows} x {columns} pixels: a side is longer than {LARGEST_SIDE_PX}; "
            "reduce or cut the picture",
        )
    if rows * columns > max_megapixels * 1e6:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE,
            f"{rows} x {columns} pixels are more than {max_megapixels:g} million; "
            "raise max_megapixels",
        )


def check_file_size(size: int, settings: Settings) -> None:
    """Refuse a file that is longer than `max_file_mb`, before it is read or hashed.

    Parameters
    ----------
    size
        In bytes.
    settings
        `max_file_mb` is used.

    Raises
    ------
    UnreadableFileError
        `too_large`.
    """
    if size > settings.max_file_mb * 1e6:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE,
            f"the file has {size / 1e6:,.0f} MB, more than {settings.max_file_mb:,.0f}; raise "
            "max_file_mb if it is a radiograph",
        )
