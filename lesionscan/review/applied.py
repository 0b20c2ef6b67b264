"""Find the films whose review matches their current results; others are not applied."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lesionscan.files import RECORD_BYTES, read_bounded
from lesionscan.results.paths import ResultPaths
from lesionscan.results.record import ImageRecord, ResultRecord, parse_record
from lesionscan.results.sealed import is_sealed
from lesionscan.review.outline import DrawnOn
from lesionscan.review.record import FilmReviewRecord, ReviewRecord

_CHANGED = "its result has changed since it was reviewed; review it again"
_NO_RESULT = "it has no result that can be read; scan again"


@dataclass(frozen=True, slots=True)
class ReviewedFilm:
    """A film whose review matches its result, with the data needed of both.

    Attributes
    ----------
    name
        Name of its results, without ending.
    review
        The decisions.
    file, frame, frames, sha256
        As in the result's `input`.
    drawn_on
        Size and spacing of the picture; None if the film failed.
    shown
        Ids of the shown candidates.
    labels_sha256
        Hash of its labels picture; None if there is none.
    body_part
        As stated in the file; None if not stated.
    """

    name: str
    review: FilmReviewRecord
    file: str
    frame: int
    frames: int
    sha256: str | None
    drawn_on: DrawnOn | None
    shown: tuple[int, ...]
    labels_sha256: str | None
    body_part: str | None

    def decided(self, decision: str) -> list[int]:
        """Return the ids of the candidates with this decision, in rising order."""
        given = self.review.candidates.items()
        return sorted(int(number) for number, one in given if one.decision == decision)


class _RefusedError(Exception):
    """Raised with the reason why a film's review is not applied."""


def reviewed_films(
    results: Path, review: ReviewRecord, listed: Collection[tuple[str, int]]
) -> tuple[list[ReviewedFilm], list[tuple[str, str]]]:
    """Compare a review with the current results.

    Parameters
    ----------
    results
        The results folder.
    review
        The review.
    listed
        Pictures in the run's tables, as (file, frame).

    Returns
    -------
    films
        Those whose review matches, in the order of their names.
    not_applied
        Names of the others, and the reasons.
    """
    films, refused = [], []
    for name in sorted(review.films):
        try:
            films.append(_reviewed(results, name, review.films[name], listed))
        except _RefusedError as error:
            refused.append((name, str(error)))
    return films, refused


def _reviewed(
    results: Path, name: str, review: FilmReviewRecord, listed: Collection[tuple[str, int]]
) -> ReviewedFilm:
    try:
        data = read_bounded(ResultPaths.of(results, name).record, max_bytes=RECORD_BYTES)
    except OSError as error:
        raise _RefusedError(_NO_RESULT) from error
    result = parse_record(data)
    if result is None or result.name != name:
        raise _RefusedError(_NO_RESULT)
    film = _film(name, review, result)
    if result.seal_sha256 != review.result_sha256 or not is_sealed(data):
        raise _RefusedError(_CHANGED)
    ids = {candidate.id for candidate in result.candidates}
    if not {int(number) for number in review.candidates} <= ids:
        raise _RefusedError("the review decides about a candidate that its result does not have")
    if film.drawn_on is None and review.missed:
        raise _RefusedError("it could not be read, and yet has an outline")
    if (film.file, film.frame) not in listed:
        raise _RefusedError("images.csv does not list it; scan again, or merge")
    return film


def _film(name: str, review: FilmReviewRecord, result: ResultRecord) -> ReviewedFilm:
    image, source = result.image, result.input
    return ReviewedFilm(
        name=name,
        review=review,
        file=source.file,
        frame=source.frame,
        frames=source.frames,
        sha256=source.sha256,
        drawn_on=None if image is None else _drawn_on(image),
        shown=tuple(one.id for one in result.shown),
        labels_sha256=None if result.pictures is None else result.pictures.labels_sha256,
        body_part=result.text("body_part_examined"),
    )


def _drawn_on(image: ImageRecord) -> DrawnOn:
    return DrawnOn(shape=(image.rows, image.columns), spacing_mm=image.spacing_mm)
