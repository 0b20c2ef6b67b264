"""Identity of a film's patient: read from the header alone, and never printed."""

from pathlib import Path

import numpy as np
import pytest

from lesionscan.reading.dicom_identity import Identity, read_identity
from lesionscan.reading.errors import UnreadableFileError
from tests.batch.films import write_film
from tests.reading.dicom_maker import dataset, save

STORED = np.zeros((8, 8), np.uint16)


def test_the_header_is_read(tmp_path: Path) -> None:
    """Fields are read from the header, empty or missing ones are None, and the repr shows none."""
    ds = dataset(STORED, bits_stored=12, PatientID="P 7 ", StudyInstanceUID="1.2", StudyDate="")
    said = read_identity(save(ds, tmp_path / "a.dcm"))
    assert said == Identity("P 7", "1.2", "1.2.3.4", None, None)
    assert repr(said) == "Identity()"


def test_other_files_say_nothing(tmp_path: Path) -> None:
    """A PNG file has an empty identity."""
    assert read_identity(write_film(tmp_path / "a.png")) == Identity()


@pytest.mark.parametrize("data", [None, bytes(128) + b"DICM" + b"\x08\x00\x05\x00CS\xff\xff"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, data: bytes | None) -> None:
    """A missing file and a damaged header raise an error."""
    if data is not None:
        (tmp_path / "a.dcm").write_bytes(data)
    with pytest.raises(UnreadableFileError):
        read_identity(tmp_path / "a.dcm")
