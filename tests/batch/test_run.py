"""A run processes every film, writes summaries, resumes, and can be stopped."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lesionscan.batch.discover import InputError
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.run import EngineError, Options, RunSummary, make_plan, run_scan
from lesionscan.detection import pipeline
from lesionscan.detection.pipeline import Findings
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.scorer_file import Scorer
from lesionscan.radiograph import Radiograph
from lesionscan.results import atomic
from lesionscan.settings import Settings
from tests.batch.films import tree, write_film
from tests.batch.stub import RAISE, find_stub, here
from tests.detection.scorer.made import scorer_bytes


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder of five films, one of which fails, and another file."""
    folder = tmp_path / "in"
    for number, name in enumerate(["a/1.png", "a/2.png", "b <&>/3 '\".png", "ü/4.png"]):
        write_film(folder / name, score=100 + 30 * number)
    write_film(folder / "bad.png", RAISE)
    (folder / "notes.txt").write_text("x")
    return folder


def scan(
    folder: Path,
    out: Path,
    stopped: Callable[[], bool] = lambda: False,
    on_done: Callable[[tuple[Outcome, ...]], None] = lambda _outcomes: None,
    settings: Settings | None = None,
    scorer: Path | None = None,
) -> RunSummary:
    """Scan with the stub in this process."""
    plan = make_plan([folder], out, Options(settings or Settings(), scorer))
    return run_scan(plan, here, workers=1, on_done=on_done, stopped=stopped)


def run_json(out: Path) -> dict[str, Any]:
    """Read run.json."""
    facts: dict[str, Any] = json.loads((out / "run.json").read_bytes())
    return facts


def table(path: Path) -> list[dict[str, str]]:
    """Read a CSV table."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_summaries_list_every_film(films: Path, tmp_path: Path) -> None:
    """The tables list all films in order, and run.json has the counts of films and failures."""
    summary = scan(films, tmp_path / "out", settings=Settings(shown_score=0.5))
    out = tmp_path / "out"
    assert summary.report == out / "report.html"
    assert summary.tally.codes == {"internal_error": 1}
    rows = table(out / "images.csv")
    assert [row["file"] for row in rows] == [
        "a/1.png",
        "a/2.png",
        "b <&>/3 '\".png",
        "bad.png",
        "ü/4.png",
    ]
    candidates = table(out / "candidates.csv")
    assert [row["id"] for row in candidates] == ["1", "2"] * 4
    facts = run_json(out)
    assert facts["counts"] == {
        "found": 5,
        "pictures": 5,
        "ok": 4,
        "failed": 1,
        "not_done": 0,
        "resumed": 0,
        "altered": 0,
        "not_exported": 0,
        "skipped": 1,
        "candidates": 8,
        "candidates_shown": 3,
    }
    assert facts["failures"] == {"internal_error": 1}
    assert facts["settings"]["shown_score"] == 0.5
    assert facts["disclaimer"] == "Research use only; not a diagnosis."


def test_no_output_contains_an_absolute_path(films: Path, tmp_path: Path) -> None:
    """No result file contains an absolute path, so that results can be passed on."""
    out = tmp_path / "out"
    scan(films, out)
    for path in out.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path.name


def test_a_second_run_keeps_the_first_ones_results(films: Path, tmp_path: Path) -> None:
    """A second run processes only failed films, and its files have the same bytes."""
    out = tmp_path / "out"
    scan(films, out)
    first = tree(out)
    second = scan(films, out)
    assert (second.tally.pictures, second.tally.resumed) == (5, 4)
    assert tree(out) == first


def test_a_stopped_run_sums_up_and_resumes(films: Path, tmp_path: Path) -> None:
    """A stopped run writes its summaries, and the next one completes it to the bytes of one run."""
    done: list[tuple[Outcome, ...]] = []
    out = tmp_path / "out"
    summary = scan(films, out, stopped=lambda: len(done) >= 2, on_done=done.append)
    assert (summary.interrupted, summary.not_done) == (True, 3)
    assert run_json(out)["counts"]["not_done"] == 3
    assert run_json(out)["interrupted"]
    assert len((out / "images.csv").read_text("utf-8").splitlines()) == 3
    assert '"not_done":3' in (out / "report" / "index.js").read_text("utf-8")
    summary = scan(films, out)
    assert not summary.interrupted
    scan(films, tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


def test_an_interrupt_inside_a_film_sums_up_too(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KeyboardInterrupt abandons the film in progress; the summaries are still written."""

    def find(
        radiograph: Radiograph, settings: Settings | None = None, scorer: Scorer | None = None
    ) -> Findings:
        if radiograph.pixels[0, 0] == 99:
            raise KeyboardInterrupt
        return find_stub(radiograph, settings, scorer)

    monkeypatch.setattr(pipeline, "find_candidates", find)
    write_film(films / "a" / "2.png", 99)
    summary = scan(films, tmp_path / "out")
    assert summary.interrupted
    assert summary.not_done == 4
    assert [row["file"] for row in table(tmp_path / "out" / "images.csv")] == ["a/1.png"]
    assert (tmp_path / "out" / "report.html").exists()


