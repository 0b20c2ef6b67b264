"""Choose `shown_score` for a given rate of false positives per film, from films without lesions.

All thresholds between two consecutive scores of false positives give the same rate; the middle is
used. To estimate the rate on further films, the score is chosen on one resample of the films (or
patients) and applied to another (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
chapters 13 and 17).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lesionscan.evaluation import froc
from lesionscan.evaluation.bootstrap import (
    RESAMPLES,
    SEED,
    Counts,
    Floats,
    interval,
    resampled_weights,
)
from lesionscan.evaluation.scores import NOTHING, FilmScores
from lesionscan.evaluation.summary import Figure, figure

FEWEST_FILMS = 30
"""With fewer films without lesions a warning is given, and a body part gets no score of its own:
the standard deviation of 15 false positives on 30 films is a quarter of that number."""

_DECIMALS = 6
"""Decimals of a threshold, as of scores."""


class CalibrationError(Exception):
    """Raised if no threshold can be computed; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationFilm:
    """One film of a calibration.

    Attributes
    ----------
    scores
        Scores of its candidates, on lesions and elsewhere.
    body_part
        None if unknown.
    assessed
        False if the program could not find the bone; the result then has no candidates.
    """

    scores: FilmScores
    body_part: str | None = None
    assessed: bool = True


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold computed from lesion-free films.

    Attributes
    ----------
    films, groups
        Numbers of lesion-free films with a result, and of the patients (or films) resampled.
    shown_score
        The threshold: candidates of at least this score are shown.
    score_interval
        95 % interval of the threshold; None with fewer than two groups.
    rate
        False positives per film on these films at this threshold.
    expected
        95 % interval of the rate on as many further films like these; None with fewer than two
        groups.
    all_listed
        False positives per film if every listed candidate is shown.
    """

    films: int
    groups: int
    shown_score: float
    score_interval: tuple[float, float] | None
    rate: float
    expected: tuple[float, float] | None
    all_listed: float


@dataclass(frozen=True, slots=True)
class Shown:
    """False positives and sensitivity at a threshold, on the given films.

    Attributes
    ----------
    shown_score
        The threshold.
    rate
        False positives per lesion-free film.
    sensitivity
        Lesions hit by a shown candidate / lesions; its value is None if there are no lesions.
    """

    shown_score: float
    rate: float
    sensitivity: Figure


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A body part with enough lesion-free films.

    Attributes
    ----------
    threshold
        The threshold computed from these films alone.
    common_rate
        False positives per film on these films at the threshold of all films.
    """

    threshold: Threshold
    common_rate: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration.

    Attributes
    ----------
    wanted
        Requested false positives per film.
    threshold
        Computed from all lesion-free films.
    shown, before
        At this threshold, and at the one that the results were made with; None if unknown.
    lesions
        Number of lesions, the denominator of the sensitivity.
    body_parts
        Body parts with at least `FEWEST_FILMS` lesion-free films.
    few
        Number of lesion-free films of every other known body part.
    failed, not_assessed
        Number of lesion-free films without a result, which are left out, and of those without
        bone, which count as films without candidates.
    """

    wanted: float
    threshold: Threshold
    shown: Shown
    before: Shown | None
    lesions: int
    body_parts: Mapping[str, BodyPart]
    few: Mapping[str, int]
    failed: int
    not_assessed: int

    def warnings(self) -> Iterator[str]:
        """Yield warnings about the use of the threshold, one sentence each."""
        found, wanted = self.threshold, self.wanted
        if found.films < FEWEST_FILMS:
            yield (
                f"only {found.films} films without lesions: the score is uncertain; use at least "
                f"{FEWEST_FILMS}"
            )
        elif 1 < found.groups < FEWEST_FILMS:
            yield (
                f"the films are of only {found.groups} patients: the intervals are too narrow; "
                f"use at least {FEWEST_FILMS}"
            )
        if found.expected is None:
            yield "one film or patient alone gives no estimate of how the rate varies"
        if found.all_listed < wanted:
            yield (
                f"{wanted:g} false positives per film cannot be reached: all candidates that are "
                f"listed give {found.all_listed:.3g}; raise max_candidates, or ask for fewer"
            )
        elif found.rate > wanted:
            yield (
                f"{wanted:g} false positives per film cannot be reached: candidates of the "
                f"highest score, 1, alone give {found.rate:.3g}"
            )
        elif wanted * found.films < 1:
            yield (
                f"{wanted:g} false positives per film is less than one on {found.films} films, "
                f"which cannot be measured; use at least {int(np.ceil(1 / wanted)):,} films"
            )
        elif (wanted - found.rate) * found.films >= 1:
            yield (
                f"the rate reached is {found.rate:.3g}: the next candidates have one score, so "
                "they are shown or hidden together"
            )


def calibrate(
    films: Sequence[CalibrationFilm],
    *,
    false_positives: float,
    before: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Calibration:
    """Compute the `shown_score` that gives a rate of false positives on lesion-free films.

    Parameters
    ----------
    films
        Films without lesions and, for the sensitivity, films with lesions if there are any.
    false_positives
        Most candidates shown per lesion-free film, above 0.
    before
        The `shown_score` that the results were made with, for comparison.
    resamples, seed
        Number of bootstrap resamples, and their seed.

    Raises
    ------
    CalibrationError
        If no film without lesions has a result.
    ValueError
        If `false_positives` is not a number above 0.
    """
    if not 0 < false_positives < np.inf:
        raise ValueError(f"false_positives must be a number above 0, got {false_positives!r}")
    free = [film for film in films if not film.scores.lesions]
    used = [film for film in free if film.scores.has_result]
    if not used:
        raise CalibrationError(
            "no film without lesions has a result; calibrate on results of films that are known "
            "to be free of lesions"
        )
    draw = {"resamples": resamples, "seed": seed}
    scores = [film.scores for film in used]
    threshold = _threshold(scores, false_positives, **draw)
    score = threshold.shown_score
    table = froc.columns([film.scores for film in films])
    parts = Counter(film.body_part for film in used if film.body_part is not None)
    enough = sorted(part for part, count in parts.items() if count >= FEWEST_FILMS)
    return Calibration(
        wanted=false_positives,
        threshold=threshold,
        shown=_shown(table, score, **draw),
        before=None if before is None else _shown(table, before, **draw),
        lesions=table.hit_scores.size,
        body_parts={
            part: _body_part(
                [film.scores for film in used if film.body_part == part],
                false_positives,
                score,
                **draw,
            )
            for part in enough
        },
        few={part: parts[part] for part in sorted(parts) if part not in enough},
        failed=len(free) - len(used),
        not_assessed=sum(not film.assessed for film in used),
    )


def _threshold(
    films: Sequence[FilmScores], wanted: float, *, resamples: int, seed: int
) -> Threshold:
    """Compute the threshold of lesion-free films with a result."""
    table = froc.columns(films)
    ones = np.ones((1, len(table.groups)), np.int64)
    score = _rounded(table, froc.cutoffs(table, ones, [wanted])[0, 0])
    # the score is chosen on one half of the resamples and applied to the other
    weights = resampled_weights(len(table.groups), resamples=2 * resamples, seed=seed)
    chosen = froc.cutoffs(table, weights[:resamples], [wanted])[:, 0]
    further = froc.false_positive_rates(table, weights[resamples:], chosen)
    return Threshold(
        films=len(films),
        groups=len(table.groups),
        shown_score=score,
        score_interval=interval(_between(table, chosen)),
        rate=_rate_at(table, score),
        expected=interval(further),
        all_listed=table.false_scores.size / len(films),
    )


def _shown(table: froc.Columns, score: float, *, resamples: int, seed: int) -> Shown:
    weights = resampled_weights(len(table.groups), resamples=resamples, seed=seed)
    # `froc` counts scores above a cutoff, whereas candidates equal to the threshold are shown
    cutoff = np.nextafter(score, -np.inf)

    def sensitivity(rows: Counts) -> Floats:
        return froc.sensitivities(table, rows, np.full((len(rows), 1), cutoff))[:, 0]

    ones = np.ones((1, len(table.groups)), np.int64)
    return Shown(
        shown_score=score,
        rate=_rate_at(table, score),
        sensitivity=figure(float(sensitivity(ones)[0]), sensitivity(weights)),
    )


def _body_part(
    films: Sequence[FilmScores], wanted: float, common: float, *, resamples: int, seed: int
) -> BodyPart:
    return BodyPart(
        threshold=_threshold(films, wanted, resamples=resamples, seed=seed),
        common_rate=_rate_at(froc.columns(films), common),
    )


def _rate_at(table: froc.Columns, score: float) -> float:
    """Return the number of false positives of at least this score per lesion-free film."""
    shown = np.count_nonzero(table.false_scores >= score)
    return float(shown / table.free_groups.size)


def _between(table: froc.Columns, cutoff: Floats) -> Floats:
    """Return thresholds halfway between a cutoff and the next higher false positive.

    Parameters
    ----------
    table
        The films.
    cutoff
        float64 (n,): scores that must be exceeded; minus infinity if every candidate counts.

    Returns
    -------
    ndarray
        float64 (n,), 0 to 1.
    """
    rising = np.append(np.unique(table.false_scores), 1.0)
    following = np.searchsorted(rising[:-1], cutoff, side="right")
    middle = (np.maximum(cutoff, 0.0) + rising[following]) / 2
    return np.where(cutoff == NOTHING, 0.0, middle)


def _rounded(table: froc.Columns, cutoff: float) -> float:
    """Return the threshold above a cutoff, rounded if that does not change the rate."""
    exact = float(_between(table, np.array([cutoff]))[0])
    short = round(exact, _DECIMALS)
    same = _rate_at(table, short) == _rate_at(table, exact)
    return short if same else exact
