"""Reading untrusted files: limits, refusals, and no blocking."""

import errno
import io
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from lesionscan.files import (
    as_utf8,
    bounded_lines,
    check_values,
    open_ordinary,
    parse_json,
    read_bounded,
    read_stream,
    sha256_of_file,
)


def lines(path: Path) -> list[bytes]:
    """Read lines of at most 5 bytes, 12 bytes in total."""
    return list(bounded_lines(path, max_line_bytes=5, max_bytes=12))


READERS: list[Callable[[Path], object]] = [
    lambda path: read_bounded(path, max_bytes=10),
    lines,
    lambda path: sha256_of_file(path, max_bytes=10),
    sha256_of_file,
]


def test_an_ordinary_file_is_read(tmp_path: Path) -> None:
    """A regular file up to the limit is read, also through a link."""
    (tmp_path / "file").write_bytes(b"abcd\nefgh\n")
    (tmp_path / "link").symlink_to("file")
    for path in (tmp_path / "file", tmp_path / "link"):
        assert read_bounded(path, max_bytes=10) == b"abcd\nefgh\n"
        assert lines(path) == [b"abcd\n", b"efgh\n"]
        assert sha256_of_file(path) == sha256(b"abcd\nefgh\n").hexdigest()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "null character"])
def test_what_is_no_ordinary_file_is_refused(
    read: Callable[[Path], object], kind: str, tmp_path: Path
) -> None:
    """Pipes, devices, folders and missing files are refused without blocking.

    Nobody writes to the pipe, and /dev/zero has no end.
    """
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "null character":
        path = tmp_path / "a\0b"
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the table below checks which
        read(path)
    expected = {
        "pipe": (errno.EINVAL, "not a regular file"),
        "device": (errno.EINVAL, "not a regular file"),
        "folder": (errno.EISDIR, "Is a directory"),
        "missing": (errno.ENOENT, "No such file or directory"),
        "null character": (errno.EINVAL, "not a valid file name"),
    }[kind]
    assert (caught.value.errno, caught.value.strerror) == expected


@pytest.mark.parametrize("read", READERS[:3])
def test_a_file_that_is_too_large_is_refused_unread(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    """A file over the limit, here a sparse one of a terabyte, is refused when it is opened."""
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(10**12)
    with pytest.raises(OSError, match=r"larger than 1(\.2)?e-05 MB"):
        read(path)
    with (
        pytest.raises(OSError, match="larger than 1e-05 MB"),
        open_ordinary(path, max_bytes=10),
    ):
        pytest.fail("it can be read")


def test_a_file_that_grows_is_not_read_on(tmp_path: Path) -> None:
    """A file that grows over the limit after it was opened is refused."""
    path = tmp_path / "log"
    path.write_bytes(b"12345")
    with open_ordinary(path, max_bytes=10) as stream:
        with path.open("ab") as other:
            other.write(b"6789012345")
        with pytest.raises(OSError, match="larger than 1e-05 MB"):
            read_stream(stream, path, max_bytes=10)


def test_a_line_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """A line over the limit is refused, after the lines before it were returned."""
    path = tmp_path / "lines"
    path.write_bytes(b"abc\n" + b"x" * 6)
    read = bounded_lines(path, max_line_bytes=5)
    assert next(read) == b"abc\n"
    with pytest.raises(OSError, match="a line is too long"):
        next(read)


def test_standard_input_is_bounded_too() -> None:
    """A stream over the limit is refused, with the name given by the caller."""
    assert read_stream(io.BytesIO(b"abc"), Path("-"), max_bytes=3) == b"abc"
    with pytest.raises(OSError, match="larger than 3e-06 MB: '-'"):
        read_stream(io.BytesIO(b"abcd"), Path("-"), max_bytes=3)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b"[" * 200_000, b'{"a":' * 100_000, b"1" * 5000]
)
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    """Invalid JSON, deep nesting and numbers with too many digits raise ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        parse_json(text)


@pytest.mark.parametrize("text", [b"[" + b"[]," * 4 + b"[]]", b"[" + b"0," * 9 + b"0]", b"{" * 11])
def test_a_text_of_many_values_is_refused(text: bytes) -> None:
    """JSON with too many values is refused before a parser allocates memory for them."""
    check_values(text, at_most=20)
    with pytest.raises(ValueError, match="too many values"):
        check_values(text, at_most=9)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_no_part_of_a_text(encoding: str) -> None:
    """JSON and text are read in every Unicode encoding that a byte-order mark declares."""
    text = '[{"name": "Hüfte 骨"}]'
    assert as_utf8(text.encode(encoding)) == text.encode()
    assert parse_json(text.encode(encoding)) == [{"name": "Hüfte 骨"}]


def test_a_mark_that_lies_is_a_value_error() -> None:
    """Half a character after the byte-order mark of UTF-16 raises ValueError."""
    with pytest.raises(ValueError, match="utf-16"):
        parse_json(b"\xff\xfe[")
