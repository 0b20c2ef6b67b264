"""Bootstrap groups of films from the table of `lesionscan exams`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.results.run import RunError, RunTable


def read_groups(path: Path) -> dict[str, str]:
    """Read the group of each film from `films.csv` of `lesionscan exams`.

    A film's group is its patient, else its exam, else the film.

    Returns
    -------
    dict
        Group by file name.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError
        If the file is not such a table.
    """
    try:
        table = RunTable(path)
        places = {name: table.columns.index(name) for name in ("patient", "exam")}
        groups: dict[str, str] = {}
        for (file, _), row in table.rows():
            stated = (f"{name} {row[place]}" for name, place in places.items() if row[place])
            groups[file] = next(stated, f"film {file}")
    except (RunError, ValueError) as error:
        raise TruthError(
            f"{path} does not group films by patient and exam; use films.csv of lesionscan exams"
        ) from error
    return groups


def regrouped(films: Iterable[TruthFilm], groups: Mapping[str, str]) -> tuple[TruthFilm, ...]:
    """Return films of a truth folder with other groups.

    Parameters
    ----------
    films
        The films.
    groups
        From `read_groups`.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError
        If a film is missing in `groups`.
    """
    return tuple(replace(film, group=group_of(film.result_names, groups)) for film in films)


def group_of(names: Iterable[str], groups: Mapping[str, str]) -> str:
    """Return the group of a film that may have any of several names.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError
        If `groups` has none of the names.
    """
    tried = tuple(names)
    # if the whole truth folder was scanned, its films are in images/
    known = (groups.get(name) for one in tried for name in (one, f"images/{one}"))
    group = next((one for one in known if one is not None), None)
    if group is None:
        raise TruthError(
            f"the table of groups does not name the film {tried[0]}; make it of these results"
        )
    return group
