"""`lesionscan scan`, `merge` and `demo`: output, exit status, and never a traceback."""

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
from PIL import Image
from rich.console import Console

from lesionscan import cli
from lesionscan.batch import run
from lesionscan.batch.outcome import Outcome
from lesionscan.cli import scan
from lesionscan.cli.progress import Progress
from lesionscan.cli.terminal import RefusedError
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.radiograph import Notice
from lesionscan.results.sealed import is_sealed
from tests.batch.films import tree, write_film
from tests.batch.stub import GORGE, HANG, KILL, NO_MEMORY, RAISE, find_stub, here
from tests.cli.command import COMMAND, ROOT, STUB, stub_process, with_stub
from tests.detection.scorer.made import scorer_bytes


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder of valid films with unusual names."""
    for number, name in enumerate(["a/1.png", "b <&>/2 '\".png", "c/ü膝.png"]):
        write_film(tmp_path / "in" / name, score=120 + 40 * number)
    return tmp_path / "in"


def test_all_is_well(films: Path, tmp_path: Path) -> None:
    """Without failures the status is 0, stderr is empty and four lines are printed."""
    done = stub_process("scan", films, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("3 films: 3 ok, 0 failed")
    assert lines[2] == f"report: {tmp_path / 'out' / 'report.html'}"
    assert lines[3] == "Research use only; not a diagnosis."


@pytest.mark.slow
def test_spacing_and_polarity_reach_the_results(films: Path, tmp_path: Path) -> None:
    """Spacing and polarity are stored in each JSON, and changing them reprocesses the films."""
    options = ("--spacing", "0.2,0.1", "--polarity", "bone-dark", "--jobs", 1)
    with_stub("scan", films, "--out", tmp_path / "out")
    done = with_stub("scan", films, "--out", tmp_path / "out", *options)
    assert done.returncode == 0
    assert "kept)" not in done.stdout
    image = json.loads((tmp_path / "out" / "a" / "1.png.json").read_text("utf-8"))["image"]
    assert (image["spacing_mm"], image["spacing_source"]) == ([0.2, 0.1], "user")
    assert image["polarity"] == "user"
    assert "3 kept" in with_stub("scan", films, "--out", tmp_path / "out", *options).stdout


def test_nonsense_spacing_is_refused_before_the_scan(films: Path, tmp_path: Path) -> None:
    """An invalid spacing gives one line and status 2, and nothing is written."""
    done = with_stub("scan", films, "--out", tmp_path / "out", "--spacing", "0")
    assert done.returncode == 2
    assert done.stderr.startswith("lesionscan: --spacing 0: give mm from 0.005 to 10")
    assert not (tmp_path / "out").exists()


def test_pages_are_counted_as_films(films: Path, tmp_path: Path) -> None:
    """A file of three pages counts as three films, in the tables and on the page too."""
    pages = [np.asarray(Image.open(film)) for film in sorted(films.rglob("*.png"))]
    tifffile.imwrite(films / "pages.tif", np.stack(pages), photometric="minisblack")
    done = with_stub("scan", films / "pages.tif", "--out", tmp_path / "out", "--jobs", 1)
    assert done.returncode == 0
    assert done.stdout.startswith("3 films: 3 ok, 0 failed")
    with (tmp_path / "out" / "images.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file"], row["frame"]) for row in rows] == [
        ("pages.tif", str(n)) for n in (1, 2, 3)
    ]
    listed = (tmp_path / "out" / "report" / "index.js").read_text("utf-8")
    assert '["pages.tif.frame002",' in listed
    assert (tmp_path / "out" / "pages.tif.frame002.overlay.png").is_file()


def test_failed_films_are_named_on_stderr(films: Path, tmp_path: Path) -> None:
    """Damaged, crashing and failing films give one line each and status 1; others succeed."""
    write_film(films / "kill.png", KILL)
    write_film(films / "raise.png", RAISE)
    write_film(films / "memory.png", NO_MEMORY)
    (films / "line\nbreak.png").write_bytes(b"x")
    done = stub_process("scan", films, "--out", tmp_path / "out", "--jobs", 2)
    assert done.returncode == 1
    lines = sorted(done.stderr.splitlines())
    assert [line.split(":")[0] for line in lines] == [
        "kill.png",
        "line\\nbreak.png",
        "memory.png",
        "raise.png",
    ]
    assert lines[0].startswith("kill.png: failed (crashed): its worker process died, more than")
    assert "failed (internal_error)" in lines[3]
    assert "7 films: 3 ok, 4 failed" in done.stdout
    assert "Smith" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_bytes_do_not_depend_on_the_number_of_jobs(films: Path, tmp_path: Path) -> None:
    """One worker and two write the same bytes."""
    (films / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for jobs in (1, 2):
        assert stub_process("scan", films, "-o", tmp_path / str(jobs), "-j", jobs).returncode == 1
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    page = list((tmp_path / "1" / "report" / "page").iterdir())
    assert len(tree(tmp_path / "1")) == (4 + 3) * 3 + 1 + 4 + len(page)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing", "--out", "out"], "lesionscan: input missing does not exist; check the path"),
        (["empty", "--out", "out"], "lesionscan: no radiograph found in empty"),
        (["in", "--out", "file"], "lesionscan: output file is a file; name a folder (--out)"),
        (
            ["in", "--out", "file/out"],
            "lesionscan: output folder file/out: Not a directory",
        ),
        (["in", "-o", "out", "--settings", "no.toml"], "lesionscan: settings file no.toml"),
        (["in", "-o", "out", "--settings", "bad.toml"], "lesionscan: settings file bad.toml"),
        (
            ["in", "-o", "out", "--scorer", "no.scorer"],
            "lesionscan: scorer file no.scorer cannot be read",
        ),
        (
            ["in", "-o", "out", "--scorer", "red\x1b[31m.scorer"],
            "lesionscan: scorer file red\\x1b[31m.scorer cannot be read",
        ),
        (
            ["in", "-o", "out", "--scorer", "bad.toml"],
            "lesionscan: scorer file bad.toml is not a zip archive",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    films: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Wrong inputs give one line and status 2, and no result is written."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.toml").write_text("shown_scor = 2")
    assert films == tmp_path / "in"
    done = with_stub("scan", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("arguments", [["scan", "x"], ["scan", "x", "-o", "y", "-j", "0"], ["sc"]])
def test_wrong_arguments_are_status_2(arguments: list[str]) -> None:
    """A missing option, a number out of range and an unknown command give status 2."""
    done = with_stub(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_folder_in_the_place_of_a_result_is_kept(films: Path, tmp_path: Path) -> None:
    """A film whose result path is a folder fails with one line, and the folder is kept.

    A full disk is tested below.
    """
    (tmp_path / "out" / "a" / "1.png.json").mkdir(parents=True)
    done = stub_process("scan", films, "--out", tmp_path / "out", "--jobs", 2)
    assert done.returncode == 1
    assert done.stderr.startswith("a/1.png: failed (name_taken): a/1.png.json in the output folder")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "out" / "a" / "1.png.json").is_dir()


def test_settings_are_used(films: Path, tmp_path: Path) -> None:
    """A settings file changes the results and is recorded in run.json."""
    (tmp_path / "s.toml").write_text("shown_score = 0.05")
    done = with_stub("scan", films, "-o", tmp_path / "out", "--settings", tmp_path / "s.toml")
    assert "6 candidates, 6 shown (score at least 0.05)" in done.stdout
    facts = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert facts["settings"]["shown_score"] == 0.05


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_scorer_is_used(films: Path, tmp_path: Path, jobs: int) -> None:
    """Every worker uses the scorer file, and each JSON and run.json contain its hash."""
    path = tmp_path / "my.scorer"
    path.write_bytes(scorer_bytes())
    done = stub_process(
        "scan", "in", "-o", "out", "--scorer", "my.scorer", "--jobs", jobs, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert films == tmp_path / "in"
    written = [*(tmp_path / "out").rglob("*.png.json"), tmp_path / "out" / "run.json"]
    hashes = {json.loads(file.read_bytes())["tool"]["scorer_sha256"] for file in written}
    assert len(written) == 4
    assert hashes == {hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_scorer_that_is_taken_away_is_one_line(
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scorer that a worker can no longer read stops the run with one line and status 2."""

    def taken_away(*_: object, **__: object) -> None:
        raise ScorerError("scorer file x cannot be read")

    monkeypatch.setattr(run, "run_scan", taken_away)
    monkeypatch.setattr(sys, "argv", ["lesionscan", "scan", str(films), "-o", str(tmp_path / "o")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "lesionscan: scorer file x cannot be read\n"


def wait_for_results(out: Path, count: int) -> None:
    """Wait until `count` films are finished."""
    limit = time.monotonic() + 30
    while len(list(out.rglob("*.png.json"))) < count:
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "jobs"),
    [(signal.SIGINT, 130, 1), (signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 2)],
)
def test_a_stopped_run_is_valid_and_resumes(
    tmp_path: Path, number: signal.Signals, status: int, jobs: int
) -> None:
    """After Ctrl-C or SIGTERM all files are complete, and the same command resumes the run."""
    for film in range(12):
        write_film(tmp_path / "in" / f"{film:02}.png", score=100 + film)
    out = tmp_path / "out"
    command = [*STUB, "scan", str(tmp_path / "in"), "--out", str(out), "--jobs", str(jobs)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "STUB_SECONDS": "0.2"},
        start_new_session=True,
    )
    wait_for_results(out, 2)
    os.killpg(process.pid, number)  # to every process of the run, like a terminal
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == status
    assert "rerun the command to resume" in stderr
    assert "Traceback" not in stderr
    assert "not done" in stdout
    facts = json.loads((out / "run.json").read_bytes())
    done = len(list(out.rglob("*.png.json")))
    assert facts["interrupted"]
    assert 2 <= facts["counts"]["ok"] == done < 12
    assert len((out / "images.csv").read_text("utf-8").splitlines()) == done + 1
    assert not list(out.rglob("*.tmp"))
    finished = with_stub("scan", tmp_path / "in", "--out", out)
    assert finished.returncode == 0
    assert f"12 films: 12 ok ({done} kept)" in finished.stdout
    with_stub("scan", tmp_path / "in", "--out", tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


@pytest.mark.slow
def test_asking_twice_does_not_wait(tmp_path: Path) -> None:
    """A second Ctrl-C abandons a slow film; the summaries are still written."""
    write_film(tmp_path / "in" / "slow.png")
    process = subprocess.Popen(
        [*STUB, "scan", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "STUB_SECONDS": "30"},
    )
    limit = time.monotonic() + 20
    while not (tmp_path / "out").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.8)  # sooner, it would count as the same signal
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "press Ctrl-C again to stop now" in stderr
    assert "Traceback" not in stderr
    assert (tmp_path / "out" / "report.html").exists()


