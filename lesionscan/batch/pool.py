"""Run jobs in supervised worker processes, which may die or hang.

When a worker dies, the executor of the standard library abandons all pending work and does not
report the job. Here each worker has its own pipe and one job at a time, so a crash, a hang or a
lack of memory affects only that job. A job whose worker died or used too much memory is tried once
more, alone and at the end, because it may not have been the cause: a system short of memory kills
any process, and a worker keeps memory of earlier jobs.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import psutil

from lesionscan.codes import ErrorCode

JobT = TypeVar("JobT")
OutcomeT = TypeVar("OutcomeT")

Message: TypeAlias = tuple[Literal["taken", "outcome", "done", "raised"], Any]
"""Message of a worker: job received, one outcome, job finished, or an exception."""

_POLL_SECONDS = 0.2
_END_SECONDS = 5.0
"""Time to wait for a killed worker; one that hangs in the kernel is left behind."""
_SUSPENDED_SECONDS = 5.0
"""A longer time between two polls means that this process was suspended, which no worker caused."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers of these options in glibc's malloc.h."""
_LARGEST_MMAP_THRESHOLD, _KEPT_BYTES = 32 << 20, 512 << 20
"""Larger blocks return to the system when freed; of the others, this many bytes are kept."""
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a job has no outcome.

    Attributes
    ----------
    code
        "crashed" if the worker died, otherwise it was killed; after two attempts, except for
        "timed_out".
    detail
        How the worker died, or the limit that it exceeded.
    """

    code: ErrorCode
    detail: str

    def message(self) -> str:
        """Return the cause and the remedy."""
        return {
            ErrorCode.CRASHED: f"its worker process died, more than once ({self.detail}); memory "
            "may have run out (use fewer jobs), or the file is damaged",
            ErrorCode.TIMED_OUT: f"no result came within {self.detail}; allow more time "
            "(--timeout), or check whether the file can be read",
            ErrorCode.OUT_OF_MEMORY: f"more than {self.detail} of memory was needed; allow more "
            "(--max-memory) with fewer jobs",
        }[self.code]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for a job; None is no limit.

    Attributes
    ----------
    seconds
        Time from the start to the first outcome, between outcomes, and to the end. No film takes
        ten minutes.
    memory_mb
        Resident memory of the worker in MB (10^6 bytes), checked five times per second. The default
        is the same on all machines, so that the results are too; a film of 50 megapixels, the
        largest that is read by default, takes under 1,500.
    """

    seconds: float | None = 600.0
    memory_mb: float | None = 4000.0


@dataclass(frozen=True, slots=True)
class Work(Generic[JobT, OutcomeT]):
    """The work of the processes.

    Attributes
    ----------
    function
        Importable function that yields the outcomes of a job; both are pickled.
    on_loss
        Returns the outcome of a lost job; called in the parent.
    limits
        Limits for a job.
    """

    function: Callable[[JobT], Iterable[OutcomeT]]
    on_loss: Callable[[JobT, Loss], OutcomeT]
    limits: Limits = Limits()


def run_jobs(
    work: Work[JobT, OutcomeT],
    jobs: Sequence[JobT],
    *,
    workers: int,
    stopped: Callable[[], bool],
) -> Iterator[tuple[int, tuple[OutcomeT, ...]]]:
    """Yield (index of the job, its outcomes) as jobs are finished.

    Parameters
    ----------
    work
        The function to run.
    jobs
        Its arguments.
    workers
        Number of processes.
    stopped
        Called between jobs; once it returns True, no job is started, and jobs in progress are
        finished.

    Raises
    ------
    Exception
        Any exception of the function in a worker is raised here.
    """
    suspects = []
    for number, ending in _run(work, jobs, range(len(jobs)), workers, stopped):
        if isinstance(ending, Loss) and ending.code is not ErrorCode.TIMED_OUT:
            suspects.append(number)
        else:
            yield number, _outcomes(work, jobs[number], ending)
    for number, ending in _run(work, jobs, suspects, 1, stopped):
        yield number, _outcomes(work, jobs[number], ending)


def _outcomes(
    work: Work[JobT, OutcomeT], job: JobT, ending: tuple[OutcomeT, ...] | Loss
) -> tuple[OutcomeT, ...]:
    return (work.on_loss(job, ending),) if isinstance(ending, Loss) else ending


def _run(
    work: Work[JobT, OutcomeT],
    jobs: Sequence[JobT],
    numbers: Sequence[int],
    workers: int,
    stopped: Callable[[], bool],
) -> Iterator[tuple[int, tuple[OutcomeT, ...] | Loss]]:
    """Run some of the jobs; yield their outcomes, or why they were lost."""
    pending = iter(numbers)
    active: list[_Worker[JobT, OutcomeT]] = []
    polled = time.monotonic()
    try:
        while True:
            while len(active) < workers and not stopped():
                number = next(pending, None)
                if number is None:
                    break
                active.append(_Worker(work, number, jobs[number]))
            if not active:
                return
            # with a timeout, so that signal handlers run on every system
            connection.wait([worker.pipe for worker in active], _POLL_SECONDS)
            pause, polled = time.monotonic() - polled, time.monotonic()
            for worker in tuple(active):
                if pause > _SUSPENDED_SECONDS:
                    worker.extend_time(pause)
                ending = worker.poll()
                if ending is None:
                    continue
                finished = worker.number
                retire = stopped() or isinstance(ending, Loss)
                following = None if retire else next(pending, None)
                if following is None:
                    active.remove(worker)
                    worker.end()
                else:
                    worker.start(following, jobs[following])
                yield finished, ending
    finally:
        for worker in active:
            worker.end()


