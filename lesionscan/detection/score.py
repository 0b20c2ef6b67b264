"""Facts -> opinion: a score in [0, 1] for every region, with the named terms that made it."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from scipy.special import expit

from lesionscan.detection.measure import Region
from lesionscan.detection.scorer.scorer_file import Scorer
from lesionscan.detection.scorer.terms import TERM_BY_NAME
from lesionscan.detection.signs import Sign, signs_of


@dataclass(frozen=True, slots=True)
class Reason:
    """What one named term added to a score."""

    term: Annotated[str, Field(description="Stable name of the term.")]
    value: Annotated[float, Field(description="What was measured, in the term's own unit.")]
    effect: Annotated[
        float,
        Field(
            description="Log-odds that this added to the score, relative to the term's mean "
            "effect in training: above 0 it speaks for a lesion, below 0 against one; no unit."
        ),
    ]
    text: Annotated[str, Field(description="The measured value in words.")]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A region that may be a lytic lesion.

    Attributes
    ----------
    id
        1 for the best; also the region's value in `Findings.labels`.
    region
        What was measured.
    score
        0 to 1, the higher the more like a lytic lesion; not a probability of disease.
    shown
        Whether the score reaches `Settings.shown_score`.
    reasons
        What each of the scorer's terms added, the strongest first.
    signs
        The network's opinion and what a reader can check on the film, in words.
    """

    id: int
    region: Region
    score: float
    shown: bool
    reasons: tuple[Reason, ...]
    signs: tuple[Sign, ...]


def score_regions(
    regions: tuple[Region, ...], *, scorer: Scorer, shown_score: float, most: int
) -> tuple[Candidate, ...]:
    """Score regions and number them, best first.

    The score is additive: the logistic function of the scorer's offset plus the effect of every
    term, so that each term's part in it can be read off (a generalised additive model: Hastie and
    Tibshirani, Statist Sci 1986;1:297).

    Parameters
    ----------
    regions
        What was measured.
    scorer
        Gives the offset and the terms with their effects.
    shown_score
        Candidates with at least this score are shown.
    most
        Largest number of candidates returned, the best ones.
    """
    rated = [(region, _reasons(region, scorer)) for region in regions]
    scored = [(_combine(scorer.offset, reasons), region, reasons) for region, reasons in rated]
    # place breaks ties, so that the order never depends on the labels
    scored.sort(key=lambda s: (-s[0], s[1].centroid_px))
    return tuple(
        Candidate(
            id=number,
            region=region,
            score=score,
            shown=score >= shown_score,
            reasons=reasons,
            signs=signs_of(region),
        )
        for number, (score, region, reasons) in enumerate(scored[:most], start=1)
    )


def _reasons(region: Region, scorer: Scorer) -> tuple[Reason, ...]:
    """Return what each of the scorer's terms adds, the strongest first, ties by name."""
    reasons = []
    for weighed in scorer.terms:
        term = TERM_BY_NAME[weighed.name]
        value = term.value(region)
        reasons.append(Reason(term.name, value, weighed.of(value), term.text(region)))
    return tuple(sorted(reasons, key=lambda reason: (-abs(reason.effect), reason.term)))


def _combine(offset: float, reasons: tuple[Reason, ...]) -> float:
    """Return the score of an offset and the terms' effects."""
    # exact, so that the score does not depend on the order of the terms
    log_odds = math.fsum([offset, *(reason.effect for reason in reasons)])
    # as it will be written, so that what is shown follows from the written score
    return round(float(expit(log_odds)), 6)
