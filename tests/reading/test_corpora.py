"""All test files of pydicom and pydicom-data: hundreds, many of them damaged on purpose.

Most are not radiographs. To test their pixels too, each is also read as if its Modality were that
of a radiograph; if pydicom can decode it, the values must be the same.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_rescale

from lesionscan.codes import ErrorCode
from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, dicom, open_radiographs

data_store = pytest.importorskip("data_store", reason="the package pydicom-data is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, while reading


@cache
def files() -> dict[str, Path]:
    """Return all files by test name, without duplicates."""
    stored = Path(next(iter(data_store.__path__)))
    found = [Path(name) for name in get_testdata_files()] + list(stored.rglob("*"))
    contents: dict[bytes, Path] = {}
    for path in sorted(found):
        # DICOM files end in .dcm or have no suffix; the others are programs, texts, colour profiles
        if path.is_file() and path.suffix in ("", ".dcm"):
            contents.setdefault(path.read_bytes(), path)
    return {"/".join(path.parts[-3:]): path for path in contents.values()}


@contextmanager
def no_hang(seconds: int = 20) -> Iterator[None]:
    """Raise TimeoutError after this time."""

    def end(*_: object) -> None:
        raise TimeoutError(f"over {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcomes(path: Path) -> list[Radiograph | str]:
    """Read every frame of a file; return the code of the error for those that fail."""
    read: list[Radiograph | str] = []
    with no_hang():
        try:
            with open_radiographs(path) as frames:
                for number in range(1, frames.count + 1):
                    try:
                        read.append(frames.read(number))
                    except UnreadableFileError as error:
                        read.append(error.code)
        except UnreadableFileError as error:
            read.append(error.code)
    return read


def test_the_corpora_are_there() -> None:
    """The packages contain over 200 files, so the tests below are not empty."""
    assert len(files()) > 200


@pytest.mark.parametrize("name", files())
def test_every_file_ends_well(name: str) -> None:
    """Every file is read or fails with a documented code, without other errors or hanging."""
    for outcome in outcomes(files()[name]):
        assert isinstance(outcome, Radiograph) or outcome in set(ErrorCode)


class _AnyModality(frozenset[str]):
    def __contains__(self, _modality: object) -> bool:
        return True


def rescaled(values: NDArray[Any], ds: Dataset) -> NDArray[Any]:
    """Rescale with pydicom's functions, and by functional groups, which pydicom ignores."""
    if "ModalityLUTSequence" in ds:
        return np.asarray(apply_modality_lut(values, ds))
    groups = ds.get("PerFrameFunctionalGroupsSequence") or []
    shared = ds.get("SharedFunctionalGroupsSequence") or [Dataset()]
    if not any("PixelValueTransformationSequence" in one for one in (*groups, *shared)):
        return np.asarray(apply_rescale(values, ds))
    frames = values.reshape(-1, ds.Rows, ds.Columns)
    each = [
        (group if "PixelValueTransformationSequence" in group else shared[0])
        for group in (list(groups) or [Dataset()] * len(frames))
    ]
    return np.stack(
        [
            apply_rescale(frame, group.PixelValueTransformationSequence[0])
            for frame, group in zip(frames, each, strict=True)
        ]
    )


@pytest.mark.parametrize("name", files())
def test_pixels_are_those_that_pydicom_decodes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grey values are those of pydicom: rescaled, and inverted once for MONOCHROME1."""
    monkeypatch.setattr(dicom, "RADIOGRAPH_MODALITIES", _AnyModality())
    read = [outcome for outcome in outcomes(files()[name]) if isinstance(outcome, Radiograph)]
    if not read or read[0].photometric_interpretation not in ("MONOCHROME1", "MONOCHROME2"):
        pytest.skip("no grey picture")
    ds = pydicom.dcmread(files()[name], force=True)
    if ds.get("PresentationIntentType") == "FOR PROCESSING":
        pytest.skip("pydicom has no opinion")
    try:
        theirs = rescaled(ds.pixel_array, ds)
    except Exception as error:  # noqa: BLE001 - no reference without its values
        pytest.skip(f"pydicom cannot decode it ({type(error).__name__})")
    theirs = theirs.reshape(len(read), *read[0].shape).astype(np.float64)
    for ours, other in zip(read, theirs, strict=True):
        apart = ours.pixels.astype(np.float64) - other
        if ours.photometric_interpretation == "MONOCHROME1":
            apart = ours.pixels.astype(np.float64) + other
            apart -= np.median(apart)  # the centre of inversion is tested elsewhere
        assert np.abs(apart).max() <= 1.0, np.abs(apart).max()


ITK_DIFFERS = {
    "badVR.dcm": "15 pictures lie in it, of which ITK reads the first",
    "mlut_18.dcm": "ITK applies no look-up table",
    "rtdose_expb.dcm": "ITK swaps words of 16 bits where cells have 32",
}
"""Files whose values differ in ITK, and why; in pydicom they are the same as here."""


@pytest.mark.parametrize("name", files())
def test_pixels_are_those_that_itk_reads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ITK reads a file, its values are the same; it inverts MONOCHROME1 at another value."""
    sitk: Any = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    if files()[name].name in ITK_DIFFERS:
        pytest.skip("ITK differs, with a reason")
    monkeypatch.setattr(dicom, "RADIOGRAPH_MODALITIES", _AnyModality())
    read = [outcome for outcome in outcomes(files()[name]) if isinstance(outcome, Radiograph)]
    if not read or read[0].photometric_interpretation not in ("MONOCHROME1", "MONOCHROME2"):
        pytest.skip("no grey picture")
    try:
        film = sitk.ReadImage(str(files()[name]))
    except RuntimeError:
        pytest.skip("ITK cannot read it")
    theirs = sitk.GetArrayFromImage(film).reshape(len(read), *read[0].shape).astype(np.float64)
    for ours, other in zip(read, theirs, strict=True):
        apart = ours.pixels.astype(np.float64) - other
        if ours.photometric_interpretation == "MONOCHROME1":
            apart -= np.median(apart)
        assert np.abs(apart).max() <= 1.0, np.abs(apart).max()


def test_an_enhanced_object_says_it_in_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spacing and rescale of a public enhanced CT are read from its functional groups."""
    (name,) = (name for name in files() if name.endswith("eCT_Supplemental.dcm"))
    monkeypatch.setattr(dicom, "RADIOGRAPH_MODALITIES", _AnyModality())
    ds = pydicom.dcmread(files()[name])
    assert "PixelSpacing" not in ds
    assert "RescaleIntercept" not in ds
    films = outcomes(files()[name])
    assert len(films) == ds.NumberOfFrames
    for film in films:
        assert isinstance(film, Radiograph)
        assert film.spacing is not None
        assert (film.spacing.row_mm, film.spacing.column_mm) == pytest.approx((0.388672, 0.388672))
        assert film.pixels.min() < 0
