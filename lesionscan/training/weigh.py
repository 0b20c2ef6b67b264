"""Fit the effects of the terms of the score on films that the network was not trained on.

Boosted stumps (Friedman, Ann Statist 2001;29:1189) without interactions are a sum of one function
per term, which is what a scorer file holds and what makes the score explainable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from lesionscan.detection.pipeline import find_candidates
from lesionscan.detection.scorer.scorer_file import Scorer, TermEffect
from lesionscan.detection.scorer.terms import TERMS
from lesionscan.radiograph import Radiograph
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import LESION, TrainingFilm

_NEAR = 0.008
"""Largest distance of a region's centroid from a lesion for a hit, relative to the long side."""
_RISING = frozenset({"lucency", "lucency_peak"})
"""Terms of the network, whose effects must not decrease."""
_KNOTS = 24
_SEED = 0
_STEPS = 1e4
"""Effects and offset are rounded to 1 / `_STEPS` in log-odds."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRegions:
    """The regions of one film, and which of them are lesions.

    Attributes
    ----------
    values
        float64 (regions, terms), in the order of `TERMS`.
    hit
        bool (regions,); whether each lies on a lesion.
    lesion_free
        Whether the film has no lesions.
    """

    values: NDArray[np.float64]
    hit: NDArray[np.bool_]
    lesion_free: bool


def labelled_regions(film: TrainingFilm, *, scorer: Scorer) -> LabelledRegions:
    """Find the regions of a film and label those on lesions; leave out those on faint lesions.

    Parameters
    ----------
    film
        A film that the scorer's network was not trained on.
    scorer
        Supplies the network; its terms only determine the order of the regions.
    """
    pixels = film.image.astype(np.float32) / np.float32(255)
    found = find_candidates(
        Radiograph(pixels=pixels, valid=np.ones(pixels.shape, np.bool_)), scorer=scorer
    ).candidates
    reach = max(1, round(_NEAR * max(pixels.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate((film.lesions > 0).astype(np.uint8), disk)
    _, lesions = cv2.connectedComponents(
        cv2.dilate((film.lesions == LESION).astype(np.uint8), disk)
    )
    values, hit, taken = [], [], {0}
    for region in (candidate.region for candidate in found):
        row, col = (round(at) for at in region.centroid_px)
        lesion = int(lesions[row, col])
        # only the best region on a lesion counts; others are neither hits nor false alarms
        if near[row, col] and lesion in taken:
            continue
        taken.add(lesion)
        values.append([term.value(region) for term in TERMS])
        hit.append(lesion > 0)
    return LabelledRegions(
        values=np.array(values, np.float64).reshape(len(values), len(TERMS)),
        hit=np.array(hit, np.bool_),
        lesion_free=not film.has_lesions,
    )


def weigh(
    films: Sequence[LabelledRegions], *, false_alarms: float
) -> tuple[float, tuple[TermEffect, ...]]:
    """Fit the terms' effects.

    Parameters
    ----------
    films
        From `labelled_regions`.
    false_alarms
        Number of regions per lesion-free film that reach a score of 0.5.

    Returns
    -------
    offset
        As in `ScorerCard`.
    terms
        As in `ScorerCard`.

    Raises
    ------
    TrainingError
        If there are no lesions among the regions, or no regions in films without lesions.
    """
    free = [film for film in films if film.lesion_free]
    if not any(film.hit.any() for film in films) or not any(len(film.hit) for film in free):
        raise TrainingError(
            "the terms can only be weighed if the films held out (a fifth of all) include some "
            "with lesions and some without; give more phantoms or films"
        )
    values = np.concatenate([film.values for film in films])
    hit = np.concatenate([film.hit for film in films])
    model = HistGradientBoostingClassifier(
        learning_rate=0.06, max_iter=150, max_leaf_nodes=6, min_samples_leaf=40,
        l2_regularization=5.0, interaction_cst="no_interactions", early_stopping=False,
        monotonic_cst=[1 if term.name in _RISING else 0 for term in TERMS], random_state=_SEED,
    )  # fmt: skip
    model.fit(values, hit)
    typical = np.median(values, axis=0)
    base = model.decision_function(typical[None])
    effects = []
    for column, term in enumerate(TERMS):
        knots = np.unique(np.quantile(values[:, column], np.linspace(0, 1, _KNOTS)).round(6))
        at = np.repeat(typical[None], len(knots), axis=0)
        at[:, column] = knots
        effect = model.decision_function(at) - base
        mean = float(np.interp(values[:, column], knots, effect).mean())
        effects.append(
            TermEffect(
                name=term.name,
                at=tuple(float(knot) for knot in knots),
                effect=tuple(round(float(value) - mean, 4) for value in effect),
            )
        )
    alarms = np.concatenate([_log_odds(film.values, effects) for film in free])
    offset = _offset(alarms, int(false_alarms * len(free)))
    # a term without effect would be no reason
    return offset, tuple(effect for effect in effects if any(effect.effect))


def _offset(alarms: NDArray[np.float64], allowed: int) -> float:
    """Return the offset at which at most `allowed` false alarms reach a score of 0.5."""
    strongest = np.sort(alarms)[::-1]
    # one step lower, so that rounding of a score does not matter
    if allowed >= len(alarms):
        return float(1 - np.rint(strongest[-1] * _STEPS)) / _STEPS
    return float(-1 - np.rint(strongest[allowed] * _STEPS)) / _STEPS


def _log_odds(values: NDArray[np.float64], effects: Sequence[TermEffect]) -> NDArray[np.float64]:
    """Return the sum of the terms' effects for each region, in log-odds."""
    parts = [np.interp(values[:, n], e.at, e.effect) for n, e in enumerate(effects)]
    return np.asarray(np.sum(parts, axis=0), np.float64)
