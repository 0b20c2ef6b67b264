"""Pair films for comparison: two files, or two results folders, optionally with a table."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from lesionscan.files import INDEX_BYTES, as_utf8, read_bounded
from lesionscan.results.names import is_result_name
from lesionscan.results.paths import ENDINGS, FOLDER

_COLUMNS = ["before", "after"]


class PairsError(ValueError):
    """Films that cannot be paired; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Source:
    """A film to compare.

    Attributes
    ----------
    place
        The film's file, or the results folder.
    result
        Name of the film's results in that folder, without endings; None for a file.
    """

    place: Path
    result: str | None = None

    @property
    def name(self) -> str:
        """Name of the film in the comparison."""
        return self.place.name if self.result is None else self.result


@dataclass(frozen=True, slots=True)
class Pair:
    """Two films to compare, and the name of their output files, without endings."""

    name: str
    before: Source
    after: Source


def pairs_of(before: Path, after: Path, table: Path | None) -> list[Pair]:
    """Return the pairs of films.

    Parameters
    ----------
    before, after
        Two files, or two results folders.
    table
        CSV file with columns `before` and `after` that name results in the two folders; if None,
        results with equal names are paired.

    Raises
    ------
    PairsError
        If `before` and `after` are neither two files nor two folders, the table cannot be used, or
        there is no pair.
    """
    for place in (before, after):
        if not place.exists():
            raise PairsError(f"{place}: there is no such file or folder; check the path")
    if before.is_file() and after.is_file():
        if table is not None:
            raise PairsError("--pairs is for two results folders; leave it out for two films")
        return [Pair(before.name, Source(before), Source(after))]
    if not (before.is_dir() and after.is_dir()):
        raise PairsError("name two films, or two results folders of lesionscan scan")
    rows = _same_names(before, after) if table is None else _rows(table)
    if not rows:
        raise PairsError(
            f"no film has results in both {before} and {after}; give a table of pairs (--pairs)"
        )
    names = _unique([row[0] for row in rows])
    return [
        Pair(name, Source(before, first), Source(after, second))
        for name, (first, second) in zip(names, rows, strict=True)
    ]


def _same_names(before: Path, after: Path) -> list[tuple[str, str]]:
    first, second = (set(_result_names(folder)) for folder in (before, after))
    return [(name, name) for name in sorted(first & second)]


def _result_names(folder: Path) -> Iterator[str]:
    """Yield the names of the films that have a picture for the report page."""
    films = folder / FOLDER / "films"
    ending = ENDINGS["view"]
    for path in films.rglob(f"*{ending}"):
        name = path.relative_to(films).as_posix().removesuffix(ending)
        if is_result_name(name):
            yield name


def _rows(table: Path) -> list[tuple[str, str]]:
    try:
        text = as_utf8(read_bounded(table, max_bytes=INDEX_BYTES)).decode("utf-8")
    except OSError as error:
        raise PairsError(f"{table} cannot be read ({error.strerror}); check the path") from error
    except UnicodeError as error:
        raise PairsError(f"{table} is not UTF-8 text; save it as UTF-8") from error
    try:
        lines = [row for row in csv.reader(StringIO(text), strict=True) if any(row)]
    except csv.Error as error:
        raise PairsError(f"{table} is not a CSV table ({error}); save it as CSV") from error
    if not lines or [cell.strip() for cell in lines[0]] != _COLUMNS:
        raise PairsError(f"{table}: the first line must be before,after")
    for number, row in enumerate(lines[1:], start=2):
        if len(row) != len(_COLUMNS) or not all(is_result_name(cell) for cell in row):
            raise PairsError(
                f"{table}, line {number}: write two names of results, as images.csv has them"
            )
    return [(row[0], row[1]) for row in lines[1:]]


def _unique(names: Sequence[str]) -> list[str]:
    """Make names unique by appending .2, .3, ... to repeated ones."""
    taken, seen = set(names), Counter[str]()
    unique = []
    for name in names:
        seen[name] += 1
        own = name
        while seen[name] > 1 and own in taken:
            own = f"{name}.{seen[name]}"
            if own in taken:
                seen[name] += 1
        taken.add(own)
        unique.append(own)
    return unique
