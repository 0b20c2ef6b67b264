"""Contradictory training options are refused, and defaults depend on the other options."""

from pathlib import Path
from typing import Any

import pytest

from lesionscan.training.errors import TrainingError
from lesionscan.training.options import TrainingOptions

FILMS, DATA = Path("films"), Path("data")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": DATA, "leave_out": "0/5"}, "must be K/N with K from 1 to N"),
        ({"data": DATA, "leave_out": "6/5"}, "must be K/N with K from 1 to N"),
        ({"data": DATA, "leave_out": "1/1"}, "N of 2 or more"),
        ({"data": DATA, "leave_out": "half"}, "not 'half'"),
        ({"leave_out": "1/5"}, "--leave-out chooses among the films of --data and --films"),
        (
            {"films": FILMS, "start": "shipped", "leave_out": "1/5"},
            "the shipped scorer may have seen the --films films",
        ),
        ({"at_most": 3}, "--at-most chooses among the films of --data"),
        ({"phantoms": 0}, "needs --phantoms: only they have all bones"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], message: str) -> None:
    """Invalid or contradictory options are refused, with the reason."""
    with pytest.raises(TrainingError, match=message):
        TrainingOptions.filled_in(Path("x.scorer"), **given)


def test_a_folder_is_no_scorer_file(tmp_path: Path) -> None:
    """A folder in place of the scorer file is refused."""
    with pytest.raises(TrainingError, match="is a folder; name a file"):
        TrainingOptions.filled_in(tmp_path)


@pytest.mark.parametrize(
    ("given", "phantoms", "start"),
    [
        ({}, 900, None),
        ({"films": FILMS}, 900, None),
        ({"data": DATA}, 0, "shipped"),
        ({"data": DATA, "films": FILMS}, 900, None),
        ({"data": DATA, "phantoms": 5}, 5, None),
        ({"data": DATA, "start": "my.scorer"}, 0, Path("my.scorer")),
    ],
)
def test_defaults_follow_from_the_films(
    given: dict[str, Any], phantoms: int, start: object
) -> None:
    """With labelled films alone, training starts from the shipped scorer, without phantoms."""
    options = TrainingOptions.filled_in(Path("a/x.scorer"), **given)
    assert (options.phantoms, options.start) == (phantoms, start)
    assert options.work == Path("a/x.work")
