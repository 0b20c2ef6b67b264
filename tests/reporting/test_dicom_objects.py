"""A film's result as DICOM objects: read back as it was, valid, and filed beside the film."""

import io
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from lesionscan.radiograph import Spacing
from lesionscan.reading.dicom_file import silenced_pydicom
from lesionscan.reporting.dicom_objects import DicomObjectError, segmentation, structured_report
from lesionscan.reporting.records import sha256_of
from tests.reading.dicom_maker import dataset, ramp, save
from tests.reporting.made import Disk, Film, make_findings
from tests.reporting.test_records import as_json, failed_json

pytest.importorskip("highdicom", reason="needs the extra dicom")
from highdicom import seg, sr
from highdicom.image import imread

THREE = Film(disks=(Disk(150, 100, 14, 0.9), Disk(60, 110, 7, 0.6), Disk(230, 90, 5, 0.2)))
NONE_SHOWN = Film(disks=(Disk(150, 100, 14, 0.3),))
IDENTITY = {
    "PatientName": "Doe^Jane",
    "PatientID": "1234",
    "PatientBirthDate": "19600102",
    "PatientSex": "F",
    "StudyDate": "20200304",
    "StudyTime": "101112",
    "StudyID": "7",
    "AccessionNumber": "A5",
    "ReferringPhysicianName": "Roe^Richard",
}
UIDS = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
needs_dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)"
)
needs_dsrdump = pytest.mark.skipif(
    shutil.which("dsrdump") is None, reason="needs dsrdump (Debian: dcmtk)"
)


@dataclass(frozen=True)
class Searched:
    """A film, its result and its labels, as the batch has them."""

    path: Path
    result: dict[str, Any]
    labels: NDArray[np.uint16]

    def report(self) -> bytes:
        """Make the report."""
        return structured_report(self.path, self.result)

    def segmentation(self) -> bytes:
        """Make the segmentation, which there must be."""
        made = segmentation(self.path, self.result, self.labels)
        assert made is not None
        return made


def searched(folder: Path, film: Film = THREE, **tags: Any) -> Searched:  # noqa: ANN401
    """Write a DX film and make the result of its search; a tag of None is left out of the film."""
    pixels = ramp(12, rows=film.rows, columns=film.columns)
    given = {**UIDS, **IDENTITY, **tags}
    header = dataset(pixels, bits_stored=12)
    with silenced_pydicom([]):  # some of what is given breaks the standard
        for keyword, value in given.items():
            if value is not None:
                setattr(header, keyword, value)
            elif keyword in header:
                delattr(header, keyword)
        path = save(header, folder / "film.dcm")
    result = as_json(film)
    result["input"]["sha256"] = sha256_of(path.read_bytes())
    return Searched(path, result, make_findings(film).labels.astype(np.uint16))


def read(data: bytes) -> Dataset:
    """Read an object back with pydicom."""
    return dcmread(io.BytesIO(data))


def groups(data: bytes) -> list[Any]:
    """Return the report's measurement groups, as highdicom reads them."""
    return list(sr.srread(io.BytesIO(data)).content.get_planar_roi_measurement_groups())


