"""The film that a DICOM object is about: which it is, whose it is, and when it was made.

The library that builds the objects (highdicom) is shown a film without patient. It quotes names in
its warnings, refuses films whose dates or sex break the standard, and reads the clock. What files
the object beside its film is therefore copied here, as it stands in the film, once it is built.
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
"""What a radiograph of one frame is stored as."""

# The attributes of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1) by which an
# archive files an object, and what is needed to read them. No more of the patient than that.
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
"""Type 2 in every object (PS3.5 7.4.3): empty where the film does not say."""

# highdicom writes the time of day and its own version here; all are optional (PS3.3 C.12.1).
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
"""Content date and time, which must be there, of a film without dates: plainly no real ones."""

# PS3.5 B.2: a UID derived from a UUID stands under 2.25
_IMPLEMENTATION = UID("2.25.94212017375340287521862710937409161207")
_IMPLEMENTATION_VERSION = "LESIONSCAN_1"

_FILM_BYTES = 1 << 31


class DicomObjectError(Exception):
    """A DICOM object that cannot be made; the message names the file, the cause and the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceFilm:
    """A film as far as an object refers to it.

    Attributes
    ----------
    path
        Its file.
    tags
        Its header.
    uid, series_uid, study_uid
        Which instance, series and study it is.
    sop_class
        What kind of object.
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
        """Return a UID that follows from the film, its result and the parts alone."""
        return derived_uid(self.uid, self.seal, *parts)

    def anonymous(self) -> Dataset:
        """Return a header that refers to the film and says nothing about the patient.

        No frame of reference and no spacing either: without the former, the latter may not stand
        in a segmentation (PS3.3 A.51.5), whose pixels are then those of the film.
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
    """Return a UID (PS3.5 B.2, under 2.25) that follows from its parts alone."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode("utf-8")).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def read_source(path: Path, result: ResultRecord) -> SourceFilm:
    """Read the header of the film that a result is about.

    Parameters
    ----------
    path
        Its file.
    result
        The result.

    Raises
    ------
    DicomObjectError
        When the film was not searched, is not the one that was, is no DICOM file, has several
        frames, or does not say which instance of what it is.
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
            f"{path}: a DICOM object refers to a DICOM film, and this is none; "
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
            f"{path}: DICOM objects are made of films of one frame, and this file holds several; "
            "split it into single frames first"
        )
    if sop_class not in _FILM_CLASSES:
        raise DicomObjectError(
            f"{path}: DICOM objects refer to CR, DX, intra-oral or secondary capture images, and "
            "SOPClassUID says otherwise or nothing; export the film again"
        )
    names = ("sop_instance_uid", "series_instance_uid", "study_instance_uid")
    if missing := [name for name in names if name not in known]:
        raise DicomObjectError(
            f"{path}: the film does not say its {', '.join(missing)}, so that no DICOM object can "
            "refer to it; export it again"
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
    """Copy elements of the film as they stand there; what is missing or unreadable stays away."""
    with silenced_pydicom(film.tags.irregular):
        for keyword in keywords:
            if film.tags.raw(keyword) is not None:
                made[keyword] = film.tags.dataset[keyword]


def file_bytes(film: SourceFilm, made: Dataset) -> bytes:
    """Return the file of an object that was built beside a film.

    Parameters
    ----------
    film
        Gives patient and study, and the date and time of the content.
    made
        The object, complete but for these; it is changed.
    """
    copy_elements(film, made, _FILED_BY)
    made.ContentDate, made.ContentTime = _moment(film.tags)
    for keyword in _CLOCK:
        if keyword in made:
            delattr(made, keyword)
    made.file_meta.ImplementationClassUID = _IMPLEMENTATION
    made.file_meta.ImplementationVersionName = _IMPLEMENTATION_VERSION
    buffer = io.BytesIO()
    with silenced_pydicom(film.tags.irregular):  # names and dates that break the standard stay
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
