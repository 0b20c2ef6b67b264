"""`lesionscan compare`: compare two films, or two folders of results, lesion by lesion."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.engine_options import (
    JobsOption,
    MemoryOption,
    TimeoutOption,
    chosen_limits,
    cores,
)
from lesionscan.cli.reading_options import (
    BurnedInOption,
    PolarityOption,
    ScorerOption,
    SettingsOption,
    SpacingOption,
    chosen_settings,
)
from lesionscan.cli.scan import print_disclaimer
from lesionscan.cli.terminal import (
    RefusedError,
    announce_stop,
    note,
    one_line,
    say,
    stoppable,
)

if TYPE_CHECKING:
    from lesionscan.batch.pool import Loss
    from lesionscan.comparison.job import PairJob, PairOutcome


def compare(
    before: Annotated[
        Path, typer.Argument(metavar="BEFORE", help="Earlier film, or results of earlier films.")
    ],
    after: Annotated[
        Path, typer.Argument(metavar="AFTER", help="Later film, or results of later films.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the comparisons.")],
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            help="CSV file with columns before,after that pairs results (default: equal names).",
        ),
    ] = None,
    ignore_headers: Annotated[
        bool,
        typer.Option(
            "--ignore-headers",
            help="Also compare films whose headers name different body parts, views or sides.",
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume", help="Keep comparisons whose inputs and settings are unchanged."
        ),
    ] = True,
    settings: SettingsOption = None,
    scorer: ScorerOption = None,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    allow_burned_in: BurnedInOption = None,
    jobs: JobsOption = None,
    timeout: TimeoutOption = None,
    max_memory: MemoryOption = None,
) -> None:
    """Report whether each lesion is new, gone, larger or smaller than on an earlier film."""
    from lesionscan.comparison.job import PairJob
    from lesionscan.comparison.pairs import PairsError, pairs_of

    chosen = chosen_settings(
        settings, polarity=polarity, spacing=spacing, allow_burned_in=allow_burned_in
    )
    with stoppable():
        try:
            found = pairs_of(before, after, pairs)
        except PairsError as error:
            raise RefusedError(one_line(str(error))) from error
        work = [PairJob(pair, out, chosen, scorer, ignore_headers, resume) for pair in found]
        status = _run(work, out, min(jobs or cores(), len(work)), timeout, max_memory)
    raise typer.Exit(status)


def _run(
    work: "list[PairJob]", out: Path, workers: int, timeout: float | None, max_memory: float | None
) -> int:
    """Compare all pairs, write the tables and print the results; return the exit status."""
    from rich.console import Console
    from rich.progress import track

    from lesionscan.batch.pool import Work, run_jobs
    from lesionscan.batch.stop import StopSignals
    from lesionscan.comparison.job import compare_pair
    from lesionscan.comparison.tables import CHANGES, INDEX, PAIRS, write_tables
    from lesionscan.detection.scorer.errors import ScorerError
    from lesionscan.results.own_files import OwnFiles
    from lesionscan.results.paths import probe

    if out.exists() and not out.is_dir():
        raise RefusedError(f"output {one_line(str(out))} is a file; name a folder (--out)")
    own, stop = OwnFiles(out), StopSignals(announce_stop)
    with probe(out):  # fail before the run rather than after it
        own.check([CHANGES, PAIRS, INDEX])
    console = Console(stderr=True)
    states, statuses = Counter[str](), Counter[str]()
    tasks = Work(compare_pair, _lost, chosen_limits(timeout, max_memory))
    try:
        with stop:
            done = run_jobs(tasks, work, workers=workers, stopped=stop.requested)
            quiet = not console.is_terminal
            for _, (one,) in track(
                done, "comparing films", total=len(work), console=console, disable=quiet
            ):
                statuses[one.status] += 1
                states.update(one.states)
                if one.error is not None:
                    note(
                        f"{one_line(one.name)}: {one.status}, {one.error.code}: {one.error.message}"
                    )
    except ScorerError as error:
        raise RefusedError(one_line(str(error))) from error
    changes, pairs, index = write_tables(OwnFiles(out), (job.pair.name for job in work))
    _print_end(work, states, statuses)
    say(f"lesions: {changes}")
    say(f"pairs:   {pairs}")
    say(f"list:    {index}")
    print_disclaimer()
    if stop.signal_number is not None:
        note("stopped; rerun the command to resume")
        return 128 + stop.signal_number
    return 0 if statuses["ok"] == len(work) else 1


def _print_end(work: "list[PairJob]", states: Counter[str], statuses: Counter[str]) -> None:
    counts = ", ".join(f"{statuses[status]:,} {status}" for status in ("ok", "refused", "failed"))
    say(f"{len(work):,} pairs: {counts}")
    found = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    say(f"{states.total():,} lesions{f': {found}' if found else ''}".replace("_", " "))
    if len(work) == 1 and statuses["ok"]:
        paths = work[0].paths()
        say(f"picture: {paths['picture']}")
        say(f"page:    {paths['page']}")


def _lost(job: "PairJob", loss: "Loss") -> "PairOutcome":
    from lesionscan.codes import notice
    from lesionscan.comparison.job import lost_pair

    return lost_pair(job, notice(loss.code, loss.message()))
