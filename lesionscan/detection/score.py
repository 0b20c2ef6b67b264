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
    regions: tuple[Region, ...], *, shown_score: float, most: int
) -> tuple[Candidate, ...]:
    """Score regions and number them, best first.

    The score is the geometric mean of named terms, each between 0 and 1, so that a region must
    pass on all counts: conspicuous, even inside, enclosed on all sides, with an edge, in bone.
    Nothing is trained; the ramps are set by hand.

    Parameters
    ----------
    regions
        What was measured.
    shown_score
        Candidates with at least this score are shown.
    most
        Largest number of candidates returned, the best ones.
    """
    rated = [(region, _reasons(region)) for region in regions]
    scored = [(_combine(reasons), region, reasons) for region, reasons in rated]
    # place breaks ties, so that the order never depends on the labels
    scored.sort(key=lambda s: (-s[0], s[1].centroid_px))
    return tuple(
        Candidate(
            id=number,
            region=region,
            score=score,
            shown=score >= shown_score,
            reasons=reasons,
        )
        for number, (score, region, reasons) in enumerate(scored[:most], start=1)
    )


_WEIGHTS = {"even": 0.5, "rim": 0.5}
"""Terms that count less than 1: lesions without a rim, or with septa, are lesions too."""
_AT_BORDER = {Flag.TOUCHES_IMAGE_BORDER, Flag.TOUCHES_FIELD_BORDER, Flag.NEAR_METAL}


def _reasons(region: Region) -> tuple[Reason, ...]:
    """Return the terms of one region's score; each ramp's ends stand beside it."""
    contrast = max(region.contrast, 1e-4)
    conspicuity = region.size * math.sqrt(max(region.contrast_to_noise, 0.0))
    weakest = region.weakest_side_contrast / contrast
    clear = contrast / max(region.inside_spread, 0.005)
    even = region.inside_spread / max(region.ring_spread, 1e-3)
    rim = region.rim_contrast / contrast if region.contrast > 0 else 0.0
    at_border = bool(_AT_BORDER & set(region.flags))
    step = region.weakest_edge_step / contrast
    return (
        Reason(
            "conspicuous",
            _rise(conspicuity, 0.0, 0.3),
            f"darker than around it by {region.contrast_to_noise:.1f} noise levels over "
            f"{100 * region.size:.1f} % of the film's length"
            if region.contrast > 0
            else "not darker than around it",
        ),
        Reason(
            "clear",
            _rise(clear, 0.5, 3.0),
            f"darker than around it by {clear:.1f} times its own variation"
            if region.contrast > 0
            else "not darker than around it",
        ),
        Reason(
            "even",
            _rise(-even, -1.5, -0.5),
            "more even than the bone around it" if even < 1.0 else "as uneven as the bone around",
        ),
        Reason(
            "enclosed",
            _rise(region.enclosure, 0.5, 1.0),
            "enclosed on all sides"
            if region.enclosure > 0.95
            else f"not enclosed on {100 * (1 - region.enclosure):.0f} % of its sides",
        ),
        Reason(
            "weakest_side",
            _rise(weakest, 0.0, 1.0),
            "no open end" if weakest > 0.4 else "open at an end, like a canal or a joint gap",
        ),
        Reason(
            "margin",
            _rise(step, -0.1, 0.5),
            "a margin on all sides" if step > 0.2 else "fades out on some sides",
        ),
        Reason(
            "rim",
            _rise(rim, -0.5, 0.3),
            "a bright rim" if rim > 0.05 else "no bright rim",
        ),
        Reason(
            "edge",
            _rise(region.edge_alignment, 0.3, 0.9),
            "its edge can be followed" if region.edge_alignment > 0.6 else "no clear edge",
        ),
        Reason(
            "in_bone",
            _rise(region.bone_fraction, 0.5, 0.95),
            "inside bone" if region.bone_fraction > 0.9 else "partly outside bone",
        ),
        Reason(
            "borders",
            0.2 if at_border else 1.0,
            "at the edge of the film or field, or near metal"
            if at_border
            else "clear of film edges and metal",
        ),
    )


def _rise(value: float, low: float, high: float) -> float:
    """Return 0 at `low`, 1 at `high`, linear between."""
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


def _combine(reasons: tuple[Reason, ...]) -> float:
    """Return the weighted geometric mean of the terms; a 0 counts as one in a million."""
    weights = [_WEIGHTS.get(reason.term, 1.0) for reason in reasons]
    logs = [math.log(max(reason.value, 1e-6)) for reason in reasons]
    mean = sum(w * v for w, v in zip(weights, logs, strict=True)) / sum(weights)
    # as it will be written, so that what is shown follows from the written score
    return round(math.exp(mean), 6)
