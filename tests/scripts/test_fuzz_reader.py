"""scripts/fuzz_reader.py damages files in every way, and finds what the reader should not do."""

from pathlib import Path

import fuzz_reader
import pytest
from fuzz_reader import Case, Outcome

from lesionscan.reading.frames import Frames


def test_the_reader_stands_some_hundred_damaged_files() -> None:
    """A small part of what the script does: each is read, or ends in a code of the reader."""
    outcomes = [fuzz_reader.read_case(Case(7, number)) for number in range(300)]
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
    outcome = fuzz_reader.read_case(Case(1, 1))
    assert (outcome.ending, outcome.is_fault) == ("raised KeyError", True)
    arguments = ["fuzz_reader.py", "--count", "2", "--jobs", "1", "--keep", str(tmp_path / "kept")]
    monkeypatch.setattr("sys.argv", arguments)
    assert fuzz_reader.main() == 1
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["1_1", "1_2"]
    assert (tmp_path / "kept" / "1_2").read_bytes() == fuzz_reader.damaged(Case(1, 2))


@pytest.mark.parametrize(
    ("exit_code", "ending"), [(-14, "over 20 s"), (-11, "died (-11)"), (3, "died (3)")]
)
def test_a_worker_that_died_is_a_fault(exit_code: int, ending: str) -> None:
    """Hung workers are killed by their alarm; that is told apart from a crash."""
    assert fuzz_reader.died(Case(1, 1), exit_code) == Outcome(Case(1, 1), ending)
    assert fuzz_reader.died(Case(1, 1), exit_code).is_fault
