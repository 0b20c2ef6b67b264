"""The event log has one JSON object per line, written as soon as the event happens."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from lesionscan.results.atomic import OutputError
from lesionscan.results.event_log import open_log


def test_every_event_is_a_line_as_soon_as_it_is_written(tmp_path: Path) -> None:
    """Each event is flushed as one line, with its time in UTC, whatever characters a name has."""
    path = tmp_path / "log.jsonl"
    with open_log(path) as log:
        log.write("start", films=2)
        log.write("film", name="a\n膝.png", best_score=None)
        lines = path.read_text("utf-8").splitlines()
    first, second = (json.loads(line) for line in lines)
    assert (first["event"], first["films"]) == ("start", 2)
    assert (second["name"], second["best_score"]) == ("a\n膝.png", None)
    offset = datetime.fromisoformat(first["time"]).utcoffset()
    assert offset is not None
    assert not offset


def test_a_log_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """The message names the file and the cause."""
    with pytest.raises(OutputError, match=r"cannot write .*no.log\.jsonl: No such file"):
        open_log(tmp_path / "no" / "log.jsonl").__enter__()


def test_a_full_disk_is_told() -> None:
    """A full disk gives an OutputError, as for every other file."""
    with (
        pytest.raises(OutputError, match="cannot write /dev/full: No space left"),
        open_log(Path("/dev/full")) as log,
    ):
        log.write("start")


def test_only_logs_are_written_over(tmp_path: Path) -> None:
    """Logs and empty files, as made by `mktemp`, are overwritten; other files are not."""
    path = tmp_path / "log"
    path.write_bytes(b"")
    for _ in range(2):
        with open_log(path) as log:
            log.write("start")
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"log is not a log of lesionscan; name another file"):
        open_log(path).__enter__()
    assert path.read_bytes() == b"mine"
