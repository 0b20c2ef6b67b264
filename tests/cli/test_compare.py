"""Tests of `lesionscan compare`."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.command import ROOT, files, lesionscan

SAMPLES = ROOT / "sample_images" / "images"


def test_two_films_are_compared(tmp_path: Path) -> None:
    """Comparing two films gives status 0, and a second run leaves the same bytes."""
    film = SAMPLES / "femur_punched_out.dcm"
    shutil.copy(film, tmp_path / "later.dcm")
    out = tmp_path / "out"
    done = lesionscan("compare", film, tmp_path / "later.dcm", "--out", out, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "1 pairs: 1 ok, 0 refused, 0 failed"
    assert re.fullmatch(r"(\d) lesions: \1 stable", lines[1])
    assert lines[-1] == "Research use only; not a diagnosis."
    first = files(out)
    assert sorted(first) == [
        "changes.csv",
        "femur_punched_out.dcm.compare.html",
        "femur_punched_out.dcm.compare.json",
        "femur_punched_out.dcm.compare.png",
        "index.html",
        "pairs.csv",
    ]
    again = lesionscan("compare", film, tmp_path / "later.dcm", "--out", out, "--jobs", 1)
    assert (again.returncode, files(out)) == (0, first)


def test_films_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """Films of different body parts give one line, status 1, and a reason in JSON and table."""
    out = tmp_path / "out"
    names = ("knee_normal.dcm", "hand_enchondromas.dcm")
    done = lesionscan("compare", *(SAMPLES / name for name in names), "--out", out)
    assert done.returncode == 1
    assert done.stderr.startswith("knee_normal.dcm: refused, other_body_part: the headers name")
    assert len(done.stderr.splitlines()) == 1
    record = json.loads((out / "knee_normal.dcm.compare.json").read_bytes())
    assert record["status"] == "refused"
    assert "other_body_part" in (out / "pairs.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no.dcm", "no.dcm", "--out", "x"), "there is no such file or folder"),
        ((SAMPLES, SAMPLES, "--out", "x"), "no film has results in both"),
    ],
)
def test_what_cannot_be_paired_is_refused(
    tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    """Inputs that cannot be paired give one line and status 2, and nothing is written."""
    *places, option, out = arguments
    done = lesionscan("compare", *places, option, tmp_path / str(out))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert words in done.stderr
    assert not (tmp_path / str(out)).exists()


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """An output folder that is a file is refused with status 2 before a film is read."""
    taken, film = tmp_path / "taken", tmp_path / "film.dcm"
    taken.touch()
    film.touch()  # reading it would give a second line
    done = lesionscan("compare", film, film, "--out", taken)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "is a file; name a folder (--out)" in done.stderr
