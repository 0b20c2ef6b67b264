"""`lesionscan calibrate` writes settings that a scan applies without a new search."""

import json
from pathlib import Path

import pytest

from lesionscan.results.record import ResultRecord
from lesionscan.settings import Settings
from tests.cli.command import lesionscan, with_stub
from tests.evaluation.made import MadeFilm, make
from tests.review.made import HIDDEN, SHOWN, film_review, plain_review, scanned, seal

BOX = (10, 10, 20, 20)
NAMES = {"a.png": SHOWN, "b.png": 200, "c.png": 100, "d.png": HIDDEN}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return films and results: the best scores are 0.902, 0.784, 0.392 and 0.235."""
    return scanned(tmp_path_factory.mktemp("run"), NAMES)


def test_a_scan_uses_the_file_without_a_search(run: tuple[Path, Path], tmp_path: Path) -> None:
    """A scan with the new threshold keeps all scores and updates only what is shown."""
    films, results = run
    out = tmp_path / "my.toml"
    done = lesionscan("calibrate", results, "--out", out, "--false-positives", 0.25)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("4 films without lesions, 0 more without a result, 0 not assessed;")
    assert lines[1].startswith("shown_score 0.843 (")
    assert lines[1].endswith(") for 0.25 false positives per film")
    assert lines[2].startswith("false positives per film: 0.250 on these films; ")
    assert lines[3] == "before, with shown_score 0.5: 0.500 false positives per film"
    assert lines[-2:] == [f"settings: {out}", "Research use only; not a diagnosis."]
    assert done.stderr == (
        "warning: only 4 films without lesions: the score is uncertain; use at least 30\n"
    )
    assert Settings.from_file(out) == Settings(shown_score=0.843)
    before = {name: _record(results, name) for name in NAMES}
    again = with_stub("scan", films, "--out", results, "--settings", out)
    assert again.stdout.splitlines()[:2] == [
        "4 films: 4 ok (4 kept), 0 failed",
        "8 candidates, 1 shown (score at least 0.843)",
    ]
    for name, record in before.items():
        after = _record(results, name)
        assert after.tool.settings_sha256 == record.tool.settings_sha256
        assert [one.score for one in after.candidates] == [one.score for one in record.candidates]
        assert [one.shown for one in after.candidates] == [name == "a.png", False]


def _record(results: Path, name: str) -> ResultRecord:
    return ResultRecord.model_validate_json((results / f"{name}.json").read_bytes())


def test_the_file_has_the_settings_of_the_run(tmp_path: Path) -> None:
    """The file has all settings of the run, and a run.json with other settings is refused.

    With another search the threshold would not apply.
    """
    films, results = scanned(tmp_path, NAMES)
    mine = tmp_path / "mine.toml"
    mine.write_text('search = "quick"\nspacing_mm = [0.1, 0.2]\n', encoding="utf-8")
    assert with_stub("scan", films, "--out", results, "--settings", mine).returncode == 0
    out = tmp_path / "my.toml"
    assert lesionscan("calibrate", results, "--out", out).returncode == 0
    settings = Settings.from_file(out)
    assert (settings.search, settings.spacing_mm) == ("quick", (0.1, 0.2))
    assert settings.sha256() == Settings.from_file(mine).sha256()
    run_json = json.loads((results / "run.json").read_text("utf-8"))
    run_json["settings"]["search"] = "full"
    (results / "run.json").write_text(json.dumps(run_json), encoding="utf-8")
    done = lesionscan("calibrate", results, "--out", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert "were made with other settings than those in" in done.stderr


def test_truth_of_any_program(tmp_path: Path) -> None:
    """For another program's results, only `shown_score` is set, and sensitivity is printed."""
    films = [
        MadeFilm("a", (BOX,), ((0.8, BOX),), {"set": "real", "patient": 1}),
        *(
            MadeFilm(f"n{number}", (), ((score, BOX),), {"set": "real", "body_part": "HAND"})
            for number, score in enumerate([0.9, 0.6, 0.4, 0.2])
        ),
        MadeFilm("p", facts={"set": "phantom"}),
    ]
    results, truth = make(tmp_path, films)
    out = tmp_path / "my.toml"
    given = ["--truth", truth, "--set", "real", "-f", 0.5, "--out", out, "--resamples", 20]
    done = lesionscan("calibrate", results, *given)
    assert done.returncode == 0
    assert "sensitivity: 1.00 (1.00 to 1.00) of 1 lesions" in done.stdout.splitlines()
    assert "too few films for a score of their own: HAND 4" in done.stdout.splitlines()
    assert "before" not in done.stdout
    text = out.read_text("utf-8")
    assert text.splitlines()[-1] == "shown_score = 0.5"
    assert "# From results of made 1, settings 00000000." in text.splitlines()
    assert "# Warning: only 4 films without lesions: " in text
    assert all(line.startswith(("#", "shown_score")) for line in text.splitlines() if line)
    again = lesionscan("calibrate", results, *given)
    assert (again.returncode, out.read_text("utf-8")) == (0, text)


