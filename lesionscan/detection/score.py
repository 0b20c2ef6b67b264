"""Facts -> opinion: a score in [0, 1] for every region, with the named terms that made it."""

from dataclasses import dataclass

from lesionscan.detection.measure import Region


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
