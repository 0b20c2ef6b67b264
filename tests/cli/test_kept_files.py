"""Commands never overwrite files that lesionscan has not written, and say so in one line."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.batch.films import write_film
from tests.cli.command import files, lesionscan
from tests.evaluation.made import make
from tests.evaluation.paper import A, C

MINE = b"my own work"
NOT_OWN = "was not written by lesionscan, or was changed since; move it away"
EVALUATION = ("evaluation.json", "lesions.csv", "froc.png", "froc.svg")


def put(path: Path) -> Path:
    """Write a file that belongs to the user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MINE)
    return path


def refused(done: subprocess.CompletedProcess[str], words: str = NOT_OWN) -> None:
    """Check that a command ended with status 2 and one line on stderr."""
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("name", ["coco.json", "images.parquet", "images.csv", "report.html"])
def test_scanning_a_folder_into_itself_keeps_the_users_files(tmp_path: Path, name: str) -> None:
    """Scanning DATA with --out DATA, the commonest mistake, overwrites no file of the user."""
    write_film(tmp_path / "a.png")
    for one in (name, "a.png.json", "x.seg.nrrd", "x.sr.dcm"):
        put(tmp_path / one)
    before = files(tmp_path)
    refused(lesionscan("scan", tmp_path, "--out", tmp_path))
    assert files(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", EVALUATION)
def test_evaluate_keeps_files_of_others(tmp_path: Path, name: str) -> None:
    """Evaluate replaces only its own files, in the default folder and in --out."""
    results, truth = make(tmp_path, [A, C])
    for out, options in (
        (tmp_path / "out", ("--out", tmp_path / "out")),
        (results / "evaluation", ()),
    ):
        mine = put(out / name)
        before = files(tmp_path)
        refused(lesionscan("evaluate", results, truth, "--resamples", 0, *options))
        assert files(tmp_path) == before
        mine.unlink()
        for _ in range(2):  # its own files are replaced
            done = lesionscan("evaluate", results, truth, "--resamples", 0, *options)
            assert done.returncode == 0, done.stderr
        assert {path.name for path in out.glob("[!.]*")} == set(EVALUATION)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_evaluate_follows_no_link_in_the_results(tmp_path: Path) -> None:
    """A link at the default output folder is refused, as the results may come from others."""
    results, truth = make(tmp_path, [A, C])
    (tmp_path / "outside").mkdir()
    (results / "evaluation").symlink_to(tmp_path / "outside")
    done = lesionscan("evaluate", results, truth, "--resamples", 0)
    refused(done, "evaluation is a link, which is not followed")
    assert not list((tmp_path / "outside").iterdir())


def test_a_log_takes_the_place_of_logs_only(tmp_path: Path) -> None:
    """--log-json does not overwrite a film that was named by mistake."""
    film = write_film(tmp_path / "a.png")
    before = film.read_bytes()
    refused(
        lesionscan("scan", film, "--out", tmp_path / "out", "--log-json", film),
        "is not a log of lesionscan; name another file (--log-json)",
    )
    assert film.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("command", ["phantom", "plant"])
def test_folders_for_films_must_be_empty(tmp_path: Path, command: str) -> None:
    """Phantom and plant write only to an empty folder, so that films do not mix."""
    mine = put(tmp_path / "out" / "index.json")
    write_film(tmp_path / "in" / "a.png")
    if command == "phantom":
        done = lesionscan("phantom", mine.parent, "--count", 1, "--seed", 1)
    else:
        done = lesionscan("plant", tmp_path / "in", mine.parent, "--seed", 1)
    assert done.returncode == 2
    assert "is not an empty folder; name a new one" in done.stderr
    assert files(mine.parent) == {"index.json": MINE}
