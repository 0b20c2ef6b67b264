"""Read label images and masks from image files."""

import io
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionscan.files import PICTURE_BYTES, open_ordinary


class PictureError(Exception):
    """An image that is not a label image; the message is the cause, without the file's name."""


_FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
"""Formats of masks. For some others Pillow starts programs (Ghostscript for PostScript)."""


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """Open an image without reading its pixels."""
    opening: AbstractContextManager[BinaryIO] = (
        io.BytesIO(source)
        if isinstance(source, bytes)
        else open_ordinary(source, max_bytes=PICTURE_BYTES)
    )
    with warnings.catch_warnings(), opening as stream:
        # Pillow raises an error from twice this size on, which is larger than any film
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(stream, formats=_FORMATS) as picture:
            yield picture


def picture_shape(path: Path) -> tuple[int, int] | None:
    """Return rows and columns of a PNG, JPEG, TIFF or BMP; None for other and damaged files."""
    try:
        with _opened(path) as picture:
            return picture.height, picture.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def read_grey(source: Path | bytes) -> NDArray[np.int32]:
    """Read an image with one channel of integers as int32 (rows, cols).

    Parameters
    ----------
    source
        The file, or its bytes.

    Raises
    ------
    PictureError
        If it is missing, cannot be read, is too large, or has colours or fractions.
    """
    try:
        with _opened(source) as picture:
            if len(picture.getbands()) > 1:  # before memory is allocated for all bands
                raise PictureError("is a colour picture, not one grey number per lesion")
            step = _grey_factor(picture)
            pixels = np.asarray(picture) // step if step > 1 else np.asarray(picture)
    except FileNotFoundError as error:
        raise PictureError("is not there") from error
    except Image.DecompressionBombError as error:
        raise PictureError("is larger than any film") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError("cannot be read as a picture") from error
    if pixels.dtype.kind not in "biu":
        raise PictureError("holds fractions, not whole numbers")
    return pixels.astype(np.int32)


def _grey_factor(picture: Image.Image) -> int:
    """Return the factor by which Pillow multiplies the grey values of a PNG with 2 or 4 bits."""
    tiles = getattr(picture, "tile", [])
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0].args) if tiles else "", 1)
