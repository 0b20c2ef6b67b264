r"""Write CSV: UTF-8, "\n" line ends, quotes around all text but plain words.

Booleans are true and false, None is empty. No cell starts a formula in a spreadsheet.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol, TextIO, TypeAlias

_PLAIN = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|[a-z][a-z0-9_]*|")
"""Cells that need no quotes: numbers, codes, empty cells."""
_FORMULA = re.compile(r"[\s\x00-\x1f;,]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""Start of a cell that a spreadsheet may take for a formula, with full-width signs, and with
characters at which some spreadsheets split cells."""

Cell: TypeAlias = str | int | float | bool | None
"""A value in a table."""


class RowWriter(Protocol):
    """Writer of the rows of a table."""

    def writerow(self, row: Sequence[Cell]) -> object:
        """Write one row."""


def csv_line(cells: Iterable[str]) -> str:
    r"""Return a row of CSV with its line end.

    All cells but numbers, codes and empty ones are quoted (RFC 4180), so that line ends, commas and
    semicolons in names do not start a cell or row. Python's csv before 3.13 does not quote "\r".
    """
    return ",".join(cell if _PLAIN.fullmatch(cell) else _quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


class _CsvTable:
    """Writes rows as CSV.

    Parameters
    ----------
    stream
        The open file.
    columns
        Names of the columns, written as the header.
    """

    def __init__(self, stream: TextIO, columns: Iterable[str]) -> None:
        self._stream = stream
        stream.write(csv_line(columns))

    def writerow(self, row: Sequence[Cell]) -> None:
        """Write one row."""
        self._stream.write(csv_line(cell_text(cell) for cell in row))


def table_writer(stream: TextIO, columns: Iterable[str]) -> RowWriter:
    """Write the header of a CSV table, and return the writer of its rows."""
    return _CsvTable(stream, columns)


def cell_text(value: Cell) -> str:
    """Return the text of a value in CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and _FORMULA.match(value):
        # A spreadsheet would run such a cell as a formula (OWASP, CSV injection). "./" prevents
        # that, and "./=film.png" is still the path of the same file.
        return f"./{value}"
    return str(value)
