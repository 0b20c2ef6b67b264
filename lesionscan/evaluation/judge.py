"""Compare the result of a film with its truth, lesion by lesion."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.evaluation.matching import Match, lesion_pixels, match_candidates
from lesionscan.evaluation.results import AGAIN, FilmResult, ListedCandidate, ResultsError
from lesionscan.evaluation.scores import FilmScores, chance_shares, from_match
from lesionscan.evaluation.strata import LesionFacts, lesion_facts
from lesionscan.evaluation.truth import TruthFilm
from lesionscan.results.pictures import picture_shape

Mask: TypeAlias = NDArray[np.bool_]

Outcome: TypeAlias = Literal["shown", "listed", "missed", "no_result"]
"""shown: hit by a candidate that the program shows; listed: hit by one below its own threshold;
missed: hit by none; no_result: the film failed or was not scanned."""

SearchArea: TypeAlias = Literal["tool_bone", "truth_bone", "whole_film"]
"""Where the random points of the chance curve are placed."""


@dataclass(frozen=True, slots=True)
class LesionOutcome:
    """Outcome of one lesion.

    Attributes
    ----------
    film
        The film's name.
    facts
        Facts about the lesion.
    outcome
        Whether it was hit.
    candidate_id, score, rank
        Of the candidate that hit it; rank 1 is the film's best. All following are None without a
        hit.
    dice
        Overlap of the candidate's region and the lesion, 0 to 1.
    area_error, diameter_error
        Area and equivalent diameter of the candidate / those of the lesion - 1.
    distance_px
        Distance between the two centroids.
    """

    film: str
    facts: LesionFacts
    outcome: Outcome
    candidate_id: int | None = None
    score: float | None = None
    rank: int | None = None
    dice: float | None = None
    area_error: float | None = None
    diameter_error: float | None = None
    distance_px: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JudgedFilm:
    """Outcome of one film.

    Attributes
    ----------
    film, result
        The truth and the result.
    scores
        The outcome in numbers.
    lesions
        Every lesion, in the order of `scores`.
    shown_false_positives
        Number of shown candidates on no lesion.
    search_area
        Where random points are placed.
    """

    film: TruthFilm
    result: FilmResult
    scores: FilmScores
    lesions: tuple[LesionOutcome, ...]
    shown_false_positives: int
    search_area: SearchArea


def judge(film: TruthFilm, result: FilmResult) -> JudgedFilm:
    """Compare a film's result with its truth.

    Raises
    ------
    lesionscan.evaluation.truth.TruthError, lesionscan.evaluation.results.ResultsError
        If one of their pictures cannot be used.
    """
    known = film.read_lesions(result.shape or picture_shape(film.image))
    lesions = np.zeros(result.shape or (1, 1), np.int32) if known is None else known
    pixels = lesion_pixels(lesions)
    bones: dict[SearchArea, Mask | None] = {"tool_bone": None, "truth_bone": None}
    if pixels:
        bones["tool_bone"] = result.read_bone()
        bones["truth_bone"] = film.read_bone(lesions.shape)
    area: SearchArea = next(
        (name for name, bone in bones.items() if bone is not None and bone.any()), "whole_film"
    )
    outline = bones["tool_bone"] if bones["truth_bone"] is None else bones["truth_bone"]
    candidates = result.candidates
    centroids = np.array([one.centroid_px for one in candidates], np.float64).reshape(-1, 2)
    values = np.array([one.score for one in candidates], np.float64)
    match = match_candidates(centroids, lesions, scores=values)
    scores = from_match(
        match,
        centroids,
        values,
        pixels,
        group=film.group,
        shares=chance_shares(pixels, lesions.shape, bones.get(area)),
        has_result=result.status == "ok",
    )
    facts = lesion_facts(film, pixels, lesions.shape, outline)
    scores = _with_outlines(scores, match, facts, lesions, result)
    return JudgedFilm(
        film=film,
        result=result,
        scores=scores,
        lesions=_outcomes(film, result, match, facts, scores),
        shown_false_positives=sum(candidates[index].shown for index in match.others),
        search_area=area,
    )


def _with_outlines(
    scores: FilmScores,
    match: Match,
    facts: tuple[LesionFacts, ...],
    lesions: NDArray[np.int32],
    result: FilmResult,
) -> FilmScores:
    """Add Dice and the errors of area and diameter of the candidates that hit a lesion."""
    if not match.hits:
        return scores
    labels = result.read_labels()
    column = {fact.number: index for index, fact in enumerate(facts)}
    dice, area, diameter = (np.full(len(facts), np.nan) for _ in range(3))
    for number, index in match.hits:
        candidate, fact = result.candidates[index], facts[column[number]]
        region = labels == candidate.id
        size = int(region.sum())
        if not size:
            raise ResultsError(
                f"the labels picture beside {result.record} has no pixel of candidate "
                f"{candidate.id}; {AGAIN}"
            )
        overlap = int((region & (lesions == number)).sum())
        dice[column[number]] = 2 * overlap / (size + fact.area_px)
        area[column[number]] = candidate.area_px / fact.area_px - 1
        diameter[column[number]] = (
            candidate.equivalent_diameter_px / fact.equivalent_diameter_px - 1
        )
    return replace(scores, dice=dice, area_error=area, diameter_error=diameter)


def _outcomes(
    film: TruthFilm,
    result: FilmResult,
    match: Match,
    facts: tuple[LesionFacts, ...],
    scores: FilmScores,
) -> tuple[LesionOutcome, ...]:
    hits = dict(match.hits)
    outcomes: list[LesionOutcome] = []
    for column, fact in enumerate(facts):
        if fact.number not in hits:
            nothing: Outcome = "missed" if result.status == "ok" else "no_result"
            outcomes.append(LesionOutcome(film.name, fact, nothing))
            continue
        candidate: ListedCandidate = result.candidates[hits[fact.number]]
        outcomes.append(
            LesionOutcome(
                film=film.name,
                facts=fact,
                outcome="shown" if candidate.shown else "listed",
                candidate_id=candidate.id,
                score=candidate.score,
                rank=1 + sum(other.score > candidate.score for other in result.candidates),
                dice=float(scores.dice[column]),
                area_error=float(scores.area_error[column]),
                diameter_error=float(scores.diameter_error[column]),
                distance_px=float(scores.distance_px[column]),
            )
        )
    return tuple(outcomes)