def inside(points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Fill an outline of SCOORD points: pixels whose centre is inside or on it."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(points - 0.5).astype(np.int32)], 1)
    return mask > 0


def comments(items: Any) -> list[str]:  # noqa: ANN401
    """Return the texts of a content sequence's comments."""
    return [
        item.TextValue for item in items if item.ConceptNameCodeSequence[0].CodeMeaning == "Comment"
    ]


def test_every_outline_comes_back_as_the_candidate(tmp_path: Path) -> None:
    """The shown candidates' outlines, filled, are their pixels in the labels picture."""
    film = searched(tmp_path)
    found = groups(film.report())
    assert [group.tracking_identifier for group in found] == ["candidate 1", "candidate 2"]
    for number, group in enumerate(found, start=1):
        points = group.roi.value
        np.testing.assert_array_equal(points[0], points[-1])
        np.testing.assert_array_equal(inside(points, film.labels.shape), film.labels == number)


@pytest.mark.parametrize(
    ("spacing", "suffixes", "units"),
    [
        (None, ("px", "px"), ("{pixels}", "{pixels}")),
        (Spacing(0.143, 0.143, "ImagerPixelSpacing", "detector"), ("mm2", "mm"), ("mm2", "mm")),
    ],
)
def test_every_number_comes_back(
    tmp_path: Path, spacing: Spacing | None, suffixes: tuple[str, str], units: tuple[str, str]
) -> None:
    """Exactly as in the JSON, in mm where that has mm, else in pixels."""
    film = searched(tmp_path, Film(disks=THREE.disks, spacing=spacing))
    for candidate, group in zip(film.result["candidates"], groups(film.report()), strict=False):
        said = {one.name.meaning: (one.value, one.unit.value) for one in group.get_measurements()}
        area, length = suffixes
        assert said == {
            "Score, not a probability": (candidate["score"], "1"),
            "Area": (candidate[f"area_{area}"], units[0]),
            "Diameter of the disk of the same area": (
                candidate[f"equivalent_diameter_{length}"],
                units[1],
            ),
            "Long axis": (candidate[f"feret_max_{length}"], units[1]),
            "Perimeter": (candidate[f"perimeter_{length}"], units[1]),
            "Width of transition zone": (candidate[f"margin_width_{length}"], units[1]),
            "Circularity": (candidate["circularity"], "1"),
            "Eccentricity": (candidate["eccentricity"], "1"),
            "Solidity": (candidate["solidity"], "1"),
            "Contrast on a grey scale of 0 to 1": (candidate["contrast"], "1"),
            "Contrast to noise": (candidate["contrast_to_noise"], "1"),
            "Width across bone / width of bone": (candidate["lesion_to_bone_width"], "1"),
        }


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    """A null of the JSON is no measurement."""
    film = searched(tmp_path)
    film.result["candidates"][0] |= {"margin_width_px": None, "lesion_to_bone_width": None}
    names = {one.name.meaning for one in groups(film.report())[0].get_measurements()}
    assert names.isdisjoint({"Width of transition zone", "Width across bone / width of bone"})


def test_the_report_says_what_it_is(tmp_path: Path) -> None:
    """Preliminary, unverified, for research, with the disclaimer, its maker, doubts and reasons."""
    film = searched(tmp_path)
    report = read(film.report())
    assert report.SOPClassUID.name == "Comprehensive SR Storage"
    flags = (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag)
    assert flags == ("COMPLETE", "PRELIMINARY", "UNVERIFIED")
    assert report.ContentQualification == "RESEARCH"
    scheme = report.CodingSchemeIdentificationSequence[0]
    assert scheme.CodingSchemeDesignator == "99LESIONSCAN"
    assert comments(report.ContentSequence) == [
        "Research use only; not a diagnosis.",
        "2 of 3 ranked candidates are reported.",
        "The film gives no spacing that can be believed: sizes are in pixels.",
    ]
    group = groups(film.report())[1][0].ContentSequence
    assert comments(group) == [
        "Doubts about these numbers: touches_bone_edge.",
        "enclosed: brighter bone all round (+1.25 log-odds)",
        "rim: no bright rim (-0.50 log-odds)",
    ]
    texts = {item.TextValue for item in group if item.ValueType == "TEXT"}
    tool = film.result["tool"]
    assert {
        tool["version"],
        f"settings_sha256={tool['settings_sha256']}",
        f"scorer_sha256={tool['scorer_sha256']}",
    } <= texts


def test_the_plane_of_the_millimetres_is_told(tmp_path: Path) -> None:
    """A reader of the report learns that its millimetres are those of the detector."""
    spacing = Spacing(0.143, 0.143, "ImagerPixelSpacing", "detector")
    film = searched(tmp_path, Film(disks=THREE.disks, spacing=spacing))
    told = comments(read(film.report()).ContentSequence)[-1]
    assert told == (
        "Millimetres hold in the plane: detector (ImagerPixelSpacing, not calibrated for "
        "magnification)."
    )


def test_the_segmentation_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    """Each shown candidate is a segment, by every reader, and nothing else is."""
    film = searched(tmp_path)
    data = film.segmentation()
    expected = [film.labels == 1, film.labels == 2]
    np.testing.assert_array_equal(read(data).pixel_array, expected)
    np.testing.assert_array_equal(imread(io.BytesIO(data)).get_frames(dtype=np.uint8), expected)
    made = seg.segread(io.BytesIO(data))
    pixels = made.get_pixels_by_source_instance([read(film.path.read_bytes()).SOPInstanceUID])
    np.testing.assert_array_equal(np.moveaxis(pixels[0], -1, 0), expected)
    labels = [made.get_segment_description(number).segment_label for number in (1, 2)]
    assert labels == ["candidate 1", "candidate 2"]
    assert (made.Rows, made.Columns, made.SegmentsOverlap) == (300, 200, "NO")


def test_segments_keep_the_order_of_candidates(tmp_path: Path) -> None:
    """Hidden candidates leave no gap: segments count on, and say which candidate each is."""
    film = searched(tmp_path)
    film.result["candidates"][0]["shown"] = False
    made = seg.segread(io.BytesIO(film.segmentation()))
    np.testing.assert_array_equal(made.pixel_array, film.labels == 2)
    assert made.get_segment_description(1).segment_label == "candidate 2"


def test_a_candidate_is_the_same_in_both_objects(tmp_path: Path) -> None:
    """The tracking UIDs of groups and segments agree, and differ between candidates."""
    film = searched(tmp_path)
    said = [group.tracking_uid for group in groups(film.report())]
    segments = read(film.segmentation()).SegmentSequence
    assert said == [segment.TrackingUID for segment in segments]
    assert len(set(said)) == 2


@pytest.mark.parametrize(
    "tags",
    [
        {"ImagerPixelSpacing": [0.14, 0.14]},
        {"PixelSpacing": [0.14, 0.14], "FrameOfReferenceUID": "1.2.3.9"},
    ],
)
def test_no_geometry_is_invented(tmp_path: Path, tags: dict[str, Any]) -> None:
    """A segmentation of a film has neither pixel measures nor a place in the patient (A.51.5)."""
    made = read(searched(tmp_path, **tags).segmentation())
    assert "FrameOfReferenceUID" not in made
    for item in (
        *made.SharedFunctionalGroupsSequence,
        *made.PerFrameFunctionalGroupsSequence,
    ):
        assert "PixelMeasuresSequence" not in item
        assert "PlanePositionSequence" not in item
        assert "PlaneOrientationSequence" not in item


def test_orientation_and_loss_are_the_films(tmp_path: Path) -> None:
    """A segmentation has the film's patient orientation and says how the film was compressed."""
    film = searched(tmp_path, PatientOrientation=["L", "F"], LossyImageCompression="01")
    made = read(film.segmentation())
    assert list(made.PatientOrientation) == ["L", "F"]
    assert made.LossyImageCompression == "01"
    bare = read(searched(tmp_path).segmentation())
    assert (bare["PatientOrientation"].is_empty, bare.LossyImageCompression) == (True, "00")


def test_a_film_without_shown_candidates_has_a_report_and_no_segmentation(tmp_path: Path) -> None:
    """The report says that there are none; a segmentation cannot."""
    film = searched(tmp_path, NONE_SHOWN)
    assert segmentation(film.path, film.result, film.labels) is None
    report = sr.srread(io.BytesIO(film.report()))
    assert groups(film.report()) == []
    (group,) = report.content.get_image_measurement_groups()
    (count,) = group.get_measurements()
    assert (count.name.value, count.value) == ("candidates_shown", 0)
    told = comments(report.ContentSequence)
    assert "0 of 1 ranked candidates are reported." in told


def test_a_film_that_was_not_assessed_is_told(tmp_path: Path) -> None:
    """No candidates because no bone was found is another thing than none found."""
    film = searched(tmp_path, Film(assessed=False))
    told = comments(read(film.report()).ContentSequence)
    assert any("was not searched" in text for text in told)


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_objects_are_filed_beside_the_film(tmp_path: Path, kind: str) -> None:
    """Patient and study are the film's, series and instance the object's own."""
    film = searched(tmp_path)
    made = read(getattr(film, kind)())
    for keyword, value in {**IDENTITY, "StudyInstanceUID": "1.2.3"}.items():
        assert str(made[keyword].value) == value
    assert made.SeriesInstanceUID.startswith("2.25.")
    assert made.SOPInstanceUID.startswith("2.25.")
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_what_the_film_does_not_say_stays_empty(tmp_path: Path, kind: str) -> None:
    """No patient, no study date is invented; a content date, which must be, is plainly none."""
    film = searched(tmp_path, **dict.fromkeys(IDENTITY))
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
    tmp_path: Path, tags: dict[str, str], moment: tuple[str, str]
) -> None:
    """The nearest date that the film states, never the clock; what is no date is passed over."""
    made = read(searched(tmp_path, **tags).report())
    assert (made.ContentDate, made.ContentTime) == moment


