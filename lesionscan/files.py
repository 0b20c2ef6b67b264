"""Read untrusted files: regular files only, up to a limit.

A path may name a pipe, a device or a file of 5 GB. Errors are `OSError` with a `strerror` that
states the cause, so callers report them like any other failure of the file system.
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
"""Limit for a file with one entry per film, such as index.json; 100,000 entries take about half."""
PICTURE_BYTES = 256_000_000
"""Limit for a mask, a label image or another picture next to a result."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its prefix
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, which programs on Windows write, and their encodings."""

_MAX_VALUES = 10_000_000
_CHUNK_BYTES = 1 << 16
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
"""Without it, opening a pipe without a writer blocks; Windows has no such flag."""


@contextmanager
def open_ordinary(path: Path, *, max_bytes: int | None = None) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Parameters
    ----------
    path
        The file, or a link to it.
    max_bytes
        Largest size accepted; None for any size.

    Raises
    ------
    OSError
        If the file cannot be opened, is not a regular file (EINVAL), or is too large (EFBIG).
    """
    try:
        stream = open(  # noqa: SIM115 - closed below
            path, "rb", opener=lambda name, flags: os.open(name, flags | _NONBLOCK)
        )
    except ValueError as error:  # a null character in the name
        raise OSError(errno.EINVAL, "not a valid file name", str(path)) from error
    with stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if max_bytes is not None and status.st_size > max_bytes:
            raise _too_large(path, max_bytes)
        yield stream


def read_bounded(path: Path, *, max_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Parameters
    ----------
    path
        The file, or a link to it.
    max_bytes
        Largest size accepted, even if the file grows while it is read.

    Raises
    ------
    OSError
        As `open_ordinary`, or if reading fails.
    """
    with open_ordinary(path, max_bytes=max_bytes) as stream:
        return read_stream(stream, path, max_bytes=max_bytes)


def read_stream(stream: BinaryIO, path: Path, *, max_bytes: int) -> bytes:
    """Return the rest of a stream.

    Parameters
    ----------
    stream
        Any binary stream, such as standard input.
    path
        Name of the stream in error messages.
    max_bytes
        Largest number of bytes accepted.

    Raises
    ------
    OSError
        If the stream is longer (EFBIG), or reading fails.
    """
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _too_large(path, max_bytes)
    return data


def bounded_lines(
    path: Path, *, max_line_bytes: int, max_bytes: int | None = None
) -> Iterator[bytes]:
    r"""Yield the lines of a regular file, "\n" included.

    Parameters
    ----------
    path
        The file, or a link to it.
    max_line_bytes, max_bytes
        Limits for one line and for the whole file; `max_bytes` None for a file of any size.

    Raises
    ------
    OSError
        As `open_ordinary`, if a line is too long (EFBIG), or if reading fails.
    """
    with open_ordinary(path, max_bytes=max_bytes) as stream:
        while line := stream.readline(max_line_bytes + 1):
            if len(line) > max_line_bytes:
                raise OSError(errno.EFBIG, "a line is too long", str(path))
            yield line


def sha256_of_file(path: Path, *, max_bytes: int | None = None) -> str:
    """Return the SHA-256 of a regular file, hexadecimal.

    Raises
    ------
    OSError
        As `open_ordinary`, or if reading fails.
    """
    digest = hashlib.sha256()
    with open_ordinary(path, max_bytes=max_bytes) as stream:
        # up to the size at opening: the file may grow meanwhile
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
        UTF-8, UTF-16 or UTF-32 with a byte order mark; anything else is returned unchanged.

    Raises
    ------
    UnicodeDecodeError
        If the text cannot be decoded as its byte order mark says.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding).encode("utf-8")
    return data


def check_values(data: bytes, *, at_most: int = 500_000) -> None:
    """Refuse a JSON text with too many values before a parser allocates memory for them.

    A text of 16 MB can hold five million empty arrays, for which pydantic takes 5 GB.

    Parameters
    ----------
    data
        The text.
    at_most
        Largest number of values; commas and brackets in strings count too.

    Raises
    ------
    ValueError
        If the text may hold more.
    """
    # one of these precedes each value but the first
    if sum(map(data.count, (b",", b"[", b"{"))) > at_most:
        raise ValueError("it holds too many values")


def parse_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON, is nested too deeply for the parser, or holds over ten million values.
    """
    data = as_utf8(data)
    check_values(data, at_most=_MAX_VALUES)
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _too_large(path: Path, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {max_bytes / 1e6:g} MB", str(path))
