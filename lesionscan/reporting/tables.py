"""Tables of a run: one row per film, one row per candidate.

Columns keep their names and order within a `schema_version`; names are those of the JSON, with
the parts of a pair spelled out; lists are joined by ";", a reason is its term and effect.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from lesionscan.detection.measurements import (
    MEASUREMENTS,
    PLACE_COLUMNS,
    TEXT_MEASUREMENTS,
)
from lesionscan.detection.place import LOCATION_COLUMNS
from lesionscan.results.csv_text import Cell
from lesionscan.results.record import TEXT_FACTS

Result: TypeAlias = Mapping[str, Any]
"""One per-image result as read from its JSON."""
Candidate: TypeAlias = Mapping[str, Any]
"""One of its candidates."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        Its name.
    kind
        What its cells hold, where they are not empty.
    of
        Result and candidate -> the cell; the candidate is empty in the table of films.
    """

    name: str
    kind: type[str] | type[bool] | type[int] | type[float]
    of: Callable[[Result, Candidate], Cell]


def image_row(result: Result) -> tuple[Cell, ...]:
    """Return the row of the table of films for one result."""
    return tuple(column.of(result, _NOTHING) for column in IMAGE_TABLE)


def candidate_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of the table of candidates for one result, best candidate first."""
    for candidate in result["candidates"]:
        yield tuple(column.of(result, candidate) for column in CANDIDATE_TABLE)


_NOTHING: Mapping[str, Any] = {}


def _in(part: str, key: str) -> Callable[[Result, Candidate], Cell]:
    """Return what reads a value in a part of the result that may be missing."""
    return lambda result, _: (result[part] or _NOTHING).get(key)


def _of_candidate(key: str) -> Callable[[Result, Candidate], Cell]:
    return lambda _, candidate: candidate[key]


def _in_location(key: str) -> Callable[[Result, Candidate], Cell]:
    return lambda _, candidate: (candidate["location"] or _NOTHING).get(key)


def _part(key: str, place: int) -> Callable[[Result, Candidate], Cell]:
    """Return what reads one number of a candidate's position or box; empty where it is null."""
    return lambda _, candidate: None if candidate[key] is None else candidate[key][place]


def _spacing(place: int) -> Callable[[Result, Candidate], Cell]:
    return lambda result, _: ((result["image"] or _NOTHING).get("spacing_mm") or (None, None))[
        place
    ]


def _if_searched(of: Callable[[Result], Cell]) -> Callable[[Result, Candidate], Cell]:
    """Return what leaves the cell of a failed film empty."""
    return lambda result, _: of(result) if result["status"] == "ok" else None


def _best_score(result: Result) -> Cell:
    return max((candidate["score"] for candidate in result["candidates"]), default=None)


_KINDS: Mapping[str, type[bool] | type[int] | type[float]] = {
    "bone_id": int,
    "along_bone": float,
    "across_bone": float,
    "long_bone": bool,
    "near_joint": bool,
}
"""What the parts of a place are; the others are words."""

_FILM = (
    Column("file", str, _in("input", "file")),
    Column("frame", int, _in("input", "frame")),
)
_DISCLAIMER = Column("disclaimer", str, lambda result, _: result["disclaimer"])

IMAGE_TABLE = (
    *_FILM,
    Column("sha256", str, _in("input", "sha256")),
    Column("status", str, lambda result, _: result["status"]),
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
    *(Column(name, str, _in("acquisition", name)) for name in TEXT_FACTS),
    Column("bone_confidence", float, _in("bone", "confidence")),
    Column("assessed", bool, _in("bone", "assessed")),
    Column("candidates", int, _if_searched(lambda result: len(result["candidates"]))),
    Column(
        "candidates_shown",
        int,
        _if_searched(lambda result: sum(one["shown"] for one in result["candidates"])),
    ),
    Column("best_score", float, _if_searched(_best_score)),
    Column(
        "warnings",
        str,
        lambda result, _: ";".join(warning["code"] for warning in result["warnings"]),
    ),
    _DISCLAIMER,
)
"""Columns of images.csv."""

CANDIDATE_TABLE = (
    *_FILM,
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
    Column("flags", str, lambda _, candidate: ";".join(candidate["flags"])),
    Column(
        "reasons",
        str,
        lambda _, candidate: ";".join(
            f"{reason['term']}={reason['effect']}" for reason in candidate["reasons"]
        ),
    ),
    _DISCLAIMER,
)
"""Columns of candidates.csv."""

IMAGE_COLUMNS, CANDIDATE_COLUMNS = (
    tuple(column.name for column in table) for table in (IMAGE_TABLE, CANDIDATE_TABLE)
)
