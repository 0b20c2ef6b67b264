"""Colours and letters that all pictures share; colours in OpenCV's (blue, green, red)."""

import cv2
import numpy as np
from numpy.typing import NDArray

# Amber of the IBM colour-blind-safe palette, #FFB000: lighter than dark film, more saturated than
# bone, and its dark halo holds it on white.
AMBER = (0, 176, 255)
HALO = (16, 12, 10)
STRIP = (28, 24, 20)
INK = (225, 225, 225)

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


def _stroke(height: int) -> int:
    return max(1, round(height / 10))
