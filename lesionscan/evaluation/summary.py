"""Figures of a set with their intervals, and differences between two programs.

A set has films of one kind: simulated, planted and real films are never pooled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.evaluation import froc
from lesionscan.evaluation.bootstrap import RESAMPLES, SEED, interval, resampled_weights
from lesionscan.evaluation.froc import RATES as RATES
from lesionscan.evaluation.froc import Columns, Curve
from lesionscan.evaluation.scores import NOTHING, FilmScores

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

BAND_RATES = tuple(float(rate) for rate in 2.0 ** (np.arange(25) / 4.0 - 3.0))
"""Rates of the drawn band, four per octave; every fourth is one of `RATES`."""

ON_HITS = (
    "dice_median",
    "dice_median_misses_as_zero",
    "area_error_median",
    "area_bias_median",
    "diameter_error_median",
    "diameter_bias_median",
    "distance_px_median",
)
"""Figures of the outlines: errors are medians of absolute values, biases of signed ones."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval; None if it cannot be computed from the set."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Sensitivity over a fine scale of rates, float64 (25,) each; NaN if unknown."""

    rates: tuple[float, ...]
    sensitivity: Floats
    low: Floats
    high: Floats
    chance: Floats


@dataclass(frozen=True, slots=True, eq=False)
class SetFigures:
    """Figures of a program on one set.

    Attributes
    ----------
    films, lesion_films, lesion_free_films, lesion_free_films_with_result, lesions, groups
        Counts. False positives are counted on lesion-free films with a result; lesions on films
        without a result count as missed.
    sensitivity
        At each of `RATES` false positives per lesion-free film.
    cpm
        Mean of `sensitivity` (competition performance metric, as in LUNA16).
    image_auc
        Area under the ROC curve of the films' best scores.
    sensitivity_all_listed
        Lesions hit by any candidate / lesions: the upper bound of the curve.
    on_hits
        Figures of `ON_HITS` by name.
    chance
        Sensitivity of random points in the same area at each of `RATES`; None without lesions.
    chance_cpm
        Mean of `chance`.
    cutoffs
        The score a candidate must exceed at each of `RATES`: minus infinity if all count, None
        without lesion-free films with a result.
    false_positives_on_lesion_films
        False positives per lesion film with a result, at these cutoffs.
    curve, band
        The operating points; sensitivity and interval over a fine scale.
    resamples
        Number of bootstrap resamples; 0 if all films are one group.
    left_out
        Number of resamples without lesions, and without lesion-free films with a result, which give
        no sensitivity.
    """

    films: int
    lesion_films: int
    lesion_free_films: int
    lesion_free_films_with_result: int
    lesions: int
    groups: int
    sensitivity: tuple[Figure, ...]
    cpm: Figure
    image_auc: Figure
    sensitivity_all_listed: Figure
    on_hits: Mapping[str, Figure]
    chance: tuple[float | None, ...]
    chance_cpm: float | None
    cutoffs: tuple[float | None, ...]
    false_positives_on_lesion_films: tuple[float | None, ...]
    curve: Curve | None
    band: Band
    resamples: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Headline:
    """The figures with intervals: of one program, or differences between two."""

    sensitivity: tuple[Figure, ...]
    cpm: Figure
    image_auc: Figure
    sensitivity_all_listed: Figure
    on_hits: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Every figure for every row of weights: (replicates, `BAND_RATES`) and (replicates,)."""

    sensitivity: Floats
    image_auc: Floats
    all_listed: Floats
    on_hits: Mapping[str, Floats]

    @property
    def cpm(self) -> Floats:
        main = self.sensitivity[:, ::4]
        return np.asarray(main.sum(axis=1) / main.shape[1], np.float64)

    def minus(self, other: "_Values") -> "_Values":
        return _Values(
            sensitivity=self.sensitivity - other.sensitivity,
            image_auc=self.image_auc - other.image_auc,
            all_listed=self.all_listed - other.all_listed,
            on_hits={name: self.on_hits[name] - other.on_hits[name] for name in ON_HITS},
        )


def summarise(
    films: Sequence[FilmScores], *, resamples: int = RESAMPLES, seed: int = SEED
) -> SetFigures:
    """Compute the figures of one set.

    Parameters
    ----------
    films
        All films of the set, including those without result.
    resamples
        Number of bootstrap resamples; 0 for no intervals.
    seed
        Seed of the bootstrap.

    Raises
    ------
    ValueError
        If there are no films, or `resamples` or `seed` is negative.
    """
    if not films:
        raise ValueError("a set needs at least one film")
    table = froc.columns(films)
    weights = resampled_weights(len(table.groups), resamples=resamples, seed=seed)
    ones = np.ones((1, len(table.groups)), np.int64)
    point, drawn = (_values(films, table, rows) for rows in (ones, weights))
    headline = _headline(point, drawn)
    shares = np.concatenate([film.chance_shares for film in films])
    chance = froc.chance_sensitivity(shares, RATES)
    cutoffs = froc.cutoffs(table, ones, RATES)[0]
    return SetFigures(
        films=len(films),
        lesion_films=int(table.film_is_lesion.sum()),
        lesion_free_films=int((~table.film_is_lesion).sum()),
        lesion_free_films_with_result=table.free_groups.size,
        lesions=table.hit_scores.size,
        groups=len(table.groups),
        sensitivity=headline.sensitivity,
        cpm=headline.cpm,
        image_auc=headline.image_auc,
        sensitivity_all_listed=headline.sensitivity_all_listed,
        on_hits=headline.on_hits,
        chance=known(chance),
        chance_cpm=known(chance.sum(keepdims=True) / chance.size)[0],
        cutoffs=known(cutoffs),
        false_positives_on_lesion_films=known(froc.false_positives_on_lesion_films(films, cutoffs)),
        curve=froc.curve(films),
        band=_band(point, drawn, shares),
        resamples=len(weights),
        left_out={
            "without_lesion": int((weights[:, table.hit_groups].sum(axis=1) == 0).sum()),
            "without_lesion_free_film": int((weights[:, table.free_groups].sum(axis=1) == 0).sum()),
        },
    )


