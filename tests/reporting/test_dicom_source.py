"""The film that a DICOM object refers to is read, or rejected with the reason in one line."""

from pathlib import Path
from typing import Any

import pytest

from lesionscan.reporting.dicom_source import DicomObjectError, read_source
from lesionscan.results.sealed import sha256_of
from tests.reporting.dicom_films import searched
from tests.results.test_record import as_json, as_record, failed_json, parsed


def test_a_failed_film_is_refused(tmp_path: Path) -> None:
    """A film that could not be searched is rejected."""
    with pytest.raises(DicomObjectError, match="could not be searched; see the error in its JSON"):
        read_source(tmp_path / "x.dcm", parsed(failed_json()))


def test_a_film_that_is_gone_is_refused(tmp_path: Path) -> None:
    """A missing film is rejected, and the message gives the cause."""
    with pytest.raises(DicomObjectError, match=r"gone\.dcm: .*No such file.*bring it back"):
        read_source(tmp_path / "gone.dcm", as_record())


def test_another_film_is_refused(tmp_path: Path) -> None:
    """A changed file is rejected: a report must never refer to another patient's film."""
    film = searched(tmp_path)
    film.path.write_bytes(film.path.read_bytes() + b"\0\0")
    with pytest.raises(DicomObjectError, match=r"not the file that was searched.*scan it again"):
        read_source(film.path, parsed(film.result))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "DICOM objects need a DICOM film, which this is not"),
        (bytes(128) + b"DICM" + b"\x08\x00\x60\x00CS\xff\xff" + b"DX", "header|ends"),
    ],
)
def test_what_is_no_dicom_film_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """A picture of another format and a damaged DICOM file are rejected."""
    path = tmp_path / "film"
    path.write_bytes(content)
    result = as_json()
    result["input"]["sha256"] = sha256_of(content)
    with pytest.raises(DicomObjectError, match=words):
        read_source(path, parsed(result))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"NumberOfFrames": 2}, "this file has several; split it"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "SOPClassUID states something else"),
        ({"StudyInstanceUID": None}, "the film lacks study_instance_uid"),
        ({"SeriesInstanceUID": None, "SOPInstanceUID": None}, "sop_instance_uid, series_instance"),
    ],
)
def test_films_that_cannot_be_referred_to_are_refused(
    tmp_path: Path, tags: dict[str, Any], words: str
) -> None:
    """Several frames, another SOP class, and missing UIDs are rejected."""
    film = searched(tmp_path, **tags)
    with pytest.raises(DicomObjectError, match=words):
        read_source(film.path, parsed(film.result))
