"""Tests of the files, output and errors of `lesionscan phantom`."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, ROOT, files, lesionscan


@pytest.mark.slow
def test_phantoms_are_the_same_for_any_number_of_jobs(tmp_path: Path) -> None:
    """One worker and two give the same bytes, and an index with one entry per film."""
    for jobs in (1, 2):
        done = lesionscan(
            "phantom", tmp_path / str(jobs), "--count", 2, "--seed", 3, "--jobs", jobs,
            "--body-part", "hand", "--lesions", 1, 1,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    assert files(tmp_path / "1") == files(tmp_path / "2")
    entries = json.loads((tmp_path / "1" / "index.json").read_text("utf-8"))
    assert [entry["name"] for entry in entries] == ["phantom_000001", "phantom_000002"]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 films, 2 lesions, 0 films without: ")
    assert lines[1] == f"next: lesionscan scan {tmp_path}/2/images --out {tmp_path}/2-results"
    assert lines[-1] == "Research use only; not a diagnosis."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--body-part", "leg"), "unknown body part leg; known: knee"),
        (("--lesions", 3, 1), "lesions must be two rising numbers of 0 or more, got 3 1"),
    ],
)
def test_phantoms_that_cannot_be_made_are_refused(
    tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    """Invalid options give one line and status 2, and nothing is written."""
    done = lesionscan("phantom", tmp_path / "p", "--count", 1, "--seed", 1, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("lesionscan: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """A folder that is not empty is refused, so that films of two runs do not mix."""
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    done = lesionscan("phantom", tmp_path, "--count", 1, "--seed", 1)
    assert done.returncode == 2
    assert done.stderr == f"lesionscan: {tmp_path} is not an empty folder; name a new one\n"
    assert list(files(tmp_path)) == ["note.txt"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_a_whole_folder(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """After a signal, current films are finished, and the index lists all films made."""
    out = tmp_path / "p"
    arguments = ["phantom", str(out), "--count", "400", "--seed", "1", "--jobs", "1"]
    with subprocess.Popen(
        [*COMMAND, *arguments, "--body-part", "hand"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(out.glob("masks/*.lesions.png")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    entries = json.loads((out / "index.json").read_text("utf-8"))
    assert 0 < len(entries) < 400
    assert len(list((out / "images").iterdir())) == len(entries)
    assert f"stopped after {len(entries)} of 400; {out} is a complete truth folder" in said
