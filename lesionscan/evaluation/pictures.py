"""Label images and masks from picture files, and what is wrong with them in words."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionscan.files import PICTURE_BYTES, open_ordinary


class PictureError(Exception):
    """A picture that is no label image; the message is the cause, without the file's name."""


_FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
"""Formats of masks. Others that Pillow knows start programs (Ghostscript for PostScript)."""


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture; its pixels are not read yet."""
    with warnings.catch_warnings(), open_ordinary(path, max_bytes=PICTURE_BYTES) as stream:
        # up to twice the size that Pillow warns of, a mask is as large as a large film
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(stream, formats=_FORMATS) as picture:
            yield picture


def picture_shape(path: Path) -> tuple[int, int] | None:
    """Return rows and columns of a PNG, JPEG or TIFF; None for other and for broken files."""
    try:
        with _opened(path) as picture:
            return picture.height, picture.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def read_grey(path: Path) -> NDArray[np.int32]:
    """Read a picture of one channel of whole numbers as int32 (rows, cols).

    Raises
    ------
    PictureError
        When it is not there, cannot be read, is too large, is a colour picture or holds fractions.
    """
    try:
        with _opened(path) as picture:
            if len(picture.getbands()) > 1:  # before memory is taken for all bands
                raise PictureError("is a colour picture, not one grey number per lesion")
            pixels = np.asarray(picture)
    except FileNotFoundError as error:
        raise PictureError("is not there") from error
    except Image.DecompressionBombError as error:
        raise PictureError("is larger than any film") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError("cannot be read as a picture") from error
    if pixels.dtype.kind not in "biu":
        raise PictureError("holds fractions, not whole numbers")
    return pixels.astype(np.int32)
