"""The reading package: every path gives a radiograph, or an error with a code."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lesionscan.codes import ErrorCode
from lesionscan.reading import UnreadableFileError, read_radiograph
from lesionscan.settings import Settings
from tests.reading.dicom_maker import dataset, ramp, save


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    """Each format is read under any file name, from a Path or a string."""
    stored = ramp(8)
    path = tmp_path / "a.txt"
    save(dataset(stored, bits_stored=8), path)
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)
    Image.fromarray(stored.astype(np.uint8)).save(path, format="PNG")
    np.testing.assert_array_equal(read_radiograph(str(path)).pixels, stored)
    Image.fromarray(stored.astype(np.uint8)).save(path, format="JPEG", quality=100)
    assert np.abs(read_radiograph(path).pixels - stored).max() <= 4
    tifffile.imwrite(path, stored.astype(np.uint8))
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is reported as such, without its path."""
    with pytest.raises(UnreadableFileError, match="no such file; check the path") as caught:
        read_radiograph(tmp_path / "a.dcm")
    assert caught.value.code == "missing_file"
    assert str(tmp_path) not in str(caught.value)


def test_empty_file(tmp_path: Path) -> None:
    """A file of zero bytes is reported as empty."""
    path = tmp_path / "a.dcm"
    path.touch()
    with pytest.raises(UnreadableFileError, match="no bytes") as caught:
        read_radiograph(path)
    assert caught.value.code == "empty_file"


def test_text_named_dcm(tmp_path: Path) -> None:
    """A text file named .dcm is refused as not an image."""
    path = tmp_path / "a.dcm"
    path.write_text("knee, left\n" * 50)
    with pytest.raises(UnreadableFileError, match="neither DICOM, PNG, JPEG nor TIFF") as caught:
        read_radiograph(path)
    assert caught.value.code == "not_an_image"


def test_folder_and_pipe(tmp_path: Path) -> None:
    """A folder is refused as not an image, and so is a pipe, without waiting for data."""
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(
            UnreadableFileError, match="no ordinary file but a folder, a pipe or a device"
        ) as caught:
            read_radiograph(path)
        assert caught.value.code == "not_an_image"


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (PermissionError(13, "Permission denied"), "permission_denied", "not permitted"),
        (OSError(5, "Input/output error"), "io_error", r"failed \(Input/output error\)"),
        (OSError(), "io_error", "no reason given"),
        (MemoryError(), "too_large", "does not fit into memory"),
    ],
)
def test_failing_disk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    code: str,
    message: str,
) -> None:
    """Errors of the operating system have their own codes."""
    path = save(dataset(ramp(8), bits_stored=8), tmp_path / "a.dcm")

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("lesionscan.files.open", fail, raising=False)
    with pytest.raises(UnreadableFileError, match=message) as caught:
        read_radiograph(path)
    assert caught.value.code == code


def test_settings_limit_reaches_every_format(tmp_path: Path) -> None:
    """max_megapixels applies to DICOM and raster files alike."""
    tiny = Settings(max_megapixels=0.0001)
    stored = ramp(8)
    paths = [save(dataset(stored, bits_stored=8), tmp_path / "a.dcm")]
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(stored.astype(np.uint8)).save(tmp_path / name)
        paths.append(tmp_path / name)
    for path in paths:
        with pytest.raises(UnreadableFileError, match=r"more than 0\.0001 million") as caught:
            read_radiograph(path, settings=tiny)
        assert caught.value.code == "too_large"


def test_errors_travel_between_processes() -> None:
    """An error keeps code and message when a worker process sends it."""
    error = UnreadableFileError(ErrorCode.TRUNCATED, "the file ends; copy it again")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made on the line above
    assert (type(copy), copy.code, str(copy)) == (type(error), error.code, str(error))