def test_reviewed_films_are_used(run: tuple[Path, Path], tmp_path: Path) -> None:
    """Rejected candidates are false positives and accepted ones lesions; others are left out."""
    results = run[1]
    review = tmp_path / "review.json"
    decided = {
        "a.png": film_review(seal(results, "a.png"), c1="accepted"),
        "b.png": film_review(seal(results, "b.png"), c1="rejected"),
        "c.png": film_review(seal(results, "c.png"), c1="unsure"),
        "d.png": film_review("0" * 64, c1="rejected"),
    }
    review.write_text(json.dumps(plain_review(**decided)), encoding="utf-8")
    out = tmp_path / "my.toml"
    done = lesionscan("calibrate", results, "--review", review, "-f", 1, "--out", out)
    assert done.returncode == 0
    assert done.stdout.startswith("1 films without lesions, 0 more without a result")
    assert "sensitivity: 1.00 (1.00 to 1.00) of 1 lesions" in done.stdout
    said = done.stderr.splitlines()
    assert (
        said[0] == "d.png: left out: its result has changed since it was reviewed; review it again"
    )
    assert said[1] == "c.png: left out: unsure about candidate 1"
    assert "warning: one film or patient alone gives no estimate of how the rate varies" in said[3]


def test_a_list_names_the_normal_films(run: tuple[Path, Path], tmp_path: Path) -> None:
    """With --normal, only the films in the list are used."""
    names = tmp_path / "normal.txt"
    names.write_text("c.png\nd.png\n", encoding="utf-8")
    out = tmp_path / "my.toml"
    done = lesionscan("calibrate", run[1], "--normal", names, "-f", 0.5, "--out", out)
    assert done.stdout.startswith("2 films without lesions")
    assert Settings.from_file(out).shown_score == 0.3135


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "my.txt"], "my.txt is not the name of a settings file; end it in .toml"),
        (["--out", "none/my.toml"], "none does not exist; make the folder first"),
        (["--out", "mine.toml"], "mine.toml was not written by lesionscan calibrate; move it"),
        (["--out", "folder.toml"], "folder.toml was not written by lesionscan calibrate; move it"),
        (["--out", "a.toml", "--set", "x"], "--set needs --truth"),
        (["--out", "a.toml", "--truth", "t", "--review", "r"], "cannot be combined; give one"),
        (["--out", "a.toml", "--truth", "t"], "index.json cannot be read (No such file"),
        (["--out", "a.toml", "--review", "r"], "r cannot be read (No such file or directory)"),
        (["--out", "a.toml", "--normal", "r"], "list r cannot be read (No such file or"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    run: tuple[Path, Path],
    tmp_path: Path,
    arguments: list[str],
    words: str,
) -> None:
    """A wrong command gives one line and exit status 2, and writes no file."""
    (tmp_path / "mine.toml").write_text("shown_score = 0.6\n", encoding="utf-8")
    (tmp_path / "folder.toml").mkdir()
    given = [
        str(tmp_path / one) if before == "--out" else one
        for before, one in zip(["", *arguments], arguments, strict=False)
    ]
    done = lesionscan("calibrate", run[1], *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.toml", "mine.toml"]


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    """A folder without a table of films is refused with status 2."""
    done = lesionscan("calibrate", tmp_path, "--out", tmp_path / "a.toml")
    assert done.returncode == 2
    assert "images.csv cannot be read (No such file or directory); name scan's" in done.stderr
