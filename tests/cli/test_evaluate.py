"""`lesionscan evaluate` prints metrics and writes files, or reports an error in one line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.command import files, lesionscan
from tests.evaluation.made import MadeFilm, make, write_results
from tests.evaluation.paper import FILMS, A, C


def test_figures_are_printed_and_written(tmp_path: Path) -> None:
    """Tables, films without a result, paths and disclaimer are printed; exit status 1."""
    results, truth = make(tmp_path, FILMS)
    done = lesionscan("evaluate", results, truth, "--resamples", 50)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "one: 3 lesions on 2 films, 3 lesion-free films"
    row = next(line for line in lines if "these results" in line)
    assert row.replace("│", " ").split()[2:] == [*["0.33"] * 3, *["0.67"] * 4, "0.52"]
    assert any("95 % from" in line for line in lines)
    assert any(line.startswith("image AUC: 0.33 (") for line in lines)
    assert any(line.startswith("shown candidates: sensitivity 0.33 (") for line in lines)
    assert any(line.startswith("Films without result: 1 missing, 1 failed.") for line in lines)
    assert any(line.startswith("Only 2 films with lesions: ") for line in lines)
    assert "missing: b" in lines
    assert "failed: d" in lines
    assert any(line.startswith("Films not assessed: 1.") for line in lines)
    assert any("femur" in line for line in lines)
    assert "two: 0 lesions on 0 films, 1 lesion-free films" in lines
    assert any(line.startswith("No lesions: sensitivity") for line in lines)
    out = results / "evaluation"
    assert lines[-4:] == [
        f"figures: {out / 'evaluation.json'}",
        f"lesions: {out / 'lesions.csv'}",
        f"curves:  {out / 'froc.png'}, froc.svg",
        "Research use only; not a diagnosis.",
    ]
    assert json.loads((out / "evaluation.json").read_text("utf-8"))["sets"]["one"]["cpm"] > 0.5
    with (out / "lesions.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 3


def test_a_whole_run_has_status_0(tmp_path: Path) -> None:
    """If every film has a result, the status is 0 and the files are in --out."""
    results, truth = make(tmp_path, [A, C])
    done = lesionscan("evaluate", results, truth, "--out", tmp_path / "out", "--resamples", 0)
    assert (done.returncode, done.stderr) == (0, "")
    assert "95 % from" not in done.stdout
    names = set(files(tmp_path / "out"))
    assert names == {"evaluation.json", "lesions.csv", "froc.png", "froc.svg"}
    assert not (results / "evaluation").exists()


def test_two_results_are_compared(tmp_path: Path) -> None:
    """With --against, the other results, the difference and the films they lack are printed."""
    results, truth = make(tmp_path, [A, C])
    missing = MadeFilm("a", A.lesions, status="missing")
    other = write_results(tmp_path / "other", truth, [missing, C])
    done = lesionscan("evaluate", results, truth, "--against", other, "--seed", 3)
    assert (done.returncode, done.stderr) == (1, "")
    assert "other results" in done.stdout
    assert "difference" in done.stdout
    assert "other results: Films without result: 1 missing, 0 failed." in done.stdout


@pytest.mark.slow
def test_long_lists_of_films_are_cut(tmp_path: Path) -> None:
    """Of a long list of films, five names and the number of others are printed."""
    failed = [MadeFilm(f"n{number}", status="failed") for number in range(7)]
    done = lesionscan("evaluate", *make(tmp_path, failed))
    assert "failed: n0, n1, n2, n3, n4 and 2 more" in done.stdout.splitlines()


@pytest.mark.slow
def test_names_are_no_markup(tmp_path: Path) -> None:
    """Names with brackets or control characters are printed literally, on one line."""
    film = MadeFilm("k", lesions=A.lesions, facts={"set": "[red]a\nb", "body_part": "[bold]x"})
    free = MadeFilm("[b]n", status="missing", facts={"set": "[red]a\nb"})
    other = MadeFilm("m", facts={"set": "[red]a\nb"})
    done = lesionscan("evaluate", *make(tmp_path, [film, free, other]))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "[red]a\\nb: 2 lesions on 1 films, 2 lesion-free films"
    assert "missing: [b]n" in lines
    assert any("[bold]x" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        ("index", "index.json cannot be read (No such file or directory); check the folder"),
        ("mask", "a.lesions.png is not there; make the truth folder again"),
        ("results", "does not exist; give scan's --out folder"),
        ("record", "a.png.json is damaged or not the result of a scan; scan the truth folder's"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, break_it: str, words: str) -> None:
    """Unusable inputs give one line on stderr, no output files, and exit status 2."""
    results, truth = make(tmp_path, [A, C])
    breaking: dict[str, Callable[[], object]] = {
        "index": (truth / "index.json").unlink,
        "mask": (truth / "masks" / "a.lesions.png").unlink,
        "results": lambda: results.rename(tmp_path / "moved"),
        "record": lambda: (results / "a.png.json").write_text("{", encoding="utf-8"),
    }
    breaking[break_it]()
    done = lesionscan("evaluate", results, truth, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("lesionscan: ")
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file at the path of --out gives the same error as in other commands."""
    (tmp_path / "out").write_text("x")
    done = lesionscan("evaluate", *make(tmp_path, [A, C]), "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("lesionscan: cannot write ")


@pytest.mark.slow
def test_a_scan_can_be_evaluated(tmp_path: Path) -> None:
    """Phantoms can be scanned and their results evaluated."""
    truth = tmp_path / "truth"
    made = lesionscan(
        "phantom", truth, "--count", 2, "--seed", 1, "--lesions", 1, 2, "--body-part", "hand"
    )
    assert made.returncode == 0, made.stderr
    scanned = lesionscan("scan", truth / "images", "--out", tmp_path / "results", "--jobs", 1)
    assert scanned.returncode == 0, scanned.stderr
    done = lesionscan("evaluate", tmp_path / "results", truth, "--resamples", 20)
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads((tmp_path / "results" / "evaluation" / "evaluation.json").read_bytes())
    (name,) = record["sets"]
    assert record["tool"]["name"] == "lesionscan"
    assert record["sets"][name]["counts"]["lesion_films"] == 2
    assert record["sets"][name]["chance"]["search_areas"] == {"tool_bone": 2}


@pytest.mark.slow
def test_a_resized_mask_is_told_without_a_result_too(tmp_path: Path) -> None:
    """A mask whose size differs from its film's is refused even if the film has no result."""
    missing = MadeFilm("b", A.lesions, status="missing")
    results, truth = make(tmp_path, [A, C, missing])
    mask = truth / "masks" / "b.lesions.png"
    with Image.open(mask) as picture:
        labels = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.NEAREST)
    labels.save(mask)
    done = lesionscan("evaluate", results, truth, "--resamples", 0)
    assert done.returncode == 2
    assert "b.lesions.png" in done.stderr
    assert done.stderr.count("\n") == 1
