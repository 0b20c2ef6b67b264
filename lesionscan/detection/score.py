"""Score regions from 0 to 1 with an additive model whose terms are reported."""

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
    """Contribution of one term to a score."""

    term: Annotated[str, Field(description="Stable name of the term.")]
    value: Annotated[float, Field(description="Measured value, in the unit of the term.")]
    effect: Annotated[
        float,
        Field(
            description="Contribution to the score in log-odds, relative to the term's mean "
            "effect in training: positive for a lesion, negative against one; no unit."
        ),
    ]
    text: Annotated[str, Field(description="The measured value in words.")]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A region that may be a lytic lesion.

    Attributes
    ----------
    id
        1 for the highest score; also the value of its pixels in `Findings.labels`.
    region
        Its measurements.
    score
        0 to 1, higher for regions more like a lytic lesion; not a probability of disease.
    shown
        Whether the score reaches `Settings.shown_score`.
    reasons
        Contributions of the scorer's terms, the strongest first.
    signs
        The output of the network and signs that a reader can check on the film, in words.
    """

    id: int
    region: Region
    score: float
    shown: bool
    reasons: tuple[Reason, ...]
    signs: tuple[Sign, ...]


def score_regions(
    regions: tuple[Region, ...], *, scorer: Scorer, shown_score: float, max_candidates: int
) -> tuple[Candidate, ...]:
    """Score regions and number them, best first.

    The score is the logistic function of the scorer's offset plus the effects of all terms (a
    generalised additive model: Hastie and Tibshirani, Statist Sci 1986;1:297).

    Parameters
    ----------
    regions
        Measured regions.
    scorer
        Provides the offset and the terms with their effects.
    shown_score
        Candidates with at least this score are shown.
    max_candidates
        Largest number of candidates returned.
    """
    with_reasons = [(region, _reasons(region, scorer)) for region in regions]
    scored = [(_score(scorer.offset, reasons), region, reasons) for region, reasons in with_reasons]
    # ties are broken by position, so that the order does not depend on the labels
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
        for number, (score, region, reasons) in enumerate(scored[:max_candidates], start=1)
    )


def _reasons(region: Region, scorer: Scorer) -> tuple[Reason, ...]:
    """Return the contribution of each term, the strongest first, ties by name."""
    reasons = []
    for table in scorer.terms:
        term = TERM_BY_NAME[table.name]
        value = term.value(region)
        reasons.append(Reason(term.name, value, table.of(value), term.text(region)))
    return tuple(sorted(reasons, key=lambda reason: (-abs(reason.effect), reason.term)))


def _score(offset: float, reasons: tuple[Reason, ...]) -> float:
    """Return the score for an offset and the effects of the terms."""
    # an exact sum does not depend on the order of the terms
    log_odds = math.fsum([offset, *(reason.effect for reason in reasons)])
    # rounded as written, so that `shown` follows from the written score
    return round(float(expit(log_odds)), 6)
