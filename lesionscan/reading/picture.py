"""What the decoders of PNG, JPEG and TIFF hand over, before it is made one grey picture."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lesionscan.codes import ErrorCode
from lesionscan.radiograph import Notice
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.limits import check_picture_size


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded raster: (rows, cols) or (rows, cols, channels), alpha last when there is one."""

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
    """Refuse a declared size before memory is taken for it.

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
    """Return the error for a file that holds more than one picture where one is expected."""
    return UnreadableFileError(
        ErrorCode.MULTI_FRAME, "the file holds several pictures; save the radiograph alone"
    )


def black_and_white() -> UnreadableFileError:
    """Return the error for a picture of one bit a pixel."""
    return UnreadableFileError(
        ErrorCode.NOT_A_RADIOGRAPH, "the picture is black and white without greys"
    )
