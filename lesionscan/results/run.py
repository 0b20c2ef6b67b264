"""A run read back from its folder: its settings, its tables and the results of its films.

Nothing there is trusted: tables may have been edited, and results changed or lost.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from lesionscan.files import RECORD_BYTES, bounded_lines, parse_json, read_bounded
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.record import ResultRecord, parse_record, result_name
from lesionscan.results.sealed import is_sealed
from lesionscan.settings import Settings

_NEEDED_COLUMNS = {"candidates.csv": {"file", "frame", "id"}}
_NEEDED_ANYWHERE = {"file", "frame"}
_FRAME = re.compile(r"[0-9]{1,9}")
_LONGEST_LINE = 1 << 20
_MOST_ROWS = 5_000_000

Picture: TypeAlias = tuple[str, int]
"""File and frame, as in the tables."""
Row: TypeAlias = list[str]


class RunError(Exception):
    """A run that cannot be read back; the message names the file, the cause and the remedy."""


class RunTable:
    """Reads a table with one row or several per picture, such as `images.csv`.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    RunError
        When it cannot be read, also from `rows`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = self._read()
        self.columns = next(self._rows, [])
        if not _NEEDED_COLUMNS.get(path.name, _NEEDED_ANYWHERE) <= set(self.columns):
            raise self.unusable()
        self._file, self._frame = self.columns.index("file"), self.columns.index("frame")

    def rows(self) -> Iterator[tuple[Picture, Row]]:
        """Yield each row, and the picture that it is about."""
        for row in self._rows:
            if len(row) != len(self.columns) or not _FRAME.fullmatch(row[self._frame]):
                raise self.unusable()
            # the guard against formulas (`csv_text.cell_text`) is no part of the name
            yield (row[self._file].removeprefix("./"), int(row[self._frame])), row

    def _read(self) -> Iterator[Row]:
        try:
            yield from csv_rows(self._path)
        except OSError as error:
            raise RunError(
                f"{self._path} cannot be read ({error.strerror}); name scan's --out folder"
            ) from error
        except ValueError as error:
            raise self.unusable() from error

    def unusable(self) -> RunError:
        """Return what to say of a table that was changed."""
        return RunError(f"{self._path} is not as the run wrote it; scan again, or merge")


def csv_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file (UTF-8, commas), its header first.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError
        When it cannot be read.
    ValueError
        When it is not UTF-8 or no CSV, or has too many rows.
    """
    lines = bounded_lines(path, max_line_bytes=_LONGEST_LINE)
    # spreadsheet programs put a byte order mark before the first line
    rows = csv.reader(
        line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(lines)
    )
    try:
        for number, row in enumerate(rows):
            if number > _MOST_ROWS:
                raise ValueError(f"it has more than {_MOST_ROWS:,} rows")
            yield row
    except csv.Error as error:
        raise ValueError("it is no CSV") from error


def listed_pictures(results: Path) -> Iterator[Picture]:
    """Yield the pictures that the run's table of images lists, in its order.

    Raises
    ------
    RunError
        When there is no such table, or it was changed.
    """
    return (picture for picture, _ in RunTable(results / "images.csv").rows())


def run_results(results: Path) -> Iterator[ResultRecord]:
    """Yield the results of a run's films in the order of its table.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.

    Raises
    ------
    RunError
        When the table of images cannot be read, or a result that it lists is missing or changed.
    """
    for file, frame in listed_pictures(results):
        # the table does not say whether the file holds one picture or several
        names = dict.fromkeys((result_name(file, frame, 1), result_name(file, frame, 2)))
        found = (_whole(results, name) for name in names)
        result = next((one for one in found if one and one.input.frame == frame), None)
        if result is None:
            raise RunError(
                f"{ResultPaths.of(results, file).record} is missing or was changed after the scan; "
                "scan again"
            )
        yield result


def _whole(results: Path, name: str) -> ResultRecord | None:
    data = read_file(ResultPaths.of(results, name).record)
    result = None if data is None else parse_record(data)
    if data is None or result is None or result.name != name or not is_sealed(data):
        return None
    return result


def run_settings(results: Path, settings_sha256: str) -> Settings:
    """Return the settings that a run was made with.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.
    settings_sha256
        What the results of the films say of reading and search.

    Returns
    -------
    Settings
        Those of run.json; the defaults where there is none.

    Raises
    ------
    RunError
        When run.json cannot be read, or the films were searched with other settings.
    """
    path = results / "run.json"
    try:
        settings = Settings(**parse_json(read_bounded(path, max_bytes=RECORD_BYTES))["settings"])
    except FileNotFoundError:
        settings = Settings()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); scan again") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} names no settings that this version of lesionscan knows; scan again, or merge"
        ) from error
    if settings.sha256() != settings_sha256:
        raise RunError(
            f"{path} does not say which settings the results of {results} were made with; scan "
            "again, or merge"
        )
    return settings
