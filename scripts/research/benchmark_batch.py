"""Measure the speed-up by a second worker, and memory for many films: benchmark_batch.py.

Speed: the same films are scanned with one worker and then with two, --repeats times; the ratio of
each pair and their median are printed. Memory: --few and --many small films are scanned with --jobs
workers, each in a new process, and the peak memory of that process (without its workers) is
compared.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from phantom_copies import copies_of

from lesionscan.batch.pool import Limits
from lesionscan.batch.run import Options, local_workers, make_plan, run_scan
from lesionscan.detection.scorer.scorer_file import ScorerCard, shipped_scorer, write_scorer
from lesionscan.settings import Settings

DIFFERENT = 20
SMALL = Settings(working_long_side_px=128, max_candidates=10, overlay=False)
SMALL_LOOK_PX = 64
"""A coarse search, since only the memory of the run is measured."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=180, help="number of films for the speed")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=["speed", "memory"])
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        source, out = options.child
        scorer = out.with_suffix(".scorer")
        scorer.write_bytes(_coarse_scorer())
        print(_scan(source, out, jobs=options.jobs, options=Options(SMALL, scorer=scorer))[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "memory":
            _speed(Path(folder), options.films, options.repeats)
        if options.only != "speed":
            _memory(Path(folder), (options.few, options.many), options.jobs)


def _speed(folder: Path, films: int, repeats: int) -> None:
    source = _write_films(folder / "films", films, long_side_px=1200)
    ratios = []
    for number in range(1, repeats + 1):
        one, two = (
            _scan(source, folder / f"{number}_{jobs}", jobs=jobs, options=Options(Settings()))[0]
            for jobs in (1, 2)
        )
        ratios.append(one / two)
        print(
            f"{films} films: {one:.1f} s with one worker, {two:.1f} s with two: {one / two:.2f}",
            flush=True,
        )
    print(f"two workers do {statistics.median(ratios):.2f} times the films (median of {repeats})")


def _memory(folder: Path, counts: tuple[int, int], jobs: int) -> None:
    peaks = []
    for count in counts:
        source = _write_films(folder / f"small{count}", count, long_side_px=160)
        done = subprocess.run(
            [
                sys.executable,
                __file__,
                "--jobs",
                str(jobs),
                "--child",
                source,
                folder / f"o{count}",
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        peaks.append(float(done.stdout))
        print(f"{count:,} films: the run's own process reached {peaks[-1]:.1f} MB", flush=True)
    print(f"growth: {peaks[1] - peaks[0]:.1f} MB")


def _write_films(folder: Path, count: int, *, long_side_px: int) -> Path:
    """Write copies of a few phantoms that differ in one pixel."""
    folder.mkdir()
    copy = copies_of(min(DIFFERENT, count), long_side_px=long_side_px)
    for number in range(count):
        (folder / f"film_with_a_name_of_usual_length_{number:06d}.dcm").write_bytes(copy(number))
    return folder


def _coarse_scorer() -> bytes:
    """Return the shipped scorer with a coarser grid for its network."""
    shipped = shipped_scorer()
    card = ScorerCard(
        name="coarse",
        preprocessing=shipped.network.preprocessing,
        look_long_sides_px=(SMALL_LOOK_PX,),
        offset=shipped.offset,
        terms=shipped.terms,
        about={},
    )
    return write_scorer(shipped.network.onnx, card)


def _scan(source: Path, out: Path, *, jobs: int, options: Options) -> tuple[float, float]:
    """Scan a folder; return seconds, and the peak memory of this process in MB."""
    plan = make_plan([source], out, options)
    started = time.perf_counter()
    summary = run_scan(
        plan,
        local_workers(jobs, Limits()),
        workers=jobs,
        on_done=lambda _outcomes: None,
        stopped=lambda: False,
    )
    seconds = time.perf_counter() - started
    if summary.tally.failed or summary.not_done:
        raise SystemExit(f"{summary.tally.failed} films failed: {dict(summary.tally.codes)}")
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes / 1e6


if __name__ == "__main__":
    main()
