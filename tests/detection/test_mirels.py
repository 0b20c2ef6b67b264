"""Width bands of the Mirels score."""

import pytest

from lesionscan.detection.mirels import mirels_width_band


@pytest.mark.parametrize(
    ("ratio", "band"),
    [
        (None, None),
        (0.2, "under_one_third"),
        (1 / 3, "one_to_two_thirds"),
        (2 / 3, "one_to_two_thirds"),
        (0.67, "over_two_thirds"),
    ],
)
def test_mirels_bands_meet_at_the_thirds(ratio: float | None, band: str | None) -> None:
    """The band follows from the width ratio; ratios of 1/3 and 2/3 are in the middle band."""
    assert mirels_width_band(ratio) == band
