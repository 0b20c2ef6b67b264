"""The metrics equal those calculated by hand and those of independent programs."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from lesionscan.evaluation import froc
from lesionscan.evaluation.froc import RATES
from lesionscan.evaluation.scores import FilmScores
from tests.evaluation.scored import MISSED, film, film_lists

ONCE = 1
"""Weight that counts every group once."""


def weights_of(films: Sequence[FilmScores], count: int = ONCE) -> froc.Counts:
    """Return one row of weights that counts every group `count` times."""
    return np.full((1, len({one.group for one in films})), count, np.int64)


def sensitivity(films: Sequence[FilmScores], rates: Sequence[float] = RATES) -> list[float]:
    """Return the sensitivities at the rates."""
    table, ones = froc.columns(films), weights_of(films)
    found = froc.sensitivities(table, ones, froc.cutoffs(table, ones, rates))[0]
    return [float(value) for value in found]


def auc(films: Sequence[FilmScores]) -> float:
    """Return the image AUC."""
    return float(froc.image_auc(froc.columns(films), weights_of(films))[0])


PAPER = (
    film([0.9, 0.4], [0.7]),
    film([MISSED]),
    film(false=[0.8, 0.4]),
    film(false=[0.6]),
    film(),
)
"""Three lesions on two films, three lesion-free films.

