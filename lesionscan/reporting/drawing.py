"""Colours and text shared by all pictures; colours are (blue, green, red), as in OpenCV."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage

# Amber of the IBM colour-blind-safe palette, #FFB000: lighter than dark film, more saturated than
# bone, and visible on white with its dark halo.
AMBER = (0, 176, 255)
HALO = (16, 12, 10)
STRIP = (28, 24, 20)
INK = (225, 225, 225)
LEFT_OUT = (150, 60, 20)
# Blue of the same palette, #648FFF, for everything of second rank.
BLUE = (255, 143, 100)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# At scale 1 the capitals of this font are 21 to 22 pixels high.
_CAPITAL_PX = 21.5


def text_height(rows: int, columns: int) -> int:
    """Return the height of a capital for a canvas of `rows` x `columns` display pixels."""
    return round(max(rows, columns) / 90) + 3


def text_size(text: str, height: int) -> tuple[int, int]:
    """Return (width, height) of a text whose capitals are `height` display pixels high."""
    (width, tall), _ = cv2.getTextSize(text, _FONT, height / _CAPITAL_PX, _stroke(height))
    return int(width), int(tall)


def write_text(
    canvas: NDArray[np.uint8],
    text: str,
    origin: tuple[int, int],
    height: int,
    colour: tuple[int, int, int],
) -> None:
    """Write on a canvas, in place.

    Parameters
    ----------
    canvas
        uint8 (rows, cols, 3).
    text
        ASCII.
    origin
        Left end of the baseline, (column, row) in display pixels.
    height
        Height of a capital in display pixels.
    colour
        (blue, green, red).
    """
    scale = height / _CAPITAL_PX
    cv2.putText(canvas, text, origin, _FONT, scale, colour, _stroke(height), cv2.LINE_AA)


def broken(text: str, width: int, height: int) -> tuple[str, ...]:
    """Break a text at its spaces into lines of at most `width` display pixels."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_size(longer, height)[0] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(line.strip() for line in lines if line.strip())


def tinted(
    picture: NDArray[np.uint8], where: BoolImage, colour: tuple[int, int, int], share: float
) -> NDArray[np.uint8]:
    """Return a blue-green-red picture with a tint, under which its greys stay visible.

    Parameters
    ----------
    picture
        uint8 (rows, cols, 3).
    where
        bool (rows, cols).
    colour
        (blue, green, red).
    share
        Opacity of the colour there, 0 to 1.
    """
    mixed = ((1 - share) * picture + share * np.array(colour)).astype(np.uint8)
    return np.where(where[..., None], mixed, picture)


def titled(picture: NDArray[np.uint8], lines: Sequence[str], height: int) -> NDArray[np.uint8]:
    """Put lines of text above a picture, and a frame around both.

    Pictures of equal size give results of equal size: text that would be cut off is made smaller,
    but its strip is not.

    Parameters
    ----------
    picture
        uint8, grey (rows, cols) or blue-green-red (rows, cols, 3).
    lines
        ASCII.
    height
        Greatest height of a capital in display pixels.
    """
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
    columns = picture.shape[1]
    strip = np.full(((2 * len(lines) + 1) * height, columns, 3), STRIP, np.uint8)
    for number, line in enumerate(lines, start=1):
        fitting = height
        while fitting > 3 and text_size(line, fitting)[0] > columns - 4:
            fitting -= 1
        write_text(strip, line, (3, 2 * number * height), fitting, INK)
    framed = cv2.copyMakeBorder(
        np.vstack([strip, picture]), 0, 1, 1, 1, cv2.BORDER_CONSTANT, value=STRIP
    )
    return np.asarray(framed, np.uint8)


def _stroke(height: int) -> int:
    return max(1, round(height / 10))
