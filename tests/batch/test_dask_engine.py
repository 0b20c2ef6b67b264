"""A Dask cluster gives the bytes of the local pool, and loses nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.batch.films import tree, write_film
from tests.batch.stub import KILL
from tests.cli.test_scan import ROOT, STUB, lesionscan

pytest.importorskip("distributed", reason="needs the extra dask")
pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COUNT = 40


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder of films, one of them broken."""
    for number in range(COUNT - 1):
        write_film(tmp_path / "in" / f"{number}.png", score=100 + number)
    write_film(tmp_path / "in" / "bad.png").write_bytes(b"x")
    return tmp_path / "in"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def cluster(folder: Path, *, workers: int, threads: int = 1) -> Iterator[tuple[str, list[int]]]:
    """Start a scheduler and workers in processes of their own; yield address and process ids.

    The workers preload the stub, so that they search as the tests' command line does.
    """
    address = f"tcp://127.0.0.1:{free_port()}"
    preload = folder / "stub_preload.py"
    preload.write_text(
        "from lesionscan.detection import pipeline\n"
        "from tests.batch.stub import find_stub\n"
        "pipeline.find_candidates = find_stub\n"
    )
    options = ["--no-dashboard", "--nthreads", str(threads), "--no-nanny"]
    commands = [
        ["dask_scheduler", "--host", address, "--no-dashboard"],
        *[["dask_worker", address, *options, "--preload", str(preload)]] * workers,
    ]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *rest],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for program, *rest in commands
    ]
    try:
        yield address, [process.pid for process in started[1:]]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def wait_for_workers(address: str, count: int) -> None:
    """Wait until so many workers have come."""
    from distributed import Client

    with Client(address, timeout=30) as client:
        client.wait_for_workers(count, timeout=60)


