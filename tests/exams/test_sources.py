"""Patient and exam of a film from its header, a table or its path; they are never guessed."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionscan.exams.sources import Identity, SourceError, headers, path_pattern, table
from lesionscan.results.record import InputRecord
from tests.batch.films import write_film
from tests.reading.dicom_maker import dataset, save

STORED = np.random.default_rng(5).integers(0, 4096, (24, 20))


def result(file: str, path: Path | None = None) -> InputRecord:
    """Return the input record of a result."""
    sha256 = None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
    return InputRecord(file=file, frame=1, frames=1, sha256=sha256)


def film(folder: Path, **tags: Any) -> InputRecord:  # noqa: ANN401 - any tag
    """Write a DICOM film and return the input record of its result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about invalid dates
        path = save(dataset(STORED, bits_stored=12, **tags), folder / "a.dcm")
    return result("a.dcm", path)


def test_a_header_says_whose_film_it_is(tmp_path: Path) -> None:
    """PatientID without padding, UIDs, and date and time of the study are read from the header."""
    tags = {"StudyDate": "20240229", "StudyTime": "0815"}
    said = film(tmp_path, PatientID=" P7 ", StudyInstanceUID="1.2.3.7", **tags)
    assert headers(tmp_path)(said) == Identity("P7", "1.2.3.7", "20240229081500", "1.2.3.4")


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [
        ("20240229", "", "20240229000000"),
        ("20240229", "235959.5", "20240229235959"),
        ("20240229", "99", "20240229000000"),
        ("20241399", "10", None),
        ("", "10", None),
    ],
)
def test_a_moment_needs_a_date(tmp_path: Path, date: str, time: str, moment: str | None) -> None:
    """A missing or invalid time counts as midnight; without a valid date there is no moment."""
    said = film(tmp_path, StudyDate=date, StudyTime=time, PatientID="", StudyInstanceUID="")
    assert headers(tmp_path)(said) == Identity(moment=moment, instance="1.2.3.4")


def test_nothing_is_known_of_other_films(tmp_path: Path) -> None:
    """A PNG film and a file with a damaged header have an empty identity."""
    png = write_film(tmp_path / "a.png")
    assert headers(tmp_path)(result("a.png", png)) == Identity()
    broken = tmp_path / "b.dcm"
    broken.write_bytes(bytes(128) + b"DICM" + b"\x08\x00\x05\x00CS\xff\xff")
    assert headers(tmp_path)(result("b.dcm", broken)) == Identity()


def test_films_that_are_not_those_of_the_scan_are_refused(tmp_path: Path) -> None:
    """A film that is missing or has changed since the scan is refused."""
    said = film(tmp_path, PatientID="P7")
    with pytest.raises(SourceError, match=r"b\.dcm cannot be read .*name the scanned folder"):
        headers(tmp_path)(result("b.dcm", tmp_path / "a.dcm"))
    (tmp_path / "a.dcm").write_bytes(b"changed")
    with pytest.raises(SourceError, match=r"a\.dcm is not the file that was scanned; scan again"):
        headers(tmp_path)(said)


def test_nothing_of_a_person_shows_in_a_log(tmp_path: Path) -> None:
    """The repr of an identity shows none of its fields, so that logs cannot contain them."""
    said = film(tmp_path, PatientID="P7", StudyInstanceUID="1.2.3.7")
    assert repr(headers(tmp_path)(said)) == "Identity()"


def test_a_table_says_whose_film_it_is(tmp_path: Path) -> None:
    """Columns are found by name, exam names are per patient, and empty cells are unknown."""
    path = tmp_path / "list.csv"
    path.write_text(
        "\ufefffile,who,visit\na.png,P1,1\n./=b.png, P2 ,1\nc.png,,\nd.png\n", encoding="utf-8"
    )
    source = table(path, patient="who", exam="visit")
    assert source(result("a.png")) == Identity("P1", "P1\x001")
    assert source(result("=b.png")) == Identity("P2", "P2\x001")
    for unknown in ("c.png", "d.png", "e.png"):
        assert source(result(unknown)) == Identity()
    assert table(path, patient="who", exam=None)(result("a.png")) == Identity("P1")
    assert table(path, patient=None, exam="visit")(result("a.png")) == Identity(None, "\x001")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "cannot be read .No such file or directory.; check the path"),
        (b"file,visit\n", "has no column who; name one that it has"),
        (b"who\n", "has no column file; name one that it has"),
        (b"", "has no column file"),
        (b"file,who\nDOE.png,1\nDOE.png,2\n", "names two patients or exams for one film; correct"),
        (b"file,who\nDOE\xff,1\n", "is no CSV file in UTF-8; save it as one"),
        (b"file,who\n" + b"DOE" * 70_000 + b",1\n", "is no CSV file in UTF-8"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, data: bytes | None, words: str) -> None:
    """A table that cannot be used is refused with the cause and the remedy.

    The message is one line and repeats no cell.
    """
    path = tmp_path / "list.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SourceError, match=words) as caught:
        table(path, patient="who", exam=None)
    assert "\n" not in str(caught.value)
    assert "DOE" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "file", "patient", "exam"),
    [
        ("{patient}/{exam}/*", "p1/e1/a.dcm", "p1", "p1\x00e1"),
        ("{patient}/{exam}/*", "p1/e1/deep/a.dcm", None, None),
        ("{patient}/**", "p1/e1/deep/a.dcm", "p1", None),
        ("**/{exam}.dcm", "x/y/e1.dcm", None, "\x00e1"),
        ("{patient}_*.png", "p1_2.png", "p1", None),
        ("{patient}_*.png", "p1_2xpng", None, None),  # the dot is literal
    ],
)
def test_a_path_says_whose_film_it_is(
    pattern: str, file: str, patient: str | None, exam: str | None
) -> None:
    """The pattern must match the whole path; otherwise patient and exam are unknown."""
    assert path_pattern(pattern)(result(file)) == Identity(patient, exam)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("*/{person}/*", "names neither .patient. nor .exam.; write a path such as"),
        ("{patient}/{patient}", "names .patient. or .exam. twice; write each once"),
    ],
)
def test_a_bad_pattern_is_refused(pattern: str, words: str) -> None:
    """A pattern with neither {patient} nor {exam}, or with one of them twice, is refused."""
    with pytest.raises(SourceError, match=words):
        path_pattern(pattern)
