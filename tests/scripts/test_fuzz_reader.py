"""fuzz_reader.py damages files in many ways, and finds wrong behaviour of the reader."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import fuzz_reader
import half_films
import numpy as np
import pytest
from film_of_every_codec import DAMAGES, Damage, films
from fuzz_reader import Case, Outcome

from lesionscan.batch.pool import Loss, Work
from lesionscan.codes import ErrorCode
from lesionscan.radiograph import Notice, Radiograph
from lesionscan.reading import UnreadableFileError
from lesionscan.reading.frames import Frames


def read(case: Case) -> Outcome:
    """Read one case in this process."""
    (outcome,) = fuzz_reader.read_case(case)
    return outcome


def here(
    work: Work[Case, Outcome], jobs: Sequence[Case], **_options: object
) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
    """Run the jobs in this process."""
    for number, job in enumerate(jobs):
        yield number, tuple(work.function(job))


def test_the_reader_stands_a_hundred_damaged_files() -> None:
    """Each of 100 damaged files is read, or rejected with one of the reader's codes."""
    outcomes = [read(Case(7, number)) for number in range(100)]
    assert [outcome for outcome in outcomes if outcome.is_fault] == []
    assert len({outcome.ending for outcome in outcomes}) > 5


def test_seed_and_number_decide() -> None:
    """The same seed and number give the same file; other numbers give others."""
    assert fuzz_reader.damaged(Case(1, 2)) == fuzz_reader.damaged(Case(1, 2))
    assert len({fuzz_reader.damaged(Case(1, number)) for number in range(20)}) == 20


def test_other_exceptions_are_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unexpected exception is reported by its class, and the file is kept."""

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
    """A crash, a timeout or a lack of memory is reported as a fault."""
    outcome = fuzz_reader.lost(Case(1, 1), Loss(ErrorCode.TIMED_OUT, "20 s"))
    assert outcome == Outcome(Case(1, 1), "timed_out (20 s)")
    assert outcome.is_fault


@pytest.mark.parametrize("damage", DAMAGES)
def test_half_films_are_never_read_as_whole(damage: Damage) -> None:
    """Damaged films of all codecs and containers give no fault, at 4 places (--halves has 200)."""
    trials = [trial for trial in half_films.trials(4, seed=3) if trial.damage == damage]
    tallies = [tally for trial in trials for tally in half_films.run_trial(trial)]
    assert [tally for tally in tallies if tally.is_fault] == []
    assert {sum(tally.endings.values()) for tally in tallies} == {4}
    if damage in ("cut", "closed"):
        assert not any("silent" in tally.endings for tally in tallies)


def test_every_codec_and_container_has_a_half_film() -> None:
    """All codecs and containers that the reader supports are damaged."""
    names = " ".join(films())
    for codec in ("native", "deflated", "RLE", "baseline", "extended", "lossless", "JPEG-LS",
                  "JPEG 2000", "HTJ2K", "PNG", "TIFF uncompressed, strips", "TIFF LZW, tiles",
                  "TIFF Deflate", "TIFF PackBits", "TIFF JPEG, strips", "TIFF JPEG 2000",
                  "JPEG progressive", "fragments", "restarts"):  # fmt: skip
        assert codec in names


def films_read(monkeypatch: pytest.MonkeyPatch, *read: Radiograph | Exception) -> None:
    """Make the reader return these, one after the other."""
    answers = iter(read)

    def answer(_path: Path) -> Radiograph:
        one = next(answers)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(half_films, "read_radiograph", answer)


def grey(value: float, *notices: Notice) -> Radiograph:
    """Return a film of one grey value."""
    return Radiograph(
        pixels=np.full((4, 4), value, np.float32),
        valid=np.ones((4, 4), np.bool_),
        notices=(Notice("no_spacing", "There is none."), *notices),
    )


TRIAL = half_films.Trial("DICOM RLE", "cut", 5, seed=1)


def test_a_film_read_as_whole_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other pixels without a warning are a fault; a warning, or the same pixels, are not."""
    doubtful = grey(2, Notice("pixel_data_doubtful", "Look."))
    refusal = UnreadableFileError(ErrorCode.TRUNCATED, "ends")
    films_read(monkeypatch, grey(1), grey(1), grey(2), doubtful, refusal, grey(3))
    (tally,) = half_films.run_trial(TRIAL)
    assert tally.endings == {"unharmed": 1, "silent": 2, "warned": 1, "refused": 1}
    assert tally.silent_places == (1, 4)
    assert tally.is_fault
    monkeypatch.setattr(half_films, "trials", lambda _places, _seed: [TRIAL])
    monkeypatch.setattr(fuzz_reader, "run_jobs", here)
    monkeypatch.setattr("sys.argv", ["fuzz_reader.py", "--halves", "--places", "5"])
    films_read(monkeypatch, grey(1), *[grey(2)] * 5)
    assert fuzz_reader.main() == 1
    assert "5 damaged films: 5 silent; 1 faults" in capsys.readouterr().out
    films_read(monkeypatch, grey(1), *[refusal] * 5)
    assert fuzz_reader.main() == 0


def test_a_crash_on_a_half_film_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is reported by its class, a lost worker by how it ended."""
    films_read(monkeypatch, grey(1), *[KeyError("PatientName")] * 5)
    (tally,) = half_films.run_trial(TRIAL)
    assert tally.endings == {"raised KeyError": 5}
    lost = half_films.lost(TRIAL, Loss(ErrorCode.CRASHED, "signal 11"))
    for faulty, words in ((tally, "raised KeyError: 5  FAULT"), (lost, "signal 11): 5  FAULT")):
        assert faulty.is_fault
        assert words in half_films.report([faulty])