@pytest.mark.parametrize("kind", ["report", "segmentation"])
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    """No clock and no chance; another result of the film is another object."""
    film = searched(tmp_path)
    first = getattr(film, kind)()
    assert getattr(film, kind)() == first
    film.result["seal_sha256"] = "f" * 64
    uids = {read(data).SOPInstanceUID for data in (first, getattr(film, kind)())}
    assert len(uids) == 2


def test_uids_differ_between_objects(tmp_path: Path) -> None:
    """Report and segmentation share neither instance nor series."""
    film = searched(tmp_path)
    made = [read(film.report()), read(film.segmentation())]
    assert len({uid for one in made for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)}) == 4


def test_odd_identity_is_kept_and_never_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """A name, date or sex that breaks the standard is copied; no warning or log repeats it."""
    odd = {"PatientName": "Smith", "PatientBirthDate": "1950.1.1", "PatientSex": "unsure"}
    film = searched(tmp_path, **odd)
    recwarn.clear()
    data = (film.report(), film.segmentation())
    assert [str(one.message) for one in recwarn] == []
    assert not any(value in caplog.text for value in odd.values())
    for made in data:
        assert all(value.encode() in made for value in odd.values())


def test_names_keep_their_script(tmp_path: Path) -> None:
    """A Japanese name is read back as it was written, by the film's character set."""
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"  # PS3.5 H.3
    film = searched(tmp_path, SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name)
    made = read(film.report())
    assert str(made.PatientName) == name