Hits and false positives by threshold: 1 and 0 at 0.9, 1 and 1 at 0.8, 1 and 2 at 0.6, 2 and 3 at
0.4, where a hit and a false positive have the same score.
"""


def test_sensitivities_are_those_worked_out_on_paper() -> None:
    """Up to 1/2 per film (1.5 false positives), one of three lesions is found; from 1, two."""
    assert sensitivity(PAPER) == [1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3]


def test_cutoffs_are_the_first_false_positive_too_many() -> None:
    """The cutoff is the score of the first false positive that would exceed the rate.

    Of three false positives, none may exceed 0.8, one may exceed 0.6, and with all three allowed
    there is no cutoff.
    """
    cutoffs = froc.cutoffs(froc.columns(PAPER), weights_of(PAPER), [0.0, 0.5, 0.99, 1.0])
    assert cutoffs.tolist() == [[0.8, 0.6, 0.4, MISSED]]


def test_the_curve_has_the_points_where_sensitivity_rises() -> None:
    """Only thresholds that add a hit (0.9 and 0.4, not 0.8 and 0.6) are points of the curve."""
    curve = froc.curve(PAPER)
    assert curve is not None
    assert curve.thresholds.tolist() == [0.9, 0.4]
    assert curve.false_positives_per_film.tolist() == [0.0, 1.0]
    assert curve.sensitivity.tolist() == [1 / 3, 2 / 3]


def test_the_curve_ends_at_the_lowest_threshold() -> None:
    """The last point counts the false positives of all candidates, even without a further hit."""
    curve = froc.curve([film([0.9]), film(false=[0.5, 0.1])])
    assert curve is not None
    assert curve.thresholds.tolist() == [0.9, 0.1]
    assert curve.false_positives_per_film.tolist() == [0.0, 2.0]


def test_false_positives_on_lesion_films_are_apart() -> None:
    """False positives on lesion films are counted separately: 1/2 per film below 0.7."""
    cutoffs = np.array([0.8, 0.6, MISSED, np.nan])
    found = froc.false_positives_on_lesion_films(PAPER, cutoffs)
    assert found[:3].tolist() == [0.0, 0.5, 0.5]
    assert np.isnan(found[3])


def test_lesion_films_without_result_carry_no_false_positives() -> None:
    """False positives on lesion films are averaged over films with a result only."""
    films = [film([MISSED], [0.7, 0.6]), film([MISSED], has_result=False)]
    assert froc.false_positives_on_lesion_films(films, np.array([0.1])).tolist() == [2.0]
    nothing = froc.false_positives_on_lesion_films(films[1:], np.array([0.1]))
    assert np.isnan(nothing).all()


def test_the_only_hit_at_the_lowest_threshold_counts() -> None:
    """A hit at the lowest threshold counts: found at 1 false positive per film, but not below.

    MONAI's FROC gives 0 here, since it leaves out the lowest threshold.
    """
    assert sensitivity([film([0.1]), film(false=[0.9])]) == [0, 0, 0, 1, 1, 1, 1]


def test_a_hit_tied_with_a_false_positive_too_many_is_not_counted() -> None:
    """A hit with the same score as a false positive counts only if both are allowed."""
    films = [film([0.5]), film(false=[0.5]), film(), film()]
    assert sensitivity(films, [0.25, 0.34]) == [0.0, 1.0]


def test_all_lesions_hit_without_false_positive_is_1_everywhere() -> None:
    """A program without errors has sensitivity 1 at every rate."""
    assert sensitivity([film([0.3, 0.2]), film()]) == [1.0] * 7


def test_no_candidates_is_0_everywhere() -> None:
    """A program without candidates has sensitivity 0 at every rate and an empty curve."""
    films = [film([MISSED]), film()]
    assert sensitivity(films) == [0.0] * 7
    curve = froc.curve(films)
    assert curve is not None
    assert curve.thresholds.size == 0


@pytest.mark.parametrize(
    "films", [[film(false=[0.5])], [film([0.5])], [film([0.5]), film(has_result=False)]]
)
def test_without_lesion_or_lesion_free_film_there_is_no_figure(films: list[FilmScores]) -> None:
    """Sensitivity at a rate needs a lesion and a lesion-free film with a result."""
    assert np.isnan(sensitivity(films)).all()
    assert froc.curve(films) is None


def test_a_failed_lesion_free_film_leaves_the_denominator() -> None:
    """Failed lesion-free films are not counted: 1 false positive per film here, not 2/3."""
    films = [film([0.5]), film(false=[0.9, 0.8]), film(), film(has_result=False)]
    assert sensitivity(films, [2 / 3, 1.0]) == [0.0, 1.0]


def test_the_auc_is_that_worked_out_on_paper() -> None:
    """The AUC is 3.5/6: one lesion film wins three pairs, the other ties once and loses twice."""
    assert auc(PAPER) == 3.5 / 6


@pytest.mark.parametrize(
    ("lesion_film", "free_film", "expected"),
    [
        (film([0.5]), film(false=[0.5]), 0.5),
        (film([MISSED]), film(), 0.5),
        (film([MISSED], [0.5]), film(), 1.0),
        (film([MISSED], has_result=False), film(), 0.0),
        (film([0.5]), film(has_result=False), 0.0),
        (film([MISSED], has_result=False), film(has_result=False), 0.0),
    ],
)
def test_no_result_is_never_better_than_a_result(
    lesion_film: FilmScores, free_film: FilmScores, expected: float
) -> None:
    """In the AUC, ties count half, and a film without a result loses every pair."""
    assert auc([lesion_film, free_film]) == expected


@pytest.mark.parametrize("films", [[film([0.5])], [film()]])
def test_without_both_kinds_of_film_there_is_no_auc(films: list[FilmScores]) -> None:
    """An AUC needs a lesion film and a lesion-free film."""
    assert np.isnan(auc(films))


@given(films=film_lists())
def test_the_auc_is_scikit_learns_and_that_of_ranks(films: list[FilmScores]) -> None:
    """The AUC equals scikit-learn's roc_auc_score and the rank formula with scipy's rankdata."""
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score  # slow import
    truth = [one.lesions > 0 for one in films]
    places = [
        (-2.0 if one.lesions else 2.0) if not one.has_result else max(one.best, -1.0)
        for one in films
    ]
    if len(set(truth)) < 2:
        return
    positive = np.array(truth)
    ranks, lesion_films = rankdata(places), int(positive.sum())
    pairs = lesion_films * (len(films) - lesion_films)
    by_ranks = (ranks[positive].sum() - lesion_films * (lesion_films + 1) / 2) / pairs
    assert auc(films) == pytest.approx(float(roc_auc_score(truth, places)), abs=1e-12)
    assert auc(films) == pytest.approx(by_ranks, abs=1e-12)


def by_definition(films: Sequence[FilmScores], rate: float) -> float:
    """Return the highest sensitivity among thresholds with at most `rate` false positives."""
    free = [one for one in films if not one.lesions and one.has_result]
    hits = np.concatenate([one.hits for one in films])
    false = np.concatenate([np.zeros(0), *(one.false_positives for one in free)])
    if not free or not hits.size:
        return float("nan")
    return max(
        float((hits >= threshold).sum() / hits.size)
        for threshold in [*hits[np.isfinite(hits)], *false, np.inf]
        if (false >= threshold).sum() / len(free) <= rate
    )


@given(films=film_lists(), rate=st.sampled_from(RATES))
def test_sensitivity_is_the_best_of_the_allowed_thresholds(
    films: list[FilmScores], rate: float
) -> None:
    """The fast algorithm gives the same sensitivity as trying every threshold."""
    expected = by_definition(films, rate)
    assert sensitivity(films, [rate])[0] == pytest.approx(expected, nan_ok=True)


@given(films=film_lists())
def test_the_thinned_curve_gives_the_same_sensitivities(films: list[FilmScores]) -> None:
    """At each rate, the best allowed point of the thinned curve has the set's sensitivity."""
    curve = froc.curve(films)
    if curve is None:
        return
    for rate, expected in zip(RATES, sensitivity(films), strict=True):
        allowed = curve.sensitivity[curve.false_positives_per_film <= rate]
        assert max([0.0, *allowed]) == pytest.approx(expected)
    assert all(one < other for one, other in pairwise(-curve.thresholds))


