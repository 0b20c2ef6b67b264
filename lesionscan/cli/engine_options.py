"""Options of the engine: local processes, or a Dask cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        help="Number of parallel processes (default: all cores).",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout", min=1, metavar="SECONDS", help="Time limit per image (default: 600)."
    ),
]
MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--max-memory",
        min=300,
        metavar="MB",
        help="Memory limit per film (default: 4000).",
    ),
]
DaskOption = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Run on the Dask cluster with this scheduler address, such as tcp://head:8786.",
    ),
]
DaskLocalOption = Annotated[
    int | None,
    typer.Option(
        "--dask-local",
        min=1,
        max=1024,
        metavar="N",
        help="Run on a local Dask cluster with N workers.",
    ),
]
DaskReturnOption = Annotated[
    bool,
    typer.Option(
        "--dask-return", help="Dask workers send results back instead of writing to shared storage."
    ),
]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The values of the engine options."""

    jobs: int | None = None
    timeout: float | None = None
    max_memory: float | None = None
    dask: str | None = None
    dask_local: int | None = None
    dask_return: bool = False

    @property
    def uses_dask(self) -> bool:
        """Whether to use a Dask cluster."""
        return self.dask is not None or self.dask_local is not None

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises
        ------
        RefusedError
            If they do.
        """
        if self.dask is not None and self.dask_local is not None:
            raise RefusedError("give --dask or --dask-local, not both")
        if self.dask_return and not self.uses_dask:
            raise RefusedError("--dask-return needs --dask or --dask-local")
        if self.uses_dask and (self.jobs, self.timeout, self.max_memory) != (None, None, None):
            raise RefusedError(
                "--jobs, --timeout and --max-memory are for local processes; a Dask cluster has "
                "its own number of workers and limits"
            )


@contextmanager
def chosen_engine(options: EngineOptions) -> "Iterator[tuple[Engine, int]]":
    """Yield the engine and the number of its processes.

    Parameters
    ----------
    options
        Options that were checked, also by `extras.require_for`.

    Raises
    ------
    RefusedError
        If the cluster cannot be used.
    """
    if not options.uses_dask:
        from lesionscan.batch.run import local_workers

        workers = options.jobs or cores()
        yield local_workers(workers, chosen_limits(options.timeout, options.max_memory)), workers
        return
    from lesionscan.batch.dask_engine import dask_engine
    from lesionscan.batch.discover import InputError

    try:
        with dask_engine(
            options.dask, local_workers=options.dask_local or 0, returned=options.dask_return
        ) as chosen:
            yield chosen
    except InputError as error:
        raise RefusedError(one_line(str(error))) from error


def chosen_limits(timeout: float | None, max_memory: float | None) -> "Limits":
    """Return the limits per film from the command line, or the defaults."""
    from lesionscan.batch.pool import Limits

    default = Limits()
    return Limits(
        default.seconds if timeout is None else timeout,
        default.memory_mb if max_memory is None else max_memory,
    )


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # batch systems may limit a job to some of the cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
