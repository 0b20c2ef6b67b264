"""A Dask cluster writes the same bytes as the local pool, and loses no film."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.batch.films import tree, write_film
from tests.batch.stub import KILL
from tests.cli.command import ROOT, STUB, stub_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra dask"),
]

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COUNT = 40


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder of films, one of which is damaged."""
    for number in range(COUNT - 1):
        write_film(tmp_path / "in" / f"{number}.png", score=100 + number)
    write_film(tmp_path / "in" / "bad.png").write_bytes(b"x")
    return tmp_path / "in"


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def cluster(
    folder: Path, *, workers: int, threads: int = 1, keys: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[int]]]:
    """Start a scheduler and workers as separate processes; yield their address and process ids.

    The workers preload the stub, like the command line of these tests. With `keys`, environment
    variables that configure Dask, the cluster uses TLS.
    """
    address = f"{'tls' if keys else 'tcp'}://127.0.0.1:{free_port()}"
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
            env={**ENVIRONMENT, **(keys or {})},
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


def wait_for_workers(address: str, count: int, *, keys: Path | None = None) -> None:
    """Wait until `count` workers are connected; `keys` is the folder of `tls_keys`, if used."""
    from distributed import Client, Security

    security = keys and Security(
        require_encryption=True,
        tls_ca_file=str(keys / "ca.pem"),
        tls_client_cert=str(keys / "cert.pem"),
        tls_client_key=str(keys / "key.pem"),
    )
    with Client(address, timeout=30, security=security) as client:
        client.wait_for_workers(count, timeout=60)


@pytest.mark.parametrize("how", [[], ["--dask-return"]])
def test_a_cluster_gives_the_bytes_of_the_local_pool(
    films: Path, tmp_path: Path, how: list[str]
) -> None:
    """A cluster gives the same bytes even if a worker is killed; a second run keeps all results."""
    stub_process("scan", films, "-o", tmp_path / "local")
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
        assert f"{COUNT} films: {COUNT - 1} ok" in said  # those done twice count as kept
        assert "1 failed (not_an_image 1)" in said
        assert tree(out) == tree(tmp_path / "local")
        again = stub_process("scan", films, "-o", out, "--dask", address, *how)
        assert f"{COUNT - 1} ok ({COUNT - 1} kept)" in again.stdout
        assert tree(out) == tree(tmp_path / "local")


def test_a_cluster_on_this_machine_loses_only_the_film_that_kills(
    films: Path, tmp_path: Path
) -> None:
    """Killed workers are restarted, and only the film that kills them is reported as crashed."""
    write_film(films / "kill.png", KILL)
    done = stub_process("scan", films, "-o", tmp_path / "out", "--dask-local", 2)
    assert done.returncode == 1
    assert f"{COUNT + 1} films: {COUNT - 1} ok" in done.stdout  # those done twice count as kept
    assert "2 failed (" in done.stdout
    assert "kill.png: failed (crashed)" in done.stderr


def test_clusters_that_cannot_be_used_are_told(films: Path, tmp_path: Path) -> None:
    """A missing scheduler, no workers, and workers with several threads are reported as errors."""
    with cluster(tmp_path, workers=0) as (address, _):
        time.sleep(3)
        done = stub_process("scan", films, "-o", tmp_path / "o", "--dask", address)
        assert done.returncode == 2
        assert f"the Dask scheduler at {address} has no workers; start some" in done.stderr
    with cluster(tmp_path, workers=1, threads=2) as (address, _):
        wait_for_workers(address, 1)
        done = stub_process("scan", films, "-o", tmp_path / "o", "--dask", address)
        assert done.returncode == 2
        assert "a Dask worker runs several threads; start workers with --nthreads 1" in done.stderr
    done = stub_process("scan", films, "-o", tmp_path / "o", "--dask", "nonsense://x")
    assert done.returncode == 2
    assert "no Dask scheduler answers at nonsense://x" in done.stderr


@pytest.mark.parametrize("file", [None, "text", "missing"])
def test_a_protected_cluster_needs_keys(tmp_path: Path, file: str | None) -> None:
    """A TLS address is refused if the key files are not configured, invalid or missing."""
    import dask.config

    from lesionscan.batch.dask_engine import dask_engine
    from lesionscan.batch.discover import InputError

    (tmp_path / "text").write_text("no key")
    path = None if file is None else str(tmp_path / file)
    names = ("ca-file", "client.cert", "client.key")
    with (
        dask.config.set({f"distributed.comm.tls.{name}": path for name in names}),
        pytest.raises(InputError, match=r"tls://x:1 needs keys; .*distributed\.comm\.tls\.ca-file"),
        dask_engine("tls://x:1"),
    ):
        pass


def tls_keys(folder: Path) -> dict[str, str]:
    """Write TLS keys for a cluster; return environment variables that configure them in Dask."""
    from distributed import Security

    keys = Security.temporary()
    files = {"cert": keys.tls_client_cert, "key": keys.tls_client_key, "ca": keys.tls_ca_file}
    for name, text in files.items():
        (folder / f"{name}.pem").write_text(text)
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    return {f"{tls}CA_FILE": str(folder / "ca.pem")} | {
        f"{tls}{role}__{name.upper()}": str(folder / f"{name}.pem")
        for role in ("CLIENT", "SCHEDULER", "WORKER")
        for name in ("cert", "key")
    }


