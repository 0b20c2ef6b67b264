"""The source film of a DICOM object: identity, patient and study, dates.

highdicom, which builds the objects, gets a header without the patient: it quotes names in its
warnings, rejects films whose dates or sex violate the standard, and writes the current time. The
attributes by which an archive files the object are copied from the film here, unchanged, after the
object is built.
"""

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalIntraOralXRayImageStorageForPresentation,
    DigitalIntraOralXRayImageStorageForProcessing,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from lesionscan.files import read_bounded
from lesionscan.reading.acquisition import uids
from lesionscan.reading.dicom_file import open_dicom
from lesionscan.reading.dicom_tags import Tags, silenced_pydicom
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.pixel_format import MAX_CELL_BYTES
from lesionscan.reading.sniff import HEAD_BYTES, file_format
from lesionscan.results.record import ResultRecord
from lesionscan.results.sealed import sha256_of

_FILM_CLASSES = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    DigitalIntraOralXRayImageStorageForPresentation,
    DigitalIntraOralXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)
"""SOP classes of radiographs with one frame."""

# The attributes of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1) by which an
# archive files an object, and those needed to read them; nothing else about the patient.
_FILED_BY = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
)
_MUST_BE_THERE = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Type 2 in every object (PS3.5 7.4.3): empty if the film does not have them."""

# highdicom writes the current time and its own version here; all are optional (PS3.3 C.12.1).
_CLOCK = ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence")

_MOMENTS = (
    ("ContentDate", "ContentTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")

NO_MOMENT = ("19000101", "000000")
"""Content date and time, which are required, for a film without dates: obviously not real."""

# PS3.5 B.2: a UID derived from a UUID has the root 2.25
_IMPLEMENTATION = UID("2.25.94212017375340287521862710937409161207")
_IMPLEMENTATION_VERSION = "LESIONSCAN_1"

_FILM_BYTES = 1 << 31


class DicomObjectError(Exception):
    """Raised if a DICOM object cannot be made; the message names file, cause and remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceFilm:
    """The film that a DICOM object refers to.

    Attributes
    ----------
    path
        Its file.
    tags
        Its header.
    uid, series_uid, study_uid
        UIDs of instance, series and study.
    sop_class
        Its SOP class.
    rows, columns
        Size of the stored matrix, in pixels.
    seal
        The seal of its result.
    """

    path: Path
    tags: Tags
    uid: str
    series_uid: str
    study_uid: str
    sop_class: UID
    rows: int
    columns: int
    seal: str

    def derived_uid(self, *parts: object) -> UID:
        """Return a UID determined by the film, its result and the parts."""
        return derived_uid(self.uid, self.seal, *parts)

    def anonymous(self) -> Dataset:
        """Return a header that refers to the film but has no data of the patient.

        It has no frame of reference and no spacing either: without the former, a segmentation may
        not have the latter (PS3.3 A.51.5), and its pixels are those of the film.
        """
        header = Dataset()
        header.SOPClassUID = self.sop_class
        header.SOPInstanceUID = self.uid
        header.SeriesInstanceUID = self.series_uid
        header.StudyInstanceUID = self.study_uid
        header.Modality = "OT"
        header.Rows, header.Columns = self.rows, self.columns
        for keyword in _MUST_BE_THERE:
            setattr(header, keyword, None)
        return header


