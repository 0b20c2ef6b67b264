"""The last line of the test output lists the reasons for skipped tests."""

from tests.conftest import skipped_line


def test_skips_are_listed_in_one_line_by_reason() -> None:
    """Reasons are sorted by frequency, each with its number of tests."""
    why = [
        ("a.py", 3, "Skipped: no browser"),
        ("b.py", 4, "Skipped: no films"),
        ("b.py", 9, "Skipped: no films"),
    ]
    assert skipped_line(why) == "skipped 3: no films (2); no browser (1)"


def test_nothing_is_said_where_nothing_is_skipped() -> None:
    """The line is empty if no test was skipped."""
    assert skipped_line([]) == ""