def test_version_and_help_answer_at_once() -> None:
    """The version is printed, and the help does not import the numerical libraries."""
    version = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("lesionscan 0.")
    loaded = (
        "import sys; sys.argv = ['lesionscan', '--help']; import lesionscan.cli as c\n"
        "try: c.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'cv2', 'numpy', 'scipy', 'skimage', 'pydicom'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    helped = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=False
    )
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "scan" in helped.stdout
    assert "demo" in helped.stdout


@pytest.mark.slow
def test_a_closed_pipe_is_quiet(films: Path, tmp_path: Path) -> None:
    """A closed standard output, as in `lesionscan scan ...

    head -0`, gives no traceback.
    """
    process = subprocess.Popen(
        [*STUB, "scan", str(films), "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    stderr = process.stderr.read()
    process.stderr.close()
    process.wait(30)
    assert stderr == ""
    assert (tmp_path / "out" / "report.html").exists()


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Return a truth folder of two films; the stub finds the lesion of the first only."""
    folder = tmp_path / "samples"
    entries = []
    for name, row in (("hit", 60), ("miss", 20)):
        write_film(folder / "images" / f"{name}.png", score=200)
        mask = np.zeros((120, 80), np.uint16)
        mask[row - 4 : row + 5, 36:45] = 1
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "masks" / f"{name}.lesions.png")
        entries.append({"name": name, "lesions": 1, "body_part": "KNEE"})
    (folder / "index.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def test_the_demo_ends_with_one_table(
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The demo prints planted and found lesions per film, the report's path and the disclaimer."""
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)
    monkeypatch.setattr(scan, "chosen_engine", lambda *_, **__: nullcontext((here, 1)))
    monkeypatch.setattr(scan, "_samples", lambda _out: samples)
    monkeypatch.setattr(
        sys, "argv", ["lesionscan", "demo", "--out", str(tmp_path / "o"), "--jobs", "1"]
    )
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in lines if "│" in line}
    assert [cell.strip() for cell in rows["hit"]] == ["knee", "1", "1", "0"]
    assert [cell.strip() for cell in rows["miss"]] == ["knee", "1", "0", "1"]
    assert [cell.strip() for cell in rows["2 films"]] == ["", "2", "1", "1"]
    assert lines[-2].endswith("report.html")
    assert lines[-1] == "Research use only; not a diagnosis."
    assert len(lines) < 24


