"""Workers do every job, whatever happens to some of them."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from lesionscan.batch.pool import Work, run_jobs


def square(number: int) -> int:
    """Square a number; dies, raises or waits for some."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 14:
        os._exit(3)
    if number == 15:
        raise ValueError("fifteen")
    return number * number


def slow(number: int) -> int:
    """Take a moment."""
    time.sleep(0.05)
    return number


def environment(_number: int) -> tuple[str | None, int]:
    """Return the thread limit of the numerical libraries and OpenCV's."""
    import cv2

    return os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()


def died(number: int, exit_code: int | None) -> int:
    """Return what is easily told from a square."""
    return -1000 * number + (exit_code or 0)


def run(jobs: list[int], workers: int, stopped: Callable[[], bool] = lambda: False) -> list[int]:
    """Run and return the outcomes in the jobs' order."""
    done = dict(run_jobs(Work(square, died), jobs, workers=workers, stopped=stopped))
    return [done[number] for number in sorted(done)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_job_is_done(workers: int) -> None:
    """The outcomes are the same for any number of workers."""
    assert run([1, 2, 3, 4], workers) == [1, 4, 9, 16]


def test_no_jobs_give_nothing() -> None:
    """An empty list is done at once."""
    assert run([], 2) == []


def test_a_dead_worker_costs_exactly_its_job() -> None:
    """Killed and exited workers are replaced; all other jobs are done."""
    jobs = [1, 13, 2, 14, 3, 13, 4, 5]
    assert run(jobs, 2) == [1, -13009, 4, -13997, 9, -13009, 16, 25]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_comes_back(workers: int) -> None:
    """What a job raises is raised in the parent."""
    with pytest.raises(ValueError, match="fifteen"):
        run([15, 1], workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_stopping_finishes_what_is_in_hand(workers: int) -> None:
    """Once stopped, no new job starts and those in hand are still reported."""
    done: list[int] = []
    work = Work(slow, died)
    for _, outcome in run_jobs(work, range(50), workers=workers, stopped=lambda: len(done) >= 5):
        done.append(outcome)
    assert 5 <= len(done) <= 5 + workers


def test_workers_use_one_thread_each() -> None:
    """N workers do not start N threads each."""
    outcomes = dict(
        run_jobs(
            Work(environment, lambda _job, _code: (None, 0)),
            [1, 2],
            workers=2,
            stopped=lambda: False,
        )
    )
    assert set(outcomes.values()) == {("1", 1)}
