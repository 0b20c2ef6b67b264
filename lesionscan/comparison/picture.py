"""Picture of a comparison: both films side by side and blended, with outlines and text.

The second film is warped to the first. Nothing in the picture identifies a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import State
from lesionscan.comparison.compare import Comparison
from lesionscan.comparison.film import ComparedFilm
from lesionscan.comparison.geometry import (
    Matrix,
    composed,
    inverse,
    moved,
    resize_matrix,
    warped_to_first,
)
from lesionscan.comparison.record import Contour, LesionChange
from lesionscan.png import encode_png
from lesionscan.reporting.drawing import (
    AMBER,
    BLUE,
    INK,
    STRIP,
    broken,
    text_height,
    titled,
    write_text,
)
from lesionscan.reporting.overlay import draw_candidates
from lesionscan.results.record import DISCLAIMER

_PANEL_PX = 1000
"""Long side of each of the three panels."""
_MAX_LESIONS = 12
"""Number of lesions listed below the films; the JSON has all."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Both films on one grid, that of the first film at the size of a panel.

    Attributes
    ----------
    before, after
        uint8 (rows, cols); the second film is 0 outside its border.
    outlines
        For each lesion, its outlines on the first and on the second film, each float64 (n, 2),
        (row, column) on this grid.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    outlines: tuple[tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]], ...]


def views_of(comparison: Comparison, *, long_side_px: int = _PANEL_PX) -> Views:
    """Resample both films to one grid.

    Parameters
    ----------
    comparison
        The comparison.
    long_side_px
        Long side of the grid.
    """
    before, after = comparison.before, comparison.after
    rows, cols = before.picture.shape
    rows, cols = (
        round(rows * max(1.0, before.pixel_aspect)),
        round(cols * max(1.0, 1.0 / before.pixel_aspect)),
    )
    factor = long_side_px / max(rows, cols)
    size = (max(1, round(cols * factor)), max(1, round(rows * factor)))
    shape = (size[1], size[0])
    from_first = resize_matrix(before.labels.shape, shape)
    onto_picture = resize_matrix(after.labels.shape, after.picture.shape)
    there = composed(onto_picture, composed(comparison.matrix, inverse(from_first)))
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    second = warped_to_first(after.picture.astype(np.float32), there, size)
    back = composed(from_first, inverse(comparison.matrix))
    outlines = tuple(
        (
            _outlines(before, lesion.contour_before_px, lesion.before_ids, from_first),
            _outlines(after, lesion.contour_after_px, lesion.after_ids, back),
        )
        for lesion in comparison.record.lesions
    )
    first = np.asarray(cv2.resize(before.picture, size, interpolation=smooth), np.uint8)
    return Views(first, np.asarray(np.rint(second), np.uint8), outlines)


def _outlines(
    film: ComparedFilm, compared: Contour | None, ids: Sequence[int], matrix: Matrix
) -> list[NDArray[np.float64]]:
    """Return the compared outline, or those of the candidates if there is none."""
    contours: list[Sequence[tuple[float, float]]] = [] if compared is None else [compared]
    if compared is None:
        by_id = {one.id: one for one in film.record.candidates}
        contours += [by_id[number].contour_px for number in ids]
    return [moved(matrix, np.array(contour, np.float64)) for contour in contours]


def comparison_png(comparison: Comparison) -> bytes:
    """Draw both films side by side and blended, as PNG."""
    views = views_of(comparison)
    lesions = comparison.record.lesions
    height = text_height(*views.before.shape)
    numbers = [str(one.number) for one in lesions]
    panels = []
    for title, film, side, colour in (
        ("first film", views.before, 0, AMBER),
        ("second film, laid on the first", views.after, 1, BLUE),
    ):
        canvas = np.asarray(cv2.cvtColor(film, cv2.COLOR_GRAY2BGR), np.uint8)
        _draw(canvas, views, side, numbers, colour)
        panels.append(titled(canvas, [title], height))
    blended = np.asarray(
        cv2.cvtColor(cv2.addWeighted(views.before, 0.5, views.after, 0.5, 0.0), cv2.COLOR_GRAY2BGR),
        np.uint8,
    )
    _draw(blended, views, 0, numbers, AMBER)
    _draw(blended, views, 1, None, BLUE)
    panels.append(titled(blended, ["both: first amber, second blue"], height))
    return encode_png(_with_words(np.hstack(panels), lesions, height))


def _draw(
    canvas: NDArray[np.uint8],
    views: Views,
    side: int,
    numbers: Sequence[str] | None,
    colour: tuple[int, int, int],
) -> None:
    drawn = [
        (np.rint(outline).astype(np.int32), "" if numbers is None else numbers[place])
        for place, outlines in enumerate(views.outlines)
        for outline in outlines[side]
    ]
    if not drawn:
        return
    contours, texts = zip(*drawn, strict=True)
    if numbers is None:
        for contour in contours:
            points = np.ascontiguousarray(contour[:, ::-1]).reshape(-1, 1, 2)
            cv2.polylines(canvas, [points], isClosed=True, color=colour, lineType=cv2.LINE_AA)
        return
    draw_candidates(canvas, list(contours), (1.0, 1.0), list(texts), colour)


def _with_words(
    picture: NDArray[np.uint8], lesions: Sequence[LesionChange], height: int
) -> NDArray[np.uint8]:
    """Append a strip of text below the panels, with one line per lesion."""
    texts = [words_of(one) for one in lesions[:_MAX_LESIONS]] or [
        "no lesion is shown on either film"
    ]
    if len(lesions) > _MAX_LESIONS:
        texts.append(f"and {len(lesions) - _MAX_LESIONS} more")
    width = picture.shape[1]
    lines = [line for text in (*texts, DISCLAIMER) for line in broken(text, width - 20, height)]
    strip = np.full(((2 * len(lines) + 1) * height, width, 3), STRIP, np.uint8)
    for number, line in enumerate(lines, start=1):
        write_text(strip, line, (10, 2 * number * height), height, INK)
    return np.vstack([picture, strip])


def words_of(lesion: LesionChange) -> str:
    """Describe the change of a lesion in one line of ASCII."""
    words = f"{lesion.number}: {lesion.state.replace('_', ' ')}"
    if lesion.reason is not None:
        return f"{words} ({lesion.reason})"
    change, doubt = lesion.diameter_change_percent, lesion.diameter_uncertainty_percent
    if change is None or doubt is None:
        has_changed = lesion.state in (State.GROWN, State.SHRUNK)
        return f"{words}, by an unknown amount" if has_changed else words
    first, second, unit = lesion.diameter_before_mm, lesion.diameter_after_mm, "mm"
    if first is None or second is None:
        first, second, unit = lesion.diameter_before_px, lesion.diameter_after_px, "px"
    sizes = "" if first is None or second is None else f", {first:.1f} to {second:.1f} {unit}"
    looked_up = ", below the shown score on one film" if lesion.looked_up else ""
    return f"{words}, diameter {change:+.0f} % (uncertainty {doubt:.0f} %){sizes}{looked_up}"
