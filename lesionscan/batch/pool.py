"""Supervised local workers: one function over many jobs, in processes that may die or hang.

The standard library's executor gives up all pending work when one worker dies, and does not say on
which job. Here every worker has its own pipe and one job at a time, so a death, a hang or a lack of
memory costs exactly that job. A job whose worker died or grew too large is tried once more, alone
and at the end: it may not have been to blame, since a system short of memory kills whom it likes,
and a worker keeps memory of the jobs before.
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
"""What a worker says: it has the job, one outcome of it, it is done with it, or what was raised."""

_POLL_SECONDS = 0.2
_END_SECONDS = 5.0
"""How long a killed worker is waited for: one that hangs inside the kernel is left behind."""
_SUSPENDED_SECONDS = 5.0
"""A longer pause between two looks means that this process was held up: no worker is to blame."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers of these options in glibc's malloc.h."""
_LARGEST_MMAP_THRESHOLD, _KEPT_BYTES = 32 << 20, 512 << 20
"""Larger blocks go back to the system when they are freed; of the others so much is kept."""
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a job has no outcome of its own.

    Attributes
    ----------
    code
        "crashed": its worker died; otherwise it was ended. Twice, but for "timed_out".
    detail
        How the worker died, or the limit that it went over, in words.
    """

    code: ErrorCode
    detail: str

    def in_words(self) -> str:
        """Return what happened to a film, and what to do."""
        return {
            ErrorCode.CRASHED: f"its worker process died, more than once ({self.detail}); memory "
            "may have run out (use fewer jobs), or the file is damaged",
            ErrorCode.TIMED_OUT: f"no result came within {self.detail}; allow more time "
            "(--timeout), or look whether the file can be read",
            ErrorCode.OUT_OF_MEMORY: f"more than {self.detail} of memory was needed; allow more "
            "(--max-memory) with fewer jobs",
        }[self.code]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may take; None is no limit.

    Attributes
    ----------
    seconds
        From the start to the first outcome, from each outcome to the next, and to the end. No
        film takes ten minutes.
    memory_mb
        Resident memory of the job's worker in MB (10^6 bytes), looked at five times a second. The
        same on every machine, so that the results are, too: a picture of the largest size that
        is read by default, 50 megapixels, takes under 1,500.
    """

    seconds: float | None = 600.0
    memory_mb: float | None = 4000.0


@dataclass(frozen=True, slots=True)
class Work(Generic[JobT, OutcomeT]):
    """What the workers do.

    Attributes
    ----------
    function
        Importable function from a job to its outcomes, one after the other; jobs and outcomes are
        pickled.
    on_loss
        Gives the outcome of a job that was lost. Called in the parent.
    limits
        What one job may take.
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
    """Yield (number of the job, its outcomes) as jobs get done.

    Parameters
    ----------
    work
        What to do.
    jobs
        On what.
    workers
        Number of processes.
    stopped
        Asked between jobs; once true, no new job is started and those in hand are finished.

    Raises
    ------
    Exception
        What the function raised in a worker, raised here again.
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
    """Do some of the jobs; yield what they gave or why they were lost."""
    pending = iter(numbers)
    crew: list[_Worker[JobT, OutcomeT]] = []
    looked = time.monotonic()
    try:
        while True:
            while len(crew) < workers and not stopped():
                number = next(pending, None)
                if number is None:
                    break
                crew.append(_Worker(work, number, jobs[number]))
            if not crew:
                return
            # With a time limit, so that a signal's handler gets its turn on every system.
            connection.wait([worker.pipe for worker in crew], _POLL_SECONDS)
            pause, looked = time.monotonic() - looked, time.monotonic()
            for worker in tuple(crew):
                if pause > _SUSPENDED_SECONDS:
                    worker.allow(pause)
                ending = worker.ending()
                if ending is None:
                    continue
                done = worker.number
                gone = stopped() or isinstance(ending, Loss)
                following = None if gone else next(pending, None)
                if following is None:
                    crew.remove(worker)
                    worker.end()
                else:
                    worker.take(following, jobs[following])
                yield done, ending
    finally:
        for worker in crew:
            worker.end()


