"""`lesionscan scan` and `lesionscan demo`: search films, show progress, say what came out."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from lesionscan.cli.reading_options import (
    BurnedInOption,
    KeepUidsOption,
    PolarityOption,
    SettingsOption,
    SpacingOption,
    chosen_settings,
)
from lesionscan.cli.terminal import RefusedError, note, one_line, stoppable

if TYPE_CHECKING:
    from rich.console import Console

    from lesionscan.batch.job import Outcome
    from lesionscan.batch.run import Plan, RunSummary
    from lesionscan.evaluation.matching import FilmComparison
    from lesionscan.settings import Settings

JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        max=1024,
        help="Films worked on at the same time; all cores if unset.",
    ),
]


def scan(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Films and folders of films.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    jobs: JobsOption = None,
    settings: SettingsOption = None,
    scorer: Annotated[
        Path | None,
        typer.Option(
            "--scorer",
            help="Scorer file made by scripts/train_scorer.py; the shipped one if unset.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Keep results of the same file, settings, scorer and version, or do all again.",
        ),
    ] = True,
    polarity: PolarityOption = None,
    spacing: SpacingOption = None,
    keep_uids: KeepUidsOption = None,
    allow_burned_in: BurnedInOption = None,
) -> None:
    """Search films and folders for candidates; write pictures, tables, JSON and a report page."""
    with stoppable():
        chosen = chosen_settings(
            settings,
            polarity=polarity,
            spacing=spacing,
            keep_uids=keep_uids,
            allow_burned_in=allow_burned_in,
        )
        plan = _plan(inputs, out, chosen, scorer, resume=resume)
        summary, status = _run(plan, jobs)
    _print_summary(plan, summary)
    raise typer.Exit(status)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path(
        "lesionscan-demo"
    ),
    jobs: JobsOption = None,
) -> None:
    """Scan sample films with planted lesions, and say which were found and where to look."""
    from lesionscan.evaluation.matching import compare_film
    from lesionscan.evaluation.truth import TruthError, load_truth

    with stoppable():
        samples = _samples(out)
        plan = _plan([samples / "images"], out, chosen_settings(None), None, resume=True)
        summary, status = _run(plan, jobs)
    try:
        films = [compare_film(film, out) for film in load_truth(samples)]
    except TruthError as error:
        raise RefusedError(str(error)) from error
    _print_demo(films, summary)
    raise typer.Exit(status)


def _samples(out: Path) -> Path:
    """Return the sample films of the repository, or make them where the package is installed."""
    beside = Path(__file__).resolve().parents[2] / "sample_images"
    if (beside / "index.json").is_file():
        return beside
    made = out / "sample_images"
    if not (made / "index.json").is_file():
        from lesionscan.simulation.samples import write_samples

        note("making sample films ...")
        write_samples(made)
    return made


def _plan(
    inputs: list[Path], out: Path, settings: "Settings", scorer: Path | None, *, resume: bool
) -> "Plan":
    from lesionscan.batch.discover import InputError
    from lesionscan.batch.run import make_plan
    from lesionscan.detection.scorer.scorer_file import ScorerError

    try:
        return make_plan(inputs, out, settings, scorer=scorer, resume=resume)
    except (InputError, ScorerError) as error:
        raise RefusedError(one_line(str(error))) from error


def _run(plan: "Plan", jobs: int | None) -> "tuple[RunSummary, int]":
    """Run a plan with progress on a terminal; return the summary and the exit status."""
    from rich.console import Console

    from lesionscan.batch.run import run_scan
    from lesionscan.batch.stop import StopSignals
    from lesionscan.detection.scorer.scorer_file import ScorerError

    for name in plan.found.unlistable:
        note(f"{one_line(name)}: folder cannot be listed; its films are left out")
    console = Console(stderr=True)
    stop = StopSignals(lambda: note("stopping after the films in hand; once more to stop now"))
    workers = min(jobs or cores(), len(plan.found.films))
    try:
        with _Progress(console, len(plan.found.films)) as progress, stop:
            summary = run_scan(plan, jobs=workers, on_done=progress.tell, stopped=stop.requested)
    except ScorerError as error:  # taken away since the plan was made
        raise RefusedError(one_line(str(error))) from error
    if summary.interrupted:
        note("stopped; the same command goes on where it stopped")
        return summary, 128 + (stop.signal_number or 2)
    return summary, 1 if summary.failures or plan.found.unlistable else 0


class _Progress:
    """Tells how far the run is: a bar on a terminal, otherwise failed films only."""

    def __init__(self, console: "Console", total: int) -> None:
        from rich import progress as bars

        self._console = console
        self._candidates = self._failed = 0
        self._bar = bars.Progress(
            bars.TextColumn("{task.completed:,}/{task.total:,} films"),
            bars.BarColumn(),
            bars.TextColumn("{task.fields[candidates]:,} candidates shown"),
            bars.TextColumn("{task.fields[failed]:,} failed"),
            bars.TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("films", total=total, candidates=0, failed=0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, outcomes: "tuple[Outcome, ...]") -> None:
        """Count a film that is done, and name its pictures that failed."""
        for outcome in outcomes:
            self._candidates += outcome.shown
            if outcome.error is not None:
                self._failed += 1
                line = f"{one_line(outcome.name)}: failed ({outcome.error.code}): "
                self._console.print(
                    line + outcome.error.message, markup=False, highlight=False, soft_wrap=True
                )
        self._bar.update(self._task, advance=1, candidates=self._candidates, failed=self._failed)


def _print_summary(plan: "Plan", summary: "RunSummary") -> None:
    from collections import Counter

    outcomes, failures = summary.outcomes, summary.failures
    codes = Counter(outcome.error.code for outcome in failures if outcome.error is not None)
    kept = sum(outcome.resumed for outcome in outcomes)
    words = [f"{len(outcomes):,} films: {len(outcomes) - len(failures):,} ok"]
    if kept:
        words[0] += f" ({kept:,} from before)"
    words.append(f"{len(failures):,} failed")
    if codes:
        words[-1] += f" ({', '.join(f'{code} {count:,}' for code, count in codes.most_common())})"
    if summary.not_done:
        words.append(f"{summary.not_done:,} not done")
    if plan.found.skipped:
        words.append(f"other files skipped: {plan.found.skipped:,}")
    listed = sum(outcome.candidates for outcome in outcomes)
    shown = sum(outcome.shown for outcome in outcomes)
    print(", ".join(words))
    print(f"{listed:,} candidates, {shown:,} shown (score at least {plan.settings.shown_score})")
    _print_end(summary)


def _print_end(summary: "RunSummary") -> None:
    from lesionscan.reporting.records import DISCLAIMER

    print(f"report: {summary.report}")
    print(DISCLAIMER)


def _print_demo(films: "list[FilmComparison]", summary: "RunSummary") -> None:
    from rich.console import Console
    from rich.table import Table

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
    print(f"overlays: {summary.report.parent}/*.overlay.png")
    _print_end(summary)


def cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # a batch system gives a job fewer than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