def test_a_demo_without_truth_is_one_line(
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A missing mask of the samples is an error with status 2."""
    (samples / "masks" / "hit.lesions.png").unlink()
    monkeypatch.setattr(pipeline, "find_candidates", find_stub)
    monkeypatch.setattr(scan, "chosen_engine", lambda *_, **__: nullcontext((here, 1)))
    monkeypatch.setattr(scan, "_samples", lambda _out: samples)
    monkeypatch.setattr(sys, "argv", ["lesionscan", "demo", "-o", str(tmp_path / "o"), "-j", "1"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "lesionscan: mask" in capsys.readouterr().err


def test_samples_are_made_where_the_package_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the repository's sample films, they are made once, in an empty folder only."""
    made: list[Path] = []

    def write_samples(folder: Path) -> None:
        made.append(folder)
        (folder / "index.json").write_text("[]")

    module = ModuleType("lesionscan.simulation.samples")
    module.write_samples = write_samples  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(scan, "__file__", str(tmp_path / "p" / "lesionscan" / "cli" / "scan.py"))
    assert scan._samples(tmp_path) == tmp_path / "sample_images"
    assert scan._samples(tmp_path) == tmp_path / "sample_images"
    assert made == [tmp_path / "sample_images"]
    mine = tmp_path / "other" / "sample_images" / "images" / "mine.dcm"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="sample_images is not an empty folder; name a new one"):
        scan._samples(tmp_path / "other")
    assert (made, mine.read_bytes()) == ([tmp_path / "sample_images"], b"mine")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "rerun the command to resume"),
        (
            OSError(28, "No space left on device", "x"),
            2,
            "x: No space left on device; results written so far are kept",
        ),
        (MemoryError(), 2, "use fewer jobs"),
        (KeyError("Smith"), 2, "internal error (KeyError)"),
    ],
)
def test_no_exception_reaches_the_user(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    words: str,
) -> None:
    """Every exception gives one line on stderr and an exit status, but no traceback."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == status
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "Smith" not in said


def test_a_terminal_gets_a_bar() -> None:
    """On a terminal, a progress bar counts films, shown candidates and failures."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    failed = Outcome("a.png", "failed", Notice("truncated", "cut"), 0, 0, None, 0.1, resumed=False)
    with Progress(console, 7) as progress:
        progress.add((failed,))
        progress.add((Outcome("b.png", "ok", None, 5, 3, 0.9, 0.1, resumed=False),))
    assert "2/7 films" in stream.getvalue()
    assert "3 candidates shown" in stream.getvalue()
    assert "1 failed" in stream.getvalue()
    assert "a.png: failed (truncated): cut" in stream.getvalue()


