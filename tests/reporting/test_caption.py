"""What is told of a candidate under a film and on the report page."""

from lesionscan.reporting.caption import told


def test_the_network_speaks_once() -> None:
    """Of the map's terms only the strongest is told; the others keep their order, three at most."""
    assert told(["lucency_contrast", "lucency", "size", "lucency_peak", "rim", "edge"]) == [0, 2, 4]
    assert told(["rim", "lucency"]) == [0, 1]
    assert told([]) == []
