"""Figures of one set of films: FROC, CPM, image AUC, the chance curve, medians on hits.

Most functions take the films as sorted columns (`Columns`), and `weights`: int64
(replicates, groups), how often each group of films counts. A row of ones gives the figures
themselves, resampled rows give the bootstrap. Counts are integers, so that the order of summation
does not change a figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.evaluation.scores import NOTHING, FilmScores

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per film at which sensitivity is reported, as in LUNA16."""
RATE_NAMES = ("1/8", "1/4", "1/2", "1", "2", "4", "8")
"""`RATES` as fractions."""

_BATCH = 4_000_000
"""Most weights gathered at once: 32 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The films of a set as sorted columns, with the group of each score.

    Attributes
    ----------
    groups
        Names of the groups, in the order of the columns of `weights`.
    hit_scores, hit_groups
        Score and group index of every lesion, best score first; minus infinity if missed.
    false_scores, false_groups
        Score and group index of every false positive on a lesion-free film, best score first.
    free_groups
        Group index of every lesion-free film with a result; false positives are counted on these.
    film_places, film_groups, film_is_lesion
        Rank of each film's best score among those of all films (see `image_auc`), its group index,
        and whether it has lesions.
    """

    groups: tuple[str, ...]
    hit_scores: Floats
    hit_groups: Counts
    false_scores: Floats
    false_groups: Counts
    free_groups: Counts
    film_places: Counts
    film_groups: Counts
    film_is_lesion: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Operating points of a FROC curve, from the highest threshold down.

    Candidates of equal score are counted together. Only the points where sensitivity rises, and
    the last one, are kept; the others add only false positives.

    Attributes
    ----------
    thresholds
        float64 (n,): candidates of at least this score count.
    false_positives_per_film
        float64 (n,): per lesion-free film.
    sensitivity
        float64 (n,): lesions hit / lesions.
    """

    thresholds: Floats
    false_positives_per_film: Floats
    sensitivity: Floats


def columns(films: Sequence[FilmScores]) -> Columns:
    """Return a set's films as sorted columns."""
    names = tuple(sorted({film.group for film in films}))
    number = {name: index for index, name in enumerate(names)}
    film_groups = np.array([number[film.group] for film in films], np.int64)
    lesions = np.array([film.lesions for film in films], np.int64)
    is_lesion = lesions > 0
    has_result = np.array([film.has_result for film in films], bool)
    counted = ~is_lesion & has_result
    hits = _joined([film.hits for film in films])
    false = _joined([film.false_positives for film in films if not film.lesions])
    false_groups = np.repeat(
        film_groups[~is_lesion],
        [film.false_positives.size for film in films if not film.lesions],
    )
    hit_groups = np.repeat(film_groups, lesions)
    by_hit, by_false = (np.argsort(-scores, kind="stable") for scores in (hits, false))
    return Columns(
        groups=names,
        hit_scores=hits[by_hit],
        hit_groups=hit_groups[by_hit],
        false_scores=false[by_false],
        false_groups=false_groups[by_false],
        free_groups=film_groups[counted],
        film_places=_film_places(films),
        film_groups=film_groups,
        film_is_lesion=is_lesion,
    )


def curve(films: Sequence[FilmScores]) -> Curve | None:
    """Compute the FROC curve; None without lesions or lesion-free films with a result."""
    table = columns(films)
    if not table.hit_scores.size or not table.free_groups.size:
        return None
    found = table.hit_scores[table.hit_scores > NOTHING]
    thresholds = np.unique(np.concatenate([found, table.false_scores]))[::-1]
    hits = np.searchsorted(-found, -thresholds, side="right")
    false = np.searchsorted(-table.false_scores, -thresholds, side="right")
    kept = np.diff(hits, prepend=0) > 0
    kept[-1:] = True
    return Curve(
        thresholds=thresholds[kept],
        false_positives_per_film=false[kept] / table.free_groups.size,
        sensitivity=hits[kept] / table.hit_scores.size,
    )