@given(films=film_lists(), data=st.data())
def test_a_weight_of_two_is_the_films_counted_twice(
    films: list[FilmScores], data: st.DataObject
) -> None:
    """Weighted metrics equal the unweighted metrics of films repeated as often."""
    table = froc.columns(films)
    size = len(table.groups)
    counts = data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    weights = np.array([counts], np.int64)
    times = dict(zip(table.groups, counts, strict=True))
    repeated = [one for one in films for _ in range(times[one.group])]
    groups = np.repeat(table.film_groups, [one.lesions for one in films])
    dice = np.concatenate([one.dice for one in films])

    got = froc.sensitivities(table, weights, froc.cutoffs(table, weights, RATES))[0]
    area = froc.image_auc(table, weights)[0]
    middle = froc.median(dice, groups, weights)[0]

    if not repeated:
        assert np.isnan([*got, area, middle]).all()
        return
    assert got == pytest.approx(sensitivity(repeated), nan_ok=True)
    assert area == pytest.approx(auc(repeated), nan_ok=True)
    kept = np.concatenate([one.dice[~np.isnan(one.dice)] for one in repeated])
    assert middle == pytest.approx(float(np.median(kept)) if kept.size else np.nan, nan_ok=True)


def test_a_replicate_that_needs_more_false_positives_is_counted_with_all() -> None:
    """The cutoff is exact if a resample allows more false positives than the shortened list.

    A film with 400 false positives counts once and an empty one 40 times, so 8 per film allow 328.
    The shortened list has 64 + 3 x 8 x 2 = 112 entries.
    """
    scores = np.linspace(0.9, 0.1, 400)
    films = [film([0.5], group="a"), film(false=scores.tolist(), group="b"), film(group="c")]
    weights = np.array([[1, 1, 1], [1, 1, 40], [1, 0, 1]], np.int64)
    cutoffs = froc.cutoffs(froc.columns(films), weights, [8.0])
    assert cutoffs[:, 0].tolist() == [scores[16], scores[328], MISSED]


@pytest.mark.parametrize("counts", [(1, 0, 0), (1, 2, 0), (0, 0, 0)])
def test_a_share_is_parts_over_wholes(counts: tuple[int, int, int]) -> None:
    """A weighted share is the sum of parts over the sum of wholes, and NaN without any."""
    groups = np.arange(3)
    value = froc.share(np.array([1, 3, 0]), np.array([2, 3, 0]), groups, np.array([counts]))
    expected = {(1, 0, 0): 1 / 2, (1, 2, 0): 7 / 8, (0, 0, 0): np.nan}[counts]
    assert value[0] == pytest.approx(expected, nan_ok=True)


