"""scripts/fuzz_reader.py damages files in every way, and finds what the reader should not do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import fuzz_reader
import pytest
from fuzz_reader import Case, Outcome

from lesionscan.batch.pool import Loss, Work
from lesionscan.reading.frames import Frames


def read(case: Case) -> Outcome:
    """Read one case in this process."""
    (outcome,) = fuzz_reader.read_case(case)
    return outcome


def here(
    work: Work[Case, Outcome], jobs: Sequence[Case], **_options: object
) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
    """Do the work in this process."""
    for number, job in enumerate(jobs):
        yield number, tuple(work.function(job))


def test_the_reader_stands_some_hundred_damaged_files() -> None:
    """A small part of what the script does: each is read, or ends in a code of the reader."""
    outcomes = [read(Case(7, number)) for number in range(300)]
    assert [outcome for outcome in outcomes if outcome.is_fault] == []
    assert len({outcome.ending for outcome in outcomes}) > 5


def test_seed_and_number_decide() -> None:
    """The same case is the same file; others differ."""
    assert fuzz_reader.damaged(Case(1, 2)) == fuzz_reader.damaged(Case(1, 2))
    assert len({fuzz_reader.damaged(Case(1, number)) for number in range(20)}) == 20


def test_other_exceptions_are_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the reader did not promise is told by its class, and its file is kept."""

    def broken(_path: Path) -> Frames:
        raise KeyError("PatientName")

    monkeypatch.setattr(fuzz_reader, "open_radiographs", broken)
    monkeypatch.setattr(fuzz_reader, "run_jobs", here)
    outcome = read(Case(1, 1))
    assert (outcome.ending, outcome.is_fault) == ("raised KeyError", True)
    arguments = ["fuzz_reader.py", "--count", "2", "--jobs", "1", "--keep", str(tmp_path / "kept")]
    monkeypatch.setattr("sys.argv", arguments)
    assert fuzz_reader.main() == 1
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["1_1", "1_2"]
    assert (tmp_path / "kept" / "1_2").read_bytes() == fuzz_reader.damaged(Case(1, 2))


def test_a_worker_that_was_lost_is_a_fault() -> None:
    """A crash, a hang or a lack of memory is told, and is none of the reader's codes."""
    outcome = fuzz_reader.lost(Case(1, 1), Loss("timed_out", "20 s"))
    assert outcome == Outcome(Case(1, 1), "timed_out (20 s)")
    assert outcome.is_fault