def cutoffs(table: Columns, weights: Counts, rates: Sequence[float]) -> Floats:
    """Compute the score that a candidate must exceed at each rate of false positives.

    The operating point at a rate is the one of highest sensitivity among those with at most that
    many false positives per lesion-free film, without interpolation: all candidates count whose
    score is above that of the first false positive in excess.

    Parameters
    ----------
    table
        The set.
    weights
        (replicates, groups).
    rates
        False positives per lesion-free film.

    Returns
    -------
    ndarray
        float64 (replicates, rates); minus infinity if every candidate counts, NaN if the replicate
        has no lesion-free film with a result.
    """
    free = weights[:, table.free_groups].sum(axis=1)
    limits = np.asarray(rates, np.float64)[None, :] * free[:, None]
    result = np.full(limits.shape, NOTHING)
    scores = np.append(table.false_scores, NOTHING)
    # For speed only the highest scores are counted first. A replicate's limit is rarely over three
    # times the expected one; replicates that need more are counted again with all scores.
    first = min(scores.size - 1, 64 + int(3.0 * max(rates) * table.free_groups.size))
    pending = np.arange(len(weights))
    for size in (first, scores.size - 1):
        step = max(1, _BATCH // max(size, 1))
        unfinished: list[int] = []
        for start in range(0, pending.size, step):
            rows = pending[start : start + step]
            counts = np.cumsum(weights[rows][:, table.false_groups[:size]], axis=1)
            for row, count in zip(rows, counts, strict=True):
                # the number of false positives that stay within the limit
                within = np.searchsorted(count, limits[row], side="right")
                if size < scores.size - 1 and (within == size).any():
                    unfinished.append(int(row))
                result[row] = scores[within]
        pending = np.array(unfinished, np.int64)
    result[free == 0] = np.nan
    return result


def sensitivities(table: Columns, weights: Counts, cutoff: Floats) -> Floats:
    """Compute the fraction of lesions hit by a candidate whose score exceeds each cutoff.

    Parameters
    ----------
    table
        The set.
    weights
        (replicates, groups).
    cutoff
        (replicates, rates).

    Returns
    -------
    ndarray
        float64 (replicates, rates); NaN without lesions or where the cutoff is NaN.
    """
    lesions = weights[:, table.hit_groups]
    running = np.zeros((len(weights), table.hit_scores.size + 1), np.int64)
    np.cumsum(lesions, axis=1, out=running[:, 1:])
    # a missed lesion's minus infinity exceeds no cutoff
    above = np.searchsorted(-table.hit_scores, -cutoff, side="left")
    return _ratio(
        np.where(np.isnan(cutoff), np.nan, np.take_along_axis(running, above, axis=1)),
        running[:, -1:],
    )


def false_positive_rates(table: Columns, weights: Counts, cutoff: Floats) -> Floats:
    """Compute the false positives per lesion-free film whose score exceeds a cutoff.

    Parameters
    ----------
    table
        The set.
    weights
        (replicates, groups).
    cutoff
        (replicates,): minus infinity if every candidate counts.

    Returns
    -------
    ndarray
        float64 (replicates,); NaN without lesion-free films or where the cutoff is NaN.
    """
    free = weights[:, table.free_groups].sum(axis=1)
    above = np.searchsorted(-table.false_scores, -cutoff, side="left")
    most = int(above.max(initial=0))
    counts = np.zeros(len(weights))
    step = max(1, _BATCH // max(most, 1))
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        running = np.zeros((len(weights[rows]), most + 1), np.int64)
        np.cumsum(weights[rows][:, table.false_groups[:most]], axis=1, out=running[:, 1:])
        counts[rows] = np.take_along_axis(running, above[rows, None], axis=1)[:, 0]
    return _ratio(np.where(np.isnan(cutoff), np.nan, counts), free)


def image_auc(table: Columns, weights: Counts) -> Floats:
    """Compute the area under the ROC curve of the films' best scores, float64 (replicates,).

    This is the fraction of pairs (lesion film, lesion-free film) in which the lesion film's best
    score is higher, with ties counted half (Mann-Whitney; scipy.stats.rankdata gives the same). A
    film without candidates ranks below every score. Without a result, a lesion film ranks last and
    a lesion-free film first, so that a missing result never improves the figure.
    """
    order = np.argsort(table.film_places, kind="stable")
    count = weights[:, table.film_groups[order]]
    kind = table.film_is_lesion[order]
    starts = np.unique(table.film_places[order], return_index=True)[1]
    lesion, free = (np.add.reduceat(count * of_kind, starts, axis=1) for of_kind in (kind, ~kind))
    below = np.cumsum(free, axis=1) - free
    twice_won = (lesion * (2 * below + free)).sum(axis=1)
    return _ratio(twice_won, 2 * lesion.sum(axis=1) * free.sum(axis=1))


def median(values: Floats, groups: Counts, weights: Counts) -> Floats:
    """Compute the median of values weighted by their group, float64 (replicates,).

    NaN values are ignored; the median is NaN if there are no others.
    """
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")
    ordered = values[known][order]
    result = np.full(len(weights), np.nan)
    if not ordered.size:
        return result
    running = np.cumsum(weights[:, groups[known][order]], axis=1)
    for index, count in enumerate(running):
        if count[-1]:
            middle = np.searchsorted(count, [(count[-1] - 1) // 2, count[-1] // 2], side="right")
            result[index] = ordered[middle].mean()
    return result


def share(parts: Counts, wholes: Counts, groups: Counts, weights: Counts) -> Floats:
    """Compute sum of parts / sum of wholes over the films, float64 (replicates,)."""
    count = weights[:, groups]
    return _ratio((count * parts).sum(axis=1), (count * wholes).sum(axis=1))


def chance_sensitivity(shares: Floats, rates: Sequence[float]) -> Floats:
    """Compute the sensitivity of random points, float64 (rates,); NaN without lesions.

    Points are uniform on the search area, on average `rate` per film (a Poisson process). A lesion
    that is hit from a fraction p of the area is hit with probability 1 - exp(-p rate);
    sensitivity is the mean over lesions. It is ignored that a point near two lesions hits only one.
    """
    if not shares.size:
        return np.full(len(rates), np.nan)
    return np.array([np.mean(-np.expm1(-shares * rate)) for rate in rates])


def false_positives_on_lesion_films(films: Sequence[FilmScores], cutoff: Floats) -> Floats:
    """Compute the false positives per lesion film with a result, float64 (rates,).

    Parameters
    ----------
    films
        The set.
    cutoff
        (rates,): scores that a candidate must exceed.

    Returns
    -------
    ndarray
        NaN without lesion films with a result, or where the cutoff is NaN.
    """
    counted = [film for film in films if film.lesions and film.has_result]
    scores = np.sort(_joined([film.false_positives for film in counted]))
    above = scores.size - np.searchsorted(scores, cutoff, side="right")
    return _ratio(np.where(np.isnan(cutoff), np.nan, above), np.array(len(counted)))


def _film_places(films: Sequence[FilmScores]) -> Counts:
    """Return the rank of each film's best score among those of all films; ties share a rank."""
    nothing = np.finfo(np.float64).min  # no candidate: below every score, above no result
    best = [
        max(film.best, nothing) if film.has_result else (-np.inf if film.lesions else np.inf)
        for film in films
    ]
    return np.unique(np.array(best, np.float64), return_inverse=True)[1].astype(np.int64)


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *parts])


def _ratio(part: Floats | Counts, whole: Floats | Counts) -> Floats:
    """Divide; NaN where the divisor is 0."""
    divisor = np.where(whole == 0, np.nan, whole.astype(np.float64))
    return np.asarray(part / divisor, np.float64)
