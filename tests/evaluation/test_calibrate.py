"""The calibrated threshold is the one calculated by hand, with its uncertainty."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionscan.evaluation import froc
from lesionscan.evaluation.calibrate import (
    FEWEST_FILMS,
    Calibration,
    CalibrationError,
    CalibrationFilm,
    calibrate,
)
from lesionscan.evaluation.scores import FilmScores
from tests.evaluation.scored import MISSED, film, film_lists


def free(*scores: float, group: str = "g", **facts: object) -> CalibrationFilm:
    """Return a lesion-free film whose candidates have these scores."""
    return CalibrationFilm(film(false=scores, group=group), **facts)  # type: ignore[arg-type]


def distinct(count: int) -> list[CalibrationFilm]:
    """Return films with one candidate each and evenly spaced scores from 0 to 1."""
    scores = (np.arange(count) + 0.5) / count
    return [free(score, group=str(number)) for number, score in enumerate(scores)]


def chosen(films: Sequence[CalibrationFilm], rate: float, *, resamples: int = 50) -> Calibration:
    """Calibrate with few resamples."""
    return calibrate(films, false_positives=rate, resamples=resamples)


def test_the_score_lies_between_the_last_shown_and_the_first_hidden() -> None:
    """With scores 0.9, 0.6, 0.4 and 0.2 on four films, a rate of 0.5 shows two candidates."""
    films = [free(0.9, 0.2), free(0.6), free(0.4), free()]
    found = chosen(films, 0.5)
    assert found.threshold.shown_score == 0.5
    assert found.threshold.rate == 0.5
    assert found.shown.shown_score == 0.5
    assert (found.threshold.films, found.threshold.groups) == (4, 1)
    assert found.threshold.all_listed == 1.0


@pytest.mark.parametrize(
    ("rate", "score", "reached"),
    [
        (0.24, 0.95, 0.0),  # between the highest score and 1
        (0.25, 0.75, 0.25),
        (0.74, 0.5, 0.5),
        (1.0, 0.0, 1.0),  # all may be shown
        (7.0, 0.0, 1.0),
    ],
)
def test_the_rate_is_never_exceeded(rate: float, score: float, reached: float) -> None:
    """The rate reached is the highest possible one that is not above the requested rate."""
    films = [free(0.9, 0.2), free(0.6), free(0.4), free()]
    found = chosen(films, rate).threshold
    assert (found.shown_score, found.rate) == (score, reached)


@given(film_lists(), st.sampled_from([0.1, 0.25, 0.5, 1.0, 3.0]))
def test_it_agrees_with_the_curve(films: list[FilmScores], rate: float) -> None:
    """The score is above the cutoff that `evaluate` uses at this rate, and gives the same rate."""
    if not any(one.has_result and not one.lesions for one in films):
        with pytest.raises(CalibrationError, match="no film without lesions has a result"):
            chosen([CalibrationFilm(one) for one in films], rate)
        return
    found = chosen([CalibrationFilm(one) for one in films], rate, resamples=3)
    table = froc.columns(films)
    ones = np.ones((1, len(table.groups)), np.int64)
    cutoff = froc.cutoffs(table, ones, [rate])
    score = found.shown.shown_score
    assert score > cutoff[0, 0]
    assert found.threshold.rate <= rate
    exceeding = froc.false_positive_rates(table, ones, cutoff[:, 0])[0]
    assert found.threshold.rate == exceeding == found.shown.rate


def test_sensitivity_before_and_after() -> None:
    """Sensitivity counts lesions whose candidate reaches the score, out of all lesions."""
    lesions = CalibrationFilm(film(hits=(0.5, 0.45, MISSED, 0.8), false=(0.99,)))
    films = [free(0.9), free(0.6), free(0.4), free(), lesions]
    found = calibrate(films, false_positives=0.5, before=0.42, resamples=10)
    assert found.lesions == 4
    assert found.shown.sensitivity.value == 0.5
    assert found.before is not None
    assert (found.before.rate, found.before.sensitivity.value) == (0.5, 0.75)
    assert chosen(films[:4], 0.5).shown.sensitivity.value is None


def test_the_intervals_hold_what_is_expected() -> None:
    """For 400 films with one candidate each, both intervals have the expected width.

    The number of false positives has the standard deviation sqrt(400 * 1/4 * 3/4) = 8.7 on these
    films and on new ones, so the rate on new films varies sqrt(2) times as much: the interval
    extends 1.96 * sqrt(2) * 8.7 / 400 = 0.06 to each side.
    """
    found = calibrate(distinct(400), false_positives=0.25).threshold
    assert found.shown_score == 0.75
    assert found.expected is not None
    assert found.expected == pytest.approx((0.19, 0.31), abs=0.012)
    assert found.score_interval == pytest.approx((0.75 - 0.042, 0.75 + 0.042), abs=0.01)


def test_films_of_one_patient_stay_together() -> None:
    """Four copies of each film per patient widen the interval; a single patient gives none."""
    wide = [one for one in distinct(100) for _ in range(4)]
    copies = calibrate(wide, false_positives=0.25).threshold
    films = calibrate(distinct(400), false_positives=0.25).threshold
    assert copies.groups == 100
    assert copies.expected is not None
    assert films.expected is not None
    ratio = np.diff(copies.expected)[0] / np.diff(films.expected)[0]
    assert ratio == pytest.approx(2, rel=0.15)
    alone = chosen([free(0.5), free(0.7)], 0.5)
    assert alone.threshold.expected is None
    assert "one film or patient alone" in " ".join(alone.warnings())


def test_a_body_part_needs_enough_films() -> None:
    """A body part with 30 films has its own score; those with fewer films are only counted."""
    films = [
        *(free(0.1 + 0.02 * number, body_part="HAND") for number in range(FEWEST_FILMS)),
        *(free(0.95, body_part="FOOT") for _ in range(2)),
        free(0.3),
    ]
    found = chosen(films, 0.1)
    assert list(found.body_parts) == ["HAND"]
    hands = found.body_parts["HAND"]
    assert hands.threshold.films == FEWEST_FILMS
    assert hands.threshold.rate == 0.1
    assert hands.common_rate == pytest.approx(1 / FEWEST_FILMS)  # two feet have the others
    assert found.few == {"FOOT": 2}


def test_failed_films_are_left_out_and_counted() -> None:
    """Failed films are excluded from the rate; films without bone are included."""
    failed = CalibrationFilm(film(has_result=False))
    films = [free(0.9), free(0.8, assessed=False), failed]
    found = chosen(films, 0.5)
    assert (found.threshold.films, found.failed, found.not_assessed) == (2, 1, 1)


@pytest.mark.parametrize(
    ("films", "rate", "words"),
    [
        (distinct(29), 0.5, ["only 29 films without lesions: the score is uncertain"]),
        (distinct(30), 0.5, []),
        (
            [one for one in distinct(29) for _ in range(2)],
            0.5,
            ["of only 29 patients: the intervals are too narrow; use at least 30"],
        ),
        (distinct(40), 1.5, ["1.5 false positives per film cannot be reached: all .* give 1;"]),
        (
            [free(1.0, 1.0, group=str(number)) for number in range(30)],
            0.5,
            ["cannot be reached: candidates of the highest score, 1, alone give 2"],
        ),
        (distinct(40), 0.02, ["less than one on 40 films, .* use at least 50 films"]),
        (
            [free(0.4, group=str(number)) for number in range(30)],
            0.5,
            ["the rate reached is 0: the next candidates have one score"],
        ),
    ],
)
def test_what_a_user_must_know_is_said(
    films: list[CalibrationFilm], rate: float, words: list[str]
) -> None:
    """Small samples and rates that cannot be reached give warnings."""
    said = list(chosen(films, rate).warnings())
    assert len(said) == len(words)
    for line, pattern in zip(said, words, strict=True):
        assert re.search(pattern, line)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_is_a_number_above_0(rate: float) -> None:
    """A rate that is not a finite number above 0 is refused."""
    with pytest.raises(ValueError, match="false_positives must be a number above 0"):
        chosen(distinct(40), rate)


def test_two_scores_with_no_short_number_between_them_are_told_apart() -> None:
    """The threshold keeps all digits if six digits would show another number of candidates."""
    low, high = 0.5, np.nextafter(np.nextafter(0.5, 1), 1)
    found = chosen([free(low), free(high)], 0.5)
    assert low < found.shown.shown_score <= high
    assert found.threshold.rate == 0.5
