"""Draw the strip under a film: counts, signs of the best candidate, scale bar, disclaimer.

It contains nothing that identifies the file.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.score import Candidate
from lesionscan.detection.signs import Speaks
from lesionscan.reporting.drawing import INK, STRIP, broken, text_height, text_size, write_text
from lesionscan.results.record import CandidateRecord, ImageRecord, ResultRecord

NARROWEST_PX = 480
"""Least width of the strip, for its text to fit; narrower films get black margins."""

_MOST_SIGNS = 3
"""Most signs listed under a film; the JSON and the page have all."""
MARKS: Mapping[Speaks, str] = {"for": "+", "against": "-", "neither": ""}

_PLANES = {
    "patient": "in the patient",
    "detector": "at the detector",
    "film": "on the film",
    "undetermined": "plane not stated",
}


def caption_words(
    candidates: Sequence[Candidate | CandidateRecord], *, assessed: bool
) -> tuple[str, ...]:
    """Return the phrases of the strip, most important first.

    Parameters
    ----------
    candidates
        All listed candidates.
    assessed
        Whether the film was searched.
    """
    count = len(candidates)
    shown = sum(candidate.shown for candidate in candidates)
    found = f"{count} candidate{'' if count == 1 else 's'} ({shown} shown)"
    if not assessed:
        found = "not assessed: bone mask confidence low"
    return (found, "research use only, not a diagnosis")


def reason_words(candidates: Sequence[Candidate | CandidateRecord]) -> str:
    """Return the signs of the best shown candidate, + for a lesion and - against; "" if none."""
    for candidate in candidates[:1]:
        if candidate.shown:
            return f"{candidate.id}:  {reasons_of(candidate)}"
    return ""


def reasons_of(candidate: Candidate | CandidateRecord, *, most: int = _MOST_SIGNS) -> str:
    """Return the signs of a candidate, with + for a lesion and - against.

    Parameters
    ----------
    candidate
        The candidate.
    most
        Most signs.
    """
    return "   ".join(
        f"{MARKS[sign.speaks]} {sign.text}".strip() for sign in candidate.signs[:most]
    )


def scale_bar(image: ImageRecord, scale: float, longest_px: float) -> tuple[float, str] | None:
    """Choose a round length for the scale bar.

    Parameters
    ----------
    image
        The picture; its column spacing is used, since the bar is horizontal.
    scale
        Display pixels per stored pixel.
    longest_px
        Greatest length of the bar, in display pixels.

    Returns
    -------
    tuple or None
        Length in display pixels and label, e.g. (118.2, "20 mm at the detector"); None if 1 mm is
        too long, or without spacing.
    """
    if image.spacing_mm is None or image.spacing_plane is None:
        return None
    px_per_mm = scale / image.spacing_mm[1]
    for length_mm in (100, 50, 20, 10, 5, 2, 1):
        if length_mm * px_per_mm <= longest_px:
            return length_mm * px_per_mm, f"{length_mm} mm {_PLANES[image.spacing_plane]}"
    return None


def add_caption(film: NDArray[np.uint8], record: ResultRecord, scale: float) -> NDArray[np.uint8]:
    """Return the film with the strip under it.

    Parameters
    ----------
    film
        uint8 (rows, cols, 3), blue-green-red.
    record
        The film's result.
    scale
        Display pixels per stored pixel, along a row.
    """
    rows, columns = film.shape[:2]
    width = max(columns, NARROWEST_PX)
    height = text_height(rows, columns)
    pad = height
    assessed = record.bone is not None and record.bone.assessed
    words = caption_words(record.candidates, assessed=assessed)
    lines = _wrap(words, width - 2 * pad, height)
    lines += broken(reason_words(record.candidates), width - 2 * pad, height)
    bar = None if record.image is None else scale_bar(record.image, scale, 0.3 * width)
    strip_rows = pad + (len(lines) + (bar is not None)) * 2 * height + pad // 2
    canvas = np.zeros((rows + strip_rows, width, 3), np.uint8)
    left = (width - columns) // 2
    canvas[:rows, left : left + columns] = film
    canvas[rows:] = STRIP
    baseline = rows + pad + height
    for line in lines:
        write_text(canvas, line, (pad, baseline), height, INK)
        baseline += 2 * height
    if bar is not None:
        _draw_bar(canvas, bar, (pad, baseline), height)
    return canvas


def _wrap(words: tuple[str, ...], width: int, height: int) -> tuple[str, ...]:
    joined = "   |   ".join(words)
    return (joined,) if text_size(joined, height)[0] <= width else words


def _draw_bar(
    canvas: NDArray[np.uint8], bar: tuple[float, str], origin: tuple[int, int], height: int
) -> None:
    length, words = round(bar[0]), bar[1]
    left, baseline = origin
    middle, tick = baseline - height // 2, height // 2
    cv2.line(canvas, (left, middle), (left + length, middle), INK, 2)
    for end in (left, left + length):
        cv2.line(canvas, (end, middle - tick), (end, middle + tick), INK, 2)
    write_text(canvas, words, (left + length + height, baseline), height, INK)
