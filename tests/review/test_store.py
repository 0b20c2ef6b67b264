"""A review is replaced as a whole, by whoever has seen the one before, or not at all."""

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
    """Return where the review of an empty folder is kept."""
    return ReviewStore(page_folder(tmp_path / "results"))


def test_nothing_is_a_review_without_films(kept: ReviewStore) -> None:
    """The first reader gets an empty review of what made the results, and no file is made."""
    read = kept.read()
    assert read.etag == NO_REVIEW
    assert parse_review(read.data).films == {}
    assert parse_review(read.data).tool.version == "0.1.0"
    assert not kept.path.exists()


def test_what_is_saved_is_read(kept: ReviewStore) -> None:
    """The same bytes, and an ETag that is their hash; saving it again with that ETag works."""
    review = as_review({"b": film_review(), "a": film_review(c1="accepted")})
    saved = kept.swap(review, expected=NO_REVIEW)
    assert kept.path.read_bytes() == saved.data == review_json(review)
    assert kept.read() == saved
    assert kept.swap(review, expected=saved.etag) == saved


def test_the_second_of_two_is_told(kept: ReviewStore) -> None:
    """An older ETag, none, or any other does not replace; the current review comes back."""
    first = kept.swap(as_review({"a": film_review()}), expected=NO_REVIEW)
    for expected in (NO_REVIEW, "*", first.etag[1:-1], f"W/{first.etag}", ""):
        with pytest.raises(ConflictError, match="changed by somebody else") as conflict:
            kept.swap(as_review({}), expected=expected)
        assert conflict.value.current == first
    kept.path.unlink()
    with pytest.raises(ConflictError):
        kept.swap(as_review({}), expected=first.etag)


def test_what_is_no_review_is_not_replaced(kept: ReviewStore) -> None:
    """A damaged file is told, by a reader, a writer and at the start; it stays as it is."""
    kept.path.write_text("{")
    with pytest.raises(ReviewError, match=r"review\.json is not a usable review: .*repair"):
        kept.read()
    with pytest.raises(ReviewError, match="is not a usable review"):
        kept.swap(as_review({}), expected=NO_REVIEW)
    with pytest.raises(ReviewError, match="is not a usable review"):
        ReviewStore(kept.path.parent)
    assert kept.path.read_text() == "{"


def test_a_review_that_cannot_be_read_is_told(kept: ReviewStore) -> None:
    """A folder in its place, say."""
    kept.path.mkdir()
    with pytest.raises(ReviewError, match=r"review\.json cannot be read \(Is a directory\)"):
        kept.read()


def test_a_folder_without_page_or_run_is_told(tmp_path: Path) -> None:
    """What is no results folder, or one of a part, or of somebody else's JSON."""
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
    """A full disk and a folder that is read-only; the review before is whole."""
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
    """Without the lock nothing is written."""
    (kept.path.parent / LOCK_NAME).mkdir()
    with pytest.raises(SaveError, match=r"cannot write .*\.lock: Is a directory; or download"):
        kept.swap(as_review({}), expected=NO_REVIEW)
    assert not kept.path.exists()


def test_a_lock_that_is_not_given_back_is_told(
    kept: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that hangs in its save does not make this one hang too."""
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
    """SIGKILL at any moment leaves the old review or the new one, and a lock that is free."""
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
        read = kept.read()  # a review, or it would raise
        films = json.loads(read.data)["films"]
        assert len(films) == 300
        texts.add(films["0"]["note"][0])
        assert len({film["note"] for film in films.values()}) == 1
        kept.swap(parse_review(read.data), expected=read.etag)
    assert texts <= {"a", "b"}


def test_a_review_saved_with_a_byte_order_mark_is_served_without(kept: ReviewStore) -> None:
    """The page gets JSON, and its next save replaces the file."""
    review = kept.swap(as_review({"b": film_review()}), expected=NO_REVIEW)
    kept.path.write_bytes(b"\xef\xbb\xbf" + review.data)
    read = kept.read()
    assert read.data == review.data
    assert read.etag != review.etag
    assert kept.swap(as_review({}), expected=read.etag).data != review.data
