"""Engine for Dask clusters (extra `dask`).

Films are sent in batches, of which a limited number is in flight. Dask distributes them to the
workers, and resends a batch when a worker dies. A batch that has killed several workers is split
into single films, so that only the film that causes it is lost.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, Future, KilledWorker, LocalCluster, Security, get_worker, wait

from lesionscan import __version__
from lesionscan.batch.discover import InputError
from lesionscan.batch.exports import not_own
from lesionscan.batch.job import fail, lost, process, unusable_name
from lesionscan.batch.outcome import Job, Outcome, outcome_of
from lesionscan.batch.pool import Loss, settle_worker, signals_held_back
from lesionscan.batch.resume import kept_outcomes
from lesionscan.batch.run import Engine, EngineError
from lesionscan.codes import ErrorCode
from lesionscan.results.atomic import UnusableNameError
from lesionscan.results.folder import remove_others, write_result
from lesionscan.results.paths import ResultPaths, probe
from lesionscan.results.record import InputRecord

_MAX_BATCH = 8
"""A message takes 2 ms, a film a hundred times that; a stopped run waits for batches in flight."""
_BATCHES_PER_WORKER = 3
"""In flight: one running and two queued, so that no worker waits for the network."""
_CONNECT_SECONDS = 30
_POLL_SECONDS = 1.0
_NO_WORKER_SECONDS = 600.0
"""An adaptive cluster may have no worker for a while."""
_NO_HTTP: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""No HTTP pages of a cluster on this machine, because any user could open them."""


@dataclass(frozen=True, slots=True)
class _Done:
    """The outcomes of a file, and its result files if workers return them."""

    outcomes: tuple[Outcome, ...]
    files: dict[str, bytes]


