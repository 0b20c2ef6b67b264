"""The tables of exams and patients.

`exams.csv` and `patients.csv` name no film. `films.csv`, `bones.csv` and `pairs.csv` name films as
images.csv does, so that they can be joined.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lesionscan.exams.grouping import (
    FilmGroup,
    GroupedFilm,
    by_bone,
    by_exam,
    by_patient,
    exam_numbers,
    pairs,
)
from lesionscan.results.csv_text import Cell, table_writer
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.record import DISCLAIMER

ONE_PICTURE = "one picture"
PER_FILM = "per film: a lesion on two films counts twice"
"""Values of the column `counted`: how candidates of several films are counted."""

_STATED = {
    "body_parts": "body_part",
    "views": "view",
    "lateralities": "laterality",
    "spacing_planes": "spacing_plane",
}
_FOUND_COLUMNS = (
    "candidates_shown",
    "shown_without_mm",
    "area_mm2",
    "largest_diameter_mm",
    "largest_size",
    "best_score",
)
_GROUP_COLUMNS = (
    "films",
    "copies",
    "failed",
    "not_assessed",
    *_STATED,
    "films_with_shown",
    *_FOUND_COLUMNS,
    "counted",
    "disclaimer",
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "films.csv": ("file", "frame", "exam", "patient", "copy"),
    "exams.csv": ("exam", "patient", "exam_number", *_GROUP_COLUMNS),
    "patients.csv": ("patient", "exams", *_GROUP_COLUMNS),
    "bones.csv": (
        "file",
        "frame",
        "exam",
        "patient",
        "body_part",
        "bone_id",
        *_FOUND_COLUMNS,
        "disclaimer",
    ),
    "pairs.csv": ("before", "after"),
}
"""Names of the tables, and their columns."""


@dataclass(frozen=True, slots=True)
class TableCounts:
    """Counts of what was written.

    Attributes
    ----------
    films, exams, patients, pairs
        Numbers of each.
    copies
        Films that are copies of others.
    without_exam, without_patient
        Films with unknown exam or patient.
    mixed
        Exams with films of several patients, as in a damaged archive.
    """

    films: int
    exams: int
    patients: int
    pairs: int
    copies: int
    without_exam: int
    without_patient: int
    mixed: int


def write_tables(films: Sequence[GroupedFilm], own: OwnFiles) -> TableCounts:
    """Write all tables.

    Parameters
    ----------
    films
        The films of the run.
    own
        Writer of the output folder.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If a table cannot be written.
    """
    exams, patients = by_exam(films), by_patient(films)
    numbers = exam_numbers(exams)
    paired = list(pairs(exams, numbers))
    rows: Mapping[str, Iterator[tuple[Cell, ...]]] = {
        "films.csv": (
            (film.file, film.frame, film.exam, film.patient, film.is_copy) for film in films
        ),
        "exams.csv": (
            (exam, group.stated("patient"), numbers.get(exam), *_group_cells(group))
            for exam, group in exams.items()
        ),
        "patients.csv": (
            (patient, len({film.exam for film in group.films} - {None}), *_group_cells(group))
            for patient, group in patients.items()
        ),
        "bones.csv": (
            _bone_row(film, bone, group) for film in films for bone, group in by_bone(film)
        ),
        "pairs.csv": ((before.name, after.name) for before, after in paired),
    }
    for name, columns in COLUMNS.items():
        with own.open_text(own.out / name) as stream:
            table = table_writer(stream, columns)
            for row in rows[name]:
                table.writerow(row)
    return TableCounts(
        films=len(films),
        exams=len(exams),
        patients=len(patients),
        pairs=len(paired),
        copies=sum(film.is_copy for film in films),
        without_exam=sum(film.exam is None for film in films),
        without_patient=sum(film.patient is None for film in films),
        mixed=sum(len({film.patient for film in group.films}) > 1 for group in exams.values()),
    )


def _bone_row(film: GroupedFilm, bone: int | None, group: FilmGroup) -> tuple[Cell, ...]:
    where = (film.file, film.frame, film.exam, film.patient, film.body_part, bone)
    return (*where, *_found_cells(group), DISCLAIMER)


def _group_cells(group: FilmGroup) -> tuple[Cell, ...]:
    films = [film for film in group.films if not film.is_copy]
    return (
        len(films),
        len(group.films) - len(films),
        sum(film.status == "failed" for film in films),
        sum(film.status == "ok" and not film.assessed for film in films),
        *(group.stated(name) for name in _STATED.values()),
        sum(bool(film.shown) for film in films),
        *_found_cells(group),
        ONE_PICTURE if len(films) == 1 else PER_FILM,
        DISCLAIMER,
    )


def _found_cells(group: FilmGroup) -> tuple[Cell, ...]:
    area = group.area_mm2
    return (
        len(group.shown),
        group.without_mm,
        None if area is None else float(f"{area:.6g}"),
        group.largest("diameter_mm"),
        group.largest("size"),
        group.largest("score"),
    )