def compare(
    films: Sequence[FilmScores],
    others: Sequence[FilmScores],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Headline:
    """Compute the figures of one program minus those of another on the same films.

    Parameters
    ----------
    films, others
        Outcomes of the two programs, for the same films in the same order.
    resamples
        Number of bootstrap resamples. Both programs get the same ones, so that the variation
        between films cancels out as far as it is common to both.
    seed
        Seed of the bootstrap.

    Raises
    ------
    ValueError
        If there are no films, the two lists are not of the same films, or `resamples` or `seed` is
        negative.
    """
    kinds = [[(film.group, film.lesions) for film in program] for program in (films, others)]
    if not films or kinds[0] != kinds[1]:
        raise ValueError("two programs can only be compared on the same films in the same order")
    table, other_table = froc.columns(films), froc.columns(others)
    groups = len(table.groups)
    weights = resampled_weights(groups, resamples=resamples, seed=seed)
    point, drawn = (
        _values(films, table, rows).minus(_values(others, other_table, rows))
        for rows in (np.ones((1, groups), np.int64), weights)
    )
    return _headline(point, drawn)


def on_hits(films: Sequence[FilmScores]) -> dict[str, Floats]:
    """Return the values whose medians are `ON_HITS`, float64 (lesions,) in the films' order.

    NaN if a lesion was missed or its outline was not measured.
    """
    hits, dice, area, diameter, distance = (
        np.concatenate([np.zeros(0), *(getattr(film, name) for film in films)])
        for name in ("hits", "dice", "area_error", "diameter_error", "distance_px")
    )
    missed = hits == NOTHING
    unmeasured = (np.isnan(dice) & ~missed).any()
    return {
        "dice_median": dice,
        "dice_median_misses_as_zero": np.full(dice.shape, np.nan)
        if unmeasured
        else np.where(missed, 0.0, dice),
        "area_error_median": np.abs(area),
        "area_bias_median": area,
        "diameter_error_median": np.abs(diameter),
        "diameter_bias_median": diameter,
        "distance_px_median": distance,
    }


def known(values: Floats) -> tuple[float | None, ...]:
    """Return the values as floats, with None for NaN."""
    return tuple(None if np.isnan(value) else float(value) for value in values)


def figure(value: float, drawn: Floats) -> Figure:
    """Return a figure with the interval of its resampled values."""
    ends = None if np.isnan(value) else interval(drawn)
    low, high = (None, None) if ends is None else ends
    return Figure(known(np.array([value]))[0], low, high)


def _values(films: Sequence[FilmScores], table: Columns, weights: Counts) -> _Values:
    """Compute every figure for every row of weights."""
    groups = np.repeat(table.film_groups, [film.lesions for film in films])
    cutoffs = froc.cutoffs(table, weights, BAND_RATES)
    return _Values(
        sensitivity=froc.sensitivities(table, weights, cutoffs),
        image_auc=froc.image_auc(table, weights),
        all_listed=froc.sensitivities(table, weights, np.full((len(weights), 1), NOTHING))[:, 0],
        on_hits={
            name: froc.median(values, groups, weights) for name, values in on_hits(films).items()
        },
    )


def _headline(point: _Values, drawn: _Values) -> Headline:
    """Return the figures (or differences) with their intervals."""
    return Headline(
        sensitivity=tuple(
            figure(value, drawn.sensitivity[:, index])
            for index, value in list(enumerate(point.sensitivity[0]))[::4]
        ),
        cpm=figure(point.cpm[0], drawn.cpm),
        image_auc=figure(point.image_auc[0], drawn.image_auc),
        sensitivity_all_listed=figure(point.all_listed[0], drawn.all_listed),
        on_hits={name: figure(point.on_hits[name][0], drawn.on_hits[name]) for name in ON_HITS},
    )


def _band(point: _Values, drawn: _Values, shares: Floats) -> Band:
    ends = [
        figure(value, drawn.sensitivity[:, index])
        for index, value in enumerate(point.sensitivity[0])
    ]
    return Band(
        rates=BAND_RATES,
        sensitivity=point.sensitivity[0],
        low=np.array([end.low for end in ends], np.float64),
        high=np.array([end.high for end in ends], np.float64),
        chance=froc.chance_sensitivity(shares, BAND_RATES),
    )
