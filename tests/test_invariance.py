"""The way in which a picture is stored does not change its results."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pydicom
import pytest

from lesionscan import Findings, Radiograph, find_candidates, read_radiograph
from lesionscan.reporting.conversion import ok_record
from lesionscan.simulation.dicom_file import write_dicom
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import Phantom, make_phantom

BITS = 12


@cache
def _phantom(seed: int) -> Phantom:
    return make_phantom(
        "knee", seed, lesions=1, long_side_px=420, film=Film("MONOCHROME2", bits=BITS)
    )


def _stored(folder: Path, seed: int, **changes: object) -> Findings:
    """Store a phantom, change attributes of the file, and search it."""
    path = folder / "film.dcm"
    write_dicom(path, _phantom(seed))
    dataset = pydicom.dcmread(path)
    if changes.get("PhotometricInterpretation") == "MONOCHROME1":
        complement = (2**BITS - 1 - dataset.pixel_array).astype(np.uint16)
        dataset.PixelData = complement.tobytes()
        dataset["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return find_candidates(read_radiograph(path))


@cache
def _unchanged(seed: int) -> Findings:
    with TemporaryDirectory() as folder:
        return _stored(Path(folder), seed)


@cache
def _large() -> Radiograph:
    pixels = np.kron(_phantom(2).stored.astype(np.float32), np.ones((3, 3), np.float32))
    return Radiograph(pixels=pixels.astype(np.float32), valid=np.ones(pixels.shape, np.bool_))


@cache
def _with_threads(threads: int) -> Findings:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        found = find_candidates(_large())
        assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_polarity_changes_nothing(tmp_path: Path, seed: int) -> None:
    """MONOCHROME1 and MONOCHROME2 give exactly the same candidates."""
    one = _unchanged(seed)
    other = _stored(tmp_path, seed, PhotometricInterpretation="MONOCHROME1")

    assert one.candidates
    assert (one.labels == other.labels).all()
    assert [c.score for c in one.candidates] == [c.score for c in other.candidates]


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, -1024.0), (2.0, 100.0), (4.0, 0.0)])
def test_a_rescale_in_the_file_changes_nothing(
    tmp_path: Path, slope: float, intercept: float
) -> None:
    """With another slope and intercept, 99.9 % of the labels are equal and scores within 0.01."""
    one = _unchanged(1)
    other = _stored(tmp_path, 1, RescaleSlope=slope, RescaleIntercept=intercept)

    assert one.candidates
    assert np.mean(one.labels == other.labels) > 0.999
    assert [c.score for c in one.candidates[:5]] == pytest.approx(
        [c.score for c in other.candidates[:5]], abs=0.01
    )


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    """Any number of threads gives the same results, and is left unchanged."""
    one, other = _with_threads(1), _with_threads(threads)

    assert one.candidates
    first, second = (ok_record(found, file="a", sha256=None) for found in (one, other))
    assert first == second
    for name in ("image", "lucency", "bone", "exposed", "labels"):
        assert (getattr(one, name) == getattr(other, name)).all()