@contextmanager
def dask_engine(
    address: str | None, *, local_workers: int = 0, returned: bool = False
) -> Iterator[tuple[Engine, int]]:
    """Connect to a cluster or start one; yield an engine and the number of its workers.

    Parameters
    ----------
    address
        Address of the scheduler, such as "tcp://head:8786"; None starts a cluster on this machine.
    local_workers
        Number of workers of that cluster.
    returned
        Whether the workers return the results to this machine, which writes them, instead of
        writing them to shared storage.

    Raises
    ------
    InputError
        If no scheduler answers, it has no workers, or they cannot be used; or if a local cluster
        cannot be protected because cryptography is not installed.
    """
    if address is None:
        security = _own_security()
        with _quiet(), dask.config.set(_NO_HTTP):
            with signals_held_back():  # inherited by its threads and processes
                cluster = LocalCluster(
                    n_workers=local_workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    security=security,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            with cluster, Client(cluster) as client:
                yield _Engine(client, local_workers, returned=returned), local_workers
        return
    if address.startswith("tls://") and not _has_keys():
        raise InputError(
            f"{address} needs keys; name usable files in Dask's configuration: "
            "distributed.comm.tls.ca-file, client.cert and client.key"
        )
    with _quiet():
        try:
            client = Client(address, timeout=_CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at {address}; start one (dask scheduler), or check the "
                "address"
            ) from error
        with client:
            workers = _checked_workers(client, address)
            yield _Engine(client, workers, returned=returned), workers


def _own_security() -> Security:
    """Return keys for a local cluster; without them, anybody who connects could run code."""
    try:
        security: Security = Security.temporary()
    except ImportError as error:
        raise InputError(
            "cryptography is not installed; run: pip install 'lesionscan[dask]'"
        ) from error
    return security


def _has_keys() -> bool:
    """Return whether Dask's configuration names usable keys for TLS."""
    try:
        return Security().get_connection_args("client").get("ssl_context") is not None
    except OSError:  # a file is missing or invalid (ssl.SSLError is an OSError)
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress log messages of Dask; errors are in the results."""
    # Dask's configuration sets the level of each logger
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _checked_workers(client: Client, address: str) -> int:
    """Return the number of workers; check that they have one thread and the same version."""
    threads: dict[str, int] = client.nthreads()
    if not threads:
        raise InputError(f"the Dask scheduler at {address} has no workers; start some")
    if max(threads.values()) > 1:
        raise InputError(
            "a Dask worker runs several threads; start workers with --nthreads 1 (and more of them)"
        )
    try:
        versions = set(client.run(_version).values())
    except ModuleNotFoundError as error:
        raise InputError(f"Dask workers lack {error.name}; install lesionscan for them") from error
    if versions != {__version__}:
        other = ", ".join(sorted(versions - {__version__}))
        raise InputError(
            f"Dask workers have lesionscan {other}, this machine {__version__}; install the same"
        )
    return len(threads)


def _version() -> str:
    return __version__


class _Engine:
    """An `Engine` on a cluster."""

    def __init__(self, client: Client, workers: int, *, returned: bool) -> None:
        self._client = client
        self._workers = workers
        self._returned = returned
        self._in_flight: dict[Any, Sequence[int]] = {}  # indices of jobs by future

    def __call__(
        self, jobs: Sequence[Job], stopped: Callable[[], bool]
    ) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        """Process the jobs; see `lesionscan.batch.run.Engine`."""
        if len(jobs) and not self._returned:
            self._check_storage(jobs[0].out)
        size = max(1, min(_MAX_BATCH, len(jobs) // (4 * self._workers)))
        pending = (range(at, min(at + size, len(jobs))) for at in range(0, len(jobs), size))
        try:
            while True:
                while len(self._in_flight) < _BATCHES_PER_WORKER * self._workers and not stopped():
                    batch = next(pending, None)
                    if batch is None:
                        break
                    todo = []
                    for number in batch:
                        if kept := self._kept(jobs[number]):
                            yield number, kept
                        else:
                            todo.append(number)
                    if todo:
                        self._submit(todo, jobs)
                if not self._in_flight:
                    return
                for future in self._finished(stopped):
                    if future.status == "lost":  # its worker died; the scheduler reruns it
                        continue
                    yield from self._outcomes(future, self._in_flight.pop(future), jobs)
        finally:
            self._client.cancel(list(self._in_flight))

    def _check_storage(self, out: Path) -> None:
        """Check that the workers see the output folder; otherwise their results would be lost."""
        with probe(out.absolute()) as path:
            visible = self._client.run(_exists, str(path))
        if not all(visible.values()):
            raise InputError(
                f"Dask workers do not see the output folder {out}; name one on storage that they "
                "share, or let them return the results (--dask-return)"
            )

    def _kept(self, job: Job) -> tuple[Outcome, ...]:
        """Return the outcomes of earlier results if the workers do not see them."""
        return kept_outcomes(job) if self._returned and job.resume else ()

    def _submit(self, numbers: Sequence[int], jobs: Sequence[Job]) -> None:
        films = [_absolute(jobs[number]) for number in numbers]
        # not pure, because files may have changed since the same job ran
        future = self._client.submit(
            _run_batch, films, returned=self._returned, version=__version__, pure=False
        )
        self._in_flight[future] = numbers

    def _finished(self, stopped: Callable[[], bool]) -> Sequence["Future[list[_Done]]"]:
        """Wait until a batch is finished; raise EngineError if there is no worker for too long."""
        no_worker_since: float | None = None
        while True:
            with suppress(TimeoutError):
                done = wait(list(self._in_flight), _POLL_SECONDS, return_when="FIRST_COMPLETED")
                return list(done.done)
            if self._client.nthreads():
                no_worker_since = None
                continue
            now = time.monotonic()
            no_worker_since = no_worker_since or now
            if stopped() or now - no_worker_since > _NO_WORKER_SECONDS:
                raise EngineError("no Dask worker is left")

    def _outcomes(
        self, future: "Future[list[_Done]]", numbers: Sequence[int], jobs: Sequence[Job]
    ) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        if future.status not in {"finished", "error"}:
            raise EngineError("the Dask scheduler is gone")
        error = future.exception()
        if error is None:
            for number, done in zip(numbers, future.result(), strict=True):
                job = jobs[number]
                yield number, _written(job, done) if self._returned else done.outcomes
        elif not isinstance(error, KilledWorker):
            raise error
        elif len(numbers) > 1:
            for number in numbers:
                self._submit([number], jobs)
        else:
            loss = Loss(ErrorCode.CRASHED, "several Dask workers died of it")
            yield numbers[0], (lost(jobs[numbers[0]], loss),)


def _exists(path: str) -> bool:
    return Path(path).is_file()


def _absolute(job: Job) -> Job:
    """Make paths absolute, because workers may run in another folder."""
    return replace(
        job,
        path=job.path.absolute(),
        out=job.out.absolute(),
        scorer=None if job.scorer is None else job.scorer.absolute(),
    )


def _run_batch(jobs: Sequence[Job], *, returned: bool, version: str) -> list[_Done]:
    """Process a batch in a worker."""
    if version != __version__:
        raise InputError(f"a Dask worker has lesionscan {__version__}, not {version}")
    settle_worker()
    if not returned:
        return [_Done(tuple(process(job)), {}) for job in jobs]
    return [_process_and_return(job) for job in jobs]


def _process_and_return(job: Job) -> _Done:
    # in the worker's own folder, which its nanny removes if the worker is killed
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as folder:
        out = Path(folder)
        outcomes = tuple(process(replace(job, out=out, resume=False)))
        files = {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file()
        }
    return _Done(outcomes, files)


def _written(job: Job, done: _Done) -> tuple[Outcome, ...]:
    """Write the results that a worker has returned; return their outcomes."""
    outcomes = tuple(_write(job, outcome, done.files) for outcome in done.outcomes)
    remove_others(job.out, job.name, pictures=len(outcomes))
    return outcomes


def _write(job: Job, outcome: Outcome, files: Mapping[str, bytes]) -> Outcome:
    """Write the results of a film; return its outcome, which is a failure if that fails."""
    paths = ResultPaths.of(job.out, outcome.name)

    def returned(path: Path) -> bytes | None:
        return files.get(path.relative_to(job.out).as_posix())

    record = returned(paths.record)
    if record is None:  # its name is too long
        return outcome
    exports = {path: returned(path) for path in paths.exports.values()}
    try:
        refused = write_result(
            job.out,
            outcome.name,
            record=record,
            pictures={kind: returned(path) for kind, path in paths.pictures.items()},
            exports={path: data for path, data in exports.items() if data is not None},
        )
    except UnusableNameError as error:
        source = InputRecord(**json.loads(record)["input"])
        return outcome_of(fail(job, source, unusable_name(error, job.out)))
    return replace(outcome, not_exported=outcome.not_exported or not_own(refused, job.out))