def coded(value: str | None, scheme: str, meaning: str) -> list[Dataset]:
    """Return the value of a code sequence."""
    item = Dataset()
    if value is not None:
        item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    with silenced_pydicom([]):
        item.CodeMeaning = meaning
    return [item]


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
    """The anatomy that the film codes in a public scheme, else bone, with the film's side."""
    film = searched(tmp_path, AnatomicRegionSequence=region)
    film.result["acquisition"] |= {"laterality": "R", "image_laterality": "L"}
    (found,) = groups(film.report())[0].finding_sites
    assert (found.value.meaning, found.laterality.meaning) == (site, "Left")
    (region_of_segment,) = read(film.segmentation()).SegmentSequence[0].AnatomicRegionSequence
    assert region_of_segment.CodeMeaning == site


def test_a_long_outline_is_written_whole(tmp_path: Path) -> None:
    """More points than explicit VR can hold: the report is written in implicit VR."""
    film = searched(tmp_path)
    teeth = [[row, 2 * tooth + row % 2] for tooth in range(3000) for row in (0, 1, 2)]
    film.result["candidates"][0]["contour_px"] = teeth
    data = film.report()
    assert read(data).file_meta.TransferSyntaxUID.name == "Implicit VR Little Endian"
    points = groups(data)[0].roi.value
    assert len(points) > 8191
    assert {(row, column) for column, row in (points - 0.5).astype(int).tolist()} <= {
        (row, column) for row, column in teeth
    }


@pytest.mark.parametrize(
    ("contour", "points"),
    [
        ([[3, 7]], [[7.5, 3.5], [7.5, 3.5]]),
        ([[0, 0], [0, 1], [0, 2], [1, 2], [2, 2], [2, 1], [2, 0], [1, 0]],
         [[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5], [0.5, 0.5]]),
        ([[5, 1], [5, 2], [5, 3], [5, 2]], [[1.5, 5.5], [3.5, 5.5], [1.5, 5.5]]),
    ],
)  # fmt: skip
def test_outlines_of_known_shapes(contour: list[list[int]], points: list[list[float]]) -> None:
    """A pixel, a square and a line give the points that one would draw, closed."""
    from lesionscan.reporting.dicom_report import outline

    np.testing.assert_array_equal(outline(contour), points)


@needs_dciodvfy
@pytest.mark.parametrize("film", [THREE, NONE_SHOWN])
@pytest.mark.parametrize("tags", [{}, {"PatientOrientation": ["L", "F"], "Laterality": "L"}])
def test_objects_keep_the_standard(tmp_path: Path, film: Film, tags: dict[str, Any]) -> None:
    """The validator finds no error, and warns of nothing but our own codes' scheme."""
    made = searched(tmp_path, film, **tags)
    objects = [made.report(), segmentation(made.path, made.result, made.labels)]
    for data in filter(None, objects):
        assert complaints(data, tmp_path / "made.dcm") == []


