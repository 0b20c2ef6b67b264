"""Reading of a DICOMDIR, the index of a CD or another DICOM medium (PS3.3 F)."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePath
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_sequence_item
from pydicom.tag import BaseTag

from lesionscan.codes import ErrorCode
from lesionscan.files import open_ordinary
from lesionscan.reading.dicom_budget import header_budget
from lesionscan.reading.dicom_file import data_set_start
from lesionscan.reading.dicom_tags import silenced_pydicom
from lesionscan.reading.errors import UnreadableFileError

_DIRECTORY_RECORD_SEQUENCE = 0x00041220

_MAX_READS, _MAX_BYTES = 6_000_000, 256 << 20
"""Reads for a whole DICOMDIR; a record takes about 35 (and 500 bytes), 100,000 films 4 million."""
_MAX_RECORDS = 500_000
"""Records of a whole DICOMDIR; a film, its series, study and patient may each have one."""
_MAX_RECORD_READS, _MAX_RECORD_BYTES = 20_000, 1 << 20
"""Bytes of one record, which is dropped before the next is read. Some contain a thumbnail."""


class UnreadableDirectoryError(Exception):
    """A DICOMDIR that cannot be used; the message says why."""


def image_places(path: Path) -> list[str]:
    """Return the paths of the images in a DICOMDIR, relative to its folder.

    These are the records of type IMAGE that are in use (PS3.3 F.5, table F.3-3), whether or not
    the files exist. Paths outside the folder are skipped: they are not valid (PS3.10 8.2).

    Parameters
    ----------
    path
        The DICOMDIR.

    Raises
    ------
    UnreadableDirectoryError
        If it cannot be read, is not a DICOMDIR, or is too large.
    """
    try:
        with silenced_pydicom([]), open_ordinary(path) as stream:
            file_ids = [
                record.ReferencedFileID
                for record in _records(stream)
                # FFFF or no value: in use; 0000: deleted
                if record.get("DirectoryRecordType") == "IMAGE"
                and record.get("RecordInUseFlag", 0xFFFF) != 0
                and "ReferencedFileID" in record
            ]
    except UnreadableFileError:
        raise UnreadableDirectoryError("it holds more records than can be read") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UnreadableDirectoryError(f"it cannot be read ({error.strerror})") from error
        # pydicom raises many types, quoting values
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


def _records(stream: BinaryIO) -> Iterator[Dataset]:
    """Yield the directory records one by one, with limits for each and for all."""
    implicit, little = data_set_start(stream)
    start: int | None = None
    end: int | None = None  # None for a sequence that ends with a delimiter

    def at_records(tag: BaseTag, _vr: str | None, length: int) -> bool:
        nonlocal start, end
        if tag != _DIRECTORY_RECORD_SEQUENCE:
            return False
        start = stream.tell()
        end = None if length == 0xFFFFFFFF else start + length
        return True

    with header_budget(stream, reads=_MAX_READS, size=_MAX_BYTES) as all_records:
        with header_budget(all_records) as budgeted:
            read_dataset(budgeted, implicit, little, stop_when=at_records)
        if start is None:
            raise ValueError("no directory records")
        stream.seek(start)
        for number in count(1):
            if end is not None and stream.tell() >= end:
                return
            with header_budget(
                all_records, reads=_MAX_RECORD_READS, size=_MAX_RECORD_BYTES
            ) as budgeted:
                record = read_sequence_item(budgeted, implicit, little, "iso8859")
            if record is None:  # the delimiter
                return
            if number > _MAX_RECORDS:
                raise UnreadableFileError(ErrorCode.TOO_LARGE, "the DICOMDIR has too many records")
            yield record


def _as_on_disk(folder: Path, place: str) -> str:
    """Return the path in lower case if only that exists: some systems mount a CD like this."""
    lower = place.lower()
    # os.path returns False, not an error, for invalid names
    there = (os.path.exists(folder / one) for one in (place, lower))  # noqa: PTH110
    return lower if [*there] == [False, True] else place