def test_chance_is_the_closed_form() -> None:
    """Chance sensitivity is the mean of 1 - exp(-share x points per film) over all lesions."""
    assert froc.chance_sensitivity(np.array([0.5]), [2.0])[0] == pytest.approx(1 - np.exp(-1))
    assert froc.chance_sensitivity(np.array([0.5, 0.0]), [2.0])[0] == pytest.approx(
        (1 - np.exp(-1)) / 2
    )
    assert np.isnan(froc.chance_sensitivity(np.zeros(0), RATES)).all()


def test_chance_is_what_random_points_reach() -> None:
    """Chance sensitivity matches a simulation of 4000 films with random points.

    The points fall on a line of 1000 places with lesions of 20 and 200 places.
    """
    rng = np.random.Generator(np.random.PCG64(5))
    shares, rates = np.array([0.02, 0.2]), [0.5, 2.0, 8.0]
    for rate, expected in zip(rates, froc.chance_sensitivity(shares, rates), strict=True):
        found = 0
        for points in rng.poisson(rate, 4000):
            places = rng.integers(0, 1000, points)
            found += int((places < 20).any()) + int((places >= 800).any())
        # three standard errors of 8000 lesions
        assert found / 8000 == pytest.approx(expected, abs=3 * (0.25 / 8000) ** 0.5)


@pytest.mark.parametrize("seed", range(6))
def test_operating_points_are_those_of_picai_eval(seed: int) -> None:
    """The curve equals that of picai_eval (Saha, Lancet Oncol 2024), an independent program.

    picai_eval divides the false positives of all films by the number of films; so lesion films have
    none here, and its rate is multiplied by films / lesion-free films. It puts the lowest threshold
    at infinity; a missed lesion is passed with score 0, which is that threshold.
    """
    metrics = pytest.importorskip("picai_eval.metrics")
    rng = np.random.Generator(np.random.PCG64(seed))
    grades = np.linspace(0.05, 0.95, 19) if seed % 2 else rng.random(1000)  # with and without ties
    films = [film([MISSED])]
    for _ in range(12):
        hits = [float(rng.choice(grades)) if rng.random() < 0.7 else MISSED for _ in range(3)]
        films += [film(hits), film(false=rng.choice(grades, rng.integers(0, 9)).tolist())]
    free = sum(not one.lesions for one in films)
    theirs = metrics.Metrics(
        {
            f"{number:02d}": [(1, max(score, 0.0), 0.0) for score in one.hits]
            + [(0, score, 0.0) for score in one.false_positives]
            for number, one in enumerate(films)
        }
    )
    rates = np.asarray(theirs.lesion_FPR) * len(films) / free
    expected = dict(zip(theirs.thresholds, zip(rates, theirs.lesion_TPR, strict=True), strict=True))

    curve = froc.curve(films)
    assert curve is not None
    for threshold, rate, level in zip(
        curve.thresholds, curve.false_positives_per_film, curve.sensitivity, strict=True
    ):
        assert expected[threshold] == pytest.approx((rate, level))
    for rate, level in zip(RATES, sensitivity(films), strict=True):
        allowed = np.asarray(theirs.lesion_TPR)[rates <= rate]
        assert level == pytest.approx(max([0.0, *allowed]))
    assert auc(films) == pytest.approx(theirs.auroc)


@given(film_lists(), st.integers(1, 40))
def test_false_positive_rates_are_counted_per_resample(films: list[FilmScores], batch: int) -> None:
    """Each row of weights has its own cutoff, and groups count as often as their weight says."""
    table = froc.columns(films)
    weights = np.array([[1, 0, 2, 1], [0, 3, 1, 0], [2, 2, 0, 1]])[:, : len(table.groups)]
    cutoff = np.array([0.3, float("-inf"), float("nan")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(froc, "_BATCH", batch)
        found = froc.false_positive_rates(table, weights, cutoff)
    for row, limit, rate in zip(weights[:2], cutoff, found, strict=False):
        times = dict(zip(table.groups, row.tolist(), strict=True))
        free = [one for one in films if one.has_result and not one.lesions]
        count = sum(times[one.group] * int((one.false_positives > limit).sum()) for one in free)
        whole = sum(times[one.group] for one in free)
        assert rate == pytest.approx(count / whole if whole else np.nan, nan_ok=True)
    assert np.isnan(found[2])
