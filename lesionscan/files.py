"""Reading files that anybody may have written: ordinary files only, and never more than a limit.

What a path names may be a pipe, a device or 5 GB. Errors are `OSError` whose `strerror` says what
is wrong, so callers report them like any other failure of the file system.
"""

import codecs
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

RECORD_BYTES = 16_000_000
"""Limit for the JSON of a film or a run; a film with 50 long outlines has under 1 MB."""
INDEX_BYTES = 64_000_000
"""Limit for a file with one entry per film, such as index.json: 100,000 entries have about half."""
PICTURE_BYTES = 256_000_000
"""Limit for a mask, a labels picture or another picture beside a result."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, with which it starts
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, which programs on Windows write, and what follows them."""

_MOST_VALUES = 10_000_000
_CHUNK_BYTES = 1 << 16
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""A pipe that nobody writes to would block; Windows has no such flag."""


@contextmanager
def open_ordinary(path: Path, *, max_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Open an ordinary file for reading.

    Parameters
    ----------
    path
        The file, or a link to it.
    max_bytes
        Refuse a file that is longer; None for any length.

    Raises
    ------
    OSError
        When it cannot be opened, is no ordinary file (EINVAL), or is longer (EFBIG).
    """
    try:
        stream = open(  # noqa: SIM115 - closed below
            path, "rb", opener=lambda name, flags: os.open(name, flags | _AT_ONCE)
        )
    except ValueError as error:  # a null character in the name
        raise OSError(errno.EINVAL, "the name cannot be one of a file", str(path)) from error
    with stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        if max_bytes is not None and facts.st_size > max_bytes:
            raise _too_long(path, max_bytes)
        yield stream


def read_bounded(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of an ordinary file.

    Parameters
    ----------
    path
        The file, or a link to it.
    max_bytes
        Refuse a file that is longer, also one that grows meanwhile.

    Raises
    ------
    OSError
        As `open_ordinary`, and when it cannot be read.
    """
    with open_ordinary(path, max_bytes=max_bytes) as stream:
        return read_stream(stream, path, max_bytes=max_bytes)


def read_stream(stream: BinaryIO, path: Path, *, max_bytes: int) -> bytes:
    """Return what is left of a stream.

    Parameters
    ----------
    stream
        Any, such as standard input.
    path
        What an error calls it.
    max_bytes
        Refuse a longer one.

    Raises
    ------
    OSError
        When it is longer (EFBIG), or cannot be read.
    """
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _too_long(path, max_bytes)
    return data


def bounded_lines(
    path: Path, *, max_line_bytes: int, max_bytes: int | None = None
) -> Iterator[bytes]:
    r"""Yield the lines of an ordinary file, "\n" included.

    Parameters
    ----------
    path
        The file, or a link to it.
    max_line_bytes, max_bytes
        Limits for one line and for the whole file; None for any number of lines.

    Raises
    ------
    OSError
        As `open_ordinary`, when a line is longer (EFBIG), or when it cannot be read.
    """
    with open_ordinary(path, max_bytes=max_bytes) as stream:
        while line := stream.readline(max_line_bytes + 1):
            if len(line) > max_line_bytes:
                raise OSError(errno.EFBIG, "a line is too long", str(path))
            yield line


def sha256_of_file(path: Path, *, max_bytes: int | None = None) -> str:
    """Return the SHA-256 (hexadecimal) of an ordinary file.

    Raises
    ------
    OSError
        As `open_ordinary`, and when it cannot be read.
    """
    digest = hashlib.sha256()
    with open_ordinary(path, max_bytes=max_bytes) as stream:
        # no further than its length: a file may grow meanwhile
        left = os.fstat(stream.fileno()).st_size
        while data := stream.read(min(_CHUNK_BYTES, left)):
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()


def as_utf8(data: bytes) -> bytes:
    """Return a text as UTF-8 without a byte order mark.

    Parameters
    ----------
    data
        UTF-8, or any Unicode with a mark; what has none comes back as it is.

    Raises
    ------
    UnicodeDecodeError
        When the text is not what its mark says.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding).encode("utf-8")
    return data


def check_values(data: bytes, *, at_most: int = 500_000) -> None:
    """Refuse a JSON text of many values, before a parser takes memory for them.

    A text of 16 MB can hold five million empty arrays, of which pydantic makes 5 GB.

    Parameters
    ----------
    data
        The text.
    at_most
        Values; those in strings that look like them count too.

    Raises
    ------
    ValueError
        When it may hold more.
    """
    # each value but the first comes behind one of these
    if sum(map(data.count, (b",", b"[", b"{"))) > at_most:
        raise ValueError("it holds too many values")


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        When it is none, is nested too deeply for the parser, or holds more than ten million values.
    """
    data = as_utf8(data)
    check_values(data, at_most=_MOST_VALUES)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _too_long(path: Path, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {max_bytes / 1e6:g} MB", str(path))
