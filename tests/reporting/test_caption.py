"""Signs of a candidate, as listed under a film and in other pictures."""

from lesionscan.reporting.caption import reasons_of
from tests.reporting.made import make_findings


def test_three_signs_are_told_with_their_marks() -> None:
    """Three signs are listed: the network's, then those for a lesion, then those against."""
    candidate = make_findings().candidates[0]

    assert reasons_of(candidate) == (
        "+ network: clearly suggests a lesion (mean 0.70)   + brighter bone on all sides   "
        "- beside a marker or metal"
    )


def test_all_can_be_told() -> None:
    """A higher limit lists all signs; a sign that is neither for nor against has no mark."""
    told = reasons_of(make_findings().candidates[0], most=9)

    assert told.endswith("- beside a marker or metal   place: middle third of a long bone")
