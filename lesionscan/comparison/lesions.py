"""One lesion on two registered films -> what became of it, in numbers."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import State
from lesionscan.comparison.change import Change, Size, change_of, size_of
from lesionscan.comparison.edges import bear_out
from lesionscan.comparison.film import ComparedFilm, image_of
from lesionscan.comparison.geometry import (
    Matrix,
    chained,
    inverse,
    moved,
    on_first,
    resizing,
)
from lesionscan.comparison.matching import Group
from lesionscan.comparison.record import NUMBERS, LesionChange
from lesionscan.comparison.registration import Registration
from lesionscan.detection.measurements import Flag
from lesionscan.reporting.conversion import rounded
from lesionscan.results.record import CandidateRecord

_LEAST_SEEN = 0.97
"""Share of a lesion that the other film must show."""


class RegisteredPair:
    """Two registered films, and what is asked of them lesion by lesion."""

    def __init__(
        self, before: ComparedFilm, after: ComparedFilm, registration: Registration
    ) -> None:
        self._films = before, after
        self._matrix, self._fit = registration.matrix, registration.fit
        self._length = math.sqrt(abs(float(np.linalg.det(self._matrix[:, :2]))))
        rows, cols = before.labels.shape
        labels = after.labels.astype(np.float32)
        moved_labels = on_first(labels, self._matrix, (cols, rows), cv2.INTER_NEAREST)
        self.labels_on_first: NDArray[np.uint16] = moved_labels.astype(np.uint16)
        # both films as the first is displayed
        size = before.picture.shape[1], before.picture.shape[0]
        onto = resizing(after.labels.shape, after.picture.shape)
        from_first = resizing(before.picture.shape, before.labels.shape)
        there = chained(onto, chained(self._matrix, from_first))
        self._pictures = (
            before.picture.astype(np.float32),
            on_first(after.picture.astype(np.float32), there, size),
        )

    def change(self, number: int, group: Group) -> LesionChange:
        """Return what became of a lesion."""
        films, ids = self._films, (group.before, group.after)
        found = tuple(_candidates(film, own) for film, own in zip(films, ids, strict=True))
        sizes = tuple(
            size_of(some, image_of(film)) if some else None
            for some, film in zip(found, films, strict=True)
        )
        change = None
        if sizes[0] is not None and sizes[1] is not None:
            change = self._borne_out(change_of(sizes[0], sizes[1], self._fit), found)
        reason = self._doubt(found)
        state = _state(group, change, reason)
        places = self._places(found)
        shown = {one.shown for some in found for one in some}
        return LesionChange(
            number=number,
            state=state.value,
            reason=reason,
            before_ids=group.before,
            after_ids=group.after,
            looked_up=bool(found[0] and found[1]) and shown == {True, False},
            centroid_before_px=places[0],
            centroid_after_px=places[1],
            **self._numbers(sizes[0], sizes[1], change),
        )

    def _borne_out(self, change: Change, found: Sequence[Sequence[CandidateRecord]]) -> Change:
        """Return a change; where the films do not bear it out, it is uncertain as a whole."""
        if change.state is State.STABLE or max(map(len, found)) > 1:
            return change
        before = self._films[0]
        onto = resizing(before.labels.shape, before.picture.shape)
        maps = onto, chained(onto, inverse(self._matrix))
        first, second = (
            moved(matrix, np.array(some[0].contour_px, np.float64))
            for matrix, some in zip(maps, found, strict=True)
        )
        if bear_out(self._pictures, (first, second)):
            return change
        return replace(change, outline=max(change.outline, abs(change.ratio)))

    def _doubt(self, found: Sequence[Sequence[CandidateRecord]]) -> str | None:
        """Return why a lesion cannot be compared, or None."""
        if any(Flag.TOUCHES_IMAGE_BORDER in one.flags for some in found for one in some):
            return "it reaches the border of a film"
        for some, other, matrix in (
            (found[0], self._films[1], self._matrix),
            (found[1], self._films[0], inverse(self._matrix)),
        ):
            if any(_seen(one, other, matrix) < _LEAST_SEEN for one in some):
                return "the other film does not show all of its place"
        return None

    def _places(
        self, found: Sequence[Sequence[CandidateRecord]]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return where a lesion lies on both films, or would lie."""
        centres = [_centroid(some) if some else None for some in found]
        if centres[0] is None and centres[1] is not None:
            centres[0] = moved(inverse(self._matrix), centres[1][None])[0]
        if centres[1] is None and centres[0] is not None:
            centres[1] = moved(self._matrix, centres[0][None])[0]
        first, second = (np.zeros(2) if at is None else at for at in centres)
        return (
            (rounded(first[0]), rounded(first[1])),
            (rounded(second[0]), rounded(second[1])),
        )

    def _numbers(
        self, before: Size | None, after: Size | None, change: Change | None
    ) -> dict[str, float | None]:
        """Return sizes and changes by their names in the record; None where they do not exist."""
        known: dict[str, float | None] = dict.fromkeys(NUMBERS)
        spacing, other = (image_of(film).spacing_mm for film in self._films)
        mm = None if spacing is None or other is None else math.sqrt(math.prod(spacing))
        if before is not None:
            known |= {
                "area_before_px": before.area_px,
                "area_before_mm2": before.area_mm2,
                "diameter_before_px": before.diameter_px,
                "diameter_before_mm": before.diameter_mm,
                "feret_before_px": before.feret_px,
            }
        if after is not None:
            length = self._length
            diameter, feret = after.diameter_px / length, after.feret_px
            known |= {
                "area_after_px": after.area_px,
                "area_after_mm2": after.area_mm2,
                "diameter_after_px": diameter,
                "diameter_after_mm": None if mm is None else diameter * mm,
                "feret_after_px": None if feret is None else feret / length,
            }
        if before is not None and after is not None and change is not None:
            known |= _changes(before, after, change, self._length, mm)
        return {name: None if value is None else rounded(value) for name, value in known.items()}


