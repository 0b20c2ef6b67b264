"""Match candidates to lesions.

A candidate can hit a lesion if its centroid lies within `TOLERANCE` of it. Each lesion is hit at
most once, and each candidate hits at most one lesion. The pairs are a maximum matching of the
candidates with the highest scores (`assign`).

One assignment per film gives the whole FROC curve: sets of candidates that can be matched to
different lesions are the independent sets of a transversal matroid, and `assign` returns a basis of
maximum weight, where the weight rises with the score. By the greedy property of matroids, such a
basis contains, for every threshold t, as many candidates of score >= t as any matching of those
candidates alone (Edmonds, Math Program 1971;1:127).
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
"""How far outside a lesion a centroid may lie, as a fraction of the film's long side, as in FROC
studies that dilate the truth. On 43 cm it is 3.4 mm, about the difference between two readers."""

HALF_PIXEL = 0.5**0.5
"""Half a pixel's diagonal in px: the least tolerance, so that a centroid inside a lesion hits it on
the smallest pictures too."""

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Match:
    """Matches of one film.

    Attributes
    ----------
    hits
        Pairs (label of the lesion, index of the candidate), in the order of the candidates.
    missed
        Labels of the lesions that no candidate hit.
    repeats
        Indices of further candidates on lesions already hit; neither hits nor false positives.
    others
        Indices of candidates on no lesion.
    """

    hits: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    repeats: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FilmComparison:
    """Numbers of lesions, of those hit by shown candidates, and of other shown candidates."""

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
        Label image (rows, cols): 0 background, one number per lesion.
    scores
        The candidates' scores; if None, the candidates are in order, best first.
    tolerance
        How far outside a lesion a centroid may lie, as a fraction of the film's long side.

    Raises
    ------
    ValueError
        If a score or a coordinate is not finite, or the two lists differ in length.
    """
    centroids = np.asarray(centroids_px, np.float64).reshape(-1, 2)
    order = np.arange(len(centroids), 0, -1, dtype=np.float64)
    values = order if scores is None else np.asarray(scores, np.float64)
    if values.shape != (len(centroids),):
        raise ValueError(f"{len(centroids)} centroids need as many scores, got {values.size}")
    if not (np.isfinite(centroids).all() and np.isfinite(values).all()):
        raise ValueError("centroids and scores must be finite numbers")
    pixels = lesion_pixels(lesions)
    distances = distances_px(centroids, pixels, reach=reach_px(lesions.shape, tolerance))
    numbers = list(pixels)
    pairs = assign(distances, values)
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
    """Compute the maximum matching with the highest scores, then the smallest distances.

    Parameters
    ----------
    distances
        (candidates, lesions) in px, infinite if the candidate cannot hit the lesion.
    scores
        (candidates,); only their order counts.

    Returns
    -------
    list of (row of the candidate, column of the lesion)
        In the order of the candidates. For every t, the pairs with scores of at least t are as many
        as in a maximum matching of only the candidates of at least t (see the module docstring).
    """
    if distances.size == 0 or not np.isfinite(distances).any():
        return []
    # Ranks instead of scores: small integers, so that sums of weights compare exactly on any scale
    # of scores. All are positive, so that no pair is left out.
    rank = np.unique(scores, return_inverse=True)[1].astype(np.float64) + 1.0
    farthest = max(float(distances[np.isfinite(distances)].max()), 1e-9)
    nearness = 1.0 - np.where(np.isfinite(distances), distances, 0.0) / (2.0 * farthest)
    # Distance only breaks ties: over all pairs of a matching it adds less than 1, the least
    # difference between ranks. The distance of the better candidate has more weight.
    tie = nearness * (0.5 + 0.5 * rank / rank.max())[:, None] / (1.0 + min(distances.shape))
    weight = np.where(np.isfinite(distances), rank[:, None] + tie, 0.0)
    candidates, columns = linear_sum_assignment(weight, maximize=True)
    return [
        (int(candidate), int(column))
        for candidate, column in zip(candidates, columns, strict=True)
        if weight[candidate, column] > 0
    ]


def lesion_pixels(lesions: NDArray[np.integer[Any]]) -> dict[int, Pixels]:
    """Return the pixels of each lesion, int64 (n, 2) row and column, by label in rising order."""
    rows, cols = np.nonzero(lesions)
    numbers = lesions[rows, cols]
    order = np.argsort(numbers, kind="stable")
    pixels = np.stack([rows, cols], axis=1).astype(np.int64)[order]
    found, starts = np.unique(numbers[order], return_index=True)
    return dict(zip((int(n) for n in found), np.split(pixels, starts[1:]), strict=False))


def reach_px(shape: tuple[int, ...], tolerance: float = TOLERANCE) -> float:
    """Return the largest distance in px from a centroid to the lesion's nearest pixel centre."""
    return max(tolerance * max(shape), HALF_PIXEL)


def distances_px(centroids: Floats, pixels: Mapping[int, Pixels], *, reach: float) -> Floats:
    """Compute the distances from centroids (n, 2) to the nearest pixel centre of each lesion.

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
        If the mask cannot be read.
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
