"""What is told of a candidate under a film and in other pictures."""

from lesionscan.reporting.caption import reasons_of
from tests.reporting.made import make_findings


def test_three_signs_are_told_with_their_marks() -> None:
    """The network first, then what speaks for a lesion, then what speaks against one."""
    candidate = make_findings().candidates[0]

    assert reasons_of(candidate) == (
        "+ network: clearly suggests a lesion (mean 0.70)   + brighter bone on all sides   "
        "- beside a marker or metal"
    )


def test_all_can_be_told() -> None:
    """What speaks neither way has no mark."""
    told = reasons_of(make_findings().candidates[0], most=9)

    assert told.endswith("- beside a marker or metal   place: middle third of a long bone")
