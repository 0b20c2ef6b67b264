"""The pool completes every job, even if workers die, hang or run out of memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from lesionscan.batch.pool import Limits, Loss, Work, run_jobs

ROOT = Path(__file__).resolve().parents[2]


def square(number: int) -> Iterator[int | str]:
    """Square a number; for some numbers die, raise, hang or allocate too much memory."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 14:
        os._exit(3)
    if number == 15:
        raise ValueError("fifteen")
    if number == 16:
        time.sleep(60)
    if number == 17:
        held = bytearray(os.urandom(1 << 20) * 400)
        time.sleep(60)
        del held
    if number == 18:
        for _ in range(4):
            time.sleep(0.5)
            yield "still at it"
    yield number * number


def dies_once(path: Path) -> Iterator[str]:
    """Die the first time, succeed the second."""
    if path.exists():
        yield "done"
    else:
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def slow(number: int) -> Iterator[int]:
    """Wait 0.05 s."""
    time.sleep(0.05)
    yield number


def environment(_number: int) -> Iterator[tuple[str | None, int]]:
    """Yield the thread limits of the numerical libraries and of OpenCV."""
    import cv2

    yield os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()


def lost(_job: object, loss: Loss) -> str:
    """Return why a job was lost."""
    return f"{loss.code} ({loss.detail})"


def never() -> bool:
    """Return False: do not stop."""
    return False


def run(jobs: list[int], workers: int, limits: Limits | None = None) -> list[tuple[int | str, ...]]:
    """Run the jobs, and return their outcomes in order."""
    work = Work(square, lost, limits or Limits())
    done = dict(run_jobs(work, jobs, workers=workers, stopped=never))
    return [done[number] for number in sorted(done)]


@pytest.mark.parametrize("workers", [1, 2, pytest.param(5, marks=pytest.mark.slow)])
def test_every_job_is_done(workers: int) -> None:
    """The outcomes are the same for any number of workers."""
    assert run([1, 2, 3, 4], workers) == [(1,), (4,), (9,), (16,)]


def test_no_jobs_give_nothing() -> None:
    """An empty list of jobs gives no outcomes."""
    assert run([], 2) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_dead_worker_costs_exactly_its_job(workers: int) -> None:
    """Workers that were killed or exited are replaced, and only their jobs are lost."""
    assert run([1, 13, 2, 14, 3], workers) == [
        (1,),
        ("crashed (signal 9)",),
        (4,),
        ("crashed (exit status 3)",),
        (9,),
    ]


def test_a_job_whose_worker_died_is_tried_once_more(tmp_path: Path) -> None:
    """A job whose worker died is retried once, since another job may have used up the memory."""
    paths = [tmp_path / "a", tmp_path / "b"]
    done = dict(run_jobs(Work(dies_once, lost), paths, workers=2, stopped=never))
    assert done == {0: ("done",), 1: ("done",)}


def test_a_worker_that_hangs_is_ended() -> None:
    """A worker without an outcome for too long is ended, and only its job is lost."""
    limits = Limits(seconds=1.5)
    assert run([1, 16, 18, 2], 2, limits) == [
        (1,),
        ("timed_out (1.5 s)",),
        ("still at it",) * 4 + (324,),
        (4,),
    ]


def test_a_worker_that_takes_too_much_memory_is_ended() -> None:
    """A worker that exceeds the memory limit is ended, and only its job is lost."""
    assert run([1, 17, 2], 1, Limits(memory_mb=300)) == [
        (1,),
        ("out_of_memory (300 MB)",),
        (4,),
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_comes_back(workers: int) -> None:
    """An exception in a job is raised in the parent process."""
    with pytest.raises(ValueError, match="fifteen"):
        run([15, 1], workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_stopping_finishes_what_is_in_hand(workers: int) -> None:
    """Once stopped, no new job starts, and those in progress are still reported."""
    done: list[int] = []
    work: Work[int, int | str] = Work(slow, lost)
    for number, _ in run_jobs(work, range(50), workers=workers, stopped=lambda: len(done) >= 5):
        done.append(number)
    assert 5 <= len(done) <= 5 + workers


def test_workers_use_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker limits the numerical libraries and OpenCV to one thread."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    work: Work[int, tuple[str | None, int] | str] = Work(environment, lost)
    outcomes = dict(run_jobs(work, [1, 2], workers=2, stopped=never))
    assert set(outcomes.values()) == {(("1", 1),)}


def _sleepers(marker: str) -> Sequence[psutil.Process]:
    """Return the processes that have the marker in their environment."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("POOL_TEST") == marker
    ]


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Workers end when their parent is killed, so that they do not write beside the next run."""
    marker = str(tmp_path)
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from tests.batch.test_pool import run; run([16, 16], 2)",
        ],
        cwd=ROOT,
        env={**os.environ, "POOL_TEST": marker},
    )
    deadline = time.monotonic() + 30
    while len(_sleepers(marker)) < 4 and time.monotonic() < deadline:  # resource tracker included
        time.sleep(0.1)
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    while _sleepers(marker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _sleepers(marker)
