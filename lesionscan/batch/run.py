"""Run a scan: find films, process or resume them, write the summaries.

Films are processed by an `Engine`: local worker processes, or a cluster. Everything else, and the
bytes of the results, are the same for all engines; only run.json describes the run itself.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from lesionscan import __version__
from lesionscan.batch.discover import Discovery, InputError, discover
from lesionscan.batch.exports import Export
from lesionscan.batch.job import lost, process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.pool import Limits, Work, run_jobs
from lesionscan.batch.run_files import files_of_run, names_of_run
from lesionscan.batch.shards import Shard, shard_path, write_shard
from lesionscan.batch.summaries import write_summaries
from lesionscan.batch.tally import DoneFilms, RunRecord, Tally
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice
from lesionscan.results.atomic import OutputError, remove_leftovers
from lesionscan.results.folder import read_result
from lesionscan.results.paths import ASSETS_FOLDER, FILMS_FOLDER, FOLDER, probe
from lesionscan.settings import Settings

Engine: TypeAlias = Callable[
    [Sequence[Job], Callable[[], bool]], Iterator[tuple[int, tuple[Outcome, ...]]]
]
"""Process jobs until the function returns True; yield (index of the job, outcomes of its images) as
they are finished."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a scan.

    Attributes
    ----------
    settings
        Settings of the run.
    scorer
        The scorer's file, or None for the shipped one.
    resume
        Whether to keep results of the same input, settings, scorer and pipeline version.
    shard
        The part of the films to scan, or None for all.
    exports
        Additional formats to write.
    """

    settings: Settings
    scorer: Path | None = None
    resume: bool = True
    shard: Shard | None = None
    exports: frozenset[Export] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a scan.

    Attributes
    ----------
    out
        The output folder, which exists.
    options
        Options of the scan.
    found
        All input files, and the number of skipped ones.
    numbers
        Indices of the files to scan.
    """

    out: Path
    options: Options
    found: Discovery
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Summary of a scan.

    Attributes
    ----------
    tally
        Counts of films and candidates.
    not_done
        Number of input files that a stopped run did not reach.
    interrupted
        Whether the run was stopped.
    report
        The report page; for a shard, the file that `merge` reads.
    trouble
        Why the engine failed, or "".
    """

    tally: Tally
    not_done: int
    interrupted: bool
    report: Path
    trouble: str = ""


class EngineError(Exception):
    """Failure of an engine; the message is the cause. Finished films are kept."""


class _Jobs(Sequence[Job]):
    """The jobs of a plan, created on access, because 100,000 would take much memory."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __len__(self) -> int:
        return len(self._plan.numbers)

    def __getitem__(self, place: int) -> Job:  # type: ignore[override]  # no slices are taken
        plan, options = self._plan, self._plan.options
        film = plan.found.films[plan.numbers[place]]
        return Job(
            path=film.path,
            name=film.name,
            out=plan.out,
            settings=options.settings,
            scorer=options.scorer,
            resume=options.resume,
            exports=options.exports,
        )


def make_plan(
    inputs: Sequence[Path], out: Path, options: Options, *, listed: Sequence[Path] = ()
) -> Plan:
    """Load the scorer, find the films and create the output folder.

    Parameters
    ----------
    inputs, listed
        As in `discover`.
    out
        The output folder.
    options
        Options of the scan.

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        If the scorer cannot be used.
    lesionscan.batch.discover.InputError
        If an input does not exist, no film is found, `out` is a file or cannot be written, or a
        file about the run would replace one that lesionscan has not written.
    """
    load_scorer(options.scorer)
    if out.exists() and not out.is_dir():
        raise InputError(f"output {out} is a file; name a folder (--out)")
    shard = options.shard
    try:
        names = names_of_run() if shard is None else [shard_path(out, shard).name]
        files_of_run(out).check(names)
    except OutputError as error:
        raise InputError(str(error)) from error
    found = discover(inputs, out=out, listed=listed)
    # so that a long scan does not fail at its end
    try:
        with probe(out):
            pass
    except OutputError as error:
        cause = error.__cause__
        reason = getattr(cause, "strerror", None) or "it cannot be written"
        raise InputError(
            f"output folder {out}: {reason}; choose another output folder (--out)"
        ) from error
    numbers: Sequence[int] = range(len(found.films))
    if shard is not None:
        numbers = [number for number in numbers if shard.holds(found.films[number].name)]
    return Plan(out, options, found, numbers)


def local_workers(workers: int, limits: Limits) -> Engine:
    """Return an engine that uses worker processes on this machine."""

    def engine(
        jobs: Sequence[Job], stopped: Callable[[], bool]
    ) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        return run_jobs(Work(process, lost, limits), jobs, workers=workers, stopped=stopped)

    return engine


def run_scan(
    plan: Plan,
    engine: Engine,
    *,
    workers: int,
    on_done: Callable[[tuple[Outcome, ...]], None],
    stopped: Callable[[], bool],
) -> RunSummary:
    """Process the films of a plan and write the summaries, even if it is stopped.

    Parameters
    ----------
    plan
        The plan.
    engine
        Processes the films.
    workers
        Number of its processes, for run.json.
    on_done
        Called with the outcomes of each finished file, in any order.
    stopped
        Called between films; once it returns True, films in progress are finished, and the others
        are not started.

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        If the scorer's file is changed or removed during the scan.
    lesionscan.results.atomic.OutputError
        If a result cannot be written.
    """
    started = time.perf_counter()
    done = DoneFilms([film.name for film in plan.found.films])
    tally = Tally()
    aborted, trouble = False, ""
    try:
        for place, outcomes in engine(_Jobs(plan), stopped):
            done.add(plan.numbers[place], len(outcomes), _unwritten(plan.out, outcomes))
            for outcome in outcomes:
                tally.add(outcome)
            on_done(outcomes)
    except KeyboardInterrupt:
        aborted = True  # the results written so far are complete
    except EngineError as error:
        trouble = str(error)
    # temporary files of killed runs and workers
    names = (plan.found.films[number].name for number in plan.numbers)
    parents = {PurePosixPath(name).parent for name in names}
    in_report = {PurePosixPath(FILMS_FOLDER, parent) for parent in parents}
    shared = (PurePosixPath(FOLDER), PurePosixPath(ASSETS_FOLDER))
    for folder in (*parents, *in_report, *shared):
        remove_leftovers(plan.out / folder, within=plan.out)
    not_done = len(plan.numbers) - len(done)
    record = RunRecord(
        version=__version__,
        settings=plan.options.settings,
        scorer_sha256=load_scorer(plan.options.scorer).sha256,
        found=len(plan.numbers),
        not_done=not_done,
        skipped=plan.found.skipped,
        workers=workers,
        interrupted=aborted or not_done > 0,
        seconds=time.perf_counter() - started,
        tally=tally,
    )
    if plan.options.shard is None:
        report, tally = write_summaries(plan.out, done, record, exports=plan.options.exports)
    else:
        report = write_shard(plan.out, plan.options.shard, plan.found.films, done, record)
    return RunSummary(tally, not_done, record.interrupted, report, trouble)


def _unwritten(out: Path, outcomes: Sequence[Outcome]) -> dict[str, Notice]:
    """Return the names of the results that have no JSON, with their errors."""
    return {
        outcome.name: outcome.error
        for outcome in outcomes
        if outcome.error is not None and read_result(out, outcome.name) is None
    }
