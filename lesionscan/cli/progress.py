"""Progress of a run: a bar on a terminal, lines for failed films, and an event log."""

import time
from typing import TYPE_CHECKING, Self

from rich import progress as bars
from rich.console import Console

from lesionscan.batch.tally import Tally
from lesionscan.cli.terminal import one_line

if TYPE_CHECKING:
    from lesionscan.batch.outcome import Outcome
    from lesionscan.results.event_log import EventLog


class Progress:
    """Show the progress of a run: a bar on a terminal, otherwise failed films only.

    Parameters
    ----------
    console
        Output.
    total
        Number of input files.
    log
        Event log, one event per film.
    """

    def __init__(self, console: Console, total: int, log: "EventLog | None" = None) -> None:
        self._console = console
        self._log = log
        self._tally = Tally()
        self._started = time.monotonic()
        self._bar = bars.Progress(
            bars.TextColumn("{task.completed:,}/{task.total:,} films"),
            bars.BarColumn(),
            bars.TextColumn("{task.fields[rate]:,} an hour"),
            bars.TextColumn("{task.fields[shown]:,} candidates shown"),
            bars.TextColumn("{task.fields[failed]:,} failed"),
            bars.TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("films", total=total, rate=0, shown=0, failed=0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def add(self, outcomes: "tuple[Outcome, ...]") -> None:
        """Count a finished file, and print its films that failed."""
        for outcome in outcomes:
            self._tally.add(outcome)
            if self._log is not None:
                self._log.write("picture", **_facts(outcome))
            problem, what = outcome.error, "failed"
            if outcome.not_exported is not None:
                problem, what = outcome.not_exported, "ok, but"
            if problem is not None:
                line = f"{one_line(outcome.name)}: {what} ({problem.code}): "
                self._console.print(
                    line + one_line(problem.message), markup=False, highlight=False, soft_wrap=True
                )
        tally, seconds = self._tally, time.monotonic() - self._started
        self._bar.update(
            self._task,
            advance=1,
            # resumed films took no time
            rate=round(3600 * (tally.pictures - tally.resumed) / max(seconds, 1e-3)),
            shown=tally.shown,
            failed=tally.failed,
        )


def _facts(outcome: "Outcome") -> dict[str, str | float | bool | None]:
    return {
        "name": outcome.name,
        "status": outcome.status,
        "code": None if outcome.error is None else outcome.error.code,
        "candidates": outcome.candidates,
        "shown": outcome.shown,
        "best_score": outcome.best_score,
        "seconds": round(outcome.seconds, 3),
        "resumed": outcome.resumed,
    }
