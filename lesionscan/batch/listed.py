"""Read lists of films."""

import codecs
import os
from pathlib import Path

from lesionscan.batch.discover import InputError
from lesionscan.files import as_utf8

_MAX_LISTED = 1_000_000

_SHORTEST_LINE = 8
"""In bytes of UTF-16; `a.png` has ten."""


def read_list(text: bytes) -> list[Path]:
    r"""Return the paths of a list: one per line, or separated by null bytes (`find -print0`).

    Parameters
    ----------
    text
        The list: UTF-8, Unicode with a byte order mark, or UTF-16 without one. Paths are relative
        to the current folder; empty lines are skipped. Quotation marks around a line ("Copy as
        path" of Windows) are removed, unless such a file exists.

    Raises
    ------
    InputError
        If the list has too many entries, or cannot be decoded as its byte order mark says.
    """
    try:
        text = as_utf8(_marked(text))
    except UnicodeDecodeError as error:
        raise InputError("the list does not match its byte order mark; save it as UTF-8") from error
    separator = b"\0" if b"\0" in text else b"\n"
    if text.count(separator) > _MAX_LISTED:
        raise InputError(
            f"the list names more than {_MAX_LISTED:,} films; scan it in parts, or their folder"
        )
    if separator == b"\0":
        return [Path(os.fsdecode(line)) for line in text.split(separator) if line.strip()]
    lines = (line.removesuffix(b"\r") for line in text.split(separator))
    return [_unquoted(os.fsdecode(line)) for line in lines if line.strip()]


def _marked(text: bytes) -> bytes:
    """Add the byte order mark to UTF-16 without one, recognised by null bytes."""
    at = text.find(b"\n")
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return text
    if at < 0:  # one line; names of one letter between null bytes are not expected
        is_line = len(text) > _SHORTEST_LINE and len(text) % 2 == 0
        if is_line and not any(text[1::2]):
            return codecs.BOM_UTF16_LE + text
        return codecs.BOM_UTF16_BE + text if is_line and not any(text[::2]) else text
    if at % 2 == 0 and text[at + 1 : at + 2] == b"\0":
        return codecs.BOM_UTF16_LE + text
    if at % 2 == 1 and text[at - 1 : at] == b"\0":
        return codecs.BOM_UTF16_BE + text
    return text


def _unquoted(line: str) -> Path:
    if len(line) > 2 and line[0] == line[-1] == '"' and not os.path.lexists(line):
        return Path(line[1:-1])
    return Path(line)
