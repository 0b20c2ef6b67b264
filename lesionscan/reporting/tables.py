"""Tables of a run: one row per film, one row per candidate.

Columns keep their names and order within a `schema_version`. Names are those of the JSON, with a
column for each part of a pair. Lists are joined by ";"; a reason is its term and effect.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from lesionscan.detection.measurements import (
    MEASUREMENTS,
    PLACE_COLUMNS,
    TEXT_MEASUREMENTS,
)
from lesionscan.detection.place import LOCATION_COLUMNS
from lesionscan.results.csv_text import Cell
from lesionscan.results.record import TEXT_FACTS, CandidateRecord, ResultRecord

Listed: TypeAlias = tuple[ResultRecord, CandidateRecord]
"""A candidate with the result that lists it."""
RowT = TypeVar("RowT", ResultRecord, Listed)


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """A column of a table.

    Attributes
    ----------
    name
        Its name.
    kind
        Type of its cells, unless empty.
    of
        Returns the cell of a row.
    """

    name: str
    kind: type[str] | type[bool] | type[int] | type[float]
    of: Callable[[RowT], Cell]


def image_row(result: ResultRecord) -> tuple[Cell, ...]:
    """Return the row of the table of films for one result."""
    return tuple(column.of(result) for column in IMAGE_TABLE)


def candidate_rows(result: ResultRecord) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of the table of candidates for one result, best candidate first."""
    for candidate in result.candidates:
        yield tuple(column.of((result, candidate)) for column in CANDIDATE_TABLE)


def _in(part: str, name: str) -> Callable[[ResultRecord], Cell]:
    """Return a function that reads a value in a part of the result, which may be missing."""
    return lambda result: getattr(getattr(result, part), name, None)


def _fact(name: str) -> Callable[[ResultRecord], Cell]:
    return lambda result: result.acquisition.get(name)


def _spacing(place: int) -> Callable[[ResultRecord], Cell]:
    def of(result: ResultRecord) -> Cell:
        image = result.image
        return None if image is None or image.spacing_mm is None else image.spacing_mm[place]

    return of


def _if_searched(of: Callable[[ResultRecord], Cell]) -> Callable[[ResultRecord], Cell]:
    """Return a function that leaves the cell empty if the film failed."""
    return lambda result: of(result) if result.status == "ok" else None


def _best_score(result: ResultRecord) -> Cell:
    return max((candidate.score for candidate in result.candidates), default=None)


def _of_film(column: Column[ResultRecord]) -> Column[Listed]:
    """Return a column of the table of films for the table of candidates."""
    return Column(column.name, column.kind, lambda listed: column.of(listed[0]))


def _of_candidate(name: str) -> Callable[[Listed], Cell]:
    return lambda listed: getattr(listed[1], name)


def _in_location(name: str) -> Callable[[Listed], Cell]:
    return lambda listed: getattr(listed[1].location, name, None)


def _part(name: str, place: int) -> Callable[[Listed], Cell]:
    """Return a function that reads one number of a candidate's position or box; empty if null."""

    def of(listed: Listed) -> Cell:
        values = getattr(listed[1], name)
        return None if values is None else values[place]

    return of


_KINDS: Mapping[str, type[bool] | type[int] | type[float]] = {
    "bone_id": int,
    "along_bone": float,
    "across_bone": float,
    "long_bone": bool,
    "near_joint": bool,
}
"""Types of the parts of a location that are not strings."""

_FILM: tuple[Column[ResultRecord], ...] = (
    Column("file", str, _in("input", "file")),
    Column("frame", int, _in("input", "frame")),
)
_DISCLAIMER: Column[ResultRecord] = Column("disclaimer", str, lambda result: result.disclaimer)

IMAGE_TABLE: tuple[Column[ResultRecord], ...] = (
    *_FILM,
    Column("sha256", str, _in("input", "sha256")),
    Column("status", str, lambda result: result.status),
    Column("error_code", str, _in("error", "code")),
    Column("error_message", str, _in("error", "message")),
    Column("rows", int, _in("image", "rows")),
    Column("columns", int, _in("image", "columns")),
    Column("spacing_row_mm", float, _spacing(0)),
    Column("spacing_column_mm", float, _spacing(1)),
    Column("spacing_source", str, _in("image", "spacing_source")),
    Column("spacing_plane", str, _in("image", "spacing_plane")),
    Column("spacing_calibrated", bool, _in("image", "spacing_calibrated")),
    Column("photometric_interpretation", str, _in("image", "photometric_interpretation")),
    Column("polarity", str, _in("image", "polarity")),
    *(Column(name, str, _fact(name)) for name in TEXT_FACTS),
    Column("bone_confidence", float, _in("bone", "confidence")),
    Column("assessed", bool, _in("bone", "assessed")),
    Column("candidates", int, _if_searched(lambda result: len(result.candidates))),
    Column("candidates_shown", int, _if_searched(lambda result: len(result.shown))),
    Column("best_score", float, _if_searched(_best_score)),
    Column(
        "warnings",
        str,
        lambda result: ";".join(warning.code for warning in result.warnings),
    ),
    _DISCLAIMER,
)
"""Columns of images.csv."""

CANDIDATE_TABLE: tuple[Column[Listed], ...] = (
    *map(_of_film, _FILM),
    Column("id", int, _of_candidate("id")),
    Column("score", float, _of_candidate("score")),
    Column("shown", bool, _of_candidate("shown")),
    *(
        Column(name, int if key == "bbox_px" else float, _part(key, place))
        for key, names in PLACE_COLUMNS.items()
        for place, name in enumerate(names)
    ),
    *(
        Column(name, str if name in TEXT_MEASUREMENTS else float, _of_candidate(name))
        for name in MEASUREMENTS
    ),
    *(
        Column(name, _KINDS.get(key, str), _in_location(key))
        for name, key in LOCATION_COLUMNS.items()
    ),
    Column("flags", str, lambda listed: ";".join(listed[1].flags)),
    Column(
        "reasons",
        str,
        lambda listed: ";".join(f"{reason.term}={reason.effect}" for reason in listed[1].reasons),
    ),
    _of_film(_DISCLAIMER),
)
"""Columns of candidates.csv."""

IMAGE_COLUMNS = tuple(column.name for column in IMAGE_TABLE)
CANDIDATE_COLUMNS = tuple(column.name for column in CANDIDATE_TABLE)
