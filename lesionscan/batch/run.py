"""The run: discover, resume, work, sum up.

What works on the films, processes of this machine or a cluster's, is an `Engine`; everything else
is the same for all of them, and so are the bytes of the results. run.json alone tells how this run
went.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from lesionscan import __version__
from lesionscan.batch.account import DoneFilms, RunRecord, Tally
from lesionscan.batch.discover import Discovery, InputError, discover
from lesionscan.batch.exports import Export
from lesionscan.batch.job import lost, process
from lesionscan.batch.outcome import Job, Outcome
from lesionscan.batch.pool import Limits, Work, run_jobs
from lesionscan.batch.run_files import files_of_run, names_of_run
from lesionscan.batch.shards import Shard, shard_path, write_shard
from lesionscan.batch.summaries import write_summaries
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice
from lesionscan.results.atomic import OutputError, remove_leftovers
from lesionscan.results.folder import read_result
from lesionscan.results.paths import ASSETS_FOLDER, FILMS_FOLDER, FOLDER, probe
from lesionscan.settings import Settings

Engine: TypeAlias = Callable[
    [Sequence[Job], Callable[[], bool]], Iterator[tuple[int, tuple[Outcome, ...]]]
]
"""Does jobs, until asking the function says that the run is stopped; yields (number of the job,
outcomes of its pictures) as they get done."""


@dataclass(frozen=True, slots=True)
class Options:
    """How films are searched and what is written.

    Attributes
    ----------
    settings
        What to search with.
    scorer
        The scorer's file, or None for the shipped one.
    resume
        Whether results of the same input, settings, scorer and version are kept.
    shard
        Which part of the films, or None for all.
    exports
        What else is made of the films and of the run.
    """

    settings: Settings
    scorer: Path | None = None
    resume: bool = True
    shard: Shard | None = None
    exports: frozenset[Export] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done.

    Attributes
    ----------
    out
        The output folder; it exists.
    options
        How.
    found
        All films, and what was passed over.
    numbers
        Which of the films are to be done: their places among them.
    """

    out: Path
    options: Options
    found: Discovery
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What was done.

    Attributes
    ----------
    tally
        What became of the pictures.
    not_done
        Number of files that a stopped run did not reach.
    interrupted
        Whether the run was stopped.
    report
        The report page; of a shard, the file that `merge` reads.
    trouble
        Why the engine gave up, if it did.
    """

    tally: Tally
    not_done: int
    interrupted: bool
    report: Path
    trouble: str = ""


class EngineError(Exception):
    """An engine that cannot go on; the message says why. What is done is kept."""


class _Jobs(Sequence[Job]):
    """The jobs of a plan, made one by one: a hundred thousand would fill memory."""

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
    """Try the scorer, find the films and make the output folder.

    Parameters
    ----------
    inputs, listed
        As in `discover`.
    out
        The output folder.
    options
        How films will be searched.

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        When the scorer cannot be used.
    lesionscan.batch.discover.InputError
        When an input does not exist, no film is found, or `out` is a file, cannot be written or
        holds files under the names of a run's that lesionscan has not written.
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
    # Tried now: a scan of hours must not learn at its end that it cannot write.
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
    """Return what works on the films in processes of this machine."""

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
    """Do every film of a plan and write the summaries, also when it is stopped half way.

    Parameters
    ----------
    plan
        What to do.
    engine
        What works on the films.
    workers
        Number of its processes, for run.json.
    on_done
        Called for each file as it gets done, in no certain order, with its pictures' outcomes.
    stopped
        Asked between films; once true, the films in hand are finished and the rest is left.

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        When the scorer's file is changed or taken away meanwhile.
    lesionscan.results.atomic.OutputError
        When a result cannot be written.
    """
    started = time.perf_counter()
    done = DoneFilms([film.name for film in plan.found.films])
    tally = Tally()
    abandoned, trouble = False, ""
    try:
        for place, outcomes in engine(_Jobs(plan), stopped):
            done.add(plan.numbers[place], len(outcomes), _unwritten(plan.out, outcomes))
            for outcome in outcomes:
                tally.add(outcome)
            on_done(outcomes)
    except KeyboardInterrupt:
        abandoned = True  # what is written is whole; the summaries tell of it
    except EngineError as error:
        trouble = str(error)
    # of runs that were killed, and of this run's workers that died
    names = (plan.found.films[number].name for number in plan.numbers)
    parents = {PurePosixPath(name).parent for name in names}
    of_the_page = {PurePosixPath(FILMS_FOLDER, parent) for parent in parents}
    of_all = (PurePosixPath(FOLDER), PurePosixPath(ASSETS_FOLDER))
    for folder in (*parents, *of_the_page, *of_all):
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
        interrupted=abandoned or not_done > 0,
        seconds=time.perf_counter() - started,
        tally=tally,
    )
    if plan.options.shard is None:
        report, tally = write_summaries(plan.out, done, record, exports=plan.options.exports)
    else:
        report = write_shard(plan.out, plan.options.shard, plan.found.films, done, record)
    return RunSummary(tally, not_done, record.interrupted, report, trouble)


def _unwritten(out: Path, outcomes: Sequence[Outcome]) -> dict[str, Notice]:
    """Return those whose names cannot be used for a JSON, and why they failed."""
    return {
        outcome.name: outcome.error
        for outcome in outcomes
        if outcome.error is not None and read_result(out, outcome.name) is None
    }
