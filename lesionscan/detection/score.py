"""Facts -> opinion: a score in [0, 1] for every region, with the named terms that made it."""

import math
from dataclasses import dataclass

from lesionscan.detection.measure import Flag, Region


@dataclass(frozen=True, slots=True)
class Reason:
    """One named term of a score.

    Attributes
    ----------
    term
        Stable name, e.g. "enclosed".
    value
        0 (speaks against a lesion) to 1 (speaks for one).
    text
        The same in words a radiologist uses.
    """

    term: str
    value: float
    text: str


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
        The terms that made the score.
    """

    id: int
    region: Region
    score: float
    shown: bool
    reasons: tuple[Reason, ...]


def score_regions(
    regions: tuple[Region, ...], *, shown_score: float
) -> tuple[Candidate, ...]:
    """Score regions and number them, best first.

    The score is the weighted geometric mean of named terms, each between 0 and 1, so that a
    region must pass on all counts: dark enough, enclosed on all sides, with an edge, compact, in
    bone. Nothing is trained.

    Parameters
    ----------
    regions
        What was measured.
    shown_score
        Candidates with at least this score are shown.
    """
    rated = [(region, _terms(region)) for region in regions]
    scored = [(_combine(terms), region, terms) for region, terms in rated]
    # place breaks ties, so that the order never depends on the labels
    scored.sort(key=lambda s: (-s[0], s[1].centroid_px))
    return tuple(
        Candidate(
            id=number,
            region=region,
            score=score,
            shown=score >= shown_score,
            reasons=tuple(term.reason for term in terms),
        )
        for number, (score, region, terms) in enumerate(scored, start=1)
    )


@dataclass(frozen=True, slots=True)
class _Term:
    reason: Reason
    weight: float


def _terms(region: Region) -> tuple[_Term, ...]:
    """Return the terms of one region's score."""
    weakest = region.weakest_side_contrast / max(region.contrast, 1e-6)
    return (
        _term("dark", _rise(region.contrast, 0.0, 0.10), 1.0,
            f"darker than around it by {100 * region.contrast:.0f} % of the grey scale"),
        _term(
            "enclosed", _rise(region.enclosure, 0.5, 1.0), 1.5,
            "enclosed on all sides" if region.enclosure >= 0.95
            else f"open on {100 * (1 - region.enclosure):.0f} % of its sides",
        ),
        _term(
            "weakest_side", _rise(weakest, 0.0, 0.6), 1.5,
            "no open end" if weakest > 0.4 else "open at an end, like a canal or a joint gap",
        ),
        _term(
            "edge", _rise(region.edge_alignment, 0.1, 0.7), 1.0,
            "its edge can be followed" if region.edge_alignment > 0.4 else "no clear edge",
        ),
        _term(
            "compact", _rise(region.solidity * (1.0 - region.eccentricity**4), 0.1, 0.8), 0.7,
            "compact" if region.eccentricity < 0.85 else "elongated",
        ),
        _term(
            "in_bone", _rise(region.bone_fraction, 0.5, 0.97), 1.5,
            "inside bone" if region.bone_fraction > 0.9 else "partly outside bone",
        ),
        _term(
            "borders",
            0.3 if _AT_BORDER & set(region.flags) else 1.0, 1.0,
            "at the film's or field's edge, or near metal" if _AT_BORDER & set(region.flags)
            else "clear of film edges and metal",
        ),
    )


_AT_BORDER = {Flag.TOUCHES_IMAGE_BORDER, Flag.TOUCHES_FIELD_BORDER, Flag.NEAR_METAL}


def _term(name: str, value: float, weight: float, text: str) -> _Term:
    return _Term(Reason(term=name, value=value, text=text), weight)


def _rise(value: float, low: float, high: float) -> float:
    """Return 0 at `low`, 1 at `high`, linear between."""
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


def _combine(terms: tuple[_Term, ...]) -> float:
    """Return the weighted geometric mean of the terms."""
    if any(term.reason.value <= 0.0 for term in terms):
        return 0.0
    total = sum(term.weight for term in terms)
    return math.exp(sum(t.weight * math.log(t.reason.value) for t in terms) / total)
