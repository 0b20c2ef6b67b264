"""The outcome of a film in numbers, from which the figures of a set are computed.

`score_film` takes points with scores and a label image in memory, so that the output of any
detector can be evaluated without result files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.evaluation.matching import (
    TOLERANCE,
    Match,
    Pixels,
    lesion_pixels,
    match_candidates,
    reach_px,
)

Floats: TypeAlias = NDArray[np.float64]

NOTHING = float("-inf")
"""Score of a missed lesion, or of a film without candidates."""


@dataclass(frozen=True, slots=True, eq=False)
class FilmScores:
    """Outcome of one film.

    Attributes
    ----------
    group
        Group that the bootstrap resamples, such as the patient.
    hits
        float64 (lesions,): score of the candidate that hit the lesion, minus infinity if missed.
    false_positives
        float64 (n,): scores of the candidates on no lesion.
    best
        Highest score of all candidates, minus infinity if there are none.
    chance_shares
        float64 (lesions,): fraction of the search area from which a point hits the lesion, 0 to 1.
    dice, area_error, diameter_error
        float64 (lesions,): agreement of the outlines (errors relative to the lesion, signed); NaN
        if the lesion was missed or the outline was not measured.
    distance_px
        float64 (lesions,): distance between the centroids of candidate and lesion; NaN if missed.
    has_result
        False if the program failed on the film or did not process it.

    Raises
    ------
    ValueError
        If the lists of the lesions differ in length, a share is not in 0 to 1, a score is not a
        finite number, or a film without result has candidates.
    """

    group: str
    hits: Floats
    false_positives: Floats
    best: float
    chance_shares: Floats
    dice: Floats
    area_error: Floats
    diameter_error: Floats
    distance_px: Floats
    has_result: bool = True

    def __post_init__(self) -> None:
        lesions = self.hits.shape
        for name in ("chance_shares", "dice", "area_error", "diameter_error", "distance_px"):
            if getattr(self, name).shape != lesions:
                raise ValueError(
                    f"{name} must have one number for each of {self.hits.size} lesions, got "
                    f"{getattr(self, name).size}"
                )
        if not ((self.chance_shares >= 0) & (self.chance_shares <= 1)).all():
            raise ValueError(f"chance_shares must be 0 to 1, got {self.chance_shares}")
        scores = np.concatenate([self.hits, self.false_positives, [self.best]])
        if (np.isnan(scores) | (scores == np.inf)).any() or np.isinf(self.false_positives).any():
            raise ValueError(
                "scores must be finite numbers, minus infinity where nothing was found"
            )
        if not self.has_result and (scores > NOTHING).any():
            raise ValueError("a film without result can have no candidates; set has_result")
        for name in ("hits", "false_positives", *_PER_LESION):
            array = getattr(self, name).astype(np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def lesions(self) -> int:
        """The number of lesions on the film."""
        return self.hits.size

    @classmethod
    def unmeasured(
        cls,
        *,
        group: str,
        hits: Sequence[float] | Floats = (),
        false_positives: Sequence[float] | Floats = (),
        has_result: bool = True,
    ) -> "FilmScores":
        """Create the outcome of a film without outlines and chance shares.

        Parameters
        ----------
        group, hits, false_positives, has_result
            As in `FilmScores`; a film without hits has no lesions.
        """
        found = np.asarray(hits, np.float64)
        others = np.asarray(false_positives, np.float64)
        unknown = np.full(found.size, np.nan)
        return cls(
            group=group,
            hits=found,
            false_positives=others,
            best=float(max(found.max(initial=NOTHING), others.max(initial=NOTHING))),
            chance_shares=np.zeros(found.size),
            dice=unknown,
            area_error=unknown,
            diameter_error=unknown,
            distance_px=unknown,
            has_result=has_result,
        )


_PER_LESION = ("chance_shares", "dice", "area_error", "diameter_error", "distance_px")


def score_film(
    centroids_px: Sequence[tuple[float, float]] | Floats,
    scores: Sequence[float] | Floats,
    lesions: NDArray[np.integer[Any]],
    *,
    group: str,
    search_area: NDArray[np.bool_] | None = None,
    tolerance: float = TOLERANCE,
    has_result: bool = True,
) -> FilmScores:
    """Score the points that a program marked on one film.

    Parameters
    ----------
    centroids_px
        (row, column) of each candidate, in any order.
    scores
        A finite number for each; higher is more like a lesion. Any scale, ties allowed.
    lesions
        Label image (rows, cols): 0 background, one number per lesion; all 0 on a lesion-free film.
    group
        Group that the bootstrap resamples: the patient if known, else the film.
    search_area
        Bool (rows, cols): where the random points of the chance curve are placed, such as the bone
        mask; the whole film if None or empty.
    tolerance
        How far outside a lesion a centroid may lie, as a fraction of the film's long side.
    has_result
        False if the program failed on the film.

    Raises
    ------
    ValueError
        If scores and centroids differ in number or are not finite, the search area differs in size
        from the film, or a film without result has candidates.
    """
    match = match_candidates(centroids_px, lesions, scores=scores, tolerance=tolerance)
    pixels = lesion_pixels(lesions)
    return from_match(
        match,
        np.asarray(centroids_px, np.float64).reshape(-1, 2),
        np.asarray(scores, np.float64),
        pixels,
        group=group,
        shares=chance_shares(pixels, lesions.shape, search_area, tolerance=tolerance),
        has_result=has_result,
    )


def from_match(
    match: Match,
    centroids_px: Floats,
    scores: Floats,
    pixels: Mapping[int, Pixels],
    *,
    group: str,
    shares: Floats,
    has_result: bool,
) -> FilmScores:
    """Create a film's outcome from its matches; Dice and errors of area and diameter are NaN.

    Parameters
    ----------
    match
        The matches.
    centroids_px, scores
        (n, 2) and (n,) of the candidates.
    pixels
        Pixels of each lesion by label.
    group, shares, has_result
        As in `FilmScores`.
    """
    columns = {number: column for column, number in enumerate(pixels)}
    hits = np.full(len(pixels), NOTHING)
    distance = np.full(len(pixels), np.nan)
    for number, candidate in match.hits:
        hits[columns[number]] = scores[candidate]
        apart = centroids_px[candidate] - pixels[number].mean(axis=0)
        distance[columns[number]] = float(np.hypot(apart[0], apart[1]))
    unknown = np.full(len(pixels), np.nan)
    return FilmScores(
        group=group,
        hits=hits,
        false_positives=scores[list(match.others)],
        best=float(scores.max()) if scores.size else NOTHING,
        chance_shares=shares,
        dice=unknown,
        area_error=unknown,
        diameter_error=unknown,
        distance_px=distance,
        has_result=has_result,
    )


def chance_shares(
    pixels: Mapping[int, Pixels],
    shape: tuple[int, ...],
    search_area: NDArray[np.bool_] | None,
    *,
    tolerance: float = TOLERANCE,
) -> Floats:
    """Compute the fraction of the search area from which a point hits each lesion.

    A pixel counts if a candidate with its centroid at the pixel's centre would hit the lesion.

    Returns
    -------
    ndarray
        float64 (lesions,).

    Raises
    ------
    ValueError
        If the search area differs in size from the film.
    """
    if search_area is not None and search_area.shape != shape:
        raise ValueError(f"search_area must be {shape} like the film, got {search_area.shape}")
    area = None if search_area is None or not search_area.any() else search_area
    total = int(np.prod(shape)) if area is None else int(area.sum())
    reach = reach_px(shape, tolerance)
    margin = int(np.ceil(reach))
    shares = np.zeros(len(pixels))
    for index, places in enumerate(pixels.values()):
        low = np.maximum(places.min(axis=0) - margin, 0)
        high = np.minimum(places.max(axis=0) + margin + 1, shape)
        outside = np.ones(high - low, dtype=bool)
        outside[tuple((places - low).T)] = False
        near = ndimage.distance_transform_edt(outside) <= reach
        if area is not None:
            near &= area[low[0] : high[0], low[1] : high[1]]
        shares[index] = near.sum() / total
    return shares