@pytest.mark.slow
def test_films_that_hang_or_gorge_cost_themselves(films: Path, tmp_path: Path) -> None:
    """Films over the time or memory limit fail with codes of their own; the others succeed."""
    write_film(films / "hang.png", HANG)
    write_film(films / "gorge.png", GORGE)
    done = stub_process(
        "scan", films, "-o", tmp_path / "out", "--timeout", 3, "--max-memory", 600, "--jobs", 2
    )
    assert done.returncode == 1
    assert sorted(line.split("): ")[0] for line in done.stderr.splitlines()) == [
        "gorge.png: failed (out_of_memory",
        "hang.png: failed (timed_out",
    ]
    assert "5 films: 3 ok, 2 failed" in done.stdout


@pytest.mark.slow
def test_a_pipe_is_not_waited_for(films: Path, tmp_path: Path) -> None:
    """A FIFO named like a film fails, and the run continues."""
    os.mkfifo(films / "x.dcm")
    done = with_stub("scan", films, "-o", tmp_path / "out", "--timeout", 5)
    assert done.returncode == 1
    assert done.stderr.startswith("x.dcm: failed (not_an_image)")
    assert "4 films: 3 ok, 1 failed" in done.stdout


@pytest.mark.slow
def test_a_list_of_films_is_scanned(films: Path, tmp_path: Path) -> None:
    """A list from a file or stdin is scanned; a missing film fails, and the others succeed."""
    lines = "\n".join(["in/a/1.png", "in/gone.png"])
    (tmp_path / "list.txt").write_text(lines, "utf-8")
    done = with_stub("scan", "--list", "list.txt", "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("gone.png: failed (missing_file)")
    assert (tmp_path / "out" / "a" / "1.png.json").is_file()
    piped = subprocess.run(
        [*STUB, "scan", "--list", "-", "-o", "piped"],
        input=lines,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert piped.returncode == 1
    assert tree(tmp_path / "piped") == tree(tmp_path / "out")
    assert films.is_dir()


@pytest.mark.slow
def test_parts_are_scanned_and_merged(films: Path, tmp_path: Path) -> None:
    """Merged parts equal one run, a missing part is an error, and a part prints the next step."""
    with_stub("scan", films, "-o", tmp_path / "whole")
    out = tmp_path / "out"
    first = with_stub("scan", films, "-o", out, "--shard", "1/2")
    assert first.returncode == 0
    assert f"part 1/2 is done; when all are: lesionscan merge {out}" in first.stdout
    early = with_stub("merge", out)
    assert (early.returncode, early.stdout) == (2, "")
    assert early.stderr == "lesionscan: part 2/2 is missing; run it (--shard 2/2)\n"
    with_stub("scan", films, "-o", out, "--shard", "2/2")
    merged = with_stub("merge", out)
    assert (merged.returncode, merged.stderr) == (0, "")
    assert merged.stdout.startswith("3 films: 3 ok, 0 failed")
    whole = tree(tmp_path / "whole")
    assert {name: data for name, data in tree(out).items() if "run.shard" not in name} == whole
    assert with_stub("merge", out, tmp_path / "whole").returncode == 2


@pytest.mark.slow
def test_tables_are_written_as_parquet_too(films: Path, tmp_path: Path) -> None:
    """--export parquet adds Parquet tables and leaves all other files unchanged."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    with_stub("scan", films, "-o", tmp_path / "plain")
    done = with_stub("scan", films, "-o", tmp_path / "out", "--export", "parquet")
    assert done.returncode == 0
    files = parquet.read_table(tmp_path / "out" / "images.parquet").column("file").to_pylist()
    assert files == ["a/1.png", "b <&>/2 '\".png", "c/ü膝.png"]
    both = tree(tmp_path / "out")
    assert {name: both[name] for name in tree(tmp_path / "plain")} == tree(tmp_path / "plain")


def test_exports_are_written(films: Path, tmp_path: Path) -> None:
    """--export takes several formats."""
    done = with_stub("scan", films, "-o", tmp_path / "out", "--export", "parquet, nrrd,coco")
    assert done.returncode == 0
    assert (tmp_path / "out" / "a" / "1.png.seg.nrrd").is_file()
    assert (tmp_path / "out" / "coco.json").is_file()


def test_what_cannot_be_exported_is_named_and_counted(films: Path, tmp_path: Path) -> None:
    """PNG films have no DICOM header, so --export dicom-sr gives a line each and status 1."""
    pytest.importorskip("highdicom", reason="needs the extra dicom")
    done = with_stub("scan", films, "-o", tmp_path / "out", "--export", "dicom-sr")
    assert done.returncode == 1
    assert done.stdout.startswith("3 films: 3 ok, 0 failed, 3 not exported")
    assert done.stderr.count("ok, but (not_exported): ") == 3
    counts = json.loads((tmp_path / "out" / "run.json").read_bytes())["counts"]
    assert counts["not_exported"] == 3


@pytest.mark.slow
def test_programs_get_a_log(films: Path, tmp_path: Path) -> None:
    """--log-json writes an event for the start, each picture and the end."""
    write_film(films / "raise.png", RAISE)
    log = tmp_path / "log.jsonl"
    with_stub("scan", films, "-o", tmp_path / "out", "--log-json", log)
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [event["event"] for event in events] == ["start", *["picture"] * 4, "end"]
    assert events[0]["files"] == 4
    assert {event["name"]: event["code"] for event in events[1:-1]}["raise.png"] == "internal_error"
    assert (events[-1]["ok"], events[-1]["failed"]) == (3, 1)
    assert "Smith" not in log.read_text("utf-8")


@pytest.mark.slow
def test_pictures_are_left_out_or_made_smaller(films: Path, tmp_path: Path) -> None:
    """--no-overlay omits the overlays only, and --overlay-max limits their size."""
    with_stub("scan", films, "-o", tmp_path / "none", "--no-overlay")
    assert not list((tmp_path / "none").rglob("*.overlay.png"))
    assert len(list((tmp_path / "none").rglob("*.labels.png"))) == 3
    with_stub("scan", films, "-o", tmp_path / "small", "--overlay-max", 300)
    with Image.open(tmp_path / "small" / "a" / "1.png.overlay.png") as picture:
        assert picture.height <= 400


@pytest.mark.slow
def test_results_that_were_changed_are_made_again(films: Path, tmp_path: Path) -> None:
    """Results that were edited are restored, and the user is informed."""
    out = tmp_path / "out"
    with_stub("scan", films, "-o", out)
    before = tree(out)
    path = out / "a" / "1.png.json"
    path.write_text(path.read_text("utf-8").replace('"id": 1', '"id": 7', 1), "utf-8")
    done = with_stub("scan", films, "-o", out)
    assert "3 ok (2 kept)" in done.stdout
    assert "1 searched again because their results had been changed" in done.stdout
    assert tree(out) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out"], "name films or folders to scan, or a list of films (--list)"),
        (["--list", "no", "-o", "out"], "list no cannot be read (No such file or directory); che"),
        (["--list", "file", "-o", "out"], "list file is empty; write one path per line"),
        (["in", "-o", "out", "--shard", "5/4"], "--shard: there is no part 5 of 4; write 2/4"),
        (["in", "-o", "out", "--shard", "x"], "--shard: 'x' is not of the form 2/4; write 2/4"),
        (["in", "-o", "out", "--dask-return"], "--dask-return needs --dask or --dask-local"),
        (
            ["in", "-o", "out", "--dask", "tcp://x:1", "--dask-local", 2],
            "give --dask or --dask-local, not both",
        ),
        (
            ["in", "-o", "out", "--dask-local", 2, "--timeout", 9],
            "--jobs, --timeout and --max-memory are for local processes",
        ),
        (
            ["in", "-o", "out", "--shard", "1/2", "--export", "parquet"],
            "parquet is written for a whole run: use",
        ),
        (
            ["in", "-o", "out", "--shard", "1/2", "--export", "coco"],
            "coco is written for a whole run",
        ),
        (["in", "-o", "out", "--export", "nrrd,xml"], "--export: 'xml' is not one of parquet,"),
        (["in/**/../x.dcm", "-o", "out"], "input in/**/../x.dcm: do not use .. after a wildcard"),
        (["in/**/*.dcm", "-o", "out"], "input in/**/*.dcm: no radiograph matches; check the patt"),
    ],
)
def test_what_cannot_be_scanned_is_reported_in_one_line(
    films: Path, tmp_path: Path, arguments: list[object], message: str
) -> None:
    """Inputs and options that cannot be used give one line and status 2."""
    (tmp_path / "file").write_text("\n")
    done = with_stub("scan", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"lesionscan: {message}")
    assert done.stderr.count("\n") == 1
    assert films.is_dir()


def test_merging_several_folders_needs_one_for_the_whole(tmp_path: Path) -> None:
    """Merging several folders requires --out."""
    done = with_stub("merge", "a", "b", cwd=tmp_path)
    assert done.returncode == 2
    assert "give an output folder (--out)" in done.stderr


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_one_line(films: Path, tmp_path: Path) -> None:
    """A full disk leaves no incomplete file, and a rerun with more space resumes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        for number in range(30):
            write_film(films / f"{number}.png")
        done = stub_process("scan", films, "-o", disk / "out", "--jobs", 2)
        assert done.returncode == 2
        assert done.stderr.startswith("lesionscan: cannot write ")
        assert "No space left on device; make room; finished films are kept" in done.stderr
        assert done.stderr.count("\n") == 1
        for path in disk.rglob("*.json"):
            assert is_sealed(path.read_bytes()) or path.name == "run.json"
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        again = stub_process("scan", films, "-o", disk / "out")
        assert again.returncode == 0
        assert "kept)" in again.stdout
        assert not list(disk.rglob(".lesionscan*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_results_made_read_only_in_mid_run_are_reported(films: Path, tmp_path: Path) -> None:
    """A folder that became read-only gives status 2 and one line with a remedy.

    The other results are complete.
    """
    out = tmp_path / "out"
    with_stub("scan", films, "-o", out)
    (out / "a").chmod(0o500)
    try:
        done = with_stub("scan", films, "-o", out, "--no-resume")
    finally:
        (out / "a").chmod(0o700)
    assert done.returncode == 2
    assert "Permission denied; choose another output folder (--out)" in done.stderr
    assert done.stderr.count("\n") == 1
    records = list(out.rglob("*.png.json"))
    assert len(records) == 3
    assert all(is_sealed(path.read_bytes()) for path in records)
