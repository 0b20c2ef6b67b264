"""check_polarity.py counts the films reported as inverted, both as read and after inversion."""

import shutil
from pathlib import Path

import check_polarity
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_films_are_counted_by_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A correct film is reported only after inversion; unreadable files are counted."""
    shutil.copy(ROOT / "sample_images" / "images" / "knee_normal.dcm", tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    monkeypatch.setattr("sys.argv", ["check_polarity.py", str(tmp_path), "--jobs", "1"])
    assert check_polarity.main() == 0
    assert capsys.readouterr().out == (
        f"{tmp_path.name}: 1 films, 0 alarms as read, 1 inverted; 1 unreadable\n"
    )


def test_a_truth_folder_gives_its_sets() -> None:
    """Films of a truth folder have the name of their set."""
    films = check_polarity.list_films(ROOT / "sample_images")
    assert len(films) == 10
    assert len({film.set_name for film in films}) == 1


def test_a_missing_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing folder gives one line and exit status 2."""
    monkeypatch.setattr("sys.argv", ["check_polarity.py", str(tmp_path / "missing")])
    assert check_polarity.main() == 2
    assert capsys.readouterr().err.startswith("check_polarity: ")
