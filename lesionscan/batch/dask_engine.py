"""The same job on a Dask cluster; the extra `dask`.

Films travel in batches, a bounded number of them at a time. Dask does the rest: it sends the work
to its workers and sends it again when one dies. A batch that has killed several workers is sent
film by film, so that only the film is lost that is to blame.
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

_MOST_IN_BATCH = 8
"""A message costs 2 ms, a film a hundred times that; a stopped run waits for batches in hand."""
_BATCHES_A_WORKER = 3
"""In flight: one in work and two waiting, so that no worker waits for the network."""
_CONNECT_SECONDS = 30
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 600.0
"""A cluster that grows with its work may have no worker for a while."""
_NO_HTTP: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""A cluster on this machine shows nothing over HTTP, where everybody may ask."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What a worker says of one film: its outcomes, and its files where they are returned."""

    outcomes: tuple[Outcome, ...]
    files: dict[str, bytes]


@contextmanager
def dask_engine(
    address: str | None, *, local_workers: int = 0, returned: bool = False
) -> Iterator[tuple[Engine, int]]:
    """Connect to a cluster, or start one on this machine; yield an engine and its workers' number.

    Parameters
    ----------
    address
        The scheduler's, such as "tcp://head:8786"; None starts a cluster here.
    local_workers
        Its number of workers.
    returned
        Whether the workers return the results, to be written here, instead of writing them to a
        storage that they share with this machine.

    Raises
    ------
    InputError
        When no scheduler answers, it has no workers, or they cannot be used, or a cluster here
        cannot be protected, because cryptography is not installed.
    """
    if address is None:
        security = _own_security()
        with _quiet(), dask.config.set(_NO_HTTP):
            with signals_held_back():  # its threads and processes inherit that: the run stops them
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
    """Return keys for one cluster: who connects to it without them could run code as this user."""
    try:
        security: Security = Security.temporary()
    except ImportError as error:
        raise InputError(
            "cryptography is not installed; run: pip install 'lesionscan[dask]'"
        ) from error
    return security


def _has_keys() -> bool:
    """Say whether Dask's configuration names keys with which a client can connect by TLS."""
    try:
        return Security().get_connection_args("client").get("ssl_context") is not None
    except OSError:  # a file is missing, or holds something else (ssl.SSLError is one too)
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own log lines from the user: the results state what went wrong."""
    # each has a level of its own, from Dask's configuration
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
    """Return how many workers there are; they must have one thread each and the same program."""
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
        self._in_flight: dict[Any, Sequence[int]] = {}  # the numbers of the jobs, by future

    def __call__(
        self, jobs: Sequence[Job], stopped: Callable[[], bool]
    ) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        """Do the jobs; see `lesionscan.batch.run.Engine`."""
        if len(jobs) and not self._returned:
            self._check_storage(jobs[0].out)
        size = max(1, min(_MOST_IN_BATCH, len(jobs) // (4 * self._workers)))
        pending = (range(at, min(at + size, len(jobs))) for at in range(0, len(jobs), size))
        try:
            while True:
                while len(self._in_flight) < _BATCHES_A_WORKER * self._workers and not stopped():
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
                    if future.status == "lost":  # its worker died; the scheduler runs it again
                        continue
                    yield from self._outcomes(future, self._in_flight.pop(future), jobs)
        finally:
            self._client.cancel(list(self._in_flight))

    def _check_storage(self, out: Path) -> None:
        """Let the workers look for a file: results that they write elsewhere would be lost."""
        with probe(out.absolute()) as path:
            seen = self._client.run(_is_there, str(path))
        if not all(seen.values()):
            raise InputError(
                f"Dask workers do not see the output folder {out}; name one on storage that they "
                "share, or let them return the results (--dask-return)"
            )

    def _kept(self, job: Job) -> tuple[Outcome, ...]:
        """Look for earlier results here where the workers do not see them."""
        return kept_outcomes(job) if self._returned and job.resume else ()

    def _submit(self, numbers: Sequence[int], jobs: Sequence[Job]) -> None:
        films = [_absolute(jobs[number]) for number in numbers]
        # not pure: equal jobs are not the same, since the files may have changed
        future = self._client.submit(
            _do, films, returned=self._returned, version=__version__, pure=False
        )
        self._in_flight[future] = numbers

    def _finished(self, stopped: Callable[[], bool]) -> Sequence["Future[list[_Done]]"]:
        """Wait until a batch is finished; give up where nobody is left to finish it."""
        alone_since: float | None = None
        while True:
            with suppress(TimeoutError):
                done = wait(list(self._in_flight), _LOOK_SECONDS, return_when="FIRST_COMPLETED")
                return list(done.done)
            if self._client.nthreads():
                alone_since = None
                continue
            now = time.monotonic()
            alone_since = alone_since or now
            if stopped() or now - alone_since > _PATIENCE_SECONDS:
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


def _is_there(path: str) -> bool:
    return Path(path).is_file()


def _absolute(job: Job) -> Job:
    """Name places as a worker in another folder does."""
    return replace(
        job,
        path=job.path.absolute(),
        out=job.out.absolute(),
        scorer=None if job.scorer is None else job.scorer.absolute(),
    )


def _do(jobs: Sequence[Job], *, returned: bool, version: str) -> list[_Done]:
    """Do a batch, in a worker."""
    if version != __version__:
        raise InputError(f"a Dask worker has lesionscan {__version__}, not {version}")
    settle_worker()
    if not returned:
        return [_Done(tuple(process(job)), {}) for job in jobs]
    return [_do_and_return(job) for job in jobs]


def _do_and_return(job: Job) -> _Done:
    # in the worker's own folder, which its nanny clears away where it is killed
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
    """Write what a worker has returned; return what became of it."""
    outcomes = tuple(_write(job, outcome, done.files) for outcome in done.outcomes)
    remove_others(job.out, job.name, pictures=len(outcomes))
    return outcomes


def _write(job: Job, outcome: Outcome, files: Mapping[str, bytes]) -> Outcome:
    """Write a picture's results; return its outcome, which may have become a failure."""
    paths = ResultPaths.of(job.out, outcome.name)

    def returned(path: Path) -> bytes | None:
        return files.get(path.relative_to(job.out).as_posix())

    record = returned(paths.record)
    if record is None:  # there is none under a name that is too long
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