class _Worker(Generic[JobT, OutcomeT]):
    """A worker process with a job.

    Parameters
    ----------
    work
        The function to run.
    number, job
        Index and argument of the first job.
    """

    def __init__(self, work: Work[JobT, OutcomeT], number: int, job: JobT) -> None:
        # spawn: no copy of this process's threads and locks, and the same on every system
        context = multiprocessing.get_context("spawn")
        self.pipe, worker_end = context.Pipe()
        self._work = work
        self._process = context.Process(target=_serve, args=(worker_end,), daemon=True)
        with signals_held_back():
            self._process.start()
        worker_end.close()
        self._next_memory_check = 0.0
        self.start(number, job)

    def start(self, number: int, job: JobT) -> None:
        """Start the next job."""
        self.number = number
        self._outcomes: list[OutcomeT] = []
        self._last_message: float | None = None  # the time counts from when it received the job
        try:
            self.pipe.send((self._work.function, job))
        except OSError:
            return  # it has died, which `poll` detects

    def extend_time(self, seconds: float) -> None:
        """Extend the time limit by a period in which the machine or terminal was suspended."""
        if self._last_message is not None:
            self._last_message += seconds

    def poll(self) -> tuple[OutcomeT, ...] | Loss | None:
        """Return the outcomes of the job or its loss; None while it is running.

        Raises
        ------
        Exception
            Any exception of the function.
        """
        while True:
            try:
                if not self.pipe.poll():
                    return self._exceeded_limit()
                kind, content = self.pipe.recv()
            except (EOFError, OSError):
                self._process.join(_END_SECONDS)
                return Loss(ErrorCode.CRASHED, _cause_of_death(self._process.exitcode))
            self._last_message = time.monotonic()
            if kind == "raised":
                raise content
            if kind == "done":
                return tuple(self._outcomes)
            if kind == "outcome":
                self._outcomes.append(content)

    def _exceeded_limit(self) -> Loss | None:
        """Return a loss if the job exceeds a limit."""
        limits, now = self._work.limits, time.monotonic()
        if (
            limits.seconds is not None
            and self._last_message is not None
            and now - self._last_message > limits.seconds
        ):
            return Loss(ErrorCode.TIMED_OUT, f"{limits.seconds:g} s")
        if limits.memory_mb is not None and now >= self._next_memory_check:
            self._next_memory_check = now + _POLL_SECONDS
            if _resident_mb(self._process.pid) > limits.memory_mb:
                return Loss(ErrorCode.OUT_OF_MEMORY, f"{limits.memory_mb:g} MB")
        return None

    def end(self) -> None:
        """Kill the process; results are written atomically, so none is left incomplete."""
        self.pipe.close()
        self._process.kill()
        self._process.join(_END_SECONDS)


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit status {exit_code}"


def _resident_mb(process_id: int | None) -> float:
    try:
        return float(psutil.Process(process_id).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0  # it has just died, which its pipe reports


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM while a worker starts, which inherits the block.

    Terminals and batch systems send these signals to all processes; only the parent decides what
    happens to jobs in progress.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: the worker ignores them once it runs
        yield
        return
    # started before, because starting it would remove the block
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def settle_worker() -> None:
    """Configure this process for processing many films.

    OpenCV uses one thread, because more round differently, and results must not depend on the
    number of workers or cores. With glibc, freed memory is kept for the next film (mallopt(3));
    returning it to the system and allocating it again took a twentieth of the time.
    """
    import cv2

    cv2.setNumThreads(1)
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            set_option = ctypes.CDLL(None).mallopt
            set_option(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
            set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _serve(pipe: connection.Connection) -> None:
    """Run jobs in a worker process until the parent closes the pipe or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # One thread per worker; otherwise N workers on N cores start N x N threads. Set before the
    # first job, because unpickling it loads the numerical libraries, which read these once.
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    settle_worker()
    try:
        while True:
            function, job = pipe.recv()
            pipe.send(("taken", None))
            for message in _messages(function, job):
                pipe.send(message)
    except (EOFError, OSError):
        return  # the parent has ended or closed the pipe


def _messages(function: Callable[[JobT], Iterable[OutcomeT]], job: JobT) -> Iterator[Message]:
    try:
        for outcome in function(job):
            yield "outcome", outcome
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        yield "raised", error
    else:
        yield "done", None


def _end_with_parent() -> None:
    """End this process when its parent is killed, even during a job.

    Otherwise it could still write while the run is resumed.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
