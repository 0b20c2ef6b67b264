"""DICOMDIR: the index of a CD or another DICOM medium -> where its images are (PS3.3 F)."""

import os
from pathlib import Path, PurePath

from pydicom import dcmread

from lesionscan.reading.dicom_file import silenced_pydicom


class UnreadableDirectoryError(Exception):
    """A DICOMDIR that cannot be used; the message says why."""


def image_places(path: Path) -> list[str]:
    """Return where the images are that a DICOMDIR names, relative to its folder.

    Records in use of type IMAGE count (PS3.3 F.5, table F.3-3); whether their files exist does
    not. A name that leads out of the folder is left out: no medium may have one (PS3.10 8.2).

    Parameters
    ----------
    path
        The DICOMDIR.

    Raises
    ------
    UnreadableDirectoryError
        When it cannot be read, or is none.
    """
    try:
        with silenced_pydicom([]):
            records = dcmread(path).DirectoryRecordSequence
            file_ids = [
                record.ReferencedFileID
                for record in records
                # FFFF, or what is missing, is in use; 0000 is a record that was deleted
                if record.get("DirectoryRecordType") == "IMAGE"
                and record.get("RecordInUseFlag", 0xFFFF) != 0
                and "ReferencedFileID" in record
            ]
    except OSError as error:
        raise UnreadableDirectoryError(f"it cannot be read ({error.strerror})") from error
    except Exception:  # noqa: BLE001 - pydicom raises many types, quoting values
        raise UnreadableDirectoryError("it is no DICOMDIR, or a damaged one") from None
    places = []
    for file_id in file_ids:
        parts = [file_id] if isinstance(file_id, str) else [str(part) for part in file_id]
        if (
            parts
            and all(part and not {"/", os.sep} & set(part) for part in parts)
            and (".." not in parts)
        ):
            places.append(_as_on_disk(path.parent, str(PurePath(*parts))))
    return places


def _as_on_disk(folder: Path, place: str) -> str:
    """Return the place in lower case where only that exists, as some systems mount a CD."""
    lower = place.lower()
    # os.path: False, not an error, for names that no file can have
    there = (os.path.exists(folder / one) for one in (place, lower))  # noqa: PTH110
    return lower if [*there] == [False, True] else place
