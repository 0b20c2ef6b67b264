"""Label images and masks from picture files, and what is wrong with them in words."""

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
    """A picture that is no label image; the message is the cause, without the file's name."""


_FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
"""Formats of masks. Others that Pillow knows start programs (Ghostscript for PostScript)."""


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """Open a picture; its pixels are not read yet."""
    opening: AbstractContextManager[BinaryIO] = (
        io.BytesIO(source)
        if isinstance(source, bytes)
        else open_ordinary(source, max_bytes=PICTURE_BYTES)
    )
    with warnings.catch_warnings(), opening as stream:
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


def read_grey(source: Path | bytes) -> NDArray[np.int32]:
    """Read a picture of one channel of whole numbers as int32 (rows, cols).

    Parameters
    ----------
    source
        Its file, or the file's bytes.

    Raises
    ------
    PictureError
        When it is not there, cannot be read, is too large, is a colour picture or holds fractions.
    """
    try:
        with _opened(source) as picture:
            if len(picture.getbands()) > 1:  # before memory is taken for all bands
                raise PictureError("is a colour picture, not one grey number per lesion")
            step = _spread(picture)
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


def _spread(picture: Image.Image) -> int:
    """Return by how much Pillow multiplies the grey values of a PNG of few bits, unread so far."""
    tiles = getattr(picture, "tile", [])
    return {"L;2": 85, "L;4": 17}.get(str(tiles[0].args) if tiles else "", 1)
