"""Keep track of the files that lesionscan has written, so that no other file is ever replaced.

Before a file gets its name, a line is appended to a hidden list in the output folder: for the
results of a film their name (`{"film": "a/knee.dcm"}`), for any other file its name and hash
(`{"file": "images.csv", "sha256": ...}`). The sealed JSON of a film also shows that its results are
lesionscan's. Each user on each machine has a list of their own, which is only appended to, one line
at a time, so that simultaneous runs do not damage each other's lines, and a killed run leaves no
file that is not listed.
"""

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from lesionscan.files import open_ordinary, sha256_of_file
from lesionscan.results.atomic import (
    OutputError,
    UnusableNameError,
    explain,
    link_or_copy,
    machine,
    open_atomic,
    open_atomic_bytes,
    refuse_links,
    remove,
)

_LIST_NAME = ".lesionscan-written-{}.jsonl"
_MAX_BYTES, _MAX_LINE_BYTES = 1 << 28, 1 << 16
"""Larger lists are ignored; a million films take a fifth."""
_APPEND = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for a reader
    | getattr(os, "O_BINARY", 0)
)


class NotOwnError(UnusableNameError):
    """A file that would have to be replaced, but was not written by lesionscan in this state."""

    cause = "was not written by lesionscan, or was changed since; move it away"


class OwnFiles:
    """Write and remove files in an output folder, but only those that lesionscan has written.

    Attributes
    ----------
    out
        The output folder.

    Parameters
    ----------
    out
        The output folder.
    below
        A results folder that may contain the output folder; links between the two are not followed.
    private
        Prefix of names that only lesionscan uses: a listed file of such a name is lesionscan's even
        if its content has changed.
    """

    def __init__(
        self,
        out: Path,
        *,
        below: Path | None = None,
        private: str | None = None,
    ) -> None:
        self.out = out
        self._within = below if below is not None and out.is_relative_to(below) else out
        self._private = private
        self._known: dict[str, set[str]] | None = None

    def check(self, names: Iterable[str]) -> None:
        """Check that files may be written or removed, before work starts.

        Parameters
        ----------
        names
            Paths relative to the output folder, POSIX style.

        Raises
        ------
        NotOwnError
            If one exists that lesionscan has not written.
        lesionscan.results.atomic.OutputError
            If a folder on the path of one is a link.
        """
        for name in names:
            path = self.out / name
            refuse_links(path, within=self._within)
            if not self._is_free_or_own(path):
                raise NotOwnError(path)

    def open_text(self, path: Path) -> AbstractContextManager[TextIO]:
        """Open a text file as `open_atomic` does.

        Raises
        ------
        NotOwnError
            If the file exists and is not lesionscan's.
        """
        self._require(path)
        return open_atomic(path, within=self._within, on_complete=self._register(path))

    def open_bytes(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Open a binary file as `open_atomic_bytes` does.

        Raises
        ------
        NotOwnError
            If the file exists and is not lesionscan's.
        """
        self._require(path)
        return open_atomic_bytes(path, within=self._within, on_complete=self._register(path))

    def write(self, path: Path, data: bytes) -> None:
        """Write a file atomically.

        Raises
        ------
        NotOwnError
            If the file exists and is not lesionscan's.
        """
        with self.open_bytes(path) as stream:
            stream.write(data)

    def link_or_copy(self, source: Path, target: Path) -> None:
        """Link or copy a file, as `atomic.link_or_copy` does.

        Raises
        ------
        NotOwnError
            If the target exists and is not lesionscan's.
        """
        self._require(target)
        link_or_copy(source, target, within=self._within, on_complete=self._register(target))

    def remove(self, path: Path) -> None:
        """Remove a file if it exists and is lesionscan's.

        Raises
        ------
        lesionscan.results.atomic.OutputError
            If it cannot be removed.
        """
        if os.path.lexists(path) and self._is_free_or_own(path):
            remove(path, within=self._within)

    def _require(self, path: Path) -> None:
        refuse_links(path, within=self._within)
        if not self._is_free_or_own(path):
            raise NotOwnError(path)

    def _is_free_or_own(self, path: Path) -> bool:
        if not os.path.lexists(path):
            return True
        name = path.relative_to(self.out).as_posix()
        return self._is_listed(name, path)

    def _is_listed(self, name: str, path: Path) -> bool:
        sha256 = _sha256(path)
        for reread in (False, True):  # another run may have written the file
            hashes = self._hashes(name, reread=reread)
            private = self._private is not None and name.startswith(self._private)
            if sha256 in hashes or (private and hashes and sha256 is not None):
                return True
        return False

    def _hashes(self, name: str, *, reread: bool = False) -> set[str]:
        """Return the hashes that a file has had."""
        if self._known is None or reread:
            self._known = _listed_hashes(self.out)
        return self._known.setdefault(name, set())

    def _register(self, path: Path) -> Callable[[Path], None]:
        """Return a function that checks and lists a file just before it gets its name."""

        def register(complete: Path) -> None:
            self._require(path)
            name, sha256 = path.relative_to(self.out).as_posix(), _sha256(complete)
            hashes = self._hashes(name)
            if sha256 is not None and sha256 not in hashes:
                _append(self.out, {"file": name, "sha256": sha256})
                hashes.add(sha256)

        return register


def claim_film(out: Path, name: str) -> None:
    """List the results of a film as lesionscan's, before the first of them is written.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the results, without endings.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If the list cannot be written.
    """
    _append(out, {"film": name})


def is_claimed(out: Path, name: str) -> bool:
    """Return whether the results of a film are listed; reads the whole list."""
    line = _line({"film": name}).strip()
    return any(line == one for one in _lines(out, containing=line))


def _listed_hashes(out: Path) -> dict[str, set[str]]:
    """Return the hashes of all listed files by name, without the results of films."""
    known: dict[str, set[str]] = {}
    for line in _lines(out, containing=b'"sha256"'):
        with suppress(ValueError, TypeError, KeyError, RecursionError):  # a damaged line
            entry = json.loads(line)
            name, sha256 = entry["file"], entry["sha256"]
            if isinstance(name, str) and isinstance(sha256, str):
                known.setdefault(name, set()).add(sha256)
    return known


def _lines(out: Path, *, containing: bytes) -> Iterator[bytes]:
    for path in sorted(out.glob(_LIST_NAME.format("*"))):
        try:
            if path.is_symlink():
                continue
            with open_ordinary(path, max_bytes=_MAX_BYTES) as stream:
                while line := stream.readline(_MAX_LINE_BYTES):
                    if containing in line:
                        yield line.strip()
        except OSError:
            continue  # its files count as not lesionscan's


def _append(out: Path, entry: dict[str, Any]) -> None:
    # users who share a folder may not be able to write each other's files
    user = getattr(os, "getuid", lambda: 0)()
    path = out / _LIST_NAME.format(f"{machine()}-{user}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = os.open(path, _APPEND, 0o666)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise OutputError(f"cannot write {path}: it is a link or special file; remove it")
            # a full disk may have cut off the line before
            os.write(file, b"\n" + _line(entry))
        finally:
            os.close(file)
    except OSError as error:
        raise explain(error, path) from error


def _line(entry: dict[str, Any]) -> bytes:
    return (json.dumps(entry) + "\n").encode("ascii")


def _sha256(path: Path) -> str | None:
    """Return the hash of a file; None if it cannot be read."""
    with suppress(OSError):
        return sha256_of_file(path)
    return None
