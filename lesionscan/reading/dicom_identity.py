"""Identity of patient and study, for grouping films; it is never written or shown."""

from dataclasses import dataclass, field
from pathlib import Path

from lesionscan.codes import ErrorCode
from lesionscan.files import open_ordinary
from lesionscan.reading.dicom_file import open_dicom
from lesionscan.reading.dicom_tags import silenced_pydicom
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.sniff import HEAD_BYTES, file_format

_INFLATED_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Identity:
    """Patient, study and instance according to the header; None if not stated.

    The fields are left out of `repr`, so that they appear in no traceback or log.

    Attributes
    ----------
    patient_id
        PatientID (PS3.3 C.7.1.1).
    study_uid
        StudyInstanceUID (PS3.3 C.7.2.1).
    instance_uid
        SOPInstanceUID (PS3.3 C.12.1).
    study_date, study_time
        As in the header.
    """

    patient_id: str | None = field(default=None, repr=False)
    study_uid: str | None = field(default=None, repr=False)
    instance_uid: str | None = field(default=None, repr=False)
    study_date: str | None = field(default=None, repr=False)
    study_time: str | None = field(default=None, repr=False)


def read_identity(path: Path) -> Identity:
    """Read the identity; all fields are None for files other than DICOM.

    Parameters
    ----------
    path
        The film's file.

    Raises
    ------
    UnreadableFileError
        If it cannot be read, or its header is damaged.
    """
    irregular: list[str] = []
    try:
        with open_ordinary(path) as stream:
            is_dicom = file_format(stream.read(HEAD_BYTES)) == "dicom"
            if not is_dicom:
                return Identity()
            stream.seek(0)
            with silenced_pydicom(irregular):
                tags = open_dicom(stream, irregular, max_pixel_bytes=_INFLATED_BYTES).tags
                return Identity(
                    patient_id=tags.code("PatientID"),
                    study_uid=tags.code("StudyInstanceUID"),
                    instance_uid=tags.code("SOPInstanceUID"),
                    study_date=tags.code("StudyDate"),
                    study_time=tags.code("StudyTime"),
                )
    except OSError:
        raise UnreadableFileError(
            ErrorCode.IO_ERROR, "the film cannot be read any more; scan it again"
        ) from None
