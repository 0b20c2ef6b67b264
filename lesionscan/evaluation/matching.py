"""Which candidates hit which lesions.

A candidate can hit a lesion when its centroid lies within `TOLERANCE` of it. Each lesion is hit
once and each candidate hits one lesion. The pairs are those of a maximum matching whose candidates
have the highest scores (`assign`).

Why one assignment serves every threshold: sets of candidates that can be matched to different
lesions are the independent sets of a transversal matroid, and `assign` returns a basis of greatest
weight, where the weight rises with the score. By the greedy property of matroids such a basis
holds, for every threshold t, as many candidates of score >= t as any matching of those candidates
alone. So the matched candidates with score >= t number the lesions that can be found at t, and the
whole FROC curve comes from one assignment a film (Edmonds, Math Program 1971;1:127).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree

from lesionscan.evaluation.truth import TruthFilm, read_mask
from lesionscan.files import RECORD_BYTES, parse_json, read_bounded
from lesionscan.results.paths import ResultPaths

TOLERANCE = 0.008
"""A centroid may lie this share of the film's long side outside the lesion, as in FROC studies
that dilate the truth: at 43 cm it is 3.4 mm, about what two readers' outlines differ by."""

HALF_PIXEL = 0.5**0.5
"""No point inside a pixel is farther from its centre, in px: the least reach, so that on the
smallest pictures too a centroid inside a lesion is on it."""

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Match:
    """The outcome for one film.

    Attributes
    ----------
    hits
        (lesion's number in the mask, candidate's index) pairs, in the order of the candidates.
    missed
        Numbers of the lesions without a candidate.
    repeats
        Indices of candidates on lesions that other candidates have hit; neither right nor wrong.
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
    centroids_px: Sequence[tuple[float, float]] | Floats,
    lesions: NDArray[np.integer[Any]],
    *,
    scores: Sequence[float] | Floats | None = None,
    tolerance: float = TOLERANCE,
) -> Match:
    """Match candidates to lesions.

    Parameters
    ----------
    centroids_px
        (row, column) of each candidate.
    lesions
        Label image (rows, cols): 0 background, one number a lesion.
    scores
        The candidates' scores; without them the candidates stand best first.
    tolerance
        How far outside a lesion a centroid may lie, as a share of the film's long side.

    Raises
    ------
    ValueError
        When a score or a coordinate is not finite, or the two lists differ in length.
    """
    centroids = np.asarray(centroids_px, np.float64).reshape(-1, 2)
    order = np.arange(len(centroids), 0, -1, dtype=np.float64)
    worth = order if scores is None else np.asarray(scores, np.float64)
    if worth.shape != (len(centroids),):
        raise ValueError(f"{len(centroids)} centroids need as many scores, got {worth.size}")
    if not (np.isfinite(centroids).all() and np.isfinite(worth).all()):
        raise ValueError("centroids and scores must be finite numbers")
    pixels = lesion_pixels(lesions)
    distances = distances_px(centroids, pixels, reach=reach_px(lesions.shape, tolerance))
    numbers = list(pixels)
    pairs = assign(distances, worth)
    hit = {lesion for _, lesion in pairs}
    used = {candidate for candidate, _ in pairs}
    near = np.asarray(np.isfinite(distances).any(axis=1))
    rest = [index for index in range(len(centroids)) if index not in used]
    return Match(
        hits=tuple((numbers[lesion], candidate) for candidate, lesion in pairs),
        missed=tuple(number for index, number in enumerate(numbers) if index not in hit),
        repeats=tuple(index for index in rest if near[index]),
        others=tuple(index for index in rest if not near[index]),
    )


def assign(distances: Floats, scores: Floats) -> list[tuple[int, int]]:
    """Pair candidates with lesions: as many as can be, with the highest scores, then the nearest.

    Parameters
    ----------
    distances
        (candidates, lesions) in px, infinite where the candidate cannot hit the lesion.
    scores
        (candidates,); only their order counts.

    Returns
    -------
    list of (candidate's row, lesion's column)
        In the order of the candidates. The pairs with a score of at least t are, for every t, as
        many as a maximum matching of the candidates of at least t has (see the module's text).
    """
    if distances.size == 0 or not np.isfinite(distances).any():
        return []
    # Ranks instead of scores: whole numbers up to some hundred, so that sums of weights compare
    # exactly whatever scale a program's scores have. All are positive: no pair is left out.
    rank = np.unique(scores, return_inverse=True)[1].astype(np.float64) + 1.0
    farthest = max(float(distances[np.isfinite(distances)].max()), 1e-9)
    nearness = 1.0 - np.where(np.isfinite(distances), distances, 0.0) / (2.0 * farthest)
    # Nearness decides among equals only: over all pairs of a matching it adds less than 1, the
    # least difference between ranks. The better candidate's nearness weighs more.
    tie = nearness * (0.5 + 0.5 * rank / rank.max())[:, None] / (1.0 + min(distances.shape))
    weight = np.where(np.isfinite(distances), rank[:, None] + tie, 0.0)
    candidates, columns = linear_sum_assignment(weight, maximize=True)
    return [
        (int(candidate), int(column))
        for candidate, column in zip(candidates, columns, strict=True)
        if weight[candidate, column] > 0
    ]


def lesion_pixels(lesions: NDArray[np.integer[Any]]) -> dict[int, Pixels]:
    """Return each lesion's pixels, (n, 2) row and column, by its number in rising order."""
    rows, cols = np.nonzero(lesions)
    numbers = lesions[rows, cols]
    order = np.argsort(numbers, kind="stable")
    pixels = np.stack([rows, cols], axis=1).astype(np.int64)[order]
    found, starts = np.unique(numbers[order], return_index=True)
    return dict(zip((int(n) for n in found), np.split(pixels, starts[1:]), strict=False))


def reach_px(shape: tuple[int, ...], tolerance: float = TOLERANCE) -> float:
    """Return how far from a lesion's nearest pixel centre a centroid may lie, in px."""
    return max(tolerance * max(shape), HALF_PIXEL)


def distances_px(centroids: Floats, pixels: Mapping[int, Pixels], *, reach: float) -> Floats:
    """Return the distances from centroids (n, 2) to the nearest pixel centre of each lesion.

    Returns
    -------
    ndarray
        float64 (n, lesions) in px; infinite beyond `reach`.
    """
    distances = np.full((len(centroids), len(pixels)), np.inf)
    for column, places in enumerate(pixels.values()):
        low, high = places.min(axis=0) - reach, places.max(axis=0) + reach
        close = np.flatnonzero(((centroids >= low) & (centroids <= high)).all(axis=1))
        if close.size:
            found = KDTree(places).query(centroids[close])[0]
            distances[close, column] = np.where(found <= reach, found, np.inf)
    return distances


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
        text = read_bounded(ResultPaths.of(results, film.image.name).record, max_bytes=RECORD_BYTES)
    except OSError:
        return FilmComparison(film, "not done", planted, 0, 0)
    result: dict[str, Any] = parse_json(text)
    centroids = [
        (row, column)
        for row, column in (
            candidate["centroid_px"] for candidate in result["candidates"] if candidate["shown"]
        )
    ]
    match = match_candidates(centroids, lesions)
    return FilmComparison(film, result["status"], planted, len(match.hits), len(match.others))
