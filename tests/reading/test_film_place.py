"""The position of a film in space is that of ITK, which 3D Slicer uses to read files."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalIntraOralXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from lesionscan.reading import UnreadableFileError
from lesionscan.reading.film_place import FilmPlace, film_place
from tests.reading.dicom_maker import dataset, ramp, save

sitk: Any = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")

GREY = ramp(8, rows=30, columns=20).astype(np.uint8)
KINDS = [
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    DigitalIntraOralXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
]
SPACINGS = {
    "ImagerPixelSpacing": [0.2, 0.21],
    "PixelSpacing": [0.3, 0.31],
    "NominalScannedPixelSpacing": [0.4, 0.41],
    "EstimatedRadiographicMagnificationFactor": 1.3,
    "PixelSpacingCalibrationType": "GEOMETRY",
}
"""Spacing of rows, then of columns. All are compared, also those not used for measurements."""


def check(path: Path, *, frame: int = 1) -> FilmPlace:
    """Compare the positions of three pixels of a film with those of SimpleITK."""
    place = film_place(path, frame=frame)
    film = sitk.ReadImage(str(path))
    for column, row in ((0, 0), (19, 0), (4, 29)):
        index = (column, row, frame - 1)[: film.GetDimension()]
        theirs = (*film.TransformIndexToPhysicalPoint(index), float(frame - 1))[:3]
        ours = (
            np.array(place.origin)
            + column * np.array(place.along_row)
            + row * np.array(place.along_column)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    return place


@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_of_the_spacing_tags(tmp_path: Path, kind: str) -> None:
    """All 32 combinations of the spacing tags agree with ITK, for each kind of object."""
    for chosen in product((False, True), repeat=len(SPACINGS)):
        tags: dict[str, Any] = {
            name: SPACINGS[name] for name, here in zip(SPACINGS, chosen, strict=True) if here
        }
        stored = dataset(GREY, bits_stored=8, SOPClassUID=kind, **tags)
        check(save(stored, tmp_path / "a.dcm"))


@pytest.mark.parametrize("kind", KINDS)
def test_position_and_orientation(tmp_path: Path, kind: str) -> None:
    """Position, orientation and pixel aspect ratio are used as in ITK.

    ITK ignores the position of multi-frame secondary captures.
    """
    for tags in (
        {"ImagePositionPatient": [1, 2, 3]},
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        {"ImagePositionPatient": [1, 2, 3], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        {"PixelAspectRatio": ["2", "1"]},
    ):
        stored = dataset(GREY, bits_stored=8, SOPClassUID=kind, **tags)
        check(save(stored, tmp_path / "a.dcm"))


@pytest.mark.parametrize("value", [[0.0, 0.0], [0.2, 0.0], [0.2, 2.0], [5.0, 5.0]])
def test_implausible_spacings(tmp_path: Path, value: list[float]) -> None:
    """Spacings that are ignored for measurements are used as in ITK, which ignores only 0."""
    for kind, tag in (
        (ComputedRadiographyImageStorage, "ImagerPixelSpacing"),
        (SecondaryCaptureImageStorage, "PixelSpacing"),
    ):
        tags: dict[str, Any] = {"SOPClassUID": kind, tag: value}
        stored = dataset(GREY, bits_stored=8, **tags)
        check(save(stored, tmp_path / "a.dcm"))


def test_a_film_with_a_position_in_the_patient(tmp_path: Path) -> None:
    """Position and orientation, which some converters write into radiographs, are used."""
    stored = dataset(
        GREY,
        bits_stored=8,
        SOPClassUID=ComputedRadiographyImageStorage,
        ImagerPixelSpacing=[0.2, 0.21],
        ImagePositionPatient=[10, 20, 30],
        ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
    )
    place = check(save(stored, tmp_path / "a.dcm"))
    assert place.origin == (10.0, 20.0, 30.0)
    assert place.spacing == (0.2, 0.21)


@pytest.mark.parametrize(
    ("kind", "tags", "distance"),
    [
        (ComputedRadiographyImageStorage, {}, 1.0),
        (ComputedRadiographyImageStorage, {"SpacingBetweenSlices": 2.5}, 2.5),
        # ITK ignores the tag for multi-frame secondary captures
        (MultiFrameGrayscaleWordSecondaryCaptureImageStorage, {"SpacingBetweenSlices": 2.5}, 1.0),
    ],
)
def test_frames_are_slices(
    tmp_path: Path, kind: str, tags: dict[str, Any], distance: float
) -> None:
    """Frames are slices at the distance that the file states, by default 1 mm."""
    stored = dataset(
        GREY,
        bits_stored=8,
        SOPClassUID=kind,
        ImagerPixelSpacing=[0.2, 0.21],
        NumberOfFrames=3,
        PixelData=GREY.tobytes() * 3,
        **tags,
    )
    path = save(stored, tmp_path / "a.dcm")
    for frame in (1, 2, 3):
        assert check(path, frame=frame).origin == (0.0, 0.0, distance * (frame - 1))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: Image.fromarray(GREY).save(path / "a.png", dpi=(254, 127)),
        lambda path: Image.fromarray(GREY).save(path / "a.jpg", dpi=(254, 127)),
        lambda path: Image.fromarray(GREY).save(path / "a.jpg"),
        lambda path: Image.fromarray(GREY).save(path / "a.tif", dpi=(254, 127)),
        lambda path: Image.fromarray(GREY).save(path / "a.tif"),
        lambda path: tifffile.imwrite(
            path / "a.tif", GREY, resolution=(70, 50), resolutionunit="CENTIMETER"
        ),
        lambda path: tifffile.imwrite(
            path / "a.tif", GREY, resolution=(70, 50), resolutionunit="NONE"
        ),
    ],
)
def test_resolution_for_printing(tmp_path: Path, write: Callable[[Path], object]) -> None:
    """The print resolution of a file gives the same spacing as in ITK.

    ITK ignores that of PNG. It is not used for measurements.
    """
    write(tmp_path)
    (path,) = tmp_path.iterdir()
    check(path)


def test_pages_are_slices(tmp_path: Path) -> None:
    """Pages of a TIFF are slices at a distance of 1 mm."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([GREY] * 3), photometric="minisblack")
    assert check(path, frame=3).origin == (0.0, 0.0, 2.0)


def test_a_film_that_is_gone(tmp_path: Path) -> None:
    """A film that no longer exists raises an error that asks to scan it again."""
    with pytest.raises(UnreadableFileError, match="cannot be read any more; scan it again"):
        film_place(tmp_path / "a.dcm")


def test_a_resolution_that_cannot_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A TIFF without pages or with an invalid resolution has pixels of 1 mm; nothing is logged."""
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + bytes(4))
    assert film_place(path) == FilmPlace()
    tifffile.imwrite(path, GREY, resolution=(70, 50), resolutionunit="CENTIMETER")
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        page.tags["XResolution"].overwrite((0, 0))
    assert film_place(path) == FilmPlace()
    assert not caplog.records
