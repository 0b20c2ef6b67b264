"""The images that a DICOMDIR lists."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from lesionscan.reading import dicom_directory
from lesionscan.reading.dicom_directory import UnreadableDirectoryError, image_places


def write_directory(folder: Path, file_ids: Sequence[object], kind: str = "IMAGE") -> Path:
    """Write a DICOMDIR with records of these files."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    path = folder / "DICOMDIR"
    index = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    index.DirectoryRecordSequence = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that break the standard, on purpose
        for file_id in file_ids:
            record = Dataset()
            record.DirectoryRecordType = kind
            record.RecordInUseFlag = 0xFFFF
            if file_id is not None:
                record.ReferencedFileID = file_id
            index.DirectoryRecordSequence.append(record)
        index.save_as(path, enforce_file_format=True)
    return path


def test_the_images_of_a_real_dicomdir_are_listed() -> None:
    """All 31 images of pydicom's test medium, which are in folders, are listed."""
    path = Path(str(get_testdata_file("DICOMDIR")))
    places = image_places(path)
    assert len(places) == 31
    assert all((path.parent / place).is_file() for place in places)


def test_only_images_count(tmp_path: Path) -> None:
    """Records of patients, studies, series and reports, and records without a file, are skipped."""
    for kind in ("PATIENT", "STUDY", "SERIES", "SR DOCUMENT"):
        assert image_places(write_directory(tmp_path, [["A", "B"]], kind=kind)) == []
    assert image_places(write_directory(tmp_path, [None, "IM1", ["A", "IM2"]])) == ["IM1", "A/IM2"]


def test_a_deleted_record_is_skipped(tmp_path: Path) -> None:
    """A record with RecordInUseFlag 0 (inactive) is skipped."""
    path = write_directory(tmp_path, ["IM1"])
    data = path.read_bytes()
    at = data.index(b"\x04\x00\x10\x14US")
    path.write_bytes(data[: at + 8] + b"\0\0" + data[at + 10 :])
    assert image_places(path) == []


def test_too_many_records_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DICOMDIR with more records than the limit is refused.

    Empty records are small, and one file could contain hundreds of millions.
    """
    monkeypatch.setattr(dicom_directory, "_MAX_RECORDS", 3)
    assert len(image_places(write_directory(tmp_path, ["IM1", "IM2", "IM3"]))) == 3
    path = write_directory(tmp_path, ["IM1", "IM2", "IM3", "IM4"])
    with pytest.raises(UnreadableDirectoryError, match="it holds more records than can be read"):
        image_places(path)


def test_names_in_lower_case_are_found(tmp_path: Path) -> None:
    """Files with lower-case names are found, since some systems mount a CD with such names."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "im1").write_bytes(b"x")
    assert image_places(write_directory(tmp_path, [["A", "IM1"], ["A", "IM2"]])) == [
        "a/im1",
        "A/IM2",
    ]


@pytest.mark.parametrize("file_id", [["..", "IM1"], ["/etc", "passwd"], ["A", "", "IM1"]])
def test_paths_outside_the_folder_are_skipped(tmp_path: Path, file_id: list[str]) -> None:
    """Parent folders, absolute paths and empty components are skipped.

    They do not occur on real media, but a malicious DICOMDIR may contain them.
    """
    assert image_places(write_directory(tmp_path, [file_id])) == []


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_what_is_no_dicomdir_is_refused(tmp_path: Path, data: bytes) -> None:
    """A file that is not a DICOMDIR, or a damaged one, is refused without quoting it."""
    path = tmp_path / "DICOMDIR"
    path.write_bytes(data)
    with pytest.raises(UnreadableDirectoryError) as caught:
        image_places(path)
    assert str(caught.value) == "it is no DICOMDIR, or a damaged one"


def test_a_missing_dicomdir_is_refused(tmp_path: Path) -> None:
    """A DICOMDIR that cannot be read is refused with the system's reason."""
    with pytest.raises(UnreadableDirectoryError, match=r"it cannot be read .No such file"):
        image_places(tmp_path / "DICOMDIR")
