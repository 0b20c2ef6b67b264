"""Supervised local workers: one function over many jobs, in processes that may die.

The standard library's executor gives up all pending work when one worker dies, and does not say on
which job. Here every worker has its own pipe and one job at a time, so a death costs exactly that
job: it is reported and a new worker takes the dead one's place.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

JobT = TypeVar("JobT")
OutcomeT = TypeVar("OutcomeT")

_POLL_SECONDS = 0.2
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Work(Generic[JobT, OutcomeT]):
    """What the workers do.

    Attributes
    ----------
    function
        Importable function from a job to an outcome; both are pickled.
    on_death
        Gives the outcome of a job whose worker died, from the job and the exit code (negative:
        the signal). Called in the parent.
    """

    function: Callable[[JobT], OutcomeT]
    on_death: Callable[[JobT, int | None], OutcomeT]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int | None = None  # of the job in hand


def run_jobs(
    work: Work[JobT, OutcomeT],
    jobs: Sequence[JobT],
    *,
    workers: int,
    stopped: Callable[[], bool],
) -> Iterator[tuple[int, OutcomeT]]:
    """Yield (number of the job, outcome) as jobs get done.

    Parameters
    ----------
    work
        What to do.
    jobs
        On what.
    workers
        Number of processes; with 1 the work is done in this process.
    stopped
        Asked between jobs; once true, no new job is started and those in hand are finished.

    Raises
    ------
    Exception
        What the function raised in a worker, raised here again.
    """
    if workers == 1:
        yield from _run_here(work, jobs, stopped)
        return
    pending = iter(range(len(jobs)))
    crew = [_start() for _ in range(min(workers, len(jobs)))]
    try:
        for worker in crew:
            _assign(worker, work, jobs, pending)
        while busy := [worker for worker in crew if worker.number is not None]:
            for worker in _ready(busy):
                number = worker.number
                assert number is not None  # noqa: S101 - only busy workers are waited for
                done, answer = _receive(worker)
                if not done:
                    _end(worker)
                    crew[crew.index(worker)] = worker = _start()
                    answer = work.on_death(jobs[number], answer)
                worker.number = None
                if not stopped():
                    _assign(worker, work, jobs, pending)
                yield number, answer
    finally:
        for worker in crew:
            _end(worker)


def _run_here(
    work: Work[JobT, OutcomeT], jobs: Sequence[JobT], stopped: Callable[[], bool]
) -> Iterator[tuple[int, OutcomeT]]:
    _one_opencv_thread()
    for number, job in enumerate(jobs):
        if stopped():
            return
        yield number, work.function(job)


def _start() -> _Worker:
    # spawn: no copy of this process's threads and locks, and the same on every system
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    with _signals_held_back():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM while a worker starts; the worker inherits the block for good.

    A terminal sends Ctrl-C, and a batch system SIGTERM, to every process at once; the parent
    alone decides what then happens to the work in hand.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: the worker ignores them once it runs
        yield
        return
    # Started here because starting it would lift the block again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _one_opencv_thread() -> None:
    """Let no result depend on the number of workers or cores: more threads round otherwise."""
    import cv2

    cv2.setNumThreads(1)


def _serve(pipe: Connection) -> None:
    """Work in a worker process until the parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One thread a worker, or N workers on N cores start N x N threads. Set before the first job
    # arrives, because unpickling it loads the numerical libraries, which read these once.
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    _one_opencv_thread()
    while True:
        try:
            function, job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (True, function(job))
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            answer = (False, error)
        try:
            pipe.send(answer)
        except OSError:
            return  # the parent is gone


def _assign(
    worker: _Worker, work: Work[JobT, OutcomeT], jobs: Sequence[JobT], pending: Iterator[int]
) -> None:
    """Give the worker the next job, if there is one."""
    number = next(pending, None)
    if number is None:
        return
    worker.number = number
    try:
        worker.pipe.send((work.function, jobs[number]))
    except OSError:
        return  # it is dead already; waiting for it says so


def _ready(busy: Sequence[_Worker]) -> list[_Worker]:
    """Wait until at least one worker has answered or died."""
    while True:
        # With a time limit, so that a signal's handler gets its turn on every system.
        ready = connection.wait([worker.pipe for worker in busy], _POLL_SECONDS)
        if ready:
            return [worker for worker in busy if worker.pipe in ready]


def _receive(worker: _Worker) -> tuple[bool, Any]:
    """Return (True, outcome), or (False, exit code) where the worker died."""
    try:
        fine, answer = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return False, worker.process.exitcode
    if not fine:
        raise answer
    return True, answer


def _end(worker: _Worker) -> None:
    """Stop a worker at once; results are written atomically, so nothing half-done remains."""
    worker.pipe.close()
    worker.process.kill()
    worker.process.join()
