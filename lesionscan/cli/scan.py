"""`lesionscan scan` and `lesionscan demo`: search films, show progress, print a summary."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.engine_options import (
    DaskLocalOption,
    DaskOption,
    DaskReturnOption,
    EngineOptions,
    JobsOption,
    MemoryOption,
    TimeoutOption,
    chosen_engine,
)
from lesionscan.cli.export_options import (
    ExportOption,
    chosen_exports,
    refuse_in_parts,
)
from lesionscan.cli.extras import require_for
from lesionscan.cli.reading_options import (
    BurnedInOption,
    KeepUidsOption,
    OverlayMaxOption,
    OverlayOption,
    PolarityOption,
    ScorerOption,
    SearchOption,
    SettingsOption,
    SpacingOption,
    chosen_settings,
)
from lesionscan.cli.terminal import RefusedError, announce_stop, note, one_line, say, stoppable

if TYPE_CHECKING:
    from lesionscan.batch.run import Engine, Options, Plan, RunSummary
    from lesionscan.batch.shards import Shard
    from lesionscan.batch.tally import Tally
    from lesionscan.evaluation.matching import FilmComparison
    from lesionscan.results.event_log import EventLog
    from lesionscan.settings import Settings


def scan(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT...",
            help="Film files, folders, patterns such as 'films/**/*.dcm', or a DICOMDIR.",
        ),
    ] = None,
    file_list: Annotated[
        Path | None,
        typer.Option(
            "--list", help="Text file with one input path per line; - reads standard input."
        ),
    ] = None,
    settings: SettingsOption = None,
    scorer: ScorerOption = None,
    search: SearchOption = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Keep results whose file, search settings and scorer are unchanged.",
        ),
    ] = True,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    keep_uids: KeepUidsOption = None,
    allow_burned_in: BurnedInOption = None,
    overlay: OverlayOption = None,
    overlay_max: OverlayMaxOption = None,
    export: ExportOption = None,
    log_json: Annotated[
        Path | None,
        typer.Option("--log-json", help="Log file to write, one JSON object per line."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Process only part I of N; `lesionscan merge` joins the parts.",
        ),
    ] = None,
    jobs: JobsOption = None,
    timeout: TimeoutOption = None,
    max_memory: MemoryOption = None,
    dask: DaskOption = None,
    dask_local: DaskLocalOption = None,
    dask_return: DaskReturnOption = False,
) -> None:
    """Search films for candidate lytic lesions; write JSON, overlays, tables and a report."""
    from lesionscan.batch.run import Options

    with stoppable(), ExitStack() as stack:
        options = Options(
            chosen_settings(
                settings,
                polarity=polarity,
                spacing=spacing,
                keep_uids=keep_uids,
                allow_burned_in=allow_burned_in,
                overlay=overlay,
                overlay_max=overlay_max,
                search=search,
            ),
            scorer=scorer,
            resume=resume,
            shard=None if shard is None else _shard(shard),
            exports=chosen_exports(export),
        )
        listed = _listed(file_list, inputs)
        chosen = EngineOptions(jobs, timeout, max_memory, dask, dask_local, dask_return=dask_return)
        chosen.check()
        plan = _plan(inputs or [], out, options, listed=listed)
        require_for(options.exports, dask=chosen.uses_dask)
        engine, workers = stack.enter_context(chosen_engine(chosen))
        log = None if log_json is None else stack.enter_context(_opened(log_json))
        summary, status = _run(plan, engine, workers, log)
    _print_summary(plan, summary)
    raise typer.Exit(status)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")] = Path(
        "lesionscan-demo"
    ),
    jobs: JobsOption = None,
) -> None:
    """Scan sample films with planted lesions, and list which were found."""
    from lesionscan.batch.run import Options
    from lesionscan.evaluation.matching import compare_film
    from lesionscan.evaluation.truth import TruthError, load_truth

    with stoppable():
        samples = _samples(out)
        plan = _plan([samples / "images"], out, Options(chosen_settings(None)))
        with chosen_engine(EngineOptions(jobs=jobs)) as (engine, workers):
            summary, status = _run(plan, engine, workers)
    try:
        films = [compare_film(film, out) for film in load_truth(samples)]
    except TruthError as error:
        raise RefusedError(str(error)) from error
    _print_demo(films, summary)
    raise typer.Exit(status)


def _samples(out: Path) -> Path:
    """Return the folder of the sample films: the repository's, or made in an installation."""
    in_repository = Path(__file__).resolve().parents[2] / "sample_images"
    if (in_repository / "index.json").is_file():
        return in_repository
    made = out / "sample_images"
    if not (made / "index.json").is_file():
        from lesionscan.simulation.samples import write_samples
        from lesionscan.simulation.truth_folder import make_folder

        try:
            make_folder(made)
        except ValueError as error:
            raise RefusedError(one_line(str(error))) from error
        note("making sample films ...")
        write_samples(made)
    return made


