"""`lesionscan review` reports errors in one line, and turns a review into truth."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lesionscan.review.record import review_json
from tests.cli.command import ROOT, lesionscan, with_stub
from tests.review.made import (
    ENVIRONMENT,
    HIDDEN,
    SHOWN,
    SQUARE,
    as_review,
    film_review,
    page_folder,
    scanned,
    seal,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "has no report.html; name scan's --out folder"),
        (["--apply", "no.json"], "no.json cannot be read (No such file or directory); check"),
        (["--films", "x"], "--films and --out need --apply"),
        (["--out", "x"], "--films and --out need --apply"),
        (["--apply", "x", "--port", "8000"], "--port and --open are for serving the report; omit"),
        (["--apply", "x", "--open"], "--port and --open are for serving the report; omit"),
        (["--apply", "x", "--films", "none"], "--films none: the folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    """A wrong command gives one line on stderr and status 2, and writes no file."""
    done = lesionscan("review", tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lesionscan: ")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_ports_of_the_system_are_no_choice(tmp_path: Path) -> None:
    """Ports below 1024, which are not available to users, are refused."""
    done = lesionscan("review", page_folder(tmp_path / "r"), "--port", 80)
    assert done.returncode == 2
    assert "1024" in done.stderr


def test_the_page_is_opened_where_it_is_asked_for(tmp_path: Path) -> None:
    """--open starts a browser with the printed address, or reports that there is none."""
    code = """
import sys, webbrowser
from lesionscan import cli
from lesionscan.review.server import ReviewServer
webbrowser.open = lambda address: print("opened:", address) or sys.argv[2] == "yes"
ReviewServer.run = ReviewServer.close
sys.argv = ["lesionscan", "review", sys.argv[1], "--open"]
cli.main()
"""
    folder = page_folder(tmp_path / "r")
    for works, words in (("yes", ""), ("no", "no browser could be started; open the address")):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("sys.argv[2]", repr(works)), folder],
            capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0
        assert words in done.stderr
        assert bool(words) == bool(done.stderr)
        lines = done.stdout.splitlines()
        assert lines[0].removeprefix("report: ") == lines[2].removeprefix("opened: ")


def write_review(path: Path, results: Path, films: dict[str, dict[str, object]]) -> Path:
    """Write a review with the seals of the current results."""
    sealed = {name: {**one, "result_sha256": seal(results, name)} for name, one in films.items()}
    path.write_bytes(review_json(as_review(sealed)))
    return path


def test_a_review_is_applied(tmp_path: Path) -> None:
    """The outcome is printed, and films that cannot be applied or used are named on stderr."""
    films, results = scanned(tmp_path, {"a/1.png": SHOWN, "a/2.png": SHOWN, "3.png": HIDDEN})
    review = write_review(
        results / "review.json",
        results,
        {
            "a/1.png": film_review(c1="accepted", missed=(SQUARE,)),
            "a/2.png": film_review(c1="unsure", c2="rejected"),
            "3.png": film_review(),
        },
    )
    done = lesionscan("review", results, "--apply", review, "--films", films)
    assert done.returncode == 0
    assert done.stderr == "a/2.png: not in the truth: unsure about candidate 1\n"
    out = results / "reviewed"
    assert done.stdout.splitlines() == [
        "3 of 3 films reviewed: 1 accepted, 1 rejected, 1 unsure, 1 missed lesion",
        f"tables: {out / 'images.csv'}, candidates.csv",
        f"truth: 2 films, 2 lesions, 1 reviewed films not in it: {out / 'truth'}",
        f"next: lesionscan evaluate {results} {out / 'truth'}",
        "Research use only; not a diagnosis.",
    ]
    (results / "3.png.json").unlink()
    done = lesionscan("review", results, "--apply", review, "--out", tmp_path / "o")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "lesionscan: 3.png: not applied: it has no result that can be read; scan again"
    ]
    assert "truth: none written; name the folder that was scanned (--films)" in done.stdout
    write_review(review, results, {"a/2.png": film_review()})
    done = lesionscan("review", results, "--apply", review, "--films", films)
    assert (done.returncode, "truth: none written; no reviewed film can be" in done.stdout) == (
        0,
        True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folders", "scanned again"])
def test_the_truth_can_be_evaluated(tmp_path: Path, where: str) -> None:
    """Truth from a review evaluates the original results and a new scan of its images."""
    films, results = scanned(tmp_path, {"a/1.png": SHOWN, "b/1.png": SHOWN, "c/2.png": HIDDEN})
    review = write_review(
        results / "review.json",
        results,
        {
            "a/1.png": film_review(c1="accepted", missed=(SQUARE,)),
            "b/1.png": film_review(c1="rejected"),
            "c/2.png": film_review(),
        },
    )
    done = lesionscan("review", results, "--apply", review, "--films", films)
    assert done.returncode == 0, done.stderr
    truth = results / "reviewed" / "truth"
    judged = results
    if where == "scanned again":
        judged = tmp_path / "again"
        assert with_stub("scan", truth / "images", "--out", judged).returncode == 0
    done = lesionscan("evaluate", judged, truth, "--resamples", 5, "--out", tmp_path / "e")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads((tmp_path / "e" / "evaluation.json").read_bytes())["sets"]["all"]
    counts = figures["counts"]
    assert (counts["films"], counts["lesions"], counts["missing"]) == (3, 2, 0)
    assert figures["sensitivity_all_listed"] == 0.5
    assert figures["shown"]["false_positives_per_film"] == 0.5


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the extra 'train' is not installed"
)
def test_the_truth_can_be_learnt_from(tmp_path: Path) -> None:
    """Truth from a review of a real scan can be used for training (two steps)."""
    results = tmp_path / "results"
    samples = ROOT / "sample_images" / "images"
    done = lesionscan("scan", samples, "--out", results)
    assert done.returncode == 0, done.stderr
    films = {}
    for path in sorted(results.glob("*.json")):
        result = json.loads(path.read_bytes())
        if path.name != "run.json" and result["candidates"]:
            decided = {
                str(one["id"]): {"decision": "accepted" if one["shown"] else "rejected"}
                for one in result["candidates"]
            }
            name = path.name.removesuffix(".json")
            films[name] = {**film_review(), "candidates": decided}
    review = write_review(tmp_path / "review.json", results, films)
    done = lesionscan("review", results, "--apply", review, "--films", samples)
    assert done.returncode == 0, done.stderr
    data = results / "reviewed" / "truth"
    trained = lesionscan(
        "train", tmp_path / "x.scorer", "--data", data, "--steps", 2, "--variants", 1, "--jobs", 1
    )
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "x.scorer").is_file()
