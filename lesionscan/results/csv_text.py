r"""CSV: UTF-8, "\n" line ends, quotes around every text but plain words.

Booleans are true and false, null is empty. No cell starts a formula in a spreadsheet.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol, TextIO, TypeAlias

_PLAIN = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|[a-z][a-z0-9_]*|")
"""Cells that need no quotes: numbers, words of ours, nothing."""
_FORMULA = re.compile(r"[\s\x00-\x1f;,]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""What a spreadsheet may take for a formula: full-width signs count, and what stands before a sign
where a spreadsheet cuts cells elsewhere."""

Cell: TypeAlias = str | int | float | bool | None
"""A value in a table."""


class RowWriter(Protocol):
    """Takes the rows of a table one by one."""

    def writerow(self, row: Sequence[Cell]) -> object:
        """Write one row."""


def csv_line(cells: Iterable[str]) -> str:
    r"""Return a row of CSV with its line end, the same on every version of Python.

    Every cell but numbers, true, false and empty ones is quoted, so that no line end, comma or
    semicolon of a name starts a cell or a row (RFC 4180; Python before 3.13 leaves a lone "\r"
    unquoted).
    """
    return ",".join(cell if _PLAIN.fullmatch(cell) else _quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


class _CsvTable:
    """Writes rows as CSV.

    Parameters
    ----------
    stream
        Where to.
    columns
        Names, which become the header.
    """

    def __init__(self, stream: TextIO, columns: Iterable[str]) -> None:
        self._stream = stream
        stream.write(csv_line(columns))

    def writerow(self, row: Sequence[Cell]) -> None:
        """Write one row."""
        self._stream.write(csv_line(cell_text(cell) for cell in row))


def table_writer(stream: TextIO, columns: Iterable[str]) -> RowWriter:
    """Start a CSV table: write its header and return what writes its rows."""
    return _CsvTable(stream, columns)


def cell_text(value: Cell) -> str:
    """Return a value as it stands in a CSV cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and _FORMULA.match(value):
        # A spreadsheet would run such a cell as a formula (OWASP, CSV injection). "./" stops
        # that, and "./=film.png" still names the same file.
        return f"./{value}"
    return str(value)
