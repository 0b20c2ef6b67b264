"""Results folders, reviews and servers for the tests of reviewing."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesionscan.review.record import ReviewRecord, parse_review
from tests.batch.films import write_film
from tests.cli.command import ROOT, with_stub

TOOL = {"version": "0.1.0", "settings_sha256": "a" * 64, "scorer_sha256": "b" * 64}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
SHOWN, HIDDEN = 230, 60
"""Scores for `write_film` with which the stub's first candidate is shown, and not shown."""
SQUARE = [[9.5, 19.5], [9.5, 29.5], [19.5, 29.5], [19.5, 19.5]]
"""An outline around 10 x 10 pixels, (10, 20) to (19, 29)."""


def plain_review(**films: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return a review as JSON values."""
    return {
        "schema_version": "1.0",
        "kind": "lesionscan review",
        "tool": dict(TOOL),
        "reviewer": "R",
        "films": films,
        "disclaimer": "Research use only; not a diagnosis.",
    }


def film_review(
    seal: str = "c" * 64,
    *,
    reviewed: bool = True,
    note: str = "",
    missed: tuple[Any, ...] = (),
    **decisions: str,
) -> dict[str, Any]:
    """Return the review of a film; `c1="accepted"` decides about its candidate 1."""
    return {
        "result_sha256": seal,
        "reviewed": reviewed,
        "note": note,
        "candidates": {key[1:]: {"decision": value} for key, value in decisions.items()},
        "missed": [{"outline_px": outline, "note": "seen"} for outline in missed],
    }


def as_review(films: Mapping[str, Any]) -> ReviewRecord:
    """Return a review of these films."""
    return parse_review(json.dumps(plain_review(**films)).encode())


def page_folder(folder: Path) -> Path:
    """Create a results folder with a page, but without scanned films."""
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<!doctype html>\n<title>ü</title>\n", encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"tool": {"name": "lesionscan", **TOOL}}))
    return folder


def scanned(folder: Path, names: Mapping[str, int]) -> tuple[Path, Path]:
    """Scan films with the stub, which finds two candidates in each; return films and results."""
    films, results = folder / "films", folder / "results"
    for number, (name, score) in enumerate(names.items()):
        write_film(films / name, number, score=score)
    done = with_stub("scan", films, "--out", results)
    assert done.returncode in {0, 1}, done.stderr  # 1: a film is broken on purpose
    return films, results


def seal(results: Path, name: str) -> str:
    """Return the seal of a film's result."""
    return str(json.loads((results / f"{name}.json").read_bytes())["seal_sha256"])


@dataclass(frozen=True)
class Answer:
    """The response of a server."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Served:
    """A results folder that a separate process serves."""

    results: Path
    process: "subprocess.Popen[str]"
    port: int
    token: str

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}/{self.token}/report.html"

    def ask(
        self,
        name: str,
        method: str = "GET",
        body: bytes | None = None,
        **headers: str | None,
    ) -> Answer:
        """Request a file of the folder at the secret address."""
        return self.ask_for(f"/{self.token}/{name}", method, body, **headers)

    def ask_for(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """Send a request; `Host=None` omits that header, If_Match is sent as If-Match."""
        # always closed, since some tests kill the server meanwhile
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for key, value in {"Host": f"127.0.0.1:{self.port}", **headers}.items():
                if value is not None:
                    connection.putheader(key.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def save(self, review: Mapping[str, Any], etag: str) -> Answer:
        """Save a review."""
        return self.ask("review.json", "PUT", json.dumps(review).encode(), If_Match=etag)

    def etag(self) -> str:
        """Return the ETag of the current review."""
        return self.ask("review.json").headers["Etag"]


@contextmanager
def served(results: Path, before: Callable[[], None] | None = None) -> Iterator[Served]:
    """Serve a folder with `lesionscan review`; `before` is called in the process first."""

    def ready() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background may ignore it
        if before is not None:
            before()

    with subprocess.Popen(
        [sys.executable, "-m", "lesionscan.cli", "review", results],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=ENVIRONMENT,
        preexec_fn=ready,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("report: ").strip()
            _, _, host, token, page = address.split("/")
            assert page == "report.html"
            yield Served(results, process, int(host.partition(":")[2]), token)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
