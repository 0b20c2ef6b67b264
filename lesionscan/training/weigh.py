"""Regions of films that the network has not seen -> how much every term of the score counts.

Boosted stumps (Friedman, Ann Statist 2001;29:1189) without interactions are a sum of one function a
term, which is what a scorer file holds: the score can be read off term by term.
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
"""A region whose centroid lies as near to a lesion counts as a hit, as a share of the long side."""
_RISING = frozenset({"lucency", "lucency_peak"})
"""Terms that may only speak for a lesion as they rise: what the network sees."""
_KNOTS = 24
_SEED = 0
_STEPS = 1e4
"""Effects and offset are kept in steps of this part of a unit of log-odds."""


@dataclass(frozen=True, slots=True, eq=False)
class Rated:
    """The regions of one film.

    Attributes
    ----------
    values
        float64 (regions, terms), in the order of `TERMS`.
    hit
        bool (regions,); whether each lies on a lesion.
    lesion_free
        Whether the film has none.
    """

    values: NDArray[np.float64]
    hit: NDArray[np.bool_]
    lesion_free: bool


def rate(film: TrainingFilm, *, scorer: Scorer) -> Rated:
    """Find the regions of a film, and say which are lesions; those on faint lesions are left away.

    Parameters
    ----------
    film
        One that the scorer's network has not seen.
    scorer
        Whose network looks; its terms decide only which regions come first.
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
        # the best region of a lesion is the lesion; others on it say nothing about either
        if near[row, col] and lesion in taken:
            continue
        taken.add(lesion)
        values.append([term.value(region) for term in TERMS])
        hit.append(lesion > 0)
    return Rated(
        values=np.array(values, np.float64).reshape(len(values), len(TERMS)),
        hit=np.array(hit, np.bool_),
        lesion_free=not film.has_lesions,
    )


def weigh(rated: Sequence[Rated], *, false_alarms: float) -> tuple[float, tuple[TermEffect, ...]]:
    """Fit the terms' effects.

    Parameters
    ----------
    rated
        From `rate`.
    false_alarms
        Regions a lesion-free film of these that shall reach a score of 0.5.

    Returns
    -------
    offset
        As in `ScorerCard`.
    terms
        As in `ScorerCard`.

    Raises
    ------
    TrainingError
        When there are no lesions among the regions, or no regions in films without.
    """
    free = [film for film in rated if film.lesion_free]
    if not any(film.hit.any() for film in rated) or not any(len(film.hit) for film in free):
        raise TrainingError(
            "the terms can be weighed only where lesions and lesion-free films are among those "
            "held out (a fifth of all); give more phantoms or films"
        )
    values = np.concatenate([film.values for film in rated])
    hit = np.concatenate([film.hit for film in rated])
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
    # a term that never moved a score is no reason
    return offset, tuple(effect for effect in effects if any(effect.effect))


def _offset(alarms: NDArray[np.float64], allowed: int) -> float:
    """Return the offset at which the strongest alarms, at most `allowed`, reach a score of 0.5."""
    strongest = np.sort(alarms)[::-1]
    # a step aside, so that no rounding of a score decides
    if allowed >= len(alarms):
        return float(1 - np.rint(strongest[-1] * _STEPS)) / _STEPS
    return float(-1 - np.rint(strongest[allowed] * _STEPS)) / _STEPS


def _log_odds(values: NDArray[np.float64], effects: Sequence[TermEffect]) -> NDArray[np.float64]:
    """Return what the terms add for each region."""
    parts = [np.interp(values[:, n], e.at, e.effect) for n, e in enumerate(effects)]
    return np.asarray(np.sum(parts, axis=0), np.float64)
