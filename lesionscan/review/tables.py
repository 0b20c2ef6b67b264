"""The run's tables with a reviewer's decisions beside.

Rows and columns are those of the run's `images.csv` and `candidates.csv`, cell by cell as they
stand there; columns are added behind, and lesions that were missed get rows of their own.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from lesionscan.files import bounded_lines
from lesionscan.results.csv_text import Cell, cell_text, csv_line
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.record import DISCLAIMER
from lesionscan.review.applied import ReviewedFilm
from lesionscan.review.outline import outline_cells
from lesionscan.review.record import MissedRecord, ReviewError

TABLE_NAMES = ("images.csv", "candidates.csv")
DECISION_COLUMNS = ("decision", "note")
"""Added to the table of candidates. A lesion that was missed has the decision "missed"."""
COUNT_COLUMNS = ("reviewed", "accepted", "rejected", "unsure", "missed", "note")
"""Added to the table of images."""

_NEEDED_COLUMNS = {"images.csv": {"file", "frame"}, "candidates.csv": {"file", "frame", "id"}}
_FRAME = re.compile(r"[0-9]{1,9}")
_LONGEST_LINE = 1 << 20
_MOST_ROWS = 5_000_000

Picture: TypeAlias = tuple[str, int]
"""File and frame, as in the tables."""
Row: TypeAlias = list[str]


class _Table:
    """Reads a table of the run.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    lesionscan.review.record.ReviewError
        When it cannot be read, also from `rows`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = self._read()
        self.columns = next(self._rows, [])
        if not _NEEDED_COLUMNS[path.name] <= set(self.columns):
            raise self.unusable()
        self._file, self._frame = self.columns.index("file"), self.columns.index("frame")

    def rows(self) -> Iterator[tuple[Picture, Row]]:
        """Yield each row, and the picture that it is about."""
        for row in self._rows:
            if len(row) != len(self.columns) or not _FRAME.fullmatch(row[self._frame]):
                raise self.unusable()
            # the guard against formulas (`reporting.tables`) is no part of the name
            yield (row[self._file].removeprefix("./"), int(row[self._frame])), row

    def _read(self) -> Iterator[Row]:
        try:
            lines = bounded_lines(self._path, max_line_bytes=_LONGEST_LINE)
            # spreadsheet programs put a byte order mark before the first line
            rows = csv.reader(
                line.decode("utf-8-sig" if number == 0 else "utf-8")
                for number, line in enumerate(lines)
            )
            for number, row in enumerate(rows):
                if number > _MOST_ROWS:
                    raise self.unusable()
                yield row
        except OSError as error:
            raise ReviewError(
                f"{self._path} cannot be read ({error.strerror}); name scan's --out folder"
            ) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise self.unusable() from error

    def unusable(self) -> ReviewError:
        """Return what to say of a table that was changed."""
        return ReviewError(f"{self._path} is not as the run wrote it; scan again, or merge")


def listed_pictures(results: Path) -> set[Picture]:
    """Return the pictures that the run's table of images lists.

    Raises
    ------
    lesionscan.review.record.ReviewError
        When there is none, or it was changed.
    """
    return {picture for picture, _ in _Table(results / "images.csv").rows()}


def write_tables(results: Path, films: Sequence[ReviewedFilm], own: OwnFiles) -> None:
    """Write `images.csv` and `candidates.csv`.

    Parameters
    ----------
    results
        The results folder.
    films
        Those whose review fits their result.
    own
        Writes files of the output folder.

    Raises
    ------
    lesionscan.review.record.ReviewError
        When the run's tables cannot be read, or do not fit each other.
    lesionscan.results.atomic.OutputError
        When a table cannot be written.
    """
    by_picture = {(film.file, film.frame): film for film in films}
    images, candidates = (_Table(results / name) for name in TABLE_NAMES)
    with (
        own.open_text(own.out / "images.csv") as image_stream,
        own.open_text(own.out / "candidates.csv") as candidate_stream,
    ):
        write_image = _writer(image_stream, [*images.columns, *COUNT_COLUMNS])
        write_candidate = _writer(candidate_stream, [*candidates.columns, *DECISION_COLUMNS])
        number = candidates.columns.index("id")
        rest = candidates.rows()
        following = next(rest, None)
        for picture, row in images.rows():
            film = by_picture.get(picture)
            write_image([*row, *map(cell_text, _counts(film))])
            while following is not None and following[0] == picture:
                candidate = following[1]
                decision = map(cell_text, _decision(film, candidate[number]))
                write_candidate([*candidate, *decision])
                following = next(rest, None)
            if film is not None:
                for missed in film.review.missed:
                    write_candidate(_missed_row(candidates.columns, film, missed))
        if following is not None:  # of a picture that is not listed, or in another order
            raise candidates.unusable()


def _counts(film: ReviewedFilm | None) -> tuple[Cell, ...]:
    if film is None:
        return False, *(None,) * (len(COUNT_COLUMNS) - 1)
    decided = (len(film.decided(one)) for one in ("accepted", "rejected", "unsure"))
    return film.review.reviewed, *decided, len(film.review.missed), film.review.note or None


def _decision(film: ReviewedFilm | None, number: str) -> tuple[Cell, ...]:
    given = None if film is None else film.review.candidates.get(number)
    return (None, None) if given is None else (given.decision, given.note or None)


def _missed_row(columns: Sequence[str], film: ReviewedFilm, missed: MissedRecord) -> Row:
    measured = None
    if film.drawn_on is not None:
        measured = outline_cells(missed.outline_px, film.drawn_on)
    cells: Mapping[str, Cell] = {
        "file": film.file,
        "frame": film.frame,
        **(measured or {}),
        "disclaimer": DISCLAIMER,
    }
    return [cell_text(cells.get(name)) for name in columns] + [
        "missed",
        cell_text(missed.note or None),
    ]


def _writer(stream: Any, columns: Row) -> Callable[[Row], object]:  # noqa: ANN401 - a TextIO
    stream.write(csv_line(columns))
    return lambda row: stream.write(csv_line(row))
