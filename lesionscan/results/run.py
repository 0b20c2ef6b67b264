"""Read the settings, tables and results of a run from its output folder.

Nothing there is trusted: files may have been edited or removed.
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
_MAX_LINE_BYTES = 1 << 20
_MAX_ROWS = 5_000_000

Picture: TypeAlias = tuple[str, int]
"""File and frame, as in the tables."""
Row: TypeAlias = list[str]


class RunError(Exception):
    """Unreadable run; the message names the file, the cause and the remedy."""


class RunTable:
    """A table with one or more rows per film, such as `images.csv`.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    RunError
        If it cannot be read; also raised by `rows`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = self._read()
        self.columns = next(self._rows, [])
        if not _NEEDED_COLUMNS.get(path.name, _NEEDED_ANYWHERE) <= set(self.columns):
            raise self.unusable()
        self._file, self._frame = self.columns.index("file"), self.columns.index("frame")

    def rows(self) -> Iterator[tuple[Picture, Row]]:
        """Yield (file and frame, row)."""
        for row in self._rows:
            if len(row) != len(self.columns) or not _FRAME.fullmatch(row[self._frame]):
                raise self.unusable()
            # "./" protects against formulas (`csv_text.cell_text`) and is not part of the name
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
        """Return the error for a table that was changed."""
        return RunError(f"{self._path} was changed after the run; scan again, or merge")


def csv_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file (UTF-8, commas), including the header.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is not UTF-8 or not CSV, or has too many rows.
    """
    lines = bounded_lines(path, max_line_bytes=_MAX_LINE_BYTES)
    # spreadsheet programs put a byte order mark before the first line
    rows = csv.reader(
        line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(lines)
    )
    try:
        for number, row in enumerate(rows):
            if number > _MAX_ROWS:
                raise ValueError(f"it has more than {_MAX_ROWS:,} rows")
            yield row
    except csv.Error as error:
        raise ValueError("it is not CSV") from error


def listed_pictures(results: Path) -> Iterator[Picture]:
    """Yield the films listed in `images.csv`, in its order.

    Raises
    ------
    RunError
        If the table is missing or was changed.
    """
    return (picture for picture, _ in RunTable(results / "images.csv").rows())


def run_results(results: Path) -> Iterator[ResultRecord]:
    """Yield the results of the films in `images.csv`, in its order.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.

    Raises
    ------
    RunError
        If the table cannot be read, or a result that it lists is missing or changed.
    """
    for file, frame in listed_pictures(results):
        # the table does not state whether the file has several images
        names = dict.fromkeys((result_name(file, frame, 1), result_name(file, frame, 2)))
        found = (_intact(results, name) for name in names)
        result = next((one for one in found if one and one.input.frame == frame), None)
        if result is None:
            raise RunError(
                f"{ResultPaths.of(results, file).record} is missing or was changed after the scan; "
                "scan again"
            )
        yield result


def _intact(results: Path, name: str) -> ResultRecord | None:
    data = read_file(ResultPaths.of(results, name).record)
    result = None if data is None else parse_record(data)
    if data is None or result is None or result.name != name or not is_sealed(data):
        return None
    return result


def run_settings(results: Path, settings_sha256: str) -> Settings:
    """Return the settings of a run.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.
    settings_sha256
        Hash of the settings of reading and search in the results of the films.

    Returns
    -------
    Settings
        Those in run.json; the defaults if it does not exist.

    Raises
    ------
    RunError
        If run.json cannot be read, or the films were searched with other settings.
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
            f"{path} has no settings that fit this version of lesionscan; scan again, or merge"
        ) from error
    if settings.sha256() != settings_sha256:
        raise RunError(
            f"the results in {results} were made with other settings than those in {path}; scan "
            "again, or merge"
        )
    return settings
