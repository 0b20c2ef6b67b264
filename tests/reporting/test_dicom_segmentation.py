"""The segmentation has the pixels of the shown candidates, and no geometry."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionscan.reporting.dicom_objects import DicomObjectError, segmentation
from tests.reporting.dicom_films import read, searched
from tests.results.test_record import parsed

pytest.importorskip("highdicom", reason="needs the extra dicom")
from highdicom import seg
from highdicom.image import imread


def test_the_segmentation_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    """Pydicom and highdicom read exactly the shown candidates, one segment each."""
    film = searched(tmp_path)
    data = film.segmentation()
    expected = [film.labels == 1, film.labels == 2]
    np.testing.assert_array_equal(read(data).pixel_array, expected)
    np.testing.assert_array_equal(imread(io.BytesIO(data)).get_frames(dtype=np.uint8), expected)
    made = seg.segread(io.BytesIO(data))
    pixels = made.get_pixels_by_source_instance([read(film.path.read_bytes()).SOPInstanceUID])
    np.testing.assert_array_equal(np.moveaxis(pixels[0], -1, 0), expected)
    labels = [made.get_segment_description(number).segment_label for number in (1, 2)]
    assert labels == ["candidate 1", "candidate 2"]
    assert (made.Rows, made.Columns, made.SegmentsOverlap) == (300, 200, "NO")


def test_segments_keep_the_order_of_candidates(tmp_path: Path) -> None:
    """Segments are numbered without gaps, and their labels name the candidates."""
    film = searched(tmp_path)
    film.result["candidates"][0]["shown"] = False
    made = seg.segread(io.BytesIO(film.segmentation()))
    np.testing.assert_array_equal(made.pixel_array, film.labels == 2)
    assert made.get_segment_description(1).segment_label == "candidate 2"


@pytest.mark.parametrize(
    "tags",
    [
        {"ImagerPixelSpacing": [0.14, 0.14]},
        {"PixelSpacing": [0.14, 0.14], "FrameOfReferenceUID": "1.2.3.9"},
    ],
)
def test_no_geometry_is_invented(tmp_path: Path, tags: dict[str, Any]) -> None:
    """A segmentation of a film has neither pixel measures nor a position (PS3.3 A.51.5)."""
    made = read(searched(tmp_path, **tags).segmentation())
    assert "FrameOfReferenceUID" not in made
    for item in (
        *made.SharedFunctionalGroupsSequence,
        *made.PerFrameFunctionalGroupsSequence,
    ):
        assert "PixelMeasuresSequence" not in item
        assert "PlanePositionSequence" not in item
        assert "PlaneOrientationSequence" not in item


def test_orientation_and_loss_are_the_films(tmp_path: Path) -> None:
    """The segmentation has the film's patient orientation and lossy compression flag."""
    film = searched(tmp_path, PatientOrientation=["L", "F"], LossyImageCompression="01")
    made = read(film.segmentation())
    assert list(made.PatientOrientation) == ["L", "F"]
    assert made.LossyImageCompression == "01"
    bare = read(searched(tmp_path).segmentation())
    assert (bare["PatientOrientation"].is_empty, bare.LossyImageCompression) == (True, "00")


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    """Labels of another size are rejected; the message gives both sizes."""
    film = searched(tmp_path)
    with pytest.raises(DicomObjectError, match="300 x 200 pixels and the labels picture 299 x 200"):
        segmentation(film.path, parsed(film.result), film.labels[1:])


def test_labels_of_another_result_are_refused(tmp_path: Path) -> None:
    """Labels without a pixel of a shown candidate are rejected."""
    film = searched(tmp_path)
    labels = np.where(film.labels == 2, 0, film.labels).astype(np.uint16)
    with pytest.raises(DicomObjectError, match="lacks candidate 2, which its result names"):
        segmentation(film.path, parsed(film.result), labels)