def complaints(data: bytes, path: Path) -> list[str]:
    """Return what dciodvfy says of an object, but for the name of a private coding scheme."""
    path.write_bytes(data)
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [
        line
        for line in lines
        if line.startswith(("Error", "Warning"))
        and "Unrecognized defined term <99LESIONSCAN>" not in line
    ]


@needs_dciodvfy
def test_dciodvfy_would_complain(tmp_path: Path) -> None:
    """The check above can fail: a segmentation without its type is an error."""
    broken = read(searched(tmp_path).segmentation())
    del broken.SegmentationType
    buffer = io.BytesIO()
    broken.save_as(buffer)
    assert any(line.startswith("Error") for line in complaints(buffer.getvalue(), tmp_path / "x"))


@needs_dsrdump
def test_another_program_reads_the_report(tmp_path: Path) -> None:
    """DCMTK's dsrdump reads the whole tree and prints a measurement of it."""
    path = tmp_path / "report.dcm"
    path.write_bytes(searched(tmp_path).report())
    done = subprocess.run(["dsrdump", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert '(,,"Score, not a probability")="0.9"' in done.stdout
    assert "UNVERIFIED" in done.stdout


def test_a_failed_film_is_refused(tmp_path: Path) -> None:
    """Of a film that could not be searched there is nothing to say."""
    with pytest.raises(DicomObjectError, match="could not be searched; see the error in its JSON"):
        structured_report(tmp_path / "x.dcm", failed_json())


def test_a_film_that_is_gone_is_refused(tmp_path: Path) -> None:
    """The message says why it cannot be read."""
    with pytest.raises(DicomObjectError, match=r"gone\.dcm: .*No such file.*bring it back"):
        structured_report(tmp_path / "gone.dcm", as_json())


def test_another_film_is_refused(tmp_path: Path) -> None:
    """A report must never stand beside another patient's film."""
    film = searched(tmp_path)
    film.path.write_bytes(film.path.read_bytes() + b"\0\0")
    with pytest.raises(DicomObjectError, match=r"not the file that was searched.*scan it again"):
        film.report()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "refers to a DICOM film, and this is none"),
        (bytes(128) + b"DICM" + b"\x08\x00\x60\x00CS\xff\xff" + b"DX", "header|ends"),
    ],
)
def test_what_is_no_dicom_film_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """A picture of another format, and a damaged DICOM file."""
    path = tmp_path / "film"
    path.write_bytes(content)
    result = as_json()
    result["input"]["sha256"] = sha256_of(content)
    with pytest.raises(DicomObjectError, match=words):
        structured_report(path, result)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"NumberOfFrames": 2}, "this file holds several; split it"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "SOPClassUID says otherwise"),
        ({"StudyInstanceUID": None}, "does not say its study_instance_uid"),
        ({"SeriesInstanceUID": None, "SOPInstanceUID": None}, "sop_instance_uid, series_instance"),
    ],
)
def test_films_that_cannot_be_referred_to_are_refused(
    tmp_path: Path, tags: dict[str, Any], words: str
) -> None:
    """Several frames, another kind of object, and a film that does not say which it is."""
    film = searched(tmp_path, **tags)
    with pytest.raises(DicomObjectError, match=words):
        film.report()


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    """The message gives both sizes."""
    film = searched(tmp_path)
    with pytest.raises(DicomObjectError, match="300 x 200 pixels and the labels picture 299 x 200"):
        segmentation(film.path, film.result, film.labels[1:])


def test_labels_of_another_result_are_refused(tmp_path: Path) -> None:
    """A shown candidate must have pixels."""
    film = searched(tmp_path)
    labels = np.where(film.labels == 2, 0, film.labels).astype(np.uint16)
    with pytest.raises(DicomObjectError, match="lacks candidate 2, which its result names"):
        segmentation(film.path, film.result, labels)


def test_a_missing_highdicom_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    film = searched(tmp_path)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for name in ("dicom_report", "dicom_segmentation"):
        monkeypatch.delitem(sys.modules, f"lesionscan.reporting.{name}", raising=False)
    with pytest.raises(DicomObjectError, match=r"highdicom is not installed.*lesionscan\[dicom\]"):
        film.report()
    with pytest.raises(DicomObjectError, match="highdicom is not installed"):
        film.segmentation()
