"""Conversion of colour channels to grey; colour photographs are refused.

Scanned and exported films often have a coloured marker, and JPEG makes noise coloured. So the
share of coloured pixels decides, and a notice says if there are any.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import BoolImage, Notice
from lesionscan.reading.errors import UnreadableFileError

CHANNEL_TOLERANCE = 8 / 255
"""Largest difference between channels that JPEG's rounding of chroma causes, of full scale."""

MOST_COLOURED = 0.05
"""Largest share of coloured pixels in an image that counts as grey. Measured (docs/reading.md):
films with markers and noise have up to 3.3 %, photographs 22 % and more."""

Channels = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """A grey image made from colour channels, and the share of pixels that were coloured."""

    greys: NDArray[Any]
    coloured: float = 0.0


def from_channels(channels: Channels, *, full_scale: float) -> Merged:
    """Convert an array (rows, cols, red green blue) to grey.

    Equal channels are returned unchanged; if they differ, each pixel is their mean.

    Raises
    ------
    UnreadableFileError
        `colour_photograph` if too many pixels are coloured.
    """
    each = np.moveaxis(channels, 2, 0)
    highest, lowest = reduce(np.maximum, each), reduce(np.minimum, each)
    if channels.dtype.kind != "u":  # unsigned integers neither overflow nor need eight bytes each
        highest = highest.astype(np.float64)
    spread = highest - lowest
    if not spread.any():
        return Merged(np.ascontiguousarray(channels[..., 0]))
    coloured = _share(spread > CHANNEL_TOLERANCE * full_scale)
    return Merged(np.asarray(np.mean(channels, axis=2, dtype=np.float32)), coloured)


def from_luma_chroma(channels: Channels, *, full_scale: float) -> Merged:
    """Return the luma of an array (rows, cols, Y Cb Cr).

    Grey is a chroma of half the full scale, rounded up (PS3.3 C.7.6.3.1.2).

    Raises
    ------
    UnreadableFileError
        `colour_photograph` if too many pixels are coloured.
    """
    grey, tolerance = np.ceil(full_scale / 2), CHANNEL_TOLERANCE / 2 * full_scale
    chroma = channels[..., 1:]
    # compared with the limits: computing differences would take sixteen bytes per pixel
    off = (chroma > grey + tolerance) | (chroma < grey - tolerance)
    return Merged(np.ascontiguousarray(channels[..., 0]), _share(off.any(axis=2)))


def _share(coloured: BoolImage) -> float:
    share = float(coloured.mean())
    if share > MOST_COLOURED:
        raise colour_photograph()
    return share


def colour_ignored(share: float) -> Notice:
    """Return the notice about a grey image with a few coloured pixels."""
    percent = max(100 * share, 0.01)
    return notice(
        NoticeCode.COLOUR_IGNORED,
        f"{percent:.2g} % of the pixels are coloured (a marker, or noise); their colour is ignored",
    )


def colour_photograph() -> UnreadableFileError:
    """Return the error for an image whose channels differ."""
    return UnreadableFileError(
        ErrorCode.COLOUR_PHOTOGRAPH,
        "a colour photograph is not a radiograph; if it shows a film (a tinted scan, or a "
        "photograph of a light box), convert it to greyscale, for example with ImageMagick: "
        "magick FILE -colorspace Gray GREY.png",
    )
