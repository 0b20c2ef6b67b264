"""scripts/research/compare_checks.py counts how known changes were reported."""

from pathlib import Path
from typing import Any

import compare_checks
import film_forms
import numpy as np
import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"


def said(change: str, state: str, **more: object) -> dict[str, Any]:
    """Return the record of a pair."""
    known: dict[str, Any] = {
        "whole": True,
        "true_percent": None,
        "said_percent": None,
        "others": {},
    }
    return {"number": 0, "change": change, "said": state, **known, **more}


def test_what_was_said_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Correct states, errors of the change, AUC and other candidates are counted."""
    numbers = {"uncertainty_percent": 5.0}
    compare_checks.print_pairs(
        [
            said("stable", "stable", true_percent=0.0, said_percent=2.0, **numbers),
            said("grown by 20 %", "grown", true_percent=20.0, said_percent=26.0, **numbers),
            said("grown by 20 %", "stable", true_percent=20.0, said_percent=1.0, **numbers),
            said("new", "new", others={"gone": 2}),
            said("gone", "not_comparable", whole=False),
            said("gone", "not shown"),
            {"number": 1, "change": "shrunk", "said": "refused (poor_fit)"},
            {"number": 2, "change": "shrunk", "said": "not made"},
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "7 pairs"
    assert "  shrunk: 1 refused (poor_fit)" in lines
    assert "right state: 4 of 5 lesions that were compared" in lines
    assert (
        "median error of the diameter's change: 6.0 points of per cent (3 lesions; 33% within the "
        "stated uncertainty)"
    ) in lines
    assert "20 % growth against none: AUC 0.50 (2 and 1)" in lines
    assert lines[-1] == "other candidates: 2 gone"


def test_films_are_counted_by_form(capsys: pytest.CaptureFixture[str]) -> None:
    """States, changes within 5 per cent and refusals are counted."""
    done: list[tuple[str, list[tuple[str, float | None]] | str]] = [
        ("turned", [("stable", 1.0), ("grown", 12.0), ("new", None)]),
        ("turned", "poor_fit"),
    ]
    film_forms.print_films(done, ["poor_fit", None])
    assert capsys.readouterr().out.splitlines() == [
        "turned: 2 films, 1 refused; 1 stable, 1 grown, 1 new; 1 of 2 changes within 5 %",
        "films of other people or parts: 1 of 2 refused",
    ]


def test_a_missing_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing folder gives one line and exit status 2."""
    monkeypatch.setattr("sys.argv", ["compare_checks.py", "films", str(tmp_path / "missing")])
    assert compare_checks.main() == 2
    assert capsys.readouterr().err.startswith("compare_checks: ")


def test_films_without_bone_masks_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Films without bone mask are rejected, since no lesion can be planted in them."""
    arguments = ["planted", str(SAMPLES), str(tmp_path), "--set", "none"]
    monkeypatch.setattr("sys.argv", ["compare_checks.py", *arguments])
    assert compare_checks.main() == 2
    assert capsys.readouterr().err == "compare_checks: no film of none has a bone mask\n"


def test_a_place_that_is_moved_out_of_the_film_is_not_inside() -> None:
    """Corners are inside if nothing moves, but not if moved out of the film."""
    corners, still = np.array([[0, 0], [9, 19]]), np.eye(2, 3)
    assert compare_checks._inside(corners, still, (10, 20))
    moved = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    assert not compare_checks._inside(corners, moved, (10, 20))