def _shard(text: str) -> "Shard":
    from lesionscan.batch.shards import Shard

    try:
        return Shard.parse(text)
    except ValueError as error:
        raise RefusedError(f"--shard: {one_line(str(error))}; write 2/4 for part 2 of 4") from error


def _listed(file_list: Path | None, inputs: Sequence[Path] | None) -> list[Path]:
    """Return the paths of the list, if any; refuse a command without any input."""
    if file_list is None:
        if not inputs:
            raise RefusedError("name films or folders to scan, or a list of films (--list)")
        return []
    return listed_films(file_list)


def listed_films(file_list: Path) -> list[Path]:
    """Return the paths in a list, at least one.

    Parameters
    ----------
    file_list
        The list; "-" is standard input.

    Raises
    ------
    RefusedError
        If it cannot be used.
    """
    from lesionscan.batch.discover import InputError
    from lesionscan.batch.listed import read_list
    from lesionscan.files import INDEX_BYTES, read_bounded, read_stream

    try:
        if str(file_list) == "-":
            text = read_stream(sys.stdin.buffer, file_list, max_bytes=INDEX_BYTES)
        else:
            text = read_bounded(file_list, max_bytes=INDEX_BYTES)
    except OSError as error:
        raise RefusedError(
            f"list {one_line(str(file_list))} cannot be read ({error.strerror}); check the path"
        ) from error
    try:
        paths = read_list(text)
    except InputError as error:
        raise RefusedError(str(error)) from error
    if not paths:
        raise RefusedError(f"list {one_line(str(file_list))} is empty; write one path per line")
    return paths


def _plan(
    inputs: Sequence[Path], out: Path, options: "Options", *, listed: Sequence[Path] = ()
) -> "Plan":
    from lesionscan.batch.discover import InputError
    from lesionscan.batch.run import make_plan
    from lesionscan.detection.scorer.errors import ScorerError

    if options.shard is not None:
        refuse_in_parts(options.exports)
    try:
        return make_plan(inputs, out, options, listed=listed)
    except (InputError, ScorerError) as error:
        raise RefusedError(one_line(str(error))) from error


def _opened(log_json: Path) -> "AbstractContextManager[EventLog]":
    from lesionscan.results.event_log import open_log

    return open_log(log_json)


