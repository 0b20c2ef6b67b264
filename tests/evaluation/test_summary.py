"""The metrics of a set, their intervals, and differences between two programs."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings

from lesionscan.evaluation import froc
from lesionscan.evaluation.bootstrap import resampled_weights
from lesionscan.evaluation.scores import FilmScores, score_film
from lesionscan.evaluation.summary import BAND_RATES, RATES, compare, summarise
from tests.evaluation.scored import MISSED, film, film_lists
from tests.evaluation.test_froc import PAPER, auc, sensitivity


def own_groups(films: Sequence[FilmScores]) -> list[FilmScores]:
    """Return the films, each in its own group."""
    return [dataclasses.replace(one, group=f"{number:03d}") for number, one in enumerate(films)]


def test_the_set_on_paper() -> None:
    """The metrics are those calculated by hand: CPM (3/3 + 8/3) / 7 = 11/21, image AUC 7/12."""
    figures = summarise(own_groups(PAPER), resamples=50)
    assert [one.value for one in figures.sensitivity] == sensitivity(PAPER)
    assert figures.cpm.value == pytest.approx(11 / 21)
    assert figures.image_auc.value == pytest.approx(7 / 12)
    assert figures.sensitivity_all_listed.value == 2 / 3
    assert figures.cutoffs == (0.8, 0.8, 0.6, MISSED, MISSED, MISSED, MISSED)
    assert figures.false_positives_on_lesion_films == (0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.5)
    assert (figures.films, figures.lesion_films, figures.lesion_free_films) == (5, 2, 3)
    assert (figures.lesions, figures.groups, figures.resamples) == (3, 5, 50)


def test_the_rates_of_the_band_hold_the_seven() -> None:
    """Every fourth of the 25 rates of the band is one of the seven reported rates."""
    assert BAND_RATES[::4] == RATES
    assert len(BAND_RATES) == 25


def test_a_set_without_lesion_free_films_has_outlines_and_a_ceiling_only() -> None:
    """Without lesion-free films, metrics that need a false-positive rate are None, not 0."""
    films = own_groups([film([0.5], dice=[0.8]), film([MISSED])])
    figures = summarise(films, resamples=20)
    assert {one.value for one in figures.sensitivity} == {None}
    assert (figures.cpm.value, figures.cpm.low, figures.image_auc.value) == (None, None, None)
    assert (figures.curve, set(figures.cutoffs)) == (None, {None})
    assert figures.sensitivity_all_listed.value == 0.5
    assert figures.on_hits["dice_median"].value == 0.8
    assert figures.on_hits["dice_median_misses_as_zero"].value == pytest.approx(0.4)
    assert figures.left_out["without_lesion_free_film"] == 20


def test_a_set_without_lesions_has_thresholds_only() -> None:
    """Without lesions, only the cutoffs are known."""
    figures = summarise(own_groups([film(false=[0.5, 0.4]), film()]), resamples=20)
    assert {one.value for one in figures.sensitivity} == {None}
    assert (figures.image_auc.value, set(figures.chance), figures.chance_cpm) == (
        None,
        {None},
        None,
    )
    assert figures.cutoffs[2] == 0.4
    assert figures.left_out["without_lesion"] == 20


def test_outlines_that_nobody_measured_are_not_zero() -> None:
    """Without outlines there is no Dice, and misses are not counted as 0."""
    figures = summarise(own_groups([film([0.5]), film([MISSED])]), resamples=0)
    assert figures.on_hits["dice_median"].value is None
    assert figures.on_hits["dice_median_misses_as_zero"].value is None


def test_errors_are_absolute_and_biases_signed() -> None:
    """Areas 20 % too small and 10 % too large give an error of 15 % and a bias of -5 %."""
    one = dataclasses.replace(
        film([0.5, 0.6, MISSED]),
        area_error=np.array([-0.2, 0.1, np.nan]),
        diameter_error=np.array([-0.4, -0.2, np.nan]),
        distance_px=np.array([1.0, 2.0, np.nan]),
    )
    values = {name: f.value for name, f in summarise([one]).on_hits.items()}
    assert values["area_error_median"] == pytest.approx(0.15)
    assert values["area_bias_median"] == pytest.approx(-0.05)
    assert values["diameter_error_median"] == pytest.approx(0.3)
    assert values["diameter_bias_median"] == pytest.approx(-0.3)
    assert values["distance_px_median"] == 1.5


@settings(max_examples=25)
@given(films=film_lists())
def test_intervals_are_those_of_the_films_drawn(films: list[FilmScores]) -> None:
    """Intervals equal those calculated from explicitly resampled films."""
    figures = summarise(films, resamples=8, seed=3)
    names = sorted({one.group for one in films})
    cpms: list[float] = []
    areas: list[float] = []
    for row in resampled_weights(len(names), resamples=8, seed=3):
        times = dict(zip(names, row, strict=True))
        drawn = [one for one in films for _ in range(times[one.group])]
        cpms.append(float(np.mean(sensitivity(drawn))))
        areas.append(auc(drawn))
    for got, values in ((figures.cpm, cpms), (figures.image_auc, areas)):
        known = [value for value in values if not np.isnan(value)]
        if got.value is None or not known:
            assert (got.low, got.high) == (None, None)
        else:
            assert (got.low, got.high) == pytest.approx(tuple(np.percentile(known, [2.5, 97.5])))
    lesions = [
        sum(row[names.index(one.group)] * one.lesions for one in films)
        for row in resampled_weights(len(names), resamples=8, seed=3)
    ]
    assert figures.left_out["without_lesion"] == lesions.count(0)


def test_films_of_one_patient_are_drawn_together() -> None:
    """Grouping twenty copies of two films as two patients, not forty, widens the interval."""
    copies = [film([0.9]), film([MISSED])] * 20
    free = [film(group=f"free {number}") for number in range(5)]
    apart = summarise([*own_groups(copies), *free]).sensitivity[0]
    together = summarise(
        [*(dataclasses.replace(c, group=str(c.hits[0])) for c in copies), *free]
    ).sensitivity[0]
    assert apart.low is not None
    assert apart.high is not None
    assert (apart.value, together.value) == (0.5, 0.5)
    assert (together.low, together.high) == (0.0, 1.0)
    assert 0.25 < apart.low < apart.high < 0.75


def test_one_group_has_figures_without_intervals() -> None:
    """With all films of one patient, there are no intervals."""
    figures = summarise([film([0.5]), film()])
    assert figures.cpm.value == 1.0
    assert (figures.cpm.low, figures.cpm.high, figures.resamples) == (None, None, 0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """About 95 % of the intervals of 200 sets of 30 films contain the true sensitivity, 0.6."""
    rng = np.random.Generator(np.random.PCG64(8))
    held = 0
    for _ in range(200):
        hits = [[0.9] if rng.random() < 0.6 else [MISSED] for _ in range(30)]
        films = own_groups([*(film(h) for h in hits), film(), film()])
        one = summarise(films, resamples=200).sensitivity_all_listed
        assert one.low is not None
        assert one.high is not None
        held += one.low <= 0.6 <= one.high
    assert 0.88 <= held / 200 <= 0.99


def test_the_same_program_twice_differs_by_nothing() -> None:
    """All differences between a program and itself are 0, with intervals of zero width."""
    films = own_groups(PAPER)
    difference = compare(films, films)
    for one in (*difference.sensitivity, difference.cpm, difference.image_auc):
        assert (one.value, one.low, one.high) == (0.0, 0.0, 0.0)


def test_differences_are_the_first_minus_the_second() -> None:
    """A program with a higher score on one lesion differs by 1/3 in sensitivity, 1/7 in CPM."""
    films = own_groups(PAPER)
    better = own_groups([film([0.9, 0.85], [0.7], dice=[0.9, 0.9]), *PAPER[1:]])
    worse = own_groups([film([0.9, 0.4], [0.7], dice=[0.5, 0.7]), *PAPER[1:]])
    difference = compare(better, films, resamples=100)
    assert difference.sensitivity[0].value == pytest.approx(1 / 3)
    assert difference.cpm.value == pytest.approx(1 / 3 * 3 / 7)
    assert difference.sensitivity_all_listed.value == 0.0
    assert difference.on_hits["dice_median"].value is None
    assert compare(better, worse).on_hits["dice_median"].value == pytest.approx(0.3)


def test_paired_intervals_are_narrower_than_the_programs_own() -> None:
    """The interval of a paired difference is narrower than that of either program.

    Films that are difficult for both programs cancel out.
    """
    rng = np.random.Generator(np.random.PCG64(4))
    scores = rng.random(60).tolist()
    first = own_groups([*(film([s if s > 0.3 else MISSED]) for s in scores), film()])
    second = own_groups([*(film([s if s > 0.35 else MISSED]) for s in scores), film()])
    own, difference = summarise(first).sensitivity[-1], compare(first, second).sensitivity[-1]
    assert own.low is not None
    assert own.high is not None
    assert difference.low is not None
    assert difference.high is not None
    assert difference.high - difference.low < own.high - own.low


@pytest.mark.parametrize("others", [[], [film([0.5, 0.4])], [film([0.5], group="h")]])
def test_only_the_same_films_compare(others: list[FilmScores]) -> None:
    """Programs can be compared only on the same films, lesions and groups."""
    with pytest.raises(ValueError, match="only be compared on the same films in the same order"):
        compare([film([0.5])], others)


def test_an_empty_set_is_refused() -> None:
    """A set without films is refused."""
    with pytest.raises(ValueError, match="a set needs at least one film"):
        summarise([])


def test_random_points_score_as_the_chance_curve_says() -> None:
    """For random points in the bone, the interval of the sensitivity contains the chance curve.

    120 lesion films and 120 others have 40 points each, in a bone that covers a third of the film.
    """
    rng = np.random.Generator(np.random.PCG64(11))
    bone = np.zeros((60, 60), bool)
    bone[:, 20:40] = True
    places = np.argwhere(bone)
    films: list[FilmScores] = []
    for number in range(240):
        mask = np.zeros(bone.shape, np.int32)
        if number % 2:
            top, left = int(rng.integers(5, 50)), int(rng.integers(20, 36))
            mask[top : top + 5, left : left + 4] = 1
        points = places[rng.integers(0, len(places), 40)].astype(np.float64)
        films.append(score_film(points, rng.random(40), mask, group=f"{number}", search_area=bone))
    figures = summarise(films)
    for one, chance in zip(figures.sensitivity[2:], figures.chance[2:], strict=True):
        assert chance is not None
        assert one.low is not None
        assert one.high is not None
        assert one.low - 0.02 <= chance <= one.high + 0.02
    area = figures.image_auc
    assert area.low is not None
    assert area.high is not None
    assert area.low < 0.5 < area.high


def test_the_band_is_the_curve_with_its_interval() -> None:
    """The band contains the sensitivities, limits around them, and the chance curve."""
    films = own_groups([*PAPER, film([0.5], shares=[0.1])])
    figures = summarise(films, resamples=200)
    assert figures.band.sensitivity[::4].tolist() == [one.value for one in figures.sensitivity]
    assert (figures.band.low <= figures.band.sensitivity).all()
    assert (figures.band.sensitivity <= figures.band.high).all()
    shares = np.array([0.0, 0.0, 0.0, 0.1])
    assert figures.band.chance == pytest.approx(froc.chance_sensitivity(shares, BAND_RATES))
