"""Place number tags beside outlines: on the film, but not on candidates or other tags."""

import math
from collections.abc import Sequence
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.reporting.drawing import AMBER, HALO, text_size, write_text

# upper right first, as in a drawing, then around; near before far
_ANGLES_DEG = (-45, 45, -135, 135, 0, 180, -90, 90, -22, 22, -67, 67, -112, 112, -157, 157)
_DISTANCES = (0.4, 1.2, 2.4, 4.0, 6.0, 9.0, 14.0)


def place_tags(
    canvas: NDArray[np.uint8],
    *,
    taken: NDArray[np.uint8],
    outlines: Sequence[NDArray[np.int32]],
    texts: Sequence[str],
    height_px: int,
) -> None:
    """Draw a number beside each outline, with a leader line if it is not adjacent.

    Parameters
    ----------
    canvas
        uint8 (rows, cols, 3), drawn on in place.
    taken
        uint8 (rows, cols), not 0 where no tag may be placed; tags are added to it.
    outlines
        For each tag, int32 (n, 2), the outline's (column, row) points in display pixels.
    texts
        The text of each tag.
    height_px
        Height of a capital, in display pixels.
    """
    for points, text in zip(outlines, texts, strict=True):
        width, height = text_size(text, height_px)
        pad = max(2, height_px // 4)
        box = (width + 2 * pad, height + 2 * pad)
        left, top = _free_place(points, box, taken, height_px)
        right, bottom = left + box[0], top + box[1]
        _leader(canvas, points, (left, top, right, bottom), height_px)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), HALO, -1)
        origin = (left + pad, bottom - pad - 1)
        write_text(canvas, text, origin, height_px, AMBER)
        taken[max(0, top) : bottom, max(0, left) : right] = 255


def _free_place(
    points: NDArray[np.int32], box: tuple[int, int], taken: NDArray[np.uint8], unit: int
) -> tuple[int, int]:
    """Return the (left, top) corner of the nearest free box beside the outline."""
    rows, columns = taken.shape
    width, height = box
    first, last = points.min(axis=0), points.max(axis=0)
    middle, half = (first + last) / 2, (last - first) / 2
    for distance, angle in product(_DISTANCES, _ANGLES_DEG):
        direction = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
        # the box touches the outline's bounding box, then moves outwards by `distance` letters
        reach = half + np.array([width, height]) / 2
        out = direction / max(abs(direction)) * reach + direction * distance * unit
        left, top = (int(v) for v in np.rint(middle + out - np.array([width, height]) / 2))
        inside = left >= 0 and top >= 0 and left + width <= columns and top + height <= rows
        if inside and not taken[top : top + height, left : left + width].any():
            return left, top
    # if the film is crowded, the number is drawn over something rather than outside the film
    left = int(np.clip(last[0], 0, max(0, columns - width)))
    return left, int(np.clip(first[1], 0, max(0, rows - height)))


def _leader(
    canvas: NDArray[np.uint8],
    points: NDArray[np.int32],
    box: tuple[int, int, int, int],
    unit: int,
) -> None:
    """Draw a line from the box to the outline's nearest point unless they nearly touch."""
    left, top, right, bottom = box
    nearest_in_box = np.clip(points, (left, top), (right - 1, bottom - 1))
    gaps = np.hypot(*(points - nearest_in_box).T)
    best = int(gaps.argmin())
    if gaps[best] <= 1.2 * unit:
        return
    start = (int(nearest_in_box[best, 0]), int(nearest_in_box[best, 1]))
    end = (int(points[best, 0]), int(points[best, 1]))
    cv2.line(canvas, start, end, HALO, 3, cv2.LINE_AA)
    cv2.line(canvas, start, end, AMBER, 1, cv2.LINE_AA)
