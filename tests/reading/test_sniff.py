"""Detection of the file format by content."""

import struct
from pathlib import Path

import numpy as np
import pytest

from lesionscan.reading import looks_like_image
from lesionscan.reading.sniff import file_format


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (bytes(128) + b"DICM", "dicom"),
        (b"II*\x00" + bytes(124) + b"DICM", "dicom"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"II*\x00", "tiff"),
        (b"MM\x00*", "tiff"),
        (b"II+\x00", "tiff"),
        (b"MM\x00+", "tiff"),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "dicom"),
        (b"\x02\x00\x00\x00UL\x04\x00", "dicom"),
        (struct.pack("<HHL", 8, 0, 4) + bytes(4), "dicom"),
        (b"\x00\x08\x00\x05CS\x00\x0a", "dicom"),
        (b"", None),
        (b"GIF89a" + bytes(126), None),
        (b"patient list: knee, hip", None),
        (struct.pack("<HHL", 8, 0, 1 << 30), None),
        (b"\x00\x08\x00\x05\x01\x02\x03\x04", None),
    ],
)
def test_file_format(head: bytes, name: str | None) -> None:
    """The format is detected by magic numbers, or the first element of a bare data set."""
    assert file_format(head) == name


def test_noise_is_no_image() -> None:
    """Random bytes are mistaken for an image less than once in a thousand times."""
    rng = np.random.default_rng(3)
    assert sum(file_format(rng.bytes(132)) is not None for _ in range(5000)) < 5


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("knee.dcm", b"", True),
        ("knee.DCM", b"", True),
        ("knee.dicom", b"", True),
        ("knee.IMA", b"", True),
        ("knee.png", b"", True),
        ("knee.jpe", b"", True),
        ("knee.TIFF", b"", True),
        ("IM000001", bytes(128) + b"DICM", True),
        ("IM000002", b"\x89PNG\r\n\x1a\n", True),
        ("notes.txt", b"notes", False),
        ("DICOMDIR", bytes(128) + b"DICM", False),
        ("._knee.dcm", b"", False),
    ],
)
def test_looks_like_image(tmp_path: Path, name: str, content: bytes, *, expected: bool) -> None:
    """Files count by suffix or content, except for DICOMDIR and macOS companion files."""
    path = tmp_path / name
    path.write_bytes(content)
    assert looks_like_image(path) is expected


def test_what_cannot_be_opened_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders, missing files and forbidden files do not count as images, and raise no error."""
    assert not looks_like_image(tmp_path)
    assert not looks_like_image(tmp_path / "missing")
    forbidden = tmp_path / "forbidden"
    forbidden.write_bytes(bytes(128) + b"DICM")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("lesionscan.files.open", refuse, raising=False)
    assert not looks_like_image(forbidden)
