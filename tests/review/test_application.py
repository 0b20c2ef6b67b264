"""Responses of the application where tests need a simulated disk error or bug."""

import errno
import json
import os
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from lesionscan.review import application
from lesionscan.review.application import ReviewApplication
from lesionscan.review.page_data import film_json
from lesionscan.review.served import FileKind
from lesionscan.review.store import ReviewStore
from tests.review.made import page_folder, plain_review

HOST = "127.0.0.1:5000"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Return a client of the application, without a socket."""
    results = page_folder(tmp_path / "results")
    return Client(ReviewApplication(results, ReviewStore(results), token="t", hosts=[HOST]))  # noqa: S106


def save(client: Client) -> TestResponse:
    """Save a review."""
    return client.put(
        "/t/review.json",
        base_url=f"http://{HOST}",
        data=json.dumps(plain_review()),
        headers={"If-Match": '"none"'},
    )


def test_a_full_disk_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk gives 507 with one line; with free space, the same save succeeds."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        answer = save(client)
    assert answer.status_code == 507
    assert answer.text.startswith("not saved: cannot write ")
    assert answer.text.endswith("No space left on device; free some space and save again\n")
    assert save(client).status_code == 204


def test_a_mistake_of_ours_is_one_line(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error sends neither a traceback nor text that may come from a file."""

    def mistaken(_results: Path, _name: str) -> Path:
        raise RuntimeError("PatientName Smith")

    monkeypatch.setattr(application, "served_file", mistaken)
    answer = client.get("/t/a.json", base_url=f"http://{HOST}")
    assert (answer.status_code, answer.text) == (
        500,
        "internal error (RuntimeError); please report this\n",
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_goes_meanwhile_is_not_found(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file removed between look-up and opening gives 404."""
    for kind in (FileKind("application/json"), FileKind("application/json", film_json)):
        gone = (tmp_path / "gone.json", kind)
        with monkeypatch.context() as patch:
            patch.setattr(application, "served_file", lambda _results, _name, gone=gone: gone)
            assert client.get("/t/gone.json", base_url=f"http://{HOST}").status_code == 404
