"""A review is replaced completely, and only by a caller who has read the current one."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from lesionscan.review import store
from lesionscan.review.record import ReviewError, parse_review, review_json
from lesionscan.review.store import LOCK_NAME, NO_REVIEW, ConflictError, ReviewStore, SaveError
from tests.cli.command import ROOT
from tests.review.made import ENVIRONMENT, as_review, film_review, page_folder


@pytest.fixture
def kept(tmp_path: Path) -> ReviewStore:
    """Return the store of a folder without a review."""
    return ReviewStore(page_folder(tmp_path / "results"))


def test_nothing_is_a_review_without_films(kept: ReviewStore) -> None:
    """The first reader gets an empty review with the program's version, and no file is created."""
    read = kept.read()
    assert read.etag == NO_REVIEW
    assert parse_review(read.data).films == {}
    assert parse_review(read.data).tool.version == "0.1.0"
    assert not kept.path.exists()


def test_what_is_saved_is_read(kept: ReviewStore) -> None:
    """A saved review is read back with the same bytes and ETag, and can be saved again with it."""
    review = as_review({"b": film_review(), "a": film_review(c1="accepted")})
    saved = kept.swap(review, expected=NO_REVIEW)
    assert kept.path.read_bytes() == saved.data == review_json(review)
    assert kept.read() == saved
    assert kept.swap(review, expected=saved.etag) == saved


def test_the_second_of_two_is_told(kept: ReviewStore) -> None:
    """A save with an outdated or invalid ETag fails with the current review."""
    first = kept.swap(as_review({"a": film_review()}), expected=NO_REVIEW)
    for expected in (NO_REVIEW, "*", first.etag[1:-1], f"W/{first.etag}", ""):
        with pytest.raises(ConflictError, match="changed by somebody else") as conflict:
            kept.swap(as_review({}), expected=expected)
        assert conflict.value.current == first
    kept.path.unlink()
    with pytest.raises(ConflictError):
        kept.swap(as_review({}), expected=first.etag)


def test_what_is_no_review_is_not_replaced(kept: ReviewStore) -> None:
    """A damaged file is an error when read, written or opened, and is not changed."""
    kept.path.write_text("{")
    with pytest.raises(ReviewError, match=r"review\.json is not a usable review: .*repair"):
        kept.read()
    with pytest.raises(ReviewError, match="is not a usable review"):
        kept.swap(as_review({}), expected=NO_REVIEW)
    with pytest.raises(ReviewError, match="is not a usable review"):
        ReviewStore(kept.path.parent)
    assert kept.path.read_text() == "{"


def test_a_review_that_cannot_be_read_is_told(kept: ReviewStore) -> None:
    """A folder in place of the review gives an error."""
    kept.path.mkdir()
    with pytest.raises(ReviewError, match=r"review\.json cannot be read \(Is a directory\)"):
        kept.read()


def test_a_folder_without_page_or_run_is_told(tmp_path: Path) -> None:
    """A folder without page, or without a valid run.json, is rejected."""
    with pytest.raises(ReviewError, match=r"has no report\.html; name scan's --out folder"):
        ReviewStore(tmp_path)
    folder = page_folder(tmp_path / "r")
    for text in ("{", "[]", "{}", '{"tool": {"version": 1}}', None):
        (folder / "run.json").unlink()
        if text is not None:
            (folder / "run.json").write_text(text)
        with pytest.raises(ReviewError, match=r"has no run\.json that says what made its results"):
            ReviewStore(folder)
        (folder / "run.json").touch()


@pytest.mark.parametrize(
    ("number", "full", "words"),
    [
        (
            errno.ENOSPC,
            True,
            r"cannot write .*review\.json: No space left.*; free some space and save",
        ),
        (errno.EROFS, False, r"cannot write .*review\.json: Read-only .*; or download the review"),
    ],
)
def test_what_cannot_be_written_is_told(
    kept: ReviewStore, monkeypatch: pytest.MonkeyPatch, number: int, words: str, *, full: bool
) -> None:
    """On a full or read-only disk, saving fails and the previous review is intact."""
    first = kept.swap(as_review({"a": film_review()}), expected=NO_REVIEW)

    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SaveError, match=words) as error:
        kept.swap(as_review({}), expected=first.etag)
    assert error.value.full == full
    assert kept.read() == first
    assert {path.name for path in kept.path.parent.iterdir()} <= {
        "report.html", "run.json", "review.json", LOCK_NAME
    }  # fmt: skip


def test_a_lock_that_cannot_be_made_is_told(kept: ReviewStore) -> None:
    """Nothing is written if the lock file cannot be created."""
    (kept.path.parent / LOCK_NAME).mkdir()
    with pytest.raises(SaveError, match=r"cannot write .*\.lock: Is a directory; or download"):
        kept.swap(as_review({}), expected=NO_REVIEW)
    assert not kept.path.exists()


def test_a_lock_that_is_not_given_back_is_told(
    kept: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that keeps the lock makes the save fail, instead of waiting forever."""
    monkeypatch.setattr(store, "_WAIT_SECONDS", 0.05)
    with (
        FileLock(kept.path.parent / LOCK_NAME),
        pytest.raises(SaveError, match="is being written by another process; save again"),
    ):
        kept.swap(as_review({}), expected=NO_REVIEW)


SAVE_FOR_EVER = """
import sys
from pathlib import Path
from lesionscan.review.record import load_review
from lesionscan.review.store import ReviewStore
kept = ReviewStore(Path(sys.argv[1]))
reviews = [load_review(Path(name)) for name in sys.argv[2:]]
print("ready", flush=True)
number = 0
while True:
    kept.swap(reviews[number % 2], expected=kept.read().etag)
    number += 1
"""


@pytest.mark.slow
def test_killed_in_mid_save_the_file_is_whole(kept: ReviewStore) -> None:
    """SIGKILL at any time leaves the old or the new review complete, and the lock free."""
    texts, files = set(), []
    for word in "ab":
        files.append(kept.path.parent / f"{word}.txt")
        films = {f"{number}": film_review(note=word * 500) for number in range(300)}
        files[-1].write_bytes(review_json(as_review(films)))
    for round_ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, kept.path.parent, *files],
            stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT,
        ) as saving:  # fmt: skip
            assert saving.stdout is not None
            assert saving.stdout.readline() == b"ready\n"
            time.sleep(0.05 + 0.013 * round_)
            saving.kill()
        read = kept.read()  # raises unless it is a valid review
        films = json.loads(read.data)["films"]
        assert len(films) == 300
        texts.add(films["0"]["note"][0])
        assert len({film["note"] for film in films.values()}) == 1
        kept.swap(parse_review(read.data), expected=read.etag)
    assert texts <= {"a", "b"}


def test_a_review_saved_with_a_byte_order_mark_is_served_without(kept: ReviewStore) -> None:
    """A byte order mark is removed when read, and the review can be replaced."""
    review = kept.swap(as_review({"b": film_review()}), expected=NO_REVIEW)
    kept.path.write_bytes(b"\xef\xbb\xbf" + review.data)
    read = kept.read()
    assert read.data == review.data
    assert read.etag != review.etag
    assert kept.swap(as_review({}), expected=read.etag).data != review.data
