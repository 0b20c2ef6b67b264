"""Outcomes of films made from scores alone, for tests of the metrics."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from lesionscan.evaluation.scores import NOTHING, FilmScores

MISSED = NOTHING


def film(
    hits: Sequence[float] = (),
    false: Sequence[float] = (),
    *,
    group: str = "g",
    has_result: bool = True,
    shares: Sequence[float] | None = None,
    dice: Sequence[float] | None = None,
) -> FilmScores:
    """Return a film with the scores of its lesions and of its false positives."""
    unknown = np.full(len(hits), np.nan)
    return FilmScores(
        group=group,
        hits=np.array(hits, np.float64),
        false_positives=np.array(false, np.float64),
        best=max([*hits, *false, NOTHING]),
        chance_shares=np.zeros(len(hits)) if shares is None else np.array(shares, np.float64),
        dice=unknown if dice is None else np.array(dice, np.float64),
        area_error=unknown,
        diameter_error=unknown,
        distance_px=unknown,
        has_result=has_result,
    )


GRADES = st.sampled_from([0.1, 0.3, 0.30001, 0.5, 0.9])


@st.composite
def film_lists(draw: st.DrawFn) -> list[FilmScores]:
    """Draw up to seven films of up to four groups, with ties, misses and failures."""
    films: list[FilmScores] = []
    for _ in range(draw(st.integers(1, 7))):
        has_result = draw(st.booleans() | st.just(value=True))
        outcome = (GRADES | st.just(MISSED)) if has_result else st.just(MISSED)
        hits = draw(st.lists(outcome, max_size=3))
        false = draw(st.lists(GRADES, max_size=12)) if has_result else []
        dice = [float("nan") if hit == MISSED else 0.1 + hit / 2 for hit in hits]
        group = draw(st.sampled_from("abcd"))
        films.append(film(hits, false, group=group, has_result=has_result, dice=dice))
    return films
