"""Report and segmentation are valid, filed with the film, and reproducible."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from lesionscan.reading.dicom_tags import silenced_pydicom
from lesionscan.reporting.dicom_objects import DicomObjectError, segmentation
from tests.reading.dicom_maker import SENTINEL, dataset, plant_text, ramp
from tests.reporting.dicom_films import (
    IDENTITY,
    NONE_SHOWN,
    THREE,
    UIDS,
    coded,
    comments,
    complaints,
    groups,
    needs_dciodvfy,
    read,
    searched,
    searched_header,
)
from tests.reporting.made import Film
from tests.results.test_record import parsed

pytest.importorskip("highdicom", reason="needs the extra dicom")
from highdicom import sr


def test_a_candidate_is_the_same_in_both_objects(tmp_path: Path) -> None:
    """Report groups and segments have the same tracking UIDs, different for each candidate."""
    film = searched(tmp_path)
    said = [group.tracking_uid for group in groups(film.report())]
    segments = read(film.segmentation()).SegmentSequence
    assert said == [segment.TrackingUID for segment in segments]
    assert len(set(said)) == 2


def test_a_film_without_shown_candidates_has_a_report_and_no_segmentation(tmp_path: Path) -> None:
    """Without shown candidates there is a report that says so, but no segmentation."""
    film = searched(tmp_path, NONE_SHOWN)
    assert segmentation(film.path, parsed(film.result), film.labels) is None
    report = sr.srread(io.BytesIO(film.report()))
    assert groups(film.report()) == []
    (group,) = report.content.get_image_measurement_groups()
    (count,) = group.get_measurements()
    assert (count.name.value, count.value) == ("candidates_shown", 0)
    told = comments(report.ContentSequence)
    assert "0 of 1 ranked candidates are reported." in told


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_objects_are_filed_beside_the_film(tmp_path: Path, kind: str) -> None:
    """Patient and study are the film's; series and instance UIDs are the object's own."""
    film = searched(tmp_path)
    made = read(getattr(film, kind)())
    for keyword, value in {**IDENTITY, "StudyInstanceUID": "1.2.3"}.items():
        assert str(made[keyword].value) == value
    assert made.SeriesInstanceUID.startswith("2.25.")
    assert made.SOPInstanceUID.startswith("2.25.")
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_what_the_film_does_not_say_stays_empty(tmp_path: Path, kind: str) -> None:
    """No patient or study date is invented; the required content date is obviously not real."""
    nothing: dict[str, Any] = dict.fromkeys(IDENTITY)
    film = searched(tmp_path, **nothing)
    made = read(getattr(film, kind)())
    assert all(made[keyword].is_empty for keyword in IDENTITY)
    assert (made.ContentDate, made.ContentTime) == ("19000101", "000000")


@pytest.mark.parametrize(
    ("tags", "moment"),
    [
        ({"ContentDate": "20210506", "ContentTime": "010203.5"}, ("20210506", "010203.5")),
        ({"AcquisitionDate": "20210507"}, ("20210507", "000000")),
        ({"AcquisitionDate": "20210507", "AcquisitionTime": "9 Uhr"}, ("20210507", "000000")),
        ({"ContentDate": "in May"}, ("20200304", "101112")),
    ],
)
def test_the_content_date_is_the_films(
    tmp_path: Path, tags: dict[str, Any], moment: tuple[str, str]
) -> None:
    """The content date is the film's first valid date, never the current time."""
    made = read(searched(tmp_path, **tags).report())
    assert (made.ContentDate, made.ContentTime) == moment


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    """The same result gives the same bytes; another result of the film gives another UID."""
    film = searched(tmp_path)
    first = getattr(film, kind)()
    assert getattr(film, kind)() == first
    film.result["seal_sha256"] = "f" * 64
    uids = {read(data).SOPInstanceUID for data in (first, getattr(film, kind)())}
    assert len(uids) == 2


def test_uids_differ_between_objects(tmp_path: Path) -> None:
    """Report and segmentation share neither instance nor series UID."""
    film = searched(tmp_path)
    made = [read(film.report()), read(film.segmentation())]
    assert len({uid for one in made for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)}) == 4


def test_odd_identity_is_kept_and_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """A name, date or sex that breaks the standard is copied, and no warning or log repeats it."""
    odd: dict[str, Any] = {
        "PatientName": "Smith",
        "PatientBirthDate": "1950.1.1",
        "PatientSex": "unsure",
    }
    film = searched(tmp_path, **odd)
    recwarn.clear()
    data = (film.report(), film.segmentation())
    said = caplog.text + "".join(str(one.message) for one in recwarn)
    assert not any(value in said for value in odd.values())
    for made in data:
        assert all(value.encode() in made for value in odd.values())


