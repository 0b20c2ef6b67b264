"""Output of the PNG, JPEG and TIFF decoders, before conversion to grey."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lesionscan.codes import ErrorCode
from lesionscan.radiograph import Notice
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.limits import check_picture_size


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded image: (rows, cols) or (rows, cols, channels), alpha last if there is one."""

    array: NDArray[Any]
    full_scale: float
    has_alpha: bool = False
    luma_chroma: bool = False
    white_is_zero: bool = False
    photometric: str | None = None
    turned: bool = False
    doubtful: bool = False
    notices: tuple[Notice, ...] = ()


def check_size(rows: int, columns: int, *, max_megapixels: float) -> None:
    """Refuse an excessive declared size before memory is allocated.

    Raises
    ------
    UnreadableFileError
        `bad_header` or `too_large`.
    """
    if rows < 1 or columns < 1:
        raise UnreadableFileError(
            ErrorCode.BAD_HEADER, f"the picture is {rows} x {columns} pixels; save it again"
        )
    check_picture_size(rows, columns, max_megapixels=max_megapixels)


def several_pictures() -> UnreadableFileError:
    """Return the error for a file with several images where one is expected."""
    return UnreadableFileError(
        ErrorCode.MULTI_FRAME, "the file holds several pictures; save the radiograph alone"
    )


def black_and_white() -> UnreadableFileError:
    """Return the error for an image of one bit per pixel."""
    return UnreadableFileError(
        ErrorCode.NOT_A_RADIOGRAPH, "the picture is black and white without greys"
    )