def test_a_changed_setting_does_not_mix_with_old_results(films: Path, tmp_path: Path) -> None:
    """The summaries of a stopped run list only films processed with its own settings."""
    out = tmp_path / "out"
    scan(films, out)
    done: list[tuple[Outcome, ...]] = []
    scan(
        films,
        out,
        stopped=lambda: len(done) >= 1,
        on_done=done.append,
        settings=Settings(shown_score=0.05),
    )
    assert len((out / "images.csv").read_text("utf-8").splitlines()) == 2


def test_another_scorer_does_the_films_again(films: Path, tmp_path: Path) -> None:
    """Another scorer reprocesses all films, and run.json and every JSON contain its hash."""
    out, path = tmp_path / "out", tmp_path / "other.scorer"
    path.write_bytes(scorer_bytes())
    scan(films, out)
    before = run_json(out)["tool"]["scorer_sha256"]
    summary = scan(films, out, scorer=path)
    assert summary.tally.resumed == 0
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert before != run_json(out)["tool"]["scorer_sha256"] == expected
    named = {
        json.loads(path.read_bytes())["tool"]["scorer_sha256"] for path in out.rglob("*.png.json")
    }
    assert named == {expected}


def test_a_scorer_that_cannot_be_used_is_refused_first(films: Path, tmp_path: Path) -> None:
    """A scorer that cannot be read is refused before the output folder is created."""
    with pytest.raises(ScorerError, match="cannot be read"):
        scan(films, tmp_path / "out", scorer=tmp_path / "no.scorer")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(films: Path, tmp_path: Path) -> None:
    """An output folder that is a file is refused before any film is searched."""
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match=r"output .*out is a file; name a folder \(--out\)"):
        make_plan([films], tmp_path / "out", Options(Settings()))


def test_an_output_that_cannot_be_made_is_refused(films: Path, tmp_path: Path) -> None:
    """An output folder that cannot be created is refused before any film is searched."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"output folder .*: Not a directory; choose another"):
        make_plan([films], tmp_path / "file" / "out", Options(Settings()))


def test_the_output_folder_may_be_the_input_folder(films: Path) -> None:
    """With the input folder as output folder, results are not scanned by the next run."""
    first = scan(films, films)
    second = scan(films, films)
    assert first.tally.pictures == second.tally.pictures == 5


def test_the_page_lists_the_films_as_the_tables_do(films: Path, tmp_path: Path) -> None:
    """The page lists all films in the tables' order, with the files that it loads for each."""
    scan(films, tmp_path / "out")
    report = tmp_path / "out" / "report"
    head, *lines = (report / "index.js").read_text("utf-8").splitlines()
    assert head.startswith("lesionscan.run(")
    rows = table(tmp_path / "out" / "images.csv")
    for line, row in zip(lines, rows, strict=True):
        kind = "film" if row["status"] == "ok" else "failed"
        assert line.startswith(f"lesionscan.{kind}([{json.dumps(row['file'])},")
        for ending in ("page.js", "page.jpg", "page-s.jpg"):
            there = (report / "films" / f"{row['file']}.{ending}").is_file()
            assert there == (kind == "film")


@pytest.mark.parametrize("length", [244, 247, 251])
def test_films_whose_names_are_too_long_are_listed(tmp_path: Path, length: int) -> None:
    """Films whose names are too long have a row in the table and a line on the page."""
    fine, bad = "x" * (length - 4) + ".png", "y" * (length - 4) + ".png"
    write_film(tmp_path / "in" / fine)
    write_film(tmp_path / "in" / bad, RAISE)
    write_film(tmp_path / "in" / "a.png")
    for _ in range(2):
        summary = scan(tmp_path / "in", tmp_path / "out")
        assert summary.tally.codes == {"name_too_long": 1, "internal_error": 1}
        rows = table(tmp_path / "out" / "images.csv")
        assert [(row["file"], row["error_code"]) for row in rows] == [
            ("a.png", ""),
            (fine, "name_too_long"),
            (bad, "internal_error"),
        ]
        assert fine in (tmp_path / "out" / "report" / "index.js").read_text("utf-8")


