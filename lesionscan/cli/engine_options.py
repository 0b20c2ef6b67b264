"""Options that say what works on the films: processes here, or a Dask cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.terminal import RefusedError, one_line

if TYPE_CHECKING:
    from lesionscan.batch.pool import Limits
    from lesionscan.batch.run import Engine

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
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout", min=1, metavar="SECONDS", help="Time that one picture may take (600 if unset)."
    ),
]
MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--max-memory",
        min=300,
        metavar="MB",
        help="Memory that one film may take (4000 if unset).",
    ),
]
DaskOption = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Work on a Dask cluster, as tcp://head:8786."),
]
DaskLocalOption = Annotated[
    int | None,
    typer.Option("--dask-local", min=1, max=1024, metavar="N", help="Work on N Dask workers here."),
]
DaskReturnOption = Annotated[
    bool,
    typer.Option(
        "--dask-return", help="Dask workers return their results, where they share no storage."
    ),
]


@contextmanager
def chosen_engine(
    *,
    jobs: int | None,
    timeout: float | None = None,
    max_memory: float | None = None,
    dask: str | None = None,
    dask_local: int | None = None,
    dask_return: bool = False,
) -> "Iterator[tuple[Engine, int]]":
    """Yield what works on the films, and the number of its processes.

    Raises
    ------
    RefusedError
        When the options contradict each other, or the cluster cannot be used.
    """
    if dask is None and dask_local is None:
        if dask_return:
            raise RefusedError("--dask-return needs --dask or --dask-local")
        from lesionscan.batch.run import local_workers

        workers = jobs or cores()
        yield local_workers(workers, chosen_limits(timeout, max_memory)), workers
        return
    if dask is not None and dask_local is not None:
        raise RefusedError("give --dask or --dask-local, not both")
    if jobs is not None or timeout is not None or max_memory is not None:
        raise RefusedError(
            "--jobs, --timeout and --max-memory are for processes here; a Dask cluster has its own "
            "number of workers and limits"
        )
    from lesionscan.batch.discover import InputError

    try:
        from lesionscan.batch.dask_engine import dask_engine
    except ModuleNotFoundError as missing:
        raise RefusedError(
            f"{missing.name} is not installed; run: pip install 'lesionscan[dask]'"
        ) from missing
    try:
        with dask_engine(dask, local_workers=dask_local or 0, returned=dask_return) as chosen:
            yield chosen
    except InputError as error:
        raise RefusedError(one_line(str(error))) from error


def chosen_limits(timeout: float | None, max_memory: float | None) -> "Limits":
    """Return what one film may take: as the command line says, else the defaults."""
    from lesionscan.batch.pool import Limits

    default = Limits()
    return Limits(
        default.seconds if timeout is None else timeout,
        default.memory_mb if max_memory is None else max_memory,
    )


def cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # a batch system gives a job fewer than the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
