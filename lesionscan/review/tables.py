"""Write the run's tables with a reviewer's decisions.

Rows and columns are those of the run's `images.csv` and `candidates.csv`, with unchanged cells.
Columns are appended, and missed lesions get rows of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionscan.results.csv_text import Cell, cell_text, csv_line
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.record import DISCLAIMER
from lesionscan.results.run import Row, RunTable
from lesionscan.review.applied import ReviewedFilm
from lesionscan.review.outline import outline_cells
from lesionscan.review.record import MissedRecord

TABLE_NAMES = ("images.csv", "candidates.csv")
DECISION_COLUMNS = ("decision", "note")
"""Added to the table of candidates. Missed lesions have the decision "missed"."""
COUNT_COLUMNS = ("reviewed", "accepted", "rejected", "unsure", "missed", "note")
"""Added to the table of images."""


def write_tables(results: Path, films: Sequence[ReviewedFilm], own: OwnFiles) -> None:
    """Write `images.csv` and `candidates.csv`.

    Parameters
    ----------
    results
        The results folder.
    films
        Those whose review matches their result.
    own
        Writes files of the output folder.

    Raises
    ------
    lesionscan.results.run.RunError
        If the run's tables cannot be read, or do not match each other.
    lesionscan.results.atomic.OutputError
        If a table cannot be written.
    """
    by_picture = {(film.file, film.frame): film for film in films}
    images, candidates = (RunTable(results / name) for name in TABLE_NAMES)
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
        if following is not None:  # a picture that is not listed, or another order
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
