"""Compare two films: register them, pair their candidates and record the changes."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lesionscan import __version__
from lesionscan.codes import RefusalCode
from lesionscan.comparison.film import ComparedFilm, image_of
from lesionscan.comparison.geometry import (
    Matrix,
    Picture,
    area_ratio,
    composed,
    inverse,
    resize_matrix,
)
from lesionscan.comparison.lesions import RegisteredPair
from lesionscan.comparison.matching import Overlaps, groups_of
from lesionscan.comparison.record import (
    ComparedFilmRecord,
    ComparisonRecord,
    RegistrationRecord,
)
from lesionscan.comparison.refusal import RefusedPairError, check_fit, check_headers
from lesionscan.comparison.registration import Registration, register
from lesionscan.reporting.conversion import rounded

COMPARISON = 4
"""Version of the comparison. Comparisons made by another version are not reused."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Result of a comparison.

    Attributes
    ----------
    record
        The JSON record.
    before, after
        The films.
    matrix
        Maps stored pixels of the first film to stored pixels of the second.
    """

    record: ComparisonRecord
    before: ComparedFilm
    after: ComparedFilm
    matrix: Matrix


def compare_films(
    before: ComparedFilm,
    after: ComparedFilm,
    *,
    ignore_headers: bool = False,
    made_of_sha256: str = "",
) -> Comparison:
    """Compare the lesions of two films of the same bones.

    Parameters
    ----------
    before, after
        The films, the earlier one first.
    ignore_headers
        Whether to compare films whose headers name different body parts, views or sides.
    made_of_sha256
        Hash of all inputs, stored in the record.

    Raises
    ------
    RefusedPairError
        If the films do not show the same bones in the same view, or no bone was found.
    """
    if not ignore_headers:
        check_headers(before.record.acquisition, after.record.acquisition)
    for film in (before, after):
        if film.record.bone is None or not film.record.bone.assessed:
            raise RefusedPairError(
                RefusalCode.NO_BONE,
                "bone could not be found with confidence on one film; see its result",
            )
    registration = _registered(before, after)
    matrix, pair = registration.matrix, RegisteredPair(before, after, registration)
    overlaps = Overlaps.of(before.labels, pair.labels_on_first)
    groups = groups_of(
        overlaps,
        (_scores(before, shown=True), _scores(after, shown=True)),
        (_scores(before, shown=False), _scores(after, shown=False)),
    )
    groups = [part for group in groups for part in pair.separated(group)]
    lesions = tuple(pair.change(number, group) for number, group in enumerate(groups, start=1))
    record = ComparisonRecord(
        version=__version__,
        made_of_sha256=made_of_sha256,
        status="ok",
        error=None,
        before=film_record(before),
        after=film_record(after),
        registration=_registration_record(registration, before, after),
        lesions=lesions,
    )
    return Comparison(record, before, after, matrix)


def film_record(film: ComparedFilm) -> ComparedFilmRecord:
    """Return the record of one of the two films."""
    image, record = image_of(film), film.record
    return ComparedFilmRecord(
        name=record.name,
        sha256=record.input.sha256,
        rows=image.rows,
        columns=image.columns,
        spacing_mm=image.spacing_mm,
        shown=sum(one.shown for one in record.candidates),
    )


def square_picture(film: ComparedFilm) -> tuple[Picture, Matrix]:
    """Resample a film to square pixels; also return the map from its stored pixels."""
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
    return picture, resize_matrix(film.bone.shape, (size[1], size[0]))


def _registered(before: ComparedFilm, after: ComparedFilm) -> Registration:
    """Register two films, from stored pixels to stored pixels.

    Raises
    ------
    RefusedPairError
        If they do not fit.
    """
    (first, onto_first), (second, onto_second) = square_picture(before), square_picture(after)
    try:
        found = check_fit(register(first, second))
    except RefusedPairError:
        if _fits_flipped(first, second):
            raise RefusedPairError(
                RefusalCode.FLIPPED,
                "one film is the mirror image of the other; flip it, or compare films of one side",
            ) from None
        raise
    whole = composed(inverse(onto_second), composed(found.matrix, onto_first))
    # the pictures may be scaled, each by its own factor
    magnification = math.sqrt(area_ratio(whole))
    return Registration(whole, replace(found.fit, magnification=magnification))


def _fits_flipped(first: Picture, second: Picture) -> bool:
    flipped = Picture(
        np.ascontiguousarray(second.grey[:, ::-1]),
        np.ascontiguousarray(second.bone[:, ::-1]),
        np.ascontiguousarray(second.field[:, ::-1]),
    )
    try:
        check_fit(register(first, flipped))
    except RefusedPairError:
        return False
    return True


def _scores(film: ComparedFilm, *, shown: bool) -> dict[int, float]:
    """Return the scores, by id, of the shown candidates or of the others."""
    return {one.id: one.score for one in film.record.candidates if one.shown is shown}


def _registration_record(
    registration: Registration, before: ComparedFilm, after: ComparedFilm
) -> RegistrationRecord:
    fit, matrix = registration.fit, registration.matrix
    first, second = image_of(before), image_of(after)
    length = fit.magnification
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