@pytest.mark.parametrize("how", [[], ["--dask-return"]])
def test_a_cluster_gives_the_bytes_of_the_local_pool(
    films: Path, tmp_path: Path, how: list[str]
) -> None:
    """Also with one worker killed half way; a second run keeps all."""
    lesionscan("scan", films, "-o", tmp_path / "local")
    out = tmp_path / "out"
    with cluster(tmp_path, workers=2) as (address, processes):
        wait_for_workers(address, 2)
        scan = subprocess.Popen(
            [*STUB, "scan", films, "-o", out, "--dask", address, *how],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while len(list(out.rglob("*.json"))) < COUNT // 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(processes[0], signal.SIGKILL)
        said, _ = scan.communicate(timeout=120)
        assert scan.returncode == 1
        assert f"{COUNT} films: {COUNT - 1} ok" in said  # those done twice are "from before"
        assert "1 failed (not_an_image 1)" in said
        assert tree(out) == tree(tmp_path / "local")
        again = lesionscan("scan", films, "-o", out, "--dask", address, *how)
        assert f"{COUNT - 1} ok ({COUNT - 1} from before)" in again.stdout
        assert tree(out) == tree(tmp_path / "local")


def test_a_cluster_on_this_machine_loses_only_the_film_that_kills(
    films: Path, tmp_path: Path
) -> None:
    """Its workers come back; the film is told as crashed."""
    write_film(films / "kill.png", KILL)
    done = lesionscan("scan", films, "-o", tmp_path / "out", "--dask-local", 2)
    assert done.returncode == 1
    assert f"{COUNT + 1} films: {COUNT - 1} ok" in done.stdout  # some done again, so "from before"
    assert "2 failed (" in done.stdout
    assert "kill.png: failed (crashed)" in done.stderr


INTRUDER = """
import sys
from distributed import Client
try:
    Client(sys.argv[1], timeout=5).submit(print, 1).result(timeout=5)
except Exception as error:
    sys.exit(f"refused: {type(error).__name__}")
"""


def test_nobody_else_can_use_a_cluster_on_this_machine() -> None:
    """Its scheduler speaks TLS, and a client without the run's own keys is refused."""
    from lesionscan.batch.dask_engine import dask_engine

    with dask_engine(None, local_workers=1) as (engine, _):
        address = engine._client.scheduler.address  # type: ignore[attr-defined]
        assert address.startswith("tls://127.0.0.1:")
        for tried in (address, address.replace("tls://", "tcp://")):
            done = subprocess.run(
                [sys.executable, "-c", INTRUDER, tried],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 1
            assert "refused: " in done.stderr


def test_clusters_that_cannot_be_used_are_told(films: Path, tmp_path: Path) -> None:
    """No scheduler, no workers, workers with several threads: one line each."""
    with cluster(tmp_path, workers=0) as (address, _):
        time.sleep(3)
        done = lesionscan("scan", films, "-o", tmp_path / "o", "--dask", address)
        assert done.returncode == 2
        assert f"the Dask scheduler at {address} has no workers; start some" in done.stderr
    with cluster(tmp_path, workers=1, threads=2) as (address, _):
        wait_for_workers(address, 1)
        done = lesionscan("scan", films, "-o", tmp_path / "o", "--dask", address)
        assert done.returncode == 2
        assert "a Dask worker runs several threads; start workers with --nthreads 1" in done.stderr
    done = lesionscan("scan", films, "-o", tmp_path / "o", "--dask", "nonsense://x")
    assert done.returncode == 2
    assert "no Dask scheduler answers at nonsense://x" in done.stderr


def test_ctrl_c_is_the_runs_business_alone(films: Path, tmp_path: Path) -> None:
    """A terminal sends it to the workers too; films in hand are finished, and the run goes on."""
    out = tmp_path / "out"
    scan = subprocess.Popen(
        [*STUB, "scan", films, "-o", out, "--dask-local", "2"],
        cwd=ROOT,
        env={**ENVIRONMENT, "STUB_SECONDS": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(list(out.rglob("*.json"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(scan.pid, signal.SIGINT)
    said, complaints = scan.communicate(timeout=120)
    assert scan.returncode == 130
    assert "not done" in said
    assert "Traceback" not in complaints
    assert complaints.splitlines()[-1] == "stopped; the same command goes on where it stopped"
    lesionscan("scan", films, "-o", out)
    lesionscan("scan", films, "-o", tmp_path / "local")
    assert tree(out) == tree(tmp_path / "local")


def test_a_folder_that_workers_do_not_see_is_refused(films: Path, tmp_path: Path) -> None:
    """Results written elsewhere would be lost; they can be returned instead."""
    from lesionscan.batch import dask_engine as engine_module
    from lesionscan.batch.discover import InputError
    from lesionscan.batch.job import Job
    from lesionscan.settings import Settings

    class Elsewhere:
        """A cluster that shares nothing."""

        def run(self, _function: object, _path: str) -> dict[str, bool]:
            """Look for the file on two workers."""
            return {"one": True, "two": False}

        def cancel(self, _futures: object) -> None:
            """Forget work."""

    out = tmp_path / "out"
    job = Job(films / "1.png", "1.png", out, Settings(), None, resume=True)
    elsewhere: Any = Elsewhere()
    engine = engine_module._Engine(elsewhere, 2, returned=False)
    with pytest.raises(
        InputError, match=r"do not see the output folder .*out; name one on storage"
    ):
        next(engine([job], lambda: False))
    assert not list(out.iterdir())


def test_a_returned_film_without_a_json_is_not_written(tmp_path: Path) -> None:
    """One that failed under too long a name leaves nothing, and does not stop the run."""
    from lesionscan.batch import dask_engine as engine_module
    from lesionscan.batch.job import Job, Outcome
    from lesionscan.radiograph import Notice
    from lesionscan.settings import Settings

    name = "x" * 247 + ".png"
    out = tmp_path / "out"
    out.mkdir()
    job = Job(tmp_path / name, name, out, Settings(), None, resume=True)
    failed = Outcome(
        name,
        "failed",
        Notice("truncated", "cut"),
        0,
        0,
        best_score=None,
        seconds=0.0,
        resumed=False,
    )
    assert engine_module._written(job, engine_module._Done((failed,), {})) == (failed,)
    assert not list(out.iterdir())
