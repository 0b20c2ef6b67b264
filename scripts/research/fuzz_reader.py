"""Read thousands of damaged files: fuzz_reader.py [--count 20000] [--seed 1] [--first 1].

Half of the sources are the DICOM files of pydicom and pydicom-data, declared to be radiographs so
that their pixels are read; the others are small PNG, JPEG and TIFF files made here.
`damaged_files.py` makes and damages both, determined by seed and number. Every picture of every
file is read in a worker process, and with --search every twentieth is searched as well. A case is a
fault if the worker dies, takes over --seconds, or raises any exception but the reader's own error;
its file is kept (--keep FOLDER). The exit status is 1 if there are faults, or if a worker's memory
exceeded --most-mb.

    fuzz_reader.py --halves [--places 200] [--seed 1]

instead truncates a film of every codec and container, or overwrites parts of it with zeros, at so
many places each, and counts how often the damage is not noticed (see `half_films.py`). The exit
status is 1 if that happens more often than is unavoidable with the codec.
"""

import argparse
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import half_films
import numpy as np
from damaged_files import damaged_file

from lesionscan.batch.pool import Limits, Loss, Work, run_jobs
from lesionscan.codes import ErrorCode
from lesionscan.detection.pipeline import find_candidates
from lesionscan.reading import UnreadableFileError, open_radiographs
from lesionscan.reading.frames import Frames
from lesionscan.settings import Settings

OutputT = TypeVar("OutputT")

SECONDS = 20
SEARCHED = 20
"""One of so many files is searched, since a search takes a hundred times as long as reading."""


@dataclass(frozen=True, slots=True)
class Case:
    """Seed and number that determine a damaged file."""

    seed: int
    number: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of reading: "ok", a code, or a fault; and the worker's peak memory."""

    case: Case
    ending: str
    peak_mb: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether it is an ending that must not happen."""
        return self.ending != "ok" and self.ending not in set(ErrorCode)


def main() -> int:
    """Read the cases and print how they ended; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the files that caused a fault")
    parser.add_argument("--most-mb", type=float, default=1024.0)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="more on a busy machine")
    parser.add_argument("--search", action="store_true", help="also search one of twenty files")
    parser.add_argument(
        "--halves", action="store_true", help="truncate and blank undamaged films instead"
    )
    parser.add_argument("--places", type=int, default=200, help="places per film and damage")
    options = parser.parse_args()
    if options.halves:
        return _read_halves(options.places, options.seed, options.jobs)
    cases = [Case(options.seed, options.first + number) for number in range(options.count)]
    endings: Counter[str] = Counter()
    peak_mb = 0.0
    faults = 0
    read = partial(read_case, search=options.search)
    work = Work(read, lost, Limits(seconds=options.seconds))
    for _, (outcome,) in run_jobs(work, cases, workers=options.jobs, stopped=lambda: False):
        endings[outcome.ending] += 1
        peak_mb = max(peak_mb, outcome.peak_mb)
        if outcome.is_fault:
            faults += 1
            print(f"seed {outcome.case.seed}, case {outcome.case.number}: {outcome.ending}")
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{outcome.case.seed}_{outcome.case.number}").write_bytes(
                    damaged(outcome.case)
                )
    for ending, count in endings.most_common():
        print(f"{count:7,}  {ending}")
    print(f"{len(cases):,} files, {faults} faults; a worker's memory reached {peak_mb:.0f} MB")
    return 1 if faults or peak_mb > options.most_mb else 0


def _read_halves(places: int, seed: int, jobs: int) -> int:
    """Read damaged films of every codec and container; return the exit status."""
    trials = half_films.trials(places, seed)
    work = Work(half_films.run_trial, half_films.lost, Limits(seconds=SECONDS + places))
    found = {
        number: tally
        for number, (tally,) in run_jobs(work, trials, workers=jobs, stopped=lambda: False)
    }
    tallies = [found[number] for number in sorted(found)]
    print(half_films.report(tallies))
    return 1 if any(tally.is_fault for tally in tallies) else 0


def lost(case: Case, loss: Loss) -> Outcome:
    """Return the outcome for a worker that died or timed out."""
    return Outcome(case, f"{loss.code} ({loss.detail})")


def read_case(case: Case, *, search: bool = False) -> Iterator[Outcome]:
    """Make a case's file, read every picture in it, and search it if selected."""
    data = damaged(case)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        ending = _ending(Path(file.name), search=search and case.number % SEARCHED == 0)
    yield Outcome(case, ending, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _ending(path: Path, *, search: bool) -> str:
    """Read and render every picture; return the worst ending."""
    with ExitStack() as stack:
        frames = _result_or_fault(lambda: stack.enter_context(open_radiographs(path)))
        if isinstance(frames, str):
            return frames
        endings = [
            ending
            for number in range(1, frames.count + 1)
            for look in (frames.read, frames.show, *_searches(frames, search=search))
            if isinstance(ending := _result_or_fault(partial(look, number)), str)
        ]
    return next((one for one in endings if one.startswith("raised")), (*endings, "ok")[0])


def _searches(frames: Frames, *, search: bool) -> tuple[Callable[[int], object], ...]:
    """Return the functions that search a picture, none if it is not to be searched."""
    quick = Settings(search="quick")
    return (lambda number: find_candidates(frames.read(number), quick),) if search else ()


def _result_or_fault(action: Callable[[], OutputT]) -> OutputT | str:
    try:
        return action()
    except UnreadableFileError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - any exception is a fault
        return f"raised {type(error).__name__}"


def damaged(case: Case) -> bytes:
    """Return the bytes of a case."""
    return damaged_file(np.random.default_rng((case.seed, case.number)))


if __name__ == "__main__":
    sys.exit(main())
