"""Two films -> what became of each lesion, as a record, and what a picture of it needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan import __version__
from lesionscan.codes import RefusalCode, State
from lesionscan.comparison.change import Change, Size, change_of, size_of
from lesionscan.comparison.film import ComparedFilm
from lesionscan.comparison.geometry import (
    Matrix,
    Picture,
    chained,
    inverse,
    moved,
    on_first,
    resizing,
)
from lesionscan.comparison.matching import Group, Overlaps, groups_of
from lesionscan.comparison.record import (
    ComparedFilmRecord,
    ComparisonRecord,
    LesionChange,
    RegistrationRecord,
)
from lesionscan.comparison.refusal import RefusedPairError, check_fit, check_headers
from lesionscan.comparison.registration import Registration, register
from lesionscan.detection.measurements import Flag
from lesionscan.reporting.conversion import rounded
from lesionscan.results.record import CandidateRecord, ImageRecord

_LEAST_LISTED = 0.05
"""Least score of a listed candidate that is looked up."""
_LEAST_SEEN = 0.97
"""Share of a lesion that the other film must show."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    record
        What is written.
    before, after
        The films.
    matrix
        From stored pixels of the first film to stored pixels of the second.
    """

    record: ComparisonRecord
    before: ComparedFilm
    after: ComparedFilm
    matrix: Matrix


def compare(
    before: ComparedFilm,
    after: ComparedFilm,
    *,
    ignore_headers: bool = False,
    settings_sha256: str = "",
) -> Comparison:
    """Compare the lesions of two films of the same bones.

    Parameters
    ----------
    before, after
        The films, the earlier one first.
    ignore_headers
        Whether films are compared whose headers name different body parts, views or sides.
    settings_sha256
        What the record says that it was made of and with.

    Raises
    ------
    RefusedPairError
        When the films do not show the same bones in the same way, or bones cannot be seen.
    """
    if not ignore_headers:
        check_headers(before.record.acquisition, after.record.acquisition)
    for film in (before, after):
        if film.record.bone is None or not film.record.bone.assessed:
            raise RefusedPairError(
                RefusalCode.NO_BONE,
                "no bone could be outlined with confidence on a film; look at its result",
            )
    registration = _registered(before, after)
    matrix, pair = registration.matrix, _Pair(before, after, registration)
    overlaps = Overlaps.of(before.labels, pair.labels_on_first)
    groups = groups_of(
        overlaps,
        (_ids(before, shown=True), _ids(after, shown=True)),
        (_ids(before, shown=False), _ids(after, shown=False)),
    )
    lesions = tuple(pair.change(number, group) for number, group in enumerate(groups, start=1))
    record = ComparisonRecord(
        version=__version__,
        settings_sha256=settings_sha256,
        status="ok",
        error=None,
        before=film_record(before),
        after=film_record(after),
        registration=_registration_record(registration, before, after),
        lesions=lesions,
    )
    return Comparison(record, before, after, matrix)


def film_record(film: ComparedFilm) -> ComparedFilmRecord:
    """Return what a comparison says of one of its films."""
    image, record = image_of(film), film.record
    return ComparedFilmRecord(
        name=record.name,
        sha256=record.input.sha256,
        rows=image.rows,
        columns=image.columns,
        spacing_mm=image.spacing_mm,
        shown=sum(one.shown for one in record.candidates),
    )


def image_of(film: ComparedFilm) -> ImageRecord:
    """Return the picture's facts of a film that was read."""
    image = film.record.image
    if image is None:
        raise ValueError("a film that failed cannot be compared")
    return image


def square_picture(film: ComparedFilm) -> tuple[Picture, Matrix]:
    """Return a film on square pixels, and where its stored pixels lie there."""
    rows, cols = film.picture.shape
    size = (
        max(1, round(cols * max(1.0, 1.0 / film.pixel_aspect))),
        max(1, round(rows * max(1.0, film.pixel_aspect))),
    )
    grey, field, bone = (
        cv2.resize(array, size, interpolation=cv2.INTER_AREA)
        for array in (film.picture, film.field.view(np.uint8), film.bone.view(np.uint8))
    )
    picture = Picture(np.asarray(grey / np.float32(255.0), np.float32), bone > 0, field > 0)
    return picture, resizing(film.bone.shape, (size[1], size[0]))


