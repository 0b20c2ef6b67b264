"""Bootstrap resamples are reproducible, and intervals are their percentiles."""

import numpy as np
import pytest

from lesionscan.evaluation.bootstrap import interval, resampled_weights


def test_as_many_groups_are_drawn_as_there_are() -> None:
    """Each resample of seven groups has seven draws, some repeated and some absent."""
    weights = resampled_weights(7, resamples=50, seed=1)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert {0, 1, 2} <= set(weights.ravel().tolist())


def test_each_group_is_drawn_equally_often() -> None:
    """Over 4000 resamples of five groups, the mean weight is 1 within four standard errors."""
    weights = resampled_weights(5, resamples=4000, seed=2)
    assert weights.mean(axis=0) == pytest.approx(1.0, abs=4 * (0.8 / 4000) ** 0.5)


def test_the_seed_decides() -> None:
    """A seed always gives the same draws, which are fixed here, and another one gives others."""
    first = resampled_weights(4, resamples=3, seed=0)
    assert first.tolist() == [[1, 2, 0, 1], [0, 1, 1, 2], [2, 1, 0, 1]]
    assert not np.array_equal(first, resampled_weights(4, resamples=3, seed=1))


@pytest.mark.parametrize("groups", [0, 1])
def test_one_group_says_nothing_about_variation(groups: int) -> None:
    """With no group or one, there are no resamples."""
    assert resampled_weights(groups, resamples=9, seed=0).shape == (0, groups)


@pytest.mark.parametrize(("resamples", "seed"), [(-1, 0), (1, -1)])
def test_negative_numbers_are_refused(resamples: int, seed: int) -> None:
    """A negative number of resamples or a negative seed is refused."""
    with pytest.raises(ValueError, match="resamples and seed must be 0 or more"):
        resampled_weights(2, resamples=resamples, seed=seed)


def test_an_interval_is_the_percentiles_of_what_is_known() -> None:
    """The 95 % interval of 0 to 1000 is 25 to 975 without NaN values, and None with only NaN."""
    values = np.append(np.arange(1001.0), [np.nan, np.nan])
    assert interval(values) == (25.0, 975.0)
    assert interval(np.array([np.nan])) is None
