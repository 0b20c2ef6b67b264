"""Shared code of `inspect` and `explain`: process a film in a worker, with a scan's limits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from lesionscan.cli.engine_options import chosen_limits
from lesionscan.cli.terminal import complain, note, one_line, say, stoppable

JobT = TypeVar("JobT")


@dataclass(frozen=True, slots=True)
class Answer:
    """Output of a worker, which neither writes nor prints itself.

    Attributes
    ----------
    lines
        Lines for standard output.
    picture
        The requested PNG, if it was made.
    note
        A line for standard error, or "".
    failure
        Code and message if the film failed, or ""; then the rest is empty.
    """

    lines: tuple[str, ...] = ()
    picture: bytes | None = None
    note: str = ""
    failure: str = ""


def answer_about(
    film: Path,
    function: Callable[[JobT], Iterable[Answer]],
    job: JobT,
    *,
    picture: Path | None,
    timeout: float | None,
    max_memory: float | None,
) -> None:
    """Process a film in a worker process, write the picture and print the answer.

    Parameters
    ----------
    film
        The file, for messages.
    function
        Importable function that yields one answer to a job.
    job
        Argument of the function; pickled.
    picture
        Path of the picture, or None.
    timeout, max_memory
        Values of the options; None for the defaults of a scan.

    Raises
    ------
    typer.Exit
        With status 1 if the film cannot be read, or the worker was lost.
    """
    from lesionscan.batch.pool import Loss, Work, run_jobs
    from lesionscan.results.atomic import write_bytes
    from lesionscan.results.record import DISCLAIMER

    def lost(_job: JobT, loss: Loss) -> Answer:
        return Answer(failure=f"{loss.code}: {loss.message()}")

    work = Work(function, lost, chosen_limits(timeout, max_memory))
    with stoppable("stopped"):
        ((_, (answer,)),) = run_jobs(work, [job], workers=1, stopped=lambda: False)
        if answer.failure:
            complain(f"{one_line(str(film))}: {answer.failure}")
            raise typer.Exit(1)
        for line in answer.lines:
            say(line)
        if picture is not None and answer.picture is not None:
            write_bytes(picture, answer.picture, within=picture.parent)
            say(f"picture: {one_line(str(picture))}")
        if answer.note:
            note(answer.note)
    say(DISCLAIMER)