def _registered(before: ComparedFilm, after: ComparedFilm) -> Registration:
    """Register two films, stored pixels to stored pixels.

    Raises
    ------
    RefusedPairError
        When they do not fit.
    """
    (first, onto_first), (second, onto_second) = square_picture(before), square_picture(after)
    found = register(first, second)
    try:
        if found is None:
            raise RefusedPairError(
                RefusalCode.LITTLE_COMMON_BONE,
                "the films have too little bone in common; compare films of the same place",
            )
        check_fit(found.fit)
    except RefusedPairError:
        if _fits_flipped(first, second):
            raise RefusedPairError(
                RefusalCode.FLIPPED,
                "one film is the mirror image of the other; flip it, or compare films of one side",
            ) from None
        raise
    whole = chained(inverse(onto_second), chained(found.matrix, onto_first))
    return Registration(whole, found.fit)


def _fits_flipped(first: Picture, second: Picture) -> bool:
    flipped = Picture(
        *(np.ascontiguousarray(part[:, ::-1]) for part in (second.grey, second.bone, second.field))
    )
    found = register(first, flipped)
    if found is None:
        return False
    try:
        check_fit(found.fit)
    except RefusedPairError:
        return False
    return True


def _ids(film: ComparedFilm, *, shown: bool) -> list[int]:
    return [
        one.id
        for one in film.record.candidates
        if one.shown is shown and (shown or one.score >= _LEAST_LISTED)
    ]


def _registration_record(
    registration: Registration, before: ComparedFilm, after: ComparedFilm
) -> RegistrationRecord:
    fit, matrix = registration.fit, registration.matrix
    first, second = image_of(before), image_of(after)
    length = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    in_mm = None
    if first.spacing_mm is not None and second.spacing_mm is not None:
        in_mm = length * math.sqrt(math.prod(second.spacing_mm) / math.prod(first.spacing_mm))
    rows = [tuple(rounded(value) for value in row) for row in matrix]
    return RegistrationRecord(
        matrix=((rows[0][0], rows[0][1], rows[0][2]), (rows[1][0], rows[1][1], rows[1][2])),
        overlap=rounded(fit.overlap),
        common_bone=rounded(fit.common_bone),
        correlation=rounded(fit.correlation),
        matched_blocks=rounded(fit.matched_blocks),
        residual_px=rounded(fit.residual * max(first.rows, first.columns)),
        magnification=rounded(length),
        magnification_error=rounded(fit.magnification_error),
        magnification_mm=None if in_mm is None else rounded(in_mm),
        turn_deg=rounded(fit.turn_deg),
    )


class _Pair:
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
            change = change_of(sizes[0], sizes[1], self._fit)
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
        length = self._length
        spacing = image_of(self._films[0]).spacing_mm
        mm = None if spacing is None else math.sqrt(math.prod(spacing))
        has_mm = mm is not None and image_of(self._films[1]).spacing_mm is not None
        later_px = None if after is None else after.diameter_px / length
        known: dict[str, float | None] = {
            "area_before_px": before and before.area_px,
            "area_after_px": after and after.area_px,
            "area_before_mm2": before and before.area_mm2,
            "area_after_mm2": after and after.area_mm2,
            "diameter_before_px": before and before.diameter_px,
            "diameter_after_px": later_px,
            "diameter_before_mm": before and before.diameter_mm,
            "diameter_after_mm": later_px * mm if later_px and mm and has_mm else None,
            "feret_before_px": before and before.feret_px,
            "feret_after_px": after.feret_px / length if after and after.feret_px else None,
        }
        known |= dict.fromkeys(_CHANGES)
        if before is not None and after is not None and change is not None and later_px:
            area = after.area_px / length**2 - before.area_px
            diameter = later_px - before.diameter_px
            feret = known["feret_after_px"]
            known |= {
                "area_change_px": area,
                "area_change_mm2": area * mm**2 if mm and has_mm else None,
                "area_change_percent": 100.0 * area / before.area_px,
                "diameter_change_px": diameter,
                "diameter_change_mm": diameter * mm if mm and has_mm else None,
                "diameter_change_percent": 100.0 * math.expm1(change.ratio),
                "feret_change_percent": 100.0 * (feret / before.feret_px - 1.0)
                if feret and before.feret_px
                else None,
                "diameter_uncertainty_percent": 100.0 * math.expm1(change.uncertainty),
                "outline_uncertainty_percent": 100.0 * math.expm1(change.outline),
                "registration_uncertainty_percent": 100.0 * math.expm1(change.registration),
            }
        return {name: None if value is None else rounded(value) for name, value in known.items()}


_CHANGES = (
    "area_change_px",
    "area_change_mm2",
    "area_change_percent",
    "diameter_change_px",
    "diameter_change_mm",
    "diameter_change_percent",
    "feret_change_percent",
    "diameter_uncertainty_percent",
    "outline_uncertainty_percent",
    "registration_uncertainty_percent",
)


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
