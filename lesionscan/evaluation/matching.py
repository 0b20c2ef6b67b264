"""Which candidates hit which lesions: greedy, best score first, one hit a lesion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.evaluation.truth import TruthFilm, read_mask

TOLERANCE = 0.008
"""A centroid may lie this share of the film's long side outside the lesion, as in FROC studies
that dilate the truth: at 43 cm it is 3.4 mm, about what two readers' outlines differ by."""


@dataclass(frozen=True, slots=True)
class Match:
    """The outcome for one film.

    Attributes
    ----------
    hits
        (lesion's number in the mask, candidate's index) pairs.
    missed
        Numbers of the lesions without a candidate.
    repeats
        Indices of candidates on a lesion that a better candidate has hit; neither right nor wrong.
    others
        Indices of candidates on no lesion.
    """

    hits: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    repeats: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FilmComparison:
    """One film's result against its truth; counts of lesions and of shown candidates."""

    film: TruthFilm
    status: str
    planted: int
    found: int
    others: int


def match_candidates(
    centroids_px: Sequence[tuple[float, float]],
    lesions: NDArray[np.int32],
    *,
    tolerance: float = TOLERANCE,
) -> Match:
    """Match candidates to lesions.

    Parameters
    ----------
    centroids_px
        (row, column) of each candidate, best first.
    lesions
        Label image (rows, cols): 0 background, one number a lesion.
    tolerance
        How far outside a lesion a centroid may lie, as a share of the film's long side.

    Returns
    -------
    Match
        A candidate near several lesions hits the nearest that is still free.
    """
    reach_px = tolerance * max(lesions.shape)
    numbers = [int(number) for number in np.unique(lesions) if number != 0]
    pixels = {number: np.argwhere(lesions == number) for number in numbers}
    hits: dict[int, int] = {}
    repeats: list[int] = []
    others: list[int] = []
    for index, centroid in enumerate(centroids_px):
        near = [
            (distance, number)
            for number in numbers
            if (distance := _distance(pixels[number], centroid)) <= reach_px
        ]
        free = [number for _, number in sorted(near) if number not in hits]
        if free:
            hits[free[0]] = index
        else:
            (repeats if near else others).append(index)
    missed = tuple(number for number in numbers if number not in hits)
    return Match(tuple(hits.items()), missed, tuple(repeats), tuple(others))


def compare_film(film: TruthFilm, results: Path) -> FilmComparison:
    """Compare a film's shown candidates with its truth.

    Parameters
    ----------
    film
        The truth.
    results
        Folder with the results of scanning the truth folder's `images`.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError
        When the mask cannot be read.
    """
    lesions = read_mask(film.mask)
    planted = len(np.unique(lesions[lesions != 0]))
    try:
        text = (results / f"{film.image.name}.json").read_text(encoding="utf-8")
    except OSError:
        return FilmComparison(film, "not done", planted, 0, 0)
    result: dict[str, Any] = json.loads(text)
    centroids = [
        (row, column)
        for row, column in (
            candidate["centroid_px"] for candidate in result["candidates"] if candidate["shown"]
        )
    ]
    match = match_candidates(centroids, lesions)
    return FilmComparison(film, result["status"], planted, len(match.hits), len(match.others))


def _distance(pixels: NDArray[np.intp], centroid: tuple[float, float]) -> float:
    """Return the distance in px from the centroid to the nearest of the pixels' centres."""
    return float(np.hypot(*(pixels - np.asarray(centroid)).T).min())