def test_a_protected_cluster_is_used_with_keys(films: Path, tmp_path: Path) -> None:
    """With TLS keys in Dask's configuration, a scan runs on a cluster that uses TLS."""
    keys = tls_keys(tmp_path)
    with cluster(tmp_path, workers=1, keys=keys) as (address, _):
        wait_for_workers(address, 1, keys=tmp_path)
        done = subprocess.run(
            [*STUB, "scan", films, "-o", tmp_path / "out", "--dask", address],
            check=False, capture_output=True, text=True, cwd=ROOT, env={**ENVIRONMENT, **keys},
            timeout=120,
        )  # fmt: skip
    assert f"{COUNT} films: {COUNT - 1} ok" in done.stdout


def listening(process: psutil.Process) -> list[int]:
    """Return the ports on which a process and its children listen."""
    return [
        connection.laddr.port
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


def greeting(port: int, said: bytes) -> bytes:
    """Send bytes to a port, and return the reply."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as raw:
        raw.sendall(said)
        return raw.recv(1000)
    return b""


def secret_greeting(port: int) -> bytes:
    """Connect by TLS without a certificate, accepting any, and return what the server sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=2) as raw,
        context.wrap_socket(raw) as wrapped,
    ):
        return wrapped.recv(1000)
    return b""


def test_nobody_else_can_use_the_cluster_on_this_machine(films: Path, tmp_path: Path) -> None:
    """A client without the run's own keys cannot connect to any process of a local cluster.

    This protects the cluster from other users of the machine, who can reach its ports.
    """
    from distributed import Client, Security

    scan = subprocess.Popen(
        [*STUB, "scan", films, "-o", tmp_path / "out", "--dask-local", "2"],
        cwd=ROOT, env={**ENVIRONMENT, "STUB_SECONDS": "2"}, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        ports = listening(psutil.Process(scan.pid))
        assert len(ports) >= 5  # scheduler, workers and their nannies
        encrypted = 0
        for port in ports:
            answer = greeting(port, b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 404 ") or answer == b""
            encrypted += answer == b""
            assert secret_greeting(port) == b""
            # a TimeoutError of asyncio has no message
            with pytest.raises(OSError, match=r"certificate|Timed out|closed|SSL|^$"):
                Client(f"tls://127.0.0.1:{port}", timeout=0.5, security=Security.temporary())
        assert encrypted >= 5
    finally:
        os.killpg(scan.pid, signal.SIGKILL)
        scan.wait()


def test_a_cluster_here_needs_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package cryptography, which creates the keys, a local cluster is refused."""
    from lesionscan.batch.dask_engine import dask_engine
    from lesionscan.batch.discover import InputError

    monkeypatch.setitem(sys.modules, "cryptography", None)
    with (
        pytest.raises(InputError, match="cryptography is not installed; run: pip install"),
        dask_engine(None, local_workers=1),
    ):
        pass


def test_ctrl_c_is_the_runs_business_alone(films: Path, tmp_path: Path) -> None:
    """A SIGINT to the whole process group stops the run cleanly, and the next run completes it.

    A terminal sends Ctrl-C to the workers too; they must finish the films they have started.
    """
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
    assert complaints.splitlines()[-1] == "stopped; rerun the command to resume"
    stub_process("scan", films, "-o", out)
    stub_process("scan", films, "-o", tmp_path / "local")
    assert tree(out) == tree(tmp_path / "local")


def test_a_folder_that_workers_do_not_see_is_refused(films: Path, tmp_path: Path) -> None:
    """An output folder that one of the workers cannot see is refused, and nothing is left in it.

    Results written elsewhere would be lost; with --dask-return the workers return them instead.
    """
    from lesionscan.batch import dask_engine as engine_module
    from lesionscan.batch.discover import InputError
    from lesionscan.batch.outcome import Job
    from lesionscan.settings import Settings

    class Elsewhere:
        """A cluster in which one of two workers does not see the output folder."""

        def run(self, _function: object, _path: str) -> dict[str, bool]:
            """Return for each of two workers whether it sees the file."""
            return {"one": True, "two": False}

        def cancel(self, _futures: object) -> None:
            """Cancel nothing."""

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
    """A returned film whose name is too long for a JSON writes nothing and stops no run."""
    from lesionscan.batch import dask_engine as engine_module
    from lesionscan.batch.outcome import Job, Outcome
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


def test_a_result_lost_with_its_worker_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine waits while the scheduler reruns a batch whose worker died before returning it."""
    from lesionscan.batch import dask_engine as engine_module
    from lesionscan.batch.outcome import Job, Outcome
    from lesionscan.settings import Settings

    outcome = Outcome("a.png", "ok", None, 0, 0, best_score=None, seconds=0.0, resumed=False)

    class Future:
        status = "lost"

        def exception(self) -> None:
            assert self.status == "finished"

        def result(self) -> list[engine_module._Done]:
            return [engine_module._Done((outcome,), {})]

    class Client:
        def submit(self, *_: object, **__: object) -> Future:
            return Future()

        def run(self, *_: object) -> dict[str, bool]:
            return {"worker": True}

        def cancel(self, futures: list[Future]) -> None:
            assert not futures

    class Waited:
        def __init__(self, done: list[Future]) -> None:
            self.done = done

    waited: list[str] = []

    def wait(futures: list[Future], *_: object, **__: object) -> Waited:
        waited.append(futures[0].status)
        if len(waited) > 1:
            futures[0].status = "finished"
        return Waited(futures)

    monkeypatch.setattr(engine_module, "wait", wait)
    (out := tmp_path / "out").mkdir()
    job = Job(tmp_path / "a.png", "a.png", out, Settings(), None, resume=True)
    client: Any = Client()
    engine = engine_module._Engine(client, 1, returned=False)
    assert list(engine([job], lambda: False)) == [(0, (outcome,))]
    assert waited == ["lost", "lost"]