COPIED = {
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC", "PatientIdentityRemoved"),
    *("DeidentificationMethod", "IssuerOfPatientID", "StudyDescription"),
    *("PatientOrientation", "LossyImageCompression", "LossyImageCompressionMethod"),
    *("LossyImageCompressionRatio",),
    *IDENTITY,
}


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_no_other_text_of_the_film_comes_along(tmp_path: Path, kind: str) -> None:
    """Of a film with a sentinel in all text tags, only those that file the object are copied."""
    header = dataset(ramp(12, rows=THREE.rows, columns=THREE.columns), bits_stored=12)
    plant_text(header)
    own = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "SOPInstanceUID": "1.2.3.4"}
    made = read(getattr(searched_header(tmp_path, header, THREE, **UIDS, **own), kind)())
    with silenced_pydicom([]):
        found = {item.keyword for item in made.iterall() if SENTINEL in str(item.value)}
    assert found <= COPIED
    assert {"PatientName", "PatientID", "StudyDescription"} <= found


def test_text_in_place_of_a_uid_is_not_repeated(tmp_path: Path) -> None:
    """Text in place of a UID is rejected, and the message does not repeat it."""
    film = searched(tmp_path, StudyInstanceUID=SENTINEL)
    with pytest.raises(DicomObjectError, match="the film lacks study_instance_uid") as caught:
        film.report()
    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize("packing", ["implicit", "big_endian", "deflated", "jpeg2000"])
def test_objects_are_the_same_for_every_packing(tmp_path: Path, packing: str) -> None:
    """Report and segmentation do not depend on the film's transfer syntax."""
    films = []
    for name in ("explicit", packing):
        film = searched(tmp_path, packing=name)
        films.append((read(film.report()), read(film.segmentation())))
    assert films[0] == films[1]


def test_names_keep_their_script(tmp_path: Path) -> None:
    """A Japanese name is read back unchanged, in the film's character set."""
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"  # PS3.5 H.3
    film = searched(tmp_path, SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name)
    made = read(film.report())
    assert str(made.PatientName) == name


@pytest.mark.parametrize(
    ("region", "site"),
    [
        (None, "Bone"),
        (coded("12611008", "SCT", "Tibia"), "Tibia"),
        (coded("X1", "99LOCAL", "Mr Smith's knee"), "Bone"),
        (coded(None, "SCT", "Tibia"), "Bone"),
        (coded("12611008", "SCT", "T" * 64 + "a"), "Bone"),
    ],
)
def test_the_site_is_the_films(tmp_path: Path, region: list[Dataset] | None, site: str) -> None:
    """The site is the film's anatomy if coded in a public scheme, else bone, with its side."""
    film = searched(tmp_path, AnatomicRegionSequence=region)
    film.result["acquisition"] |= {"laterality": "R", "image_laterality": "L"}
    (found,) = groups(film.report())[0].finding_sites
    assert (found.value.meaning, found.laterality.meaning) == (site, "Left")
    (region_of_segment,) = read(film.segmentation()).SegmentSequence[0].AnatomicRegionSequence
    assert region_of_segment.CodeMeaning == site


@needs_dciodvfy
@pytest.mark.parametrize("film", [THREE, NONE_SHOWN])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"PatientOrientation": ["L", "F"], "Laterality": "L"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1", "Modality": "CR"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"},
    ],
)
def test_objects_keep_the_standard(tmp_path: Path, film: Film, tags: dict[str, Any]) -> None:
    """Dciodvfy reports no error, and no warning except about our own coding scheme."""
    made = searched(tmp_path, film, **tags)
    objects = [made.report(), segmentation(made.path, parsed(made.result), made.labels)]
    for data in filter(None, objects):
        assert complaints(data, tmp_path / "made.dcm") == []


@needs_dciodvfy
def test_dciodvfy_would_complain(tmp_path: Path) -> None:
    """The check above can fail: a segmentation without SegmentationType is an error."""
    broken = read(searched(tmp_path).segmentation())
    del broken.SegmentationType
    buffer = io.BytesIO()
    broken.save_as(buffer)
    assert any(line.startswith("Error") for line in complaints(buffer.getvalue(), tmp_path / "x"))


def test_a_missing_highdicom_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If highdicom is missing, the message says what to install."""
    film = searched(tmp_path)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for name in ("dicom_report", "dicom_segmentation"):
        monkeypatch.delitem(sys.modules, f"lesionscan.reporting.{name}", raising=False)
    with pytest.raises(DicomObjectError, match=r"highdicom is not installed.*lesionscan\[dicom\]"):
        film.report()
    with pytest.raises(DicomObjectError, match="highdicom is not installed"):
        film.segmentation()
