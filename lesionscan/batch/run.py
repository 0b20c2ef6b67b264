"""The run: discover, resume, work, sum up.

The tables and the page are built from the per-image JSON files in the films' order, so that they
have the same bytes for every number of workers, and after a run that was stopped and resumed;
run.json alone tells how this run went.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionscan.batch.discover import Discovery, InputError, discover
from lesionscan.batch.job import Job, Outcome, crashed, process
from lesionscan.batch.pool import Work, run_jobs
from lesionscan.batch.summaries import RunRecord, write_summaries
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.reporting.atomic import OutputError, remove, write_bytes
from lesionscan.settings import Settings

_PROBE = ".lesionscan-probe.tmp"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done.

    Attributes
    ----------
    out
        The output folder; it exists.
    settings
        What to search with.
    scorer
        The scorer's file, or None for the shipped one; it can be used.
    found
        The films, and what was passed over.
    resume
        Whether results of the same input, settings, scorer and version are kept.
    """

    out: Path
    settings: Settings
    scorer: Path | None
    found: Discovery
    resume: bool


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What was done.

    Attributes
    ----------
    outcomes
        One for each picture that was done, in the films' order.
    not_done
        Number of files that a stopped run did not reach.
    interrupted
        Whether the run was stopped.
    report
        The report page.
    """

    outcomes: tuple[Outcome, ...]
    not_done: int
    interrupted: bool
    report: Path

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The films that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


def make_plan(
    inputs: Sequence[Path], out: Path, settings: Settings, *, scorer: Path | None, resume: bool
) -> Plan:
    """Try the scorer, find the films and make the output folder.

    Parameters
    ----------
    inputs
        Files and folders.
    out
        The output folder.
    settings
        What to search with.
    scorer
        A scorer's file, or None for the shipped one.
    resume
        Whether results of the same input, settings, scorer and version are kept.

    Raises
    ------
    lesionscan.detection.scorer.scorer_file.ScorerError
        When the scorer cannot be used.
    lesionscan.batch.discover.InputError
        When an input does not exist, no film is found, or `out` is a file.
    lesionscan.reporting.atomic.OutputError
        When the output folder cannot be written.
    """
    load_scorer(scorer)
    if out.exists() and not out.is_dir():
        raise InputError(f"output {out} is a file; name a folder (--out)")
    found = discover(inputs, out=out)
    # Tried now: a scan of hours must not learn at its end that it cannot write.
    try:
        write_bytes(out / _PROBE, b"")
        remove(out / _PROBE)
    except OutputError as error:
        cause = error.__cause__
        reason = getattr(cause, "strerror", None) or "it cannot be written"
        raise InputError(
            f"output folder {out}: {reason}; choose another output folder (--out)"
        ) from error
    return Plan(out, settings, scorer, found, resume)


def run_scan(
    plan: Plan,
    *,
    jobs: int,
    on_done: Callable[[tuple[Outcome, ...]], None],
    stopped: Callable[[], bool],
) -> RunSummary:
    """Do every film of a plan and write the summaries, also when it is stopped half way.

    Parameters
    ----------
    plan
        What to do.
    jobs
        Number of worker processes; 1 works in this process.
    on_done
        Called for each file as it gets done, in no certain order, with its pictures' outcomes.
    stopped
        Asked between films; once true, the films in hand are finished and the rest is left.

    Raises
    ------
    lesionscan.detection.scorer.scorer_file.ScorerError
        When the scorer's file is changed or taken away meanwhile.
    lesionscan.reporting.atomic.OutputError
        When a result cannot be written.
    """
    started = time.perf_counter()
    todo = tuple(
        Job(film.path, film.name, plan.out, plan.settings, plan.scorer, plan.resume)
        for film in plan.found.films
    )
    done: dict[int, tuple[Outcome, ...]] = {}
    abandoned = False
    try:
        work = Work(process, crashed)
        for number, outcomes_of_file in run_jobs(work, todo, workers=jobs, stopped=stopped):
            done[number] = outcomes_of_file
            on_done(outcomes_of_file)
    except KeyboardInterrupt:
        abandoned = True  # what is written is whole; the summaries tell of it
    outcomes = _in_order(done)
    interrupted = abandoned or len(done) < len(todo)
    report = write_summaries(
        plan.out,
        outcomes,
        RunRecord(
            settings=plan.settings,
            scorer_sha256=load_scorer(plan.scorer).sha256,
            found=len(todo),
            not_done=len(todo) - len(done),
            skipped=plan.found.skipped,
            jobs=jobs,
            interrupted=interrupted,
            seconds=time.perf_counter() - started,
        ),
    )
    return RunSummary(outcomes, len(todo) - len(done), interrupted, report)


def _in_order(done: Mapping[int, tuple[Outcome, ...]]) -> tuple[Outcome, ...]:
    return tuple(outcome for number in sorted(done) for outcome in done[number])
