"""What the bootstrap resamples as one, where `lesionscan exams` says whose films they are."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.results.run import RunError, RunTable


def read_groups(path: Path) -> dict[str, str]:
    """Return the group of each film by its file's name, from `films.csv` of `lesionscan exams`.

    A film's group is its patient, else its exam, else the film.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError
        When it is no such table.
    """
    try:
        table = RunTable(path)
        places = {name: table.columns.index(name) for name in ("patient", "exam")}
        groups: dict[str, str] = {}
        for (file, _), row in table.rows():
            said = (f"{name} {row[place]}" for name, place in places.items() if row[place])
            groups[file] = next(said, f"film {file}")
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
        When a film is not in it.
    """
    return tuple(replace(film, group=group_of(film.result_names, groups)) for film in films)


def group_of(names: Iterable[str], groups: Mapping[str, str]) -> str:
    """Return the group of a film that has one of some names.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError
        When it has none.
    """
    tried = tuple(names)
    # where the whole truth folder was scanned, its films stand in images/
    known = (groups.get(name) for one in tried for name in (one, f"images/{one}"))
    group = next((one for one in known if one is not None), None)
    if group is None:
        raise TruthError(
            f"the table of groups does not name the film {tried[0]}; make it of these results"
        )
    return group
