"""Whole files or none: write beside the target, then rename over it.

A reader, or a run that resumes after a kill, never sees half a file. Temporary files have names
that nobody can predict and are never opened through a link, and nothing is written or removed
through a link below the output folder: that folder may be a stranger's. The output folder itself
may be reached through links.
"""

import errno
import hashlib
import io
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self, TextIO

import psutil

from lesionscan.files import open_ordinary

_LEFTOVER = re.compile(r"\.lesionscan-[0-9a-f]{16}-([0-9a-f]{8})-(\d+)\.tmp")
"""Name of a temporary file: random, hash of the machine's name, process."""

_SURELY_LEFT_SECONDS = 24 * 3600
"""No file is written for so long, on whatever machine."""

_NEW_FILE = (
    os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


class OutputError(OSError):
    """A result that cannot be written; the message names the file, the cause and the remedy."""


class UnusableNameError(OutputError):
    """A result that cannot stand under its name, while others can under theirs.

    Parameters
    ----------
    path
        The file.
    """

    cause = "cannot be used"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} {self.cause} or choose another output folder (--out)")
        self.path = path

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.path,)  # it may come from a worker process

    def within(self, out: Path) -> str:
        """Return the message for results, which name no place outside the output folder."""
        return f"{self.path.relative_to(out).as_posix()} in the output folder {self.cause}"


class NameTooLongError(UnusableNameError):
    """A result whose name the file system refuses because it is too long."""

    cause = "has a name that is too long; shorten it"


class LinkError(UnusableNameError):
    """A result that could only be reached through a link below the output folder."""

    cause = "is a link, and nothing is written through links there; remove the link"


@contextmanager
def open_atomic(
    path: Path, *, within: Path, on_complete: Callable[[Path], None] | None = None
) -> Iterator[TextIO]:
    r"""Open a text file (UTF-8, ``\n``) that appears under its name only when it is complete.

    Parameters
    ----------
    path
        The file to write. Its folder is made where it does not exist.
    within
        The output folder: a link below it is not followed. `path.parent` where there is none.
    on_complete
        Called with the complete temporary file before it takes the name `path`.

    Raises
    ------
    OutputError
        When the folder or the file cannot be written.
    """
    with (
        open_atomic_bytes(path, within=within, on_complete=on_complete) as stream,
        io.TextIOWrapper(stream, encoding="utf-8", newline="\n") as text,
    ):
        yield text


