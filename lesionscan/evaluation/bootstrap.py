"""Percentile bootstrap over groups of films.

Groups are resampled, not films, because films of one patient, or copies of one film, are not
independent (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
"""Resamples for an interval: 50 of them lie beyond each end of a 95 % interval."""

SEED = 0

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]


def resampled_weights(groups: int, *, resamples: int, seed: int) -> Counts:
    """Draw bootstrap resamples of the groups.

    Parameters
    ----------
    groups
        Number of groups.
    resamples
        Number of resamples.
    seed
        The same seed gives the same resamples on every machine.

    Returns
    -------
    ndarray
        int64 (resamples, groups): how often each group was drawn. No rows if there are fewer than
        two groups, since one group gives no estimate of variation.

    Raises
    ------
    ValueError
        If `resamples` or `seed` is negative.
    """
    if resamples < 0 or seed < 0:
        raise ValueError(f"resamples and seed must be 0 or more, got {resamples} and {seed}")
    if groups < 2:
        return np.zeros((0, groups), np.int64)
    # Raw words of PCG64, whose stream NumPy promises to keep; the bias of the remainder is below
    # groups / 2^64.
    words = np.random.PCG64(np.random.SeedSequence([seed])).random_raw(resamples * groups)
    drawn = (np.asarray(words, np.uint64) % np.uint64(groups)).astype(np.int64)
    drawn += np.repeat(np.arange(resamples, dtype=np.int64) * groups, groups)
    counts = np.bincount(drawn, minlength=resamples * groups)
    return counts.reshape(resamples, groups).astype(np.int64)


def interval(values: Floats) -> tuple[float, float] | None:
    """Return the 2.5th and 97.5th percentiles, ignoring NaN; None if all values are NaN."""
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