class _Worker(Generic[JobT, OutcomeT]):
    """A worker process with a job in hand.

    Parameters
    ----------
    work
        What it does.
    number, job
        Its first job.
    """

    def __init__(self, work: Work[JobT, OutcomeT], number: int, job: JobT) -> None:
        # spawn: no copy of this process's threads and locks, and the same on every system
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._work = work
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with signals_held_back():
            self._process.start()
        theirs.close()
        self._memory_due = 0.0
        self.take(number, job)

    def take(self, number: int, job: JobT) -> None:
        """Give it the next job."""
        self.number = number
        self._outcomes: list[OutcomeT] = []
        self._heard: float | None = None  # its clock starts when it has loaded what it needs
        try:
            self.pipe.send((self._work.function, job))
        except OSError:
            return  # it is dead already; listening to it says so

    def allow(self, seconds: float) -> None:
        """Give it more time: while the machine or the terminal was suspended, nothing was done."""
        if self._heard is not None:
            self._heard += seconds

    def ending(self) -> tuple[OutcomeT, ...] | Loss | None:
        """Return the job's outcomes or its loss; None while the worker is at work.

        Raises
        ------
        Exception
            What the function raised.
        """
        while True:
            try:
                if not self.pipe.poll():
                    return self._excess()
                word, said = self.pipe.recv()
            except (EOFError, OSError):
                self._process.join(_END_SECONDS)
                return Loss(ErrorCode.CRASHED, _death(self._process.exitcode))
            self._heard = time.monotonic()
            if word == "raised":
                raise said
            if word == "done":
                return tuple(self._outcomes)
            if word == "outcome":
                self._outcomes.append(said)

    def _excess(self) -> Loss | None:
        """Return which limit it has gone over, if any."""
        limits, now = self._work.limits, time.monotonic()
        if (
            limits.seconds is not None
            and self._heard is not None
            and now - self._heard > limits.seconds
        ):
            return Loss(ErrorCode.TIMED_OUT, f"{limits.seconds:g} s")
        if limits.memory_mb is not None and now >= self._memory_due:
            self._memory_due = now + _POLL_SECONDS
            if _resident_mb(self._process.pid) > limits.memory_mb:
                return Loss(ErrorCode.OUT_OF_MEMORY, f"{limits.memory_mb:g} MB")
        return None

    def end(self) -> None:
        """Stop it at once; results are written atomically, so nothing half-done remains."""
        self.pipe.close()
        self._process.kill()
        self._process.join(_END_SECONDS)


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit status {exit_code}"


def _resident_mb(process_id: int | None) -> float:
    try:
        return float(psutil.Process(process_id).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0  # it has just died, which its pipe will say


@contextmanager
def signals_held_back() -> Iterator[None]:
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


def settle_worker() -> None:
    """Prepare this process to do film after film.

    OpenCV keeps to one thread: more would round otherwise, and no result may depend on the number
    of workers or cores. And memory that is freed stays here for the next film, where the C library
    is glibc: to give megabytes back and fetch them anew, page by page, took a twentieth of the
    time (mallopt(3)).
    """
    import cv2

    cv2.setNumThreads(1)
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            set_option = ctypes.CDLL(None).mallopt
            set_option(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
            set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _serve(pipe: connection.Connection) -> None:
    """Work in a worker process until the parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # One thread a worker, or N workers on N cores start N x N threads. Set before the first job
    # arrives, because unpickling it loads the numerical libraries, which read these once.
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    settle_worker()
    try:
        while True:
            function, job = pipe.recv()
            pipe.send(("taken", None))
            for message in _messages(function, job):
                pipe.send(message)
    except (EOFError, OSError):
        return  # the parent is gone, or wants no more


def _messages(function: Callable[[JobT], Iterable[OutcomeT]], job: JobT) -> Iterator[Message]:
    try:
        for outcome in function(job):
            yield "outcome", outcome
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        yield "raised", error
    else:
        yield "done", None


def _end_with_parent() -> None:
    """End this process when its parent is killed, in the middle of a job too.

    A run that is started again must not meet workers of the last one, which still write.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
