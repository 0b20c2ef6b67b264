"""Whole files or none: write beside the target, then rename over it.

A reader, or a run that resumes after a kill, never sees half a file.
"""

import errno
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

import psutil

_LEFTOVER = re.compile(r"\.lesionscan-[0-9a-f]{16}-([0-9a-f]{8})-(\d+)\.tmp")
"""Name of a temporary file: hash of the target's name, hash of the machine's, process."""

_SURELY_LEFT_SECONDS = 24 * 3600
"""No file is written for so long, on whatever machine."""


class OutputError(OSError):
    """A result that cannot be written; the message names the file, the cause and the remedy."""


class NameTooLongError(OutputError):
    """A result whose name the file system refuses because it is too long."""


@contextmanager
def open_atomic(path: Path) -> Iterator[TextIO]:
    r"""Open a text file (UTF-8, ``\n``) that appears under its name only when it is complete.

    Parameters
    ----------
    path
        The file to write. Its folder is made where it does not exist.

    Raises
    ------
    OutputError
        When the folder or the file cannot be written.
    """
    with (
        _whole_or_not(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        yield stream


@contextmanager
def open_atomic_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name only when it is complete.

    Parameters
    ----------
    path
        The file to write. Its folder is made where it does not exist.

    Raises
    ------
    OutputError
        When the folder or the file cannot be written.
    """
    with _whole_or_not(path) as temporary, temporary.open("wb") as stream:
        yield stream


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no such thing.

    A target that is the same file already is left alone.

    Raises
    ------
    OutputError
        When that cannot be done.
    """
    if target.exists() and source.exists() and target.samefile(source):
        return  # renaming one name of a file to another of its names would do nothing
    with _whole_or_not(target) as temporary:
        _discard(temporary)  # of a killed run of the same process number
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed runs have left half written in a folder.

    Parameters
    ----------
    folder
        One that results are written to. What another machine may still be writing stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            left = _LEFTOVER.fullmatch(entry.name)
            if left is None:
                continue
            with suppress(OSError):  # gone, or not ours to remove; it harms nobody
                old = time.time() - entry.stat().st_mtime > _SURELY_LEFT_SECONDS
                if old or (left[1] == _machine() and not psutil.pid_exists(int(left[2]))):
                    Path(entry.path).unlink()


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path`, whole or not at all.

    Parameters
    ----------
    path
        The file to write. Its folder is made where it does not exist.
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
    with _whole_or_not(path) as temporary:
        temporary.write_bytes(data)
        if durable:
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())


def remove(path: Path) -> None:
    """Remove a result if it is there.

    Raises
    ------
    OutputError
        When it is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, path) from error


@contextmanager
def _whole_or_not(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the target's name at the end, or goes if there is none."""
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        raise explain(error, path) from error
    except BaseException:
        _discard(temporary)
        raise


def _temporary(path: Path) -> Path:
    # Same folder, because a rename is atomic only inside one file system. Two runs into one folder
    # must not write the same one. It is short, so that it fits wherever the target's name does; it
    # is hidden, so that no scan reads it.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".lesionscan-{digest}-{_machine()}-{os.getpid()}.tmp")


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _discard(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # the error that brought us here says more


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
        return NameTooLongError(f"cannot write {path}: {cause}")
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    remedy = (
        "make room; finished films are kept and the same command goes on" if full else otherwise
    )
    return OutputError(f"cannot write {path}: {cause}; {remedy}")