def _run(
    plan: "Plan", engine: "Engine", workers: int, log: "EventLog | None" = None
) -> "tuple[RunSummary, int]":
    """Run a plan with progress on a terminal; return the summary and the exit status."""
    from rich.console import Console

    from lesionscan.batch.run import run_scan
    from lesionscan.batch.stop import StopSignals
    from lesionscan.cli.progress import Progress
    from lesionscan.detection.scorer.errors import ScorerError

    for name in plan.found.unlistable:
        note(f"{one_line(name)}: folder cannot be listed; its films are left out")
    stop = StopSignals(announce_stop)
    if log is not None:
        log.write("start", files=len(plan.numbers), workers=workers)
    try:
        with Progress(Console(stderr=True), len(plan.numbers), log) as progress, stop:
            summary = run_scan(
                plan, engine, workers=workers, on_done=progress.add, stopped=stop.requested
            )
    except ScorerError as error:  # removed since the plan was made
        raise RefusedError(one_line(str(error))) from error
    if log is not None:
        tally = summary.tally
        log.write("end", ok=tally.ok, failed=tally.failed, not_done=summary.not_done)
    if summary.trouble:
        note(f"lesionscan: {summary.trouble}; rerun the command to resume")
        return summary, 1
    if summary.interrupted:
        note("stopped; rerun the command to resume")
        return summary, 128 + (stop.signal_number or 2)
    tally = summary.tally
    return summary, 1 if tally.failed or tally.not_exported or plan.found.unlistable else 0


def _print_summary(plan: "Plan", summary: "RunSummary") -> None:
    for line in tally_lines(
        summary.tally,
        plan.options.settings,
        not_done=summary.not_done,
        skipped=plan.found.skipped,
    ):
        say(line)
    if plan.options.shard is None:
        print_end(summary.report)
        return
    if not summary.interrupted:
        say(f"part {plan.options.shard} is done; when all are: lesionscan merge {plan.out}")
    print_disclaimer()


def tally_lines(
    tally: "Tally", settings: "Settings", *, not_done: int = 0, skipped: int = 0
) -> list[str]:
    """Return a summary of a run in two lines.

    Parameters
    ----------
    tally
        Counts of films and candidates.
    settings
        Settings, for `shown_score`.
    not_done
        Number of input files that a stopped run did not reach.
    skipped
        Number of other files.
    """
    words = [f"{tally.pictures:,} films: {tally.ok:,} ok"]
    if tally.resumed:
        words[0] += f" ({tally.resumed:,} kept)"
    words.append(f"{tally.failed:,} failed")
    if tally.codes:
        codes = (f"{code} {count:,}" for code, count in tally.codes.most_common())
        words[-1] += f" ({', '.join(codes)})"
    if tally.not_exported:
        words.append(f"{tally.not_exported:,} not exported")
    if tally.altered:
        words.append(f"{tally.altered:,} searched again because their results had been changed")
    if not_done:
        words.append(f"{not_done:,} not done")
    if skipped:
        words.append(f"other files skipped: {skipped:,}")
    shown = f"{tally.shown:,} shown (score at least {settings.shown_score})"
    return [", ".join(words), f"{tally.candidates:,} candidates, {shown}"]


def print_end(report: Path) -> None:
    """Print the path of the report, and the disclaimer."""
    say(f"report: {report}")
    print_disclaimer()


def print_disclaimer() -> None:
    """Print the disclaimer."""
    from lesionscan.results.record import DISCLAIMER

    say(DISCLAIMER)


def _print_demo(films: "list[FilmComparison]", summary: "RunSummary") -> None:
    from rich.console import Console
    from rich.table import Table

    from lesionscan.results.paths import ENDINGS

    table = Table(title="Planted lesions and what was found", title_justify="left")
    for name in ("film", "body part"):
        table.add_column(name)
    for name in ("planted", "found", "other candidates shown"):
        table.add_column(name, justify="right")
    for row in films:
        part = str(row.film.facts.get("body_part", "")).replace("_", " ").lower()
        found = str(row.found) if row.status == "ok" else row.status
        table.add_row(row.film.name, part, str(row.planted), found, str(row.others))
    planted, found, others = (
        sum(getattr(row, name) for row in films) for name in ("planted", "found", "others")
    )
    table.add_section()
    table.add_row(f"{len(films)} films", "", str(planted), str(found), str(others))
    Console().print(table)
    say(f"overlays: {summary.report.parent}/*{ENDINGS['overlay']}")
    print_end(summary.report)