def _changes(
    before: Size, after: Size, change: Change, length: float, mm: float | None
) -> dict[str, float | None]:
    """Return the changes by their names in the record.

    Parameters
    ----------
    before, after, change
        Sizes on the two films, and the change of the diameter.
    length
        Magnification, in pixels.
    mm
        Side of a pixel of the first film in mm; None where a spacing is missing.
    """
    area = after.area_px / length**2 - before.area_px
    diameter = after.diameter_px / length - before.diameter_px
    feret = None
    if before.feret_px is not None and after.feret_px is not None:
        feret = 100.0 * (after.feret_px / length / before.feret_px - 1.0)
    return {
        "area_change_px": area,
        "area_change_mm2": None if mm is None else area * mm**2,
        "area_change_percent": 100.0 * area / before.area_px,
        "diameter_change_px": diameter,
        "diameter_change_mm": None if mm is None else diameter * mm,
        "diameter_change_percent": 100.0 * math.expm1(change.ratio),
        "feret_change_percent": feret,
        "diameter_uncertainty_percent": 100.0 * math.expm1(change.uncertainty),
        "outline_uncertainty_percent": 100.0 * math.expm1(change.outline),
        "registration_uncertainty_percent": 100.0 * math.expm1(change.registration),
    }


def _state(group: Group, change: Change | None, reason: str | None) -> State:
    if reason is not None:
        return State.NOT_COMPARABLE
    if change is None:
        return State.GONE if group.before else State.NEW
    if len(group.before) > 1:
        return State.MERGED
    if len(group.after) > 1:
        return State.SPLIT
    return change.state


def _candidates(film: ComparedFilm, ids: Sequence[int]) -> list[CandidateRecord]:
    by_id = {one.id: one for one in film.record.candidates}
    return [by_id[number] for number in ids]


def _centroid(candidates: Sequence[CandidateRecord]) -> NDArray[np.float64]:
    """Return the mean (row, column) of candidates, weighted by their areas."""
    areas = np.array([one.area_px for one in candidates])
    places = np.array([one.centroid_px for one in candidates])
    return np.asarray((places * areas[:, None]).sum(axis=0) / areas.sum())


def _seen(candidate: CandidateRecord, other: ComparedFilm, matrix: Matrix) -> float:
    """Return the share of a candidate's outline that the other film shows."""
    at = moved(matrix, np.array(candidate.contour_px, np.float64))
    image = image_of(other)
    scale = np.array(other.field.shape) / np.array([image.rows, image.columns])
    places = np.rint((at + 0.5) * scale - 0.5).astype(int)
    inside = ((places >= 0) & (places < other.field.shape)).all(axis=1)
    rows, cols = places[inside].T
    return float(np.count_nonzero(other.field[rows, cols]) / len(places))
