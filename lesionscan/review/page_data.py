"""Convert the page's data of a results folder to validated JSON.

On disk the data are scripts (`reporting.page.script`), because a page opened from disk cannot fetch
files. A results folder is not trusted, so the review server does not send its scripts: it parses
their calls, validates the values against the types of `reporting.page`, and sends them as JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from lesionscan.files import check_values, open_ordinary
from lesionscan.reporting.page.index import FAILED_COLUMNS, FilmLine, RunFacts
from lesionscan.reporting.page.script import compact_json, parse_call
from lesionscan.reporting.page.view import FilmData
from lesionscan.review.record import FilmName

MOST_INDEX_BYTES = 200_000_000
"""Largest list that is read: three times that of 100,000 films with 20 candidates each."""
MOST_FILM_BYTES = 32_000_000
"""Largest data of a film that are read: ten times those of a film with 100 candidates."""


class PageDataError(Exception):
    """Raised if data cannot be shown; the message is one line."""


@dataclass(frozen=True, slots=True)
class _Head(RunFacts):
    """First line of the list."""

    disclaimer: str
    flags: dict[str, str]
    film_columns: list[str]
    failed_columns: list[str]


_LINE_TYPES = {**get_type_hints(FilmLine), "name": FilmName}
_HEAD = TypeAdapter(_Head)
_LINE_TUPLE: Any = tuple.__class_getitem__(tuple(_LINE_TYPES.values()))
_LINE: TypeAdapter[tuple[Any, ...]] = TypeAdapter(_LINE_TUPLE)
_FAILED = TypeAdapter(tuple[FilmName, str, str])
_FILM = TypeAdapter(FilmData)
_COLUMNS = (list(_LINE_TYPES), list(FAILED_COLUMNS))


def index_json(path: Path) -> bytes:
    """Return the list of all films as JSON: `run`, `films` and `failed`.

    Parameters
    ----------
    path
        The list's script.

    Raises
    ------
    PageDataError
        If it is not such a list.
    OSError
        If it cannot be read.
    """
    calls = _calls(path, MOST_INDEX_BYTES)
    films: list[bytes] = []
    failed: list[bytes] = []
    try:
        head = _checked_head(next(calls, None))
        for one in calls:
            if one[0] == "film":
                films.append(compact_json(_checked(_LINE, one, "film")))
            else:
                failed.append(compact_json(_checked(_FAILED, one, "failed")))
        parts = (compact_json(head), b",".join(films), b",".join(failed))
    except ValueError as error:
        raise PageDataError(
            f"{path.name} is not a list of films of this version; scan or merge again"
        ) from error
    return b'{"run":%b,"films":[%b],"failed":[%b]}' % parts


def film_json(path: Path) -> bytes:
    """Return the page's data of a film as JSON.

    Parameters
    ----------
    path
        The film's script.

    Raises
    ------
    PageDataError
        If it has other content.
    OSError
        If it cannot be read.
    """
    try:
        (one,) = _calls(path, MOST_FILM_BYTES)
        return compact_json(_checked(_FILM, one, "view"))
    except ValueError as error:
        raise PageDataError("the film's data are not of this version; scan it again") from error


def _calls(path: Path, most: int) -> Iterator[tuple[str, bytes]]:
    """Yield the calls of a script, one per line."""
    with open_ordinary(path) as stream:
        while line := stream.readline(most + 1):
            most -= len(line)
            one = parse_call(line)
            if one is None or most < 0:
                raise ValueError("too large, or not a call")
            yield one


def _checked_head(one: tuple[str, bytes] | None) -> _Head:
    head: _Head = _checked(_HEAD, one, "run")
    if (head.film_columns, head.failed_columns) != _COLUMNS:
        raise ValueError("other columns")
    return head


def _checked(kind: TypeAdapter[Any], one: tuple[str, bytes] | None, function: str) -> Any:  # noqa: ANN401 - what the adapter is of
    """Return the validated value of a call, which must be of `function`."""
    if one is None or one[0] != function:
        raise ValueError("another call")
    check_values(one[1])
    return kind.validate_json(one[1], strict=True)
