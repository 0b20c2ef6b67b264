"""Store of a review: one file that is replaced atomically, without lost updates.

A save states the ETag of the review that was changed. It is compared, and the file replaced, under
a lock between processes that the system releases when a process dies. If two reviewers save, the
second gets a conflict.
"""

import errno
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lesionscan.files import RECORD_BYTES, as_utf8, parse_json, read_bounded
from lesionscan.results.atomic import OutputError, write_bytes
from lesionscan.results.sealed import sha256_of
from lesionscan.review.record import (
    MOST_BYTES,
    REVIEW_NAME,
    ReviewedToolRecord,
    ReviewError,
    ReviewRecord,
    check_review,
    review_json,
)

NO_REVIEW = '"none"'
"""ETag of a review that has not been saved yet."""
LOCK_NAME = ".lesionscan-review.lock"
_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.01


class SaveError(Exception):
    """Raised if a review cannot be written; the previous one is intact. The message is one line.

    Attributes
    ----------
    full
        Whether the disk is full.
    """

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


@dataclass(frozen=True, slots=True)
class SavedReview:
    """A saved review.

    Attributes
    ----------
    data
        Its bytes.
    etag
        The quoted hash of the bytes, or `NO_REVIEW`.
    """

    data: bytes
    etag: str


class ConflictError(Exception):
    """Raised if the review has been changed since the caller read it.

    Attributes
    ----------
    current
        The review saved now.
    """

    def __init__(self, current: SavedReview) -> None:
        super().__init__("the review was changed by somebody else")
        self.current = current


class ReviewStore:
    """Reads and writes the review of a results folder.

    Parameters
    ----------
    results
        The folder.

    Raises
    ------
    lesionscan.review.record.ReviewError
        If the folder has no results with a report page, or its review is invalid.
    """

    def __init__(self, results: Path) -> None:
        self.path = results / REVIEW_NAME
        self._lock = results / LOCK_NAME
        if not (results / "report.html").is_file():
            raise ReviewError(f"{results} has no report.html; name scan's --out folder")
        self._tool = _tool_of(results)
        self.read()

    def read(self) -> SavedReview:
        """Return the saved review; an empty one if there is none.

        Raises
        ------
        lesionscan.review.record.ReviewError
            If it cannot be read or is not a review.
        """
        try:
            data = read_bounded(self.path, max_bytes=MOST_BYTES)
        except FileNotFoundError:
            return SavedReview(review_json(ReviewRecord(tool=self._tool)), NO_REVIEW)
        except OSError as error:
            raise ReviewError(f"{self.path} cannot be read ({error.strerror})") from error
        check_review(self.path, data)
        return SavedReview(as_utf8(data), _etag(data))

    def swap(self, review: ReviewRecord, *, expected: str) -> SavedReview:
        """Replace the saved review, if it is the one that the caller has read.

        Parameters
        ----------
        review
            The new review.
        expected
            ETag of the review that it was made from.

        Raises
        ------
        lesionscan.review.record.ReviewError
            If the saved file is not a review.
        ConflictError
            If the saved review is another one.
        SaveError
            If it cannot be written.
        """
        wanted = review_json(review)
        try:
            with FileLock(self._lock).acquire(_WAIT_SECONDS, poll_interval=_POLL_SECONDS):
                if self._current_etag() != expected:
                    raise ConflictError(self.read())
                write_bytes(self.path, wanted, within=self.path.parent, durable=True)
        except Timeout as error:
            raise SaveError(f"{self.path} is being written by another process; save again") from (
                error
            )
        except OutputError as error:
            raise _unsaved(self.path, error.__cause__) from error
        except OSError as error:
            raise _unsaved(self._lock, error) from error
        return SavedReview(wanted, _etag(wanted))

    def _current_etag(self) -> str:
        try:
            return _etag(read_bounded(self.path, max_bytes=MOST_BYTES))
        except FileNotFoundError:
            return NO_REVIEW


def _etag(data: bytes) -> str:
    return f'"{sha256_of(data)}"'


def _unsaved(path: Path, cause: BaseException | None) -> SaveError:
    full = isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}
    words = (cause.strerror if isinstance(cause, OSError) else None) or type(cause).__name__
    remedy = "free some space and save again" if full else "or download the review"
    return SaveError(f"cannot write {path}: {words}; {remedy}", full=full)


def _tool_of(results: Path) -> ReviewedToolRecord:
    """Return the program that made a folder's results."""
    try:
        run = parse_json(read_bounded(results / "run.json", max_bytes=RECORD_BYTES))
        tool = {name: run["tool"][name] for name in ReviewedToolRecord.model_fields}
        return ReviewedToolRecord(**tool)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReviewError(
            f"{results} has no run.json that says what made its results; scan again, or merge"
        ) from error