def test_results_removed_meanwhile_are_reported(films: Path, tmp_path: Path) -> None:
    """Films whose results are removed or replaced during the run are reported as failed."""
    out = tmp_path / "out"
    other = tmp_path / "other"
    scan(films, other, settings=Settings(shown_score=0.05))

    def meddle(outcomes: tuple[Outcome, ...]) -> None:
        if outcomes[0].name == "a/2.png":
            (out / "a" / "1.png.json").unlink()
            (out / "a" / "2.png.json").write_bytes((other / "a" / "2.png.json").read_bytes())

    summary = scan(films, out, on_done=meddle)
    assert summary.tally.codes == {"internal_error": 1, "result_lost": 2}
    assert (summary.tally.ok, summary.tally.failed) == (2, 3)
    codes = {row["file"]: row["error_code"] for row in table(out / "images.csv")}
    assert len(codes) == 5
    assert codes["a/1.png"] == codes["a/2.png"] == "result_lost"
    assert run_json(out)["counts"]["failed"] == 3


def test_an_engine_that_gives_up_leaves_what_is_done(films: Path, tmp_path: Path) -> None:
    """If the engine fails, the summaries contain the finished films and count the missing ones."""

    def engine(
        jobs: Sequence[Job], stopped: Callable[[], bool]
    ) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        yield next(here(jobs, stopped))
        raise EngineError("the cluster is gone")

    plan = make_plan([films], tmp_path / "out", Options(Settings()))
    summary = run_scan(plan, engine, workers=1, on_done=lambda _: None, stopped=lambda: False)
    assert (summary.trouble, summary.interrupted) == ("the cluster is gone", True)
    assert (summary.tally.pictures, summary.not_done) == (1, 4)
    assert len(table(tmp_path / "out" / "images.csv")) == 1


def test_what_killed_runs_left_is_removed(films: Path, tmp_path: Path) -> None:
    """Temporary files of a process that no longer exists are removed by the next run."""
    out = tmp_path / "out"
    scan(films, out)
    first = tree(out)
    half = out / "a" / f".lesionscan-{'0' * 16}-{atomic.machine()}-{2**22 + 1}.tmp"
    half.write_bytes(b"half")
    scan(films, out)
    assert tree(out) == first


def test_what_a_worker_left_that_died_in_this_run_is_removed(films: Path, tmp_path: Path) -> None:
    """Temporary files of a worker that died during the run are removed at the end of that run."""
    out = tmp_path / "out"
    half = out / "a" / f".lesionscan-{'0' * 16}-{atomic.machine()}-{2**22 + 1}.tmp"

    def die(outcomes: tuple[Outcome, ...]) -> None:
        if outcomes[0].name == "a/1.png":
            half.write_bytes(b"half")

    scan(films, out, on_done=die)
    scan(films, tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


def test_only_what_changes_the_numbers_searches_films_again(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only another search setting or scorer searches again; output settings and limits do not."""
    searched: list[str] = []

    def counted(
        radiograph: Radiograph, settings: Settings | None = None, scorer: Scorer | None = None
    ) -> Findings:
        searched.append("")
        return find_stub(radiograph, settings, scorer)

    monkeypatch.setattr(pipeline, "find_candidates", counted)
    out, fresh, other = tmp_path / "out", tmp_path / "fresh", tmp_path / "other.scorer"
    other.write_bytes(scorer_bytes())
    scan(films, out)
    for settings, scorer, again in (
        (Settings(overlay=False), None, 0),
        (Settings(overlay_max_px=300), None, 0),
        (Settings(shown_score=0.6), None, 0),
        (Settings(max_frames=99), None, 0),
        (Settings(scales=7), None, 4),
        (Settings(scales=7), other, 4),
    ):
        searched.clear()
        summary = scan(films, out, settings=settings, scorer=scorer)
        # the film that fails is retried each time
        assert (len(searched) - 1, summary.tally.resumed) == (again, 4 - again)
        scan(films, fresh, settings=settings, scorer=scorer)
        mine, theirs = (
            {name: data for name, data in tree(folder).items() if name != "run.json"}
            for folder in (out, fresh)
        )
        assert mine == theirs