def derived_uid(*parts: object) -> UID:
    """Return a UID with root 2.25 (PS3.5 B.2) determined by the parts."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode("utf-8")).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def read_source(path: Path, result: ResultRecord) -> SourceFilm:
    """Read the header of the film of a result.

    Parameters
    ----------
    path
        Its file.
    result
        The result.

    Raises
    ------
    DicomObjectError
        If the film was not searched, is not the file that was searched, is not a DICOM file, has
        several frames, or lacks its UIDs.
    """
    if result.status != "ok":
        raise DicomObjectError(
            f"{path}: no DICOM object can be made of a film that could not be searched; "
            "see the error in its JSON"
        )
    try:
        data = read_bounded(path, max_bytes=_FILM_BYTES)
    except OSError as error:
        raise DicomObjectError(
            f"{path}: the film cannot be read ({error.strerror or 'no reason given'}); "
            "DICOM objects need it beside its result, so bring it back"
        ) from error
    if sha256_of(data) != result.input.sha256:
        raise DicomObjectError(
            f"{path}: this is not the file that was searched, or it was changed since; "
            "scan it again"
        )
    if file_format(data[:HEAD_BYTES]) != "dicom":
        raise DicomObjectError(
            f"{path}: DICOM objects need a DICOM film, which this is not; "
            "scan the film as it came from the archive"
        )
    return _film(path, _header(path, data, result), result)


def _header(path: Path, data: bytes, result: ResultRecord) -> Tags:
    image = result.searched_image
    irregular: list[str] = []
    try:
        with silenced_pydicom(irregular):
            file = open_dicom(
                io.BytesIO(data),
                irregular,
                max_pixel_bytes=image.rows * image.columns * MAX_CELL_BYTES,
            )
    except UnreadableFileError as error:
        raise DicomObjectError(
            f"{path}: no DICOM object can be made of this film: {error.message}"
        ) from error
    return file.tags


def _film(path: Path, tags: Tags, result: ResultRecord) -> SourceFilm:
    with silenced_pydicom(tags.irregular):
        frames = tags.integer("NumberOfFrames") or 1
        sop_class = tags.code("SOPClassUID")
        known = uids(tags.code)
    if max(frames, result.input.frames) > 1:
        raise DicomObjectError(
            f"{path}: DICOM objects need films with one frame, and this file has several; "
            "split it into single frames first"
        )
    if sop_class not in _FILM_CLASSES:
        raise DicomObjectError(
            f"{path}: DICOM objects refer to CR, DX, intra-oral or secondary capture images, and "
            "SOPClassUID states something else or is missing; export the film again"
        )
    names = ("sop_instance_uid", "series_instance_uid", "study_instance_uid")
    if missing := [name for name in names if name not in known]:
        raise DicomObjectError(
            f"{path}: the film lacks {', '.join(missing)}, so that no DICOM object can refer to "
            "it; export it again"
        )
    uid, series_uid, study_uid = (str(known[name]) for name in names)
    return SourceFilm(
        path=path,
        tags=tags,
        uid=uid,
        series_uid=series_uid,
        study_uid=study_uid,
        sop_class=UID(sop_class),
        rows=result.searched_image.rows,
        columns=result.searched_image.columns,
        seal=result.seal_sha256,
    )


def copy_elements(film: SourceFilm, made: Dataset, keywords: tuple[str, ...]) -> None:
    """Copy elements of the film unchanged; skip missing and unreadable ones."""
    with silenced_pydicom(film.tags.irregular):
        for keyword in keywords:
            if film.tags.raw(keyword) is not None:
                made[keyword] = film.tags.dataset[keyword]


def file_bytes(film: SourceFilm, made: Dataset) -> bytes:
    """Return the file of an object, filed with its film.

    Parameters
    ----------
    film
        The source of patient, study, and the date and time of the content.
    made
        The object, complete except for these; modified in place.
    """
    copy_elements(film, made, _FILED_BY)
    made.ContentDate, made.ContentTime = _moment(film.tags)
    for keyword in _CLOCK:
        if keyword in made:
            delattr(made, keyword)
    made.file_meta.ImplementationClassUID = _IMPLEMENTATION
    made.file_meta.ImplementationVersionName = _IMPLEMENTATION_VERSION
    buffer = io.BytesIO()
    with silenced_pydicom(film.tags.irregular):  # invalid names and dates are kept
        dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def _moment(tags: Tags) -> tuple[str, str]:
    """Return the first date that the film states, with its time."""
    with silenced_pydicom(tags.irregular):
        for date_keyword, time_keyword in _MOMENTS:
            date, time = tags.code(date_keyword), tags.code(time_keyword)
            if date and _DATE.fullmatch(date):
                return date, time if time and _TIME.fullmatch(time) else NO_MOMENT[1]
    return NO_MOMENT
