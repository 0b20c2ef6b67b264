"""Write files atomically: to a temporary file in the same folder, which is then renamed.

Neither a reader nor a resumed run ever sees an incomplete file. The output folder may contain files
of other people, so temporary files have unpredictable names, and nothing is written or removed
through a link below that folder. The path of the output folder itself may contain links.
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

_TEMPORARY = re.compile(r"\.lesionscan-[0-9a-f]{16}-([0-9a-f]{8})-(\d+)\.tmp")
"""Name of a temporary file: random, hash of the machine's name, process id."""

_ABANDONED_SECONDS = 24 * 3600
"""Age from which a temporary file of another machine counts as abandoned."""

_NEW_FILE = (
    os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


class OutputError(OSError):
    """Failure to write a result; the message names the file, the cause and the remedy."""


class UnusableNameError(OutputError):
    """A result whose name cannot be used; results of other films are not affected.

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
        """Return the message for results, with the path relative to the output folder."""
        return f"{self.path.relative_to(out).as_posix()} in the output folder {self.cause}"


class NameTooLongError(UnusableNameError):
    """A result whose name is too long for the file system."""

    cause = "has a name that is too long; shorten it"


class LinkError(UnusableNameError):
    """A result whose path contains a link below the output folder."""

    cause = "is a link, which is not followed; remove the link"


@contextmanager
def open_atomic(
    path: Path, *, within: Path, on_complete: Callable[[Path], None] | None = None
) -> Iterator[TextIO]:
    r"""Open a text file (UTF-8, ``\n``) that gets its name only when it is complete.

    Parameters
    ----------
    path
        The file to write. Its folder is created if it does not exist.
    within
        The output folder, below which links are not followed; otherwise `path.parent`.
    on_complete
        Called with the complete temporary file before it is renamed to `path`.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written.
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
    """Open a binary file that gets its name only when it is complete.

    Parameters
    ----------
    path, within, on_complete
        As in `open_atomic`.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written.
    """
    with _replacing(path, within, on_complete) as temporary, _create(temporary) as stream:
        yield stream


def write_bytes(
    path: Path,
    data: bytes,
    *,
    within: Path,
    durable: bool = False,
    on_complete: Callable[[Path], None] | None = None,
) -> None:
    """Write `data` to `path` atomically.

    Parameters
    ----------
    path, within, on_complete
        As in `open_atomic`.
    data
        Content of the file.
    durable
        Whether to flush it to the disk before it replaces the old file, so that a power failure
        leaves one of the two. This takes time; use it for data that cannot be made again.

    Raises
    ------
    OutputError
        If the folder or the file cannot be written.
    """
    with open_atomic_bytes(path, within=within, on_complete=on_complete) as stream:
        stream.write(data)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())


def create_private(path: Path, data: bytes) -> None:
    """Create a file that only its owner can read (mode 0600), such as a key.

    Raises
    ------
    OutputError
        If the file exists, or cannot be written.
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
    """Create a hard link to a file, or a copy if the file system does not support links.

    A target that already is the same file is left unchanged.

    Parameters
    ----------
    source
        The file.
    target, within, on_complete
        As in `open_atomic`.

    Raises
    ------
    OutputError
        If neither is possible.
    """
    if target.exists() and source.exists() and target.samefile(source):
        return  # renaming a hard link to another one of the same file does nothing
    with _replacing(target, within, on_complete) as temporary:
        try:
            # resolved, because a hard link to a symbolic link may be dangling
            os.link(source.resolve(), temporary)
        except OSError:
            with open_ordinary(source) as original, _create(temporary) as stream:
                shutil.copyfileobj(original, stream, 1 << 20)


def remove_leftovers(folder: Path, *, within: Path) -> None:
    """Remove the temporary files of killed runs from a folder.

    Parameters
    ----------
    folder
        A folder with results. Files that another machine may still be writing are kept.
    within
        The output folder, below which links are not followed.
    """
    if _find_link(folder / "file", within) is not None:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY.fullmatch(entry.name)
            if name is None:
                continue
            with suppress(OSError):  # gone, or not permitted; the file does no harm
                age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                dead = name[1] == machine() and not psutil.pid_exists(int(name[2]))
                if dead or age > _ABANDONED_SECONDS:
                    Path(entry.path).unlink()


def remove(path: Path, *, within: Path) -> None:
    """Remove a result if it exists.

    Parameters
    ----------
    path
        The file; if it is a link, only the link is removed.
    within
        The output folder, below which links are not followed.

    Raises
    ------
    OutputError
        If it exists and cannot be removed.
    """
    refuse_links(path, within=within)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # no such file can exist
            raise explain(error, path) from error


def refuse_links(path: Path, *, within: Path) -> None:
    """Refuse a path that contains a link below the output folder.

    Parameters
    ----------
    path
        The file, which need not exist.
    within
        The output folder.

    Raises
    ------
    LinkError
        If a folder between the two is a link.
    """
    link = _find_link(path, within)
    if link is not None:
        raise LinkError(link)


def temporary_name() -> str:
    """Return a name for a temporary file, hidden so that no scan reads it.

    It is short, to fit the limits of file systems, and random, so that simultaneous runs do not
    write the same file and nobody can put a link there beforehand.
    """
    return f".lesionscan-{secrets.token_hex(8)}-{machine()}-{os.getpid()}.tmp"


def machine() -> str:
    """Return an identifier of this machine, among those that write to the same folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _find_link(path: Path, within: Path) -> Path | None:
    """Return the first folder between `within` and the file that is a link."""
    folder = within
    for part in path.relative_to(within).parts[:-1]:
        folder = folder / part
        if folder.is_symlink() or _is_junction(folder):
            return folder
    return None


def _is_junction(folder: Path) -> bool:
    """Return whether a folder is a junction of Windows (known from Python 3.12 on)."""
    isjunction = getattr(os.path, "isjunction", None)
    return isjunction is not None and bool(isjunction(folder))


@contextmanager
def _replacing(
    path: Path, within: Path, on_complete: Callable[[Path], None] | None
) -> Iterator[Path]:
    """Yield the path of a temporary file, which is then renamed, or removed after an error."""
    # in the same folder, because renaming is atomic only within a file system
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


def _create(temporary: Path) -> BinaryIO:
    """Create a file that must not exist."""
    return os.fdopen(os.open(temporary, _NEW_FILE, 0o666), "wb")


def _discard(temporary: Path) -> None:
    with suppress(OSError):  # the original error is more useful
        temporary.unlink(missing_ok=True)


def explain(
    error: OSError, path: Path, *, otherwise: str = "choose another output folder (--out)"
) -> OutputError:
    """Return the error for the user, with the file, the cause and the remedy.

    Parameters
    ----------
    error
        The original error.
    path
        The file.
    otherwise
        The remedy, unless the disk is full.
    """
    if isinstance(error, OutputError):
        return error
    cause = error.strerror or type(error).__name__
    if error.errno == errno.ENAMETOOLONG:
        return NameTooLongError(path)
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    remedy = (
        "make room; finished films are kept; run the command again to resume" if full else otherwise
    )
    return OutputError(f"cannot write {path}: {cause}; {remedy}")
