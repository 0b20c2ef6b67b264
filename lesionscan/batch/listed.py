"""Lists of films, as people and programs write them."""

import codecs
import os
from pathlib import Path

from lesionscan.batch.discover import InputError
from lesionscan.files import as_utf8

_MOST_LISTED = 1_000_000

_SHORTEST_LINE = 8
"""Bytes of UTF-16: `a.png` has ten."""


def read_list(text: bytes) -> list[Path]:
    r"""Return the paths of a list: one a line, or (`find -print0`) between null bytes.

    Parameters
    ----------
    text
        The list: UTF-8, or any Unicode with a byte order mark, or UTF-16 without. Relative paths
        are those of the current folder; empty lines are left out. Quotation marks around a whole
        line ("Copy as path" of Windows) are no part of it, unless there is such a file.

    Raises
    ------
    InputError
        When it names more films than a run may have, or is not what its byte order mark says.
    """
    try:
        text = as_utf8(_marked(text))
    except UnicodeDecodeError as error:
        raise InputError("the list is not the text it starts as; save it as UTF-8") from error
    separator = b"\0" if b"\0" in text else b"\n"
    if text.count(separator) > _MOST_LISTED:
        raise InputError(
            f"the list names more than {_MOST_LISTED:,} films; scan it in parts, or their folder"
        )
    if separator == b"\0":
        return [Path(os.fsdecode(line)) for line in text.split(separator) if line.strip()]
    lines = (line.removesuffix(b"\r") for line in text.split(separator))
    return [_unquoted(os.fsdecode(line)) for line in lines if line.strip()]


def _marked(text: bytes) -> bytes:
    """Return UTF-16 without a mark with it: its first line ends with a null byte as well."""
    at = text.find(b"\n")
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return text
    if at < 0:  # one line; names of one letter each, between null bytes, are no list of films
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
