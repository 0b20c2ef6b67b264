"""Read the films for a calibration: from truth, a review, a list, or a whole run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lesionscan.evaluation.calibrate import CalibrationError, CalibrationFilm
from lesionscan.evaluation.evaluate import Progress
from lesionscan.evaluation.groups import group_of, read_groups, regrouped
from lesionscan.evaluation.judge import judge
from lesionscan.evaluation.results import (
    FilmResult,
    Tool,
    film_result,
    find_results,
    one_tool,
    read_result,
)
from lesionscan.evaluation.scores import NOTHING, FilmScores
from lesionscan.evaluation.truth import TruthFilm, load_truth
from lesionscan.results.paths import ResultPaths
from lesionscan.results.run import run_results


@dataclass(frozen=True, slots=True)
class KnownLesions:
    """Decisions of a reviewer about a film.

    Attributes
    ----------
    candidates
        Ids of the candidates that are lesions; every other candidate is on no lesion.
    missed
        Number of lesions that no candidate marks.
    """

    candidates: frozenset[int] = frozenset()
    missed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationFilms:
    """The films of a calibration.

    Attributes
    ----------
    films
        The films.
    tool
        The program that made all their results.
    """

    films: tuple[CalibrationFilm, ...]
    tool: Tool


def films_of_run(
    results: Path,
    *,
    normal: Collection[str] | None = None,
    known: Mapping[str, KnownLesions] | None = None,
    groups: Path | None = None,
) -> CalibrationFilms:
    """Read the films of a run that are known to be free of lesions, or whose lesions are known.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.
    normal
        Names of the films without lesions, as in images.csv; if None, every film of the run.
    known
        Decisions by the name of a film's results. Other films are left out. Cannot be combined
        with `normal`.
    groups
        `films.csv` of `lesionscan exams`, which says whose films they are; if None, each file is
        its own group.

    Raises
    ------
    CalibrationError
        If the run has no film of a name in `normal`, or no film is left.
    lesionscan.evaluation.results.ResultsError
        If the films were scanned by different versions, settings or scorers.
    lesionscan.evaluation.truth.TruthError
        If the groups cannot be read, or a film is missing in them.
    lesionscan.results.run.RunError
        If a result or a table is missing or was changed.
    """
    films: list[CalibrationFilm] = []
    found: list[FilmResult] = []
    names: set[str] = set()
    group_by_file = None if groups is None else read_groups(groups)
    for result in run_results(results):
        file, name = result.input.file, result.name
        if (normal is not None and file not in normal) or (known is not None and name not in known):
            continue
        names.add(file)
        one = film_result(ResultPaths.of(results, name).record, result.model_dump())
        found.append(one)
        # all pictures of a file are of one patient
        group = f"film {file}" if group_by_file is None else group_of([file], group_by_file)
        films.append(
            CalibrationFilm(
                scores=_decided(one, known[name] if known else KnownLesions(), group),
                body_part=result.text("body_part_examined"),
                assessed=one.assessed,
            )
        )
    missing = sorted(set(normal or ()) - names)
    if missing:
        raise CalibrationError(
            f"the list names {len(missing):,} films that {results} has no results of, such as "
            f"{missing[0]}; name them as in images.csv, or scan them"
        )
    if not films:
        raise CalibrationError(f"{results} has no film to calibrate on; scan or review some")
    return CalibrationFilms(tuple(films), one_tool(results, found))


def films_of_truth(
    results: Path,
    truth: Path,
    *,
    set_name: str | None = None,
    groups: Path | None = None,
    progress: Progress = iter,
) -> CalibrationFilms:
    """Read films whose lesions are known from a truth folder.

    Parameters
    ----------
    results
        What `lesionscan scan` wrote for the truth folder or its images.
    truth
        Folder with `index.json`, `images` and `masks`.
    set_name
        The set of the index to use; required if there are several.
    groups
        As for `films_of_run`; replaces the groups of the index.
    progress
        Wraps the iteration over the films, to show progress.

    Raises
    ------
    CalibrationError
        If there are several sets and none was named, or there is no such set.
    lesionscan.evaluation.truth.TruthError, lesionscan.evaluation.results.ResultsError
        If the truth or the results cannot be used.
    """
    films = _of_set(load_truth(truth), set_name)
    if groups is not None:
        films = regrouped(films, read_groups(groups))
    folder = find_results(results, films)
    judged = [judge(film, read_result(folder, film)) for film in progress(films)]
    return CalibrationFilms(
        films=tuple(
            CalibrationFilm(
                scores=one.scores,
                body_part=_word(one.film.facts.get("body_part")),
                assessed=one.result.assessed,
            )
            for one in judged
        ),
        tool=one_tool(folder, (one.result for one in judged)),
    )


def _decided(result: FilmResult, lesions: KnownLesions, group: str) -> FilmScores:
    """Return a film's outcome according to a reviewer's decisions."""
    hits = [one.score for one in result.candidates if one.id in lesions.candidates]
    others = [one.score for one in result.candidates if one.id not in lesions.candidates]
    return FilmScores.unmeasured(
        group=group,
        hits=np.array([*hits, *[NOTHING] * lesions.missed], np.float64),
        false_positives=others,
        has_result=result.status == "ok",
    )


def _of_set(films: tuple[TruthFilm, ...], name: str | None) -> tuple[TruthFilm, ...]:
    sets = sorted({film.set_name for film in films})
    if name is None and len(sets) > 1:
        raise CalibrationError(
            f"the truth has {len(sets)} sets, which are never pooled; name one with --set: "
            f"{', '.join(sets)}"
        )
    if name is not None and name not in sets:
        raise CalibrationError(f"there is no set {name}; the truth has {', '.join(sets)}")
    return tuple(film for film in films if name in (None, film.set_name))


def _word(value: object) -> str | None:
    return None if value is None else str(value)
