"""Compare a folder of results with a truth folder, for `lesionscan evaluate`."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.evaluation import froc
from lesionscan.evaluation.bootstrap import RESAMPLES, SEED, resampled_weights
from lesionscan.evaluation.groups import read_groups, regrouped
from lesionscan.evaluation.judge import JudgedFilm, LesionOutcome, judge
from lesionscan.evaluation.results import Tool, find_results, one_tool, read_result
from lesionscan.evaluation.strata import strata
from lesionscan.evaluation.summary import (
    Figure,
    Headline,
    SetFigures,
    compare,
    figure,
    known,
    on_hits,
    summarise,
)
from lesionscan.evaluation.truth import TruthFilm, load_truth
from lesionscan.files import sha256_of_file

Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[Sequence[TruthFilm]], Iterable[TruthFilm]]


@dataclass(frozen=True, slots=True)
class Shown:
    """Figures of a program at its own threshold, from the candidates that it shows.

    Attributes
    ----------
    sensitivity
        Lesions hit by a shown candidate / lesions.
    false_positives_per_film
        Shown candidates per lesion-free film with a result.
    dice_median
        Median Dice of the lesions hit by a shown candidate.
    """

    sensitivity: Figure
    false_positives_per_film: Figure
    dice_median: Figure


@dataclass(frozen=True, slots=True)
class Stratum:
    """Figures of the lesions of one kind, at the thresholds of their whole set.

    Attributes
    ----------
    family, name
        The property that the lesions are split by, and its value here.
    lesions
        Number of lesions.
    sensitivity, cpm, sensitivity_all_listed, chance, dice_median
        As in `SetFigures`.
    """

    family: str
    name: str
    lesions: int
    sensitivity: tuple[float | None, ...]
    cpm: float | None
    sensitivity_all_listed: float | None
    chance: tuple[float | None, ...]
    dice_median: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ProgramOnSet:
    """Figures of one program on one set.

    Attributes
    ----------
    figures
        Over all thresholds.
    shown
        At the program's own threshold.
    missing, failed, not_assessed
        Films without a result file, films that failed (name and the program's error code), and
        films whose bone the program could not find, whose results have no candidates.
    search_areas
        Number of films with lesions by the area in which random points were placed.
    """

    figures: SetFigures
    shown: Shown
    missing: tuple[str, ...]
    failed: tuple[tuple[str, str | None], ...]
    not_assessed: tuple[str, ...]
    search_areas: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class SetEvaluation:
    """Evaluation of one set, with a second program if there is one.

    Attributes
    ----------
    name
        Name of the set in the index.
    program
        Figures of the evaluated program.
    strata
        Its figures by kind of lesion.
    lesions
        Outcome of every lesion.
    other, difference
        Figures of the second program, and those of the first minus those of the second; None
        without a second program.
    """

    name: str
    program: ProgramOnSet
    strata: tuple[Stratum, ...]
    lesions: tuple[LesionOutcome, ...]
    other: ProgramOnSet | None = None
    difference: Headline | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The result of an evaluation.

    Attributes
    ----------
    tool, other_tool
        The programs that made the results.
    index_sha256
        Hash of the truth's index, to tell evaluations against different truth apart.
    sets
        In the order of the index; never pooled.
    resamples, seed
        Number of bootstrap resamples, and their seed.
    """

    tool: Tool
    other_tool: Tool | None
    index_sha256: str
    sets: tuple[SetEvaluation, ...]
    resamples: int
    seed: int

    @property
    def complete(self) -> bool:
        """Whether every film of every program has a result."""
        programs = [program for one in self.sets for program in (one.program, one.other) if program]
        return not any(program.missing or program.failed for program in programs)


def evaluate(
    results: Path,
    truth: Path,
    *,
    against: Path | None = None,
    groups: Path | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    progress: Progress = iter,
) -> Evaluation:
    """Compare a folder of results with a truth folder.

    Parameters
    ----------
    results
        What `lesionscan scan` wrote for the truth folder or its images.
    truth
        Folder with `index.json`, `images` and `masks`.
    against
        Results of a second program for the same truth.
    groups
        `films.csv` of `lesionscan exams`, which says whose films they are; replaces the groups of
        the index.
    resamples, seed
        Number of bootstrap resamples, and their seed.
    progress
        Wraps the iteration over the films, to show progress.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError, lesionscan.evaluation.results.ResultsError
        If the truth or the results cannot be used.
    """
    films = load_truth(truth)
    if groups is not None:
        films = regrouped(films, read_groups(groups))
    folders = [find_results(folder, films) for folder in (results, against) if folder is not None]
    programs: list[list[JudgedFilm]] = [[] for _ in folders]
    for film in progress(films):
        for folder, judged in zip(folders, programs, strict=True):
            judged.append(judge(film, read_result(folder, film)))
    tools = [
        one_tool(folder, (one.result for one in judged))
        for folder, judged in zip(folders, programs, strict=True)
    ]
    return Evaluation(
        tool=tools[0],
        other_tool=tools[1] if len(tools) > 1 else None,
        index_sha256=sha256_of_file(truth / "index.json"),
        sets=tuple(
            _evaluate_set(
                name,
                [[one for one in judged if one.film.set_name == name] for judged in programs],
                resamples=resamples,
                seed=seed,
            )
            for name in dict.fromkeys(film.set_name for film in films)
        ),
        resamples=resamples,
        seed=seed,
    )


def _evaluate_set(
    name: str, programs: list[list[JudgedFilm]], *, resamples: int, seed: int
) -> SetEvaluation:
    scores = [[one.scores for one in judged] for judged in programs]
    judged = [_program(films, resamples=resamples, seed=seed) for films in programs]
    pair = len(programs) > 1
    return SetEvaluation(
        name=name,
        program=judged[0],
        strata=tuple(_strata(programs[0], judged[0].figures)),
        lesions=tuple(lesion for film in programs[0] for lesion in film.lesions),
        other=judged[1] if pair else None,
        difference=compare(*scores, resamples=resamples, seed=seed) if pair else None,
    )


def _program(judged: list[JudgedFilm], *, resamples: int, seed: int) -> ProgramOnSet:
    results = [(one.film.name, one.result) for one in judged]
    return ProgramOnSet(
        figures=summarise([one.scores for one in judged], resamples=resamples, seed=seed),
        shown=_shown(judged, resamples=resamples, seed=seed),
        missing=tuple(name for name, result in results if result.status == "missing"),
        failed=tuple(
            (name, result.error_code) for name, result in results if result.status == "failed"
        ),
        not_assessed=tuple(name for name, result in results if not result.assessed),
        search_areas=Counter(one.search_area for one in judged if one.lesions),
    )


def _shown(judged: list[JudgedFilm], *, resamples: int, seed: int) -> Shown:
    table = froc.columns([one.scores for one in judged])
    weights = resampled_weights(len(table.groups), resamples=resamples, seed=seed)
    ones = np.ones((1, len(table.groups)), np.int64)

    def of(parts: list[int], wholes: list[int]) -> Figure:
        counts = np.array(parts, np.int64), np.array(wholes, np.int64)
        value, drawn = (froc.share(*counts, table.film_groups, rows) for rows in (ones, weights))
        return figure(float(value[0]), drawn)

    free = [not one.lesions and one.result.status == "ok" for one in judged]
    lesions = [lesion for one in judged for lesion in one.lesions]
    groups = np.repeat(table.film_groups, [len(one.lesions) for one in judged])
    dice = np.array(
        [np.nan if lesion.outcome != "shown" else lesion.dice for lesion in lesions], np.float64
    )
    return Shown(
        sensitivity=of(
            [sum(lesion.outcome == "shown" for lesion in one.lesions) for one in judged],
            [len(one.lesions) for one in judged],
        ),
        false_positives_per_film=of(
            [one.shown_false_positives * counts for one, counts in zip(judged, free, strict=True)],
            [int(counts) for counts in free],
        ),
        dice_median=figure(
            float(froc.median(dice, groups, ones)[0]), froc.median(dice, groups, weights)
        ),
    )


def _strata(judged: list[JudgedFilm], figures: SetFigures) -> Iterable[Stratum]:
    films = [one.scores for one in judged]
    hits = np.concatenate([film.hits for film in films])
    shares = np.concatenate([film.chance_shares for film in films])
    dice = on_hits(films)["dice_median"]
    cutoffs = np.array([np.nan if one is None else one for one in figures.cutoffs], np.float64)
    facts = [lesion.facts for one in judged for lesion in one.lesions]
    for family, name, chosen in strata(facts):
        found = (hits[chosen][:, None] > cutoffs[None, :]).sum(axis=0) / chosen.sum()
        sensitivity = np.where(np.isnan(cutoffs), np.nan, found)
        outlines = dice[chosen][~np.isnan(dice[chosen])]
        yield Stratum(
            family=family,
            name=name,
            lesions=int(chosen.sum()),
            sensitivity=known(sensitivity),
            cpm=known(sensitivity.sum(keepdims=True) / sensitivity.size)[0],
            sensitivity_all_listed=float(np.isfinite(hits[chosen]).sum() / chosen.sum()),
            chance=known(froc.chance_sensitivity(shares[chosen], froc.RATES)),
            dice_median=float(np.median(outlines)) if outlines.size else None,
        )
