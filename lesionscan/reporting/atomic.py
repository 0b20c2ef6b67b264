"""Whole files or none: write beside the target, then rename over it.

A reader, or a run that resumes after a kill, never sees half a file.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


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


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises
    ------
    OutputError
        When the folder or the file cannot be written.
    """
    with _whole_or_not(path) as temporary:
        temporary.write_bytes(data)


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
        raise _explain(error, path) from error


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
        raise _explain(error, path) from error
    except BaseException:
        _discard(temporary)
        raise


def _temporary(path: Path) -> Path:
    # Same folder, because a rename is atomic only inside one file system. The name follows from
    # the target's, so that what a killed run left behind is overwritten by the next one; it is
    # short, so that it fits wherever the target's does; it is hidden, so that no scan reads it.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".lesionscan-{digest}.tmp")


def _discard(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return  # the error that brought us here says more


def _explain(error: OSError, path: Path) -> OutputError:
    if isinstance(error, OutputError):
        return error
    cause = error.strerror or type(error).__name__
    if error.errno == errno.ENAMETOOLONG:
        return NameTooLongError(f"cannot write {path}: {cause}")
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    remedy = (
        "make room; finished films are kept and the same command goes on"
        if full
        else "choose another output folder (--out)"
    )
    return OutputError(f"cannot write {path}: {cause}; {remedy}")
