"""Which files of an output folder lesionscan has written: nothing else there is ever replaced.

Before a file gets its name, a line in a hidden account beside the results says so: for a film's
results (`{"film": "a/knee.dcm"}`) their name, for any other file its name and hash
(`{"file": "images.csv", "sha256": ...}`). A film's own sealed JSON vouches for its results too.
The account is only ever appended to, a line at a time, and each user of each machine has one:
workers, simultaneous runs and the nodes of a cluster cannot spoil each other's lines, and a run
that is killed at any moment has accounted for whatever it left.
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

_ACCOUNT = ".lesionscan-written-{}.jsonl"
_MOST_BYTES, _LONGEST_LINE = 1 << 28, 1 << 16
"""A larger account is none; a million films have a fifth."""
_APPENDED = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe would wait for a reader
    | getattr(os, "O_BINARY", 0)
)


class NotOwnError(UnusableNameError):
    """A file that would be replaced although lesionscan has not written it, as it is now."""

    cause = "was not written by lesionscan, or was changed since; move it away"


class OwnFiles:
    """Writes and removes files of one output folder, as far as they are lesionscan's own.

    Attributes
    ----------
    out
        The output folder.

    Parameters
    ----------
    out
        The output folder.
    below
        A results folder that the output folder may lie in: no link between the two is followed.
    private
        The beginning of names that only lesionscan uses: such a file is its own, whatever it holds
        by now, once an account names it.
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
        """Make sure that files may be written or removed, before work is done for them.

        Parameters
        ----------
        names
            Their paths relative to the output folder, POSIX style.

        Raises
        ------
        NotOwnError
            When there is one that is somebody else's.
        lesionscan.results.atomic.OutputError
            When a folder on the way to one is a link.
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
            When a file of that name is somebody else's.
        """
        self._require(path)
        return open_atomic(path, within=self._within, on_complete=self._accounting(path))

    def open_bytes(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Open a binary file as `open_atomic_bytes` does.

        Raises
        ------
        NotOwnError
            When a file of that name is somebody else's.
        """
        self._require(path)
        return open_atomic_bytes(path, within=self._within, on_complete=self._accounting(path))

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, whole or not at all.

        Raises
        ------
        NotOwnError
            When a file of that name is somebody else's.
        """
        with self.open_bytes(path) as stream:
            stream.write(data)

    def link_or_copy(self, source: Path, target: Path) -> None:
        """Give a file a second name or copy it, as `atomic.link_or_copy` does.

        Raises
        ------
        NotOwnError
            When a file of the target's name is somebody else's.
        """
        self._require(target)
        link_or_copy(source, target, within=self._within, on_complete=self._accounting(target))

    def remove(self, path: Path) -> None:
        """Remove a file if it is there and lesionscan's own.

        Raises
        ------
        lesionscan.results.atomic.OutputError
            When it cannot be removed.
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
        return self._accounts_for(name, path)

    def _accounts_for(self, name: str, path: Path) -> bool:
        sha256 = _sha256(path)
        for again in (False, True):  # another run may have written it since
            hashes = self._hashes(name, again=again)
            private = self._private is not None and name.startswith(self._private)
            if sha256 in hashes or (private and hashes and sha256 is not None):
                return True
        return False

    def _hashes(self, name: str, *, again: bool = False) -> set[str]:
        """Return the hashes that a file has had."""
        if self._known is None or again:
            self._known = _accounted(self.out)
        return self._known.setdefault(name, set())

    def _accounting(self, path: Path) -> Callable[[Path], None]:
        """Return what checks once more and accounts for a file just before it gets its name."""

        def account(complete: Path) -> None:
            self._require(path)
            name, sha256 = path.relative_to(self.out).as_posix(), _sha256(complete)
            hashes = self._hashes(name)
            if sha256 is not None and sha256 not in hashes:
                _append(self.out, {"file": name, "sha256": sha256})
                hashes.add(sha256)

        return account


def claim_film(out: Path, name: str) -> None:
    """Account for a film's results before the first of them is written.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the results, without endings.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When the account cannot be written.
    """
    _append(out, {"film": name})


def is_claimed(out: Path, name: str) -> bool:
    """Say whether an account names a film's results; it is read to its end."""
    line = _line({"film": name}).strip()
    return any(line == one for one in _lines(out, containing=line))


def _accounted(out: Path) -> dict[str, set[str]]:
    """Return the hashes of all files that were written, by name, films' results apart."""
    known: dict[str, set[str]] = {}
    for line in _lines(out, containing=b'"sha256"'):
        with suppress(ValueError, TypeError, KeyError, RecursionError):  # damaged: it says nothing
            said = json.loads(line)
            name, sha256 = said["file"], said["sha256"]
            if isinstance(name, str) and isinstance(sha256, str):
                known.setdefault(name, set()).add(sha256)
    return known


def _lines(out: Path, *, containing: bytes) -> Iterator[bytes]:
    for path in sorted(out.glob(_ACCOUNT.format("*"))):
        try:
            if path.is_symlink():
                continue
            with open_ordinary(path, max_bytes=_MOST_BYTES) as stream:
                while line := stream.readline(_LONGEST_LINE):
                    if containing in line:
                        yield line.strip()
        except OSError:
            continue  # what it names is taken for somebody else's


def _append(out: Path, said: dict[str, Any]) -> None:
    # users who share a folder cannot write each other's files
    user = getattr(os, "getuid", lambda: 0)()
    path = out / _ACCOUNT.format(f"{machine()}-{user}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = os.open(path, _APPENDED, 0o666)
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
                raise OutputError(f"cannot write {path}: it is no file of its own; remove it")
            # on a line of its own, even where a full disk has cut the one before
            os.write(file, b"\n" + _line(said))
        finally:
            os.close(file)
    except OSError as error:
        raise explain(error, path) from error


def _line(said: dict[str, Any]) -> bytes:
    return (json.dumps(said) + "\n").encode("ascii")


def _sha256(path: Path) -> str | None:
    """Return the hash of a file; None where it cannot be read or is none."""
    with suppress(OSError):
        return sha256_of_file(path)
    return None