@contextmanager
def open_atomic_bytes(
    path: Path, *, within: Path, on_complete: Callable[[Path], None] | None = None
) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name only when it is complete.

    Parameters
    ----------
    path, within, on_complete
        As in `open_atomic`.

    Raises
    ------
    OutputError
        When the folder or the file cannot be written.
    """
    with _replacing(path, within, on_complete) as temporary, _created(temporary) as stream:
        yield stream


def write_bytes(
    path: Path,
    data: bytes,
    *,
    within: Path,
    durable: bool = False,
    on_complete: Callable[[Path], None] | None = None,
) -> None:
    """Write `data` to `path`, whole or not at all.

    Parameters
    ----------
    path, within, on_complete
        As in `open_atomic`.
    data
        What to write.
    durable
        Whether it is on the disk before it takes the place of what was there, so that even a power
        cut leaves one of the two. That costs time: it is for what cannot be made again.

    Raises
    ------
    OutputError
        When the folder or the file cannot be written.
    """
    with open_atomic_bytes(path, within=within, on_complete=on_complete) as stream:
        stream.write(data)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())


def create_private(path: Path, data: bytes) -> None:
    """Write a small new file that only its owner can read (mode 0600), such as a key.

    Parameters
    ----------
    path
        The file; whatever stands there already stays as it is.
    data
        What to write.

    Raises
    ------
    OutputError
        When it is there already, or cannot be written.
    """
    try:
        with os.fdopen(os.open(path, _NEW_FILE, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise explain(error, path, otherwise="name another file") from error


def link_or_copy(
    source: Path,
    target: Path,
    *,
    within: Path,
    on_complete: Callable[[Path], None] | None = None,
) -> None:
    """Give a file a second name, or copy it where the file system has no such thing.

    A target that is the same file already is left alone.

    Parameters
    ----------
    source
        The file.
    target, within, on_complete
        As in `open_atomic`.

    Raises
    ------
    OutputError
        When that cannot be done.
    """
    if target.exists() and source.exists() and target.samefile(source):
        return  # renaming one name of a file to another of its names would do nothing
    with _replacing(target, within, on_complete) as temporary:
        try:
            # of the file itself: a second name of a link may lead to nothing
            os.link(source.resolve(), temporary)
        except OSError:
            with open_ordinary(source) as original, _created(temporary) as stream:
                shutil.copyfileobj(original, stream, 1 << 20)


def remove_leftovers(folder: Path, *, within: Path) -> None:
    """Remove what killed runs have left half written in a folder.

    Parameters
    ----------
    folder
        One that results are written to. What another machine may still be writing stays.
    within
        The output folder: a link below it is not followed.
    """
    if _link_on_the_way(folder / "file", within) is not None:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            left = _LEFTOVER.fullmatch(entry.name)
            if left is None:
                continue
            with suppress(OSError):  # gone, or not ours to remove; it harms nobody
                old = time.time() - entry.stat(follow_symlinks=False).st_mtime
                dead = left[1] == machine() and not psutil.pid_exists(int(left[2]))
                if dead or old > _SURELY_LEFT_SECONDS:
                    Path(entry.path).unlink()


def remove(path: Path, *, within: Path) -> None:
    """Remove a result if it is there.

    Parameters
    ----------
    path
        The file; where it is a link, the link goes and what it names stays.
    within
        The output folder: a link below it is not followed.

    Raises
    ------
    OutputError
        When it is there and cannot be removed.
    """
    refuse_links(path, within=within)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # then there is none
            raise explain(error, path) from error


def refuse_links(path: Path, *, within: Path) -> None:
    """Refuse a file that can only be reached through a link below the output folder.

    Parameters
    ----------
    path
        The file, there or not.
    within
        The output folder.

    Raises
    ------
    LinkError
        When a folder between the two is a link.
    """
    link = _link_on_the_way(path, within)
    if link is not None:
        raise LinkError(link)


def temporary_name() -> str:
    """Return a name for a temporary file; hidden, so that no scan reads it.

    It is short, so that it fits wherever the target's name does, and random: two runs into one
    folder never write the same file, and nobody can put a link there beforehand.
    """
    return f".lesionscan-{secrets.token_hex(8)}-{machine()}-{os.getpid()}.tmp"


def machine() -> str:
    """Return what tells this machine from others that write to the same folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _link_on_the_way(path: Path, within: Path) -> Path | None:
    """Return the first folder below `within` on the way to the file that is a link."""
    folder = within
    for part in path.relative_to(within).parts[:-1]:
        folder = folder / part
        if folder.is_symlink() or _is_junction(folder):
            return folder
    return None


def _is_junction(folder: Path) -> bool:
    """Say whether a folder is one of Windows that leads elsewhere, which Python 3.12 can tell."""
    tell = getattr(os.path, "isjunction", None)
    return tell is not None and bool(tell(folder))


@contextmanager
def _replacing(
    path: Path, within: Path, on_complete: Callable[[Path], None] | None
) -> Iterator[Path]:
    """Give the name of a temporary file that takes the target's name at the end, or is removed."""
    # in the same folder, because a rename is atomic only inside one file system
    temporary = path.with_name(temporary_name())
    refuse_links(path, within=within)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if on_complete is not None:
            on_complete(temporary)
        temporary.replace(path)
    except BaseException as error:
        _discard(temporary)
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise explain(error, path) from error
        raise


def _created(temporary: Path) -> BinaryIO:
    """Open a file that nobody else has made."""
    return os.fdopen(os.open(temporary, _NEW_FILE, 0o666), "wb")


def _discard(temporary: Path) -> None:
    with suppress(OSError):  # the error that brought us here says more
        temporary.unlink(missing_ok=True)


def explain(
    error: OSError, path: Path, *, otherwise: str = "choose another output folder (--out)"
) -> OutputError:
    """Return the error for the user: which file, why, and what to do.

    Parameters
    ----------
    error
        What happened.
    path
        To which file.
    otherwise
        What to do where it is not room that is missing.
    """
    if isinstance(error, OutputError):
        return error
    cause = error.strerror or type(error).__name__
    if error.errno == errno.ENAMETOOLONG:
        return NameTooLongError(path)
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    remedy = (
        "make room; finished films are kept; rerun the command to resume" if full else otherwise
    )
    return OutputError(f"cannot write {path}: {cause}; {remedy}")
