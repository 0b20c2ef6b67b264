"""Whose film a DICOM file is, for grouping films: nothing of it is ever written or shown."""

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
    """What a header says of patient, study and instance; None where it says nothing.

    No field shows in a traceback or a log.

    Attributes
    ----------
    patient_id
        PatientID (PS3.3 C.7.1.1).
    study_uid
        StudyInstanceUID (PS3.3 C.7.2.1).
    instance_uid
        SOPInstanceUID (PS3.3 C.12.1).
    study_date, study_time
        As they stand in the header.
    """

    patient_id: str | None = field(default=None, repr=False)
    study_uid: str | None = field(default=None, repr=False)
    instance_uid: str | None = field(default=None, repr=False)
    study_date: str | None = field(default=None, repr=False)
    study_time: str | None = field(default=None, repr=False)


def read_identity(path: Path) -> Identity:
    """Read whose film a file is; nothing is known of one that is no DICOM file.

    Parameters
    ----------
    path
        The film's file.

    Raises
    ------
    UnreadableFileError
        When it cannot be read, or its header is damaged.
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
