"""Read the patient and exam of a film from its DICOM header, a table, or its path."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from lesionscan.files import sha256_of_file
from lesionscan.reading.dicom_identity import read_identity
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.results.record import InputRecord
from lesionscan.results.run import csv_rows

_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d)?)?")
_PARTS = re.compile(r"(\{patient\}|\{exam\}|\*\*|\*)")
_MEANINGS = {
    "{patient}": "(?P<patient>[^/]+)",
    "{exam}": "(?P<exam>[^/]+)",
    "**": ".*",
    "*": "[^/]*",
}


class SourceError(Exception):
    """Identities that cannot be read; the message names the file, the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Patient and exam of a film; None where unknown. Never written or shown.

    Attributes
    ----------
    patient, exam
        Identifiers from the source.
    moment
        Date and time of the exam, "YYYYMMDDHHMMSS", to sort those of a patient.
    instance
        SOP Instance UID.
    """

    patient: str | None = field(default=None, repr=False)
    exam: str | None = field(default=None, repr=False)
    moment: str | None = field(default=None, repr=False)
    instance: str | None = field(default=None, repr=False)


Source: TypeAlias = Callable[[InputRecord], Identity]
"""Returns the identity for the input of a result."""


def headers(films: Path) -> Source:
    """Return a source that reads DICOM headers.

    Parameters
    ----------
    films
        The folder that was scanned.

    Returns
    -------
    callable
        Raises `SourceError` if a film is missing or is not the one that was scanned.
    """

    def belonging(film: InputRecord) -> Identity:
        path = films / film.file
        try:
            same = film.sha256 is None or sha256_of_file(path) == film.sha256
            said = read_identity(path) if same else None
        except OSError as error:
            raise SourceError(
                f"{path} cannot be read ({error.strerror}); name the scanned folder (--films)"
            ) from error
        except UnreadableFileError:
            return Identity()  # such a film has failed in the scan as well
        if said is None:
            raise SourceError(f"{path} is not the file that was scanned; scan again")
        return Identity(
            patient=said.patient_id,
            exam=said.study_uid,
            moment=_moment(said.study_date, said.study_time),
            instance=said.instance_uid,
        )

    return belonging


def table(path: Path, *, patient: str | None, exam: str | None) -> Source:
    """Return a source that looks films up in a table.

    Parameters
    ----------
    path
        A CSV file with the column `file`, as in images.csv.
    patient, exam
        Names of its columns; None if there is none.

    Raises
    ------
    SourceError
        If the table cannot be read or lacks a column.
    """
    try:
        rows = csv_rows(path)
        columns = next(rows, [])
        wanted = [name for name in ("file", patient, exam) if name is not None]
        if missing := [name for name in wanted if name not in columns]:
            raise SourceError(f"{path} has no column {missing[0]}; name one that it has")
        places = {name: columns.index(name) for name in wanted}
        known: dict[str, Identity] = {}
        for row in rows:
            cells = {name: row[place].strip() for name, place in places.items() if place < len(row)}
            file = cells.get("file", "").removeprefix("./")
            who = _named(cells.get(patient or ""), cells.get(exam or ""))
            if known.setdefault(file, who) != who:
                raise SourceError(
                    f"{path} names two patients or exams for one film; correct the table"
                )
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise SourceError(f"{path} is no CSV file in UTF-8; save it as one") from error
    return lambda film: known.get(film.file, Identity())


def path_pattern(pattern: str) -> Source:
    """Return a source that reads patient and exam from a film's path in the scanned folder.

    Parameters
    ----------
    pattern
        A path with {patient}, {exam} or both, such as "{patient}/{exam}/*"; `*` stands for any part
        of one name, `**` for any number of folders.

    Raises
    ------
    SourceError
        If the pattern names neither, or one of them twice.
    """
    parts = _PARTS.split(pattern)
    if not {"{patient}", "{exam}"} & set(parts):
        raise SourceError(
            f"{pattern} names neither {{patient}} nor {{exam}}; write a path such as "
            "{patient}/{exam}/*"
        )
    if any(parts.count(name) > 1 for name in ("{patient}", "{exam}")):
        raise SourceError(f"{pattern} names {{patient}} or {{exam}} twice; write each once")
    known = re.compile("".join(_MEANINGS.get(part, re.escape(part)) for part in parts), re.DOTALL)

    def belonging(film: InputRecord) -> Identity:
        found = known.fullmatch(film.file)
        said = {} if found is None else found.groupdict()
        return _named(said.get("patient"), said.get("exam"))

    return belonging


def _named(patient: str | None, exam: str | None) -> Identity:
    """Return the identity; exams are named per patient, so the patient is part of the exam's."""
    return Identity(
        patient=patient or None,
        exam=f"{patient or ''}\0{exam}" if exam else None,
    )


def _moment(date: str | None, time: str | None) -> str | None:
    if date is None or not _DATE.fullmatch(date):
        return None
    hour = _TIME.match(time or "")
    return date + (hour[0] if hour else "").ljust(6, "0")
