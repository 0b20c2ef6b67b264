"""Colour channels -> grey: a film with a few coloured pixels is a film, a photograph is none.

Scanned and exported films often hold a coloured marker, and JPEG gives noise a colour. So the share
of coloured pixels decides, and where there are some, a notice says so.
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
"""Largest difference between colour channels, of full scale, that JPEG's chroma rounding makes."""

MOST_COLOURED = 0.05
"""Share of coloured pixels up to which a picture is a grey one with colour on it (measured, see
docs/reading.md): films with markers and noise have up to 2 %, photographs 22 % and more."""

Channels = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The one grey picture that channels make, and the share of pixels that were coloured."""

    greys: NDArray[Any]
    coloured: float = 0.0


def from_channels(channels: Channels, *, full_scale: float) -> Merged:
    """Make one grey picture of an array (rows, cols, red green blue).

    Equal channels come back unchanged; where they differ, each pixel is their mean.

    Raises
    ------
    UnreadableFileError
        `colour_photograph` where too many pixels are coloured.
    """
    each = np.moveaxis(channels, 2, 0)
    highest, lowest = reduce(np.maximum, each), reduce(np.minimum, each)
    if channels.dtype.kind != "u":  # unsigned ones neither overflow nor need eight bytes each
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
        `colour_photograph` where too many pixels are coloured.
    """
    grey, tolerance = np.ceil(full_scale / 2), CHANNEL_TOLERANCE / 2 * full_scale
    chroma = channels[..., 1:]
    # compared with the ends: a difference for each pixel would take sixteen bytes
    off = (chroma > grey + tolerance) | (chroma < grey - tolerance)
    return Merged(np.ascontiguousarray(channels[..., 0]), _share(off.any(axis=2)))


def _share(coloured: BoolImage) -> float:
    share = float(coloured.mean())
    if share > MOST_COLOURED:
        raise colour_photograph()
    return share


def colour_ignored(share: float) -> Notice:
    """Return the notice about a grey picture with a few coloured pixels."""
    percent = max(100 * share, 0.01)
    return notice(
        NoticeCode.COLOUR_IGNORED,
        f"{percent:.2g} % of the pixels are coloured (a marker, or noise); their colour is ignored",
    )


def colour_photograph() -> UnreadableFileError:
    """Return the error for a picture whose channels differ."""
    return UnreadableFileError(
        ErrorCode.COLOUR_PHOTOGRAPH,
        "a colour photograph is not a radiograph; if it shows a film (a tinted scan, or a "
        "photograph of a light box), convert it to greyscale, for example with ImageMagick: "
        "magick FILE -colorspace Gray GREY.png",
    )
