"""Shared code of `phantom` and `plant`: output folder, workers, index, summary."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from lesionscan.cli.engine_options import cores
from lesionscan.cli.terminal import RefusedError, announce_stop, note, say, stoppable

if TYPE_CHECKING:
    from lesionscan.batch.pool import Loss

JobT = TypeVar("JobT")
Entry: TypeAlias = dict[str, object]
"""Entry of a film in index.json."""

OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="New output folder.")]
SeedOption = Annotated[
    int,
    typer.Option("--seed", "-s", min=0, help="Random seed; the same seed gives the same films."),
]


@dataclass(frozen=True, slots=True)
class Made:
    """Result of a job: entries for the index, or the reason why there are none."""

    entries: list[Entry]
    trouble: str = ""


def start(out: Path) -> None:
    """Create the output folder; refuse one that is not empty, so that runs do not mix."""
    from lesionscan.simulation.truth_folder import make_folder

    try:
        make_folder(out)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    except OSError as error:
        raise RefusedError(f"{out} cannot be created ({error.strerror}); name another") from error


def make(
    out: Path, function: Callable[[JobT], Made], work: Sequence[JobT], jobs: int | None
) -> None:
    """Run the jobs with a progress bar, write the index and print what to do next.

    Exit status: 0 all films were made, 1 some were left out, 128 + signal number if stopped.
    """
    from rich.console import Console
    from rich.progress import track

    from lesionscan.batch.pool import Work, run_jobs
    from lesionscan.batch.stop import StopSignals
    from lesionscan.simulation.truth_folder import write_index

    start(out)
    console = Console(stderr=True)
    made: dict[int, Made] = {}
    stop = StopSignals(announce_stop)
    with stoppable("stopped at once; there is no index.json, name a new folder"), stop:
        workers = min(jobs or cores(), len(work))
        tasks = Work(partial(_as_iterator, function), _lost)
        done = run_jobs(tasks, work, workers=workers, stopped=stop.requested)
        quiet = not console.is_terminal
        for number, (one,) in track(
            done, "making films", total=len(work), console=console, disable=quiet
        ):
            made[number] = one
            if one.trouble:
                note(one.trouble)
        entries = [entry for number in sorted(made) for entry in made[number].entries]
        index = write_index(out, entries) if entries else None
    left_out = sum(bool(one.trouble) for one in made.values())
    if index is None and stop.signal_number is None:
        raise RefusedError(f"no film could be made ({left_out:,} left out)")
    if stop.signal_number is not None:
        note(
            f"stopped after {len(made):,} of {len(work):,}; {out} is a complete truth folder with "
            "these; to make all, name a new folder"
        )
        raise typer.Exit(128 + stop.signal_number)
    if index is not None:
        _print_end(index, entries, left_out)
    raise typer.Exit(1 if left_out else 0)


def _as_iterator(function: Callable[[JobT], Made], job: JobT) -> Iterator[Made]:
    """Adapt a function with one outcome to `run_jobs`."""
    yield function(job)


def _lost(_job: object, loss: "Loss") -> Made:
    raise RefusedError(
        f"a worker process was lost ({loss.code}, {loss.detail}); memory may have run out: use "
        "fewer jobs"
    )


def _print_end(index: Path, entries: list[Entry], left_out: int) -> None:
    from lesionscan.results.record import DISCLAIMER

    lesions = sum(int(str(entry["lesions"])) for entry in entries)
    normal = sum(not entry["lesions"] for entry in entries)
    more = f", {left_out:,} left out" if left_out else ""
    say(f"{len(entries):,} films, {lesions:,} lesions, {normal:,} films without{more}: {index}")
    results = shlex.quote(f"{index.parent}-results")
    say(f"next: lesionscan scan {shlex.quote(str(index.parent / 'images'))} --out {results}")
    say(f"      lesionscan evaluate {results} {shlex.quote(str(index.parent))}")
    say(DISCLAIMER)
