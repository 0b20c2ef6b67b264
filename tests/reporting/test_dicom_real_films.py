"""DICOM objects of public films, if available, are valid, exact and correctly located."""

import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lesionscan.detection.pipeline import find_candidates
from lesionscan.reading import read_radiograph
from lesionscan.reporting.conversion import ok_record
from lesionscan.results.sealed import sealed_json, sha256_of
from lesionscan.settings import Settings
from tests.reporting.dicom_films import Searched, complaints, groups, inside, needs_dciodvfy, read

pytest.importorskip("highdicom", reason="needs the extra dicom")
from highdicom import seg

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"
SHOWN_SCORE = 0.26
"""Low enough that the hip (RG2), which has no lesion, has candidates to show."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="shared/data/dicom is not here")


@cache
def film(name: str) -> Searched:
    """Return a film with the result of its search."""
    path = FOLDER / f"{name}.dcm"
    found = find_candidates(read_radiograph(path), Settings(shown_score=SHOWN_SCORE))
    record = ok_record(found, file=path.name, sha256=sha256_of(path.read_bytes()))
    return Searched(path, json.loads(sealed_json(record)), found.labels.astype(np.uint16))


@needs_dciodvfy
@pytest.mark.parametrize("name", ["RG2_J2KR", "RG3_J2KR"])
def test_objects_of_real_films_keep_the_standard(tmp_path: Path, name: str) -> None:
    """Dciodvfy finds no error in the objects of two CR films, with and without spacing."""
    for data in (film(name).report(), film(name).segmentation()):
        assert complaints(data, tmp_path / "made.dcm") == []


@pytest.mark.parametrize("name", ["RG2_J2KR", "RG3_J2KR"])
def test_places_and_pixels_of_real_films_come_back(name: str) -> None:
    """Filled outlines and segments equal the pixels of the candidates."""
    searched = film(name)
    shown = [one["id"] for one in searched.result["candidates"] if one["shown"]]
    masks = [searched.labels == number for number in shown]
    for mask, group in zip(masks, groups(searched.report()), strict=True):
        np.testing.assert_array_equal(inside(group.roi.value, mask.shape), mask)
    made = seg.segread(io.BytesIO(searched.segmentation()))
    instance = read(searched.path.read_bytes()).SOPInstanceUID
    pixels = made.get_pixels_by_source_instance([instance])
    np.testing.assert_array_equal(np.moveaxis(pixels[0], -1, 0), masks)


def test_the_fibroma_is_where_it_is() -> None:
    """In a film with dark bone (MONOCHROME1), the best outline is the fibroma of the tibia."""
    searched = film("RG3_J2KR")
    assert searched.result["image"]["photometric_interpretation"] == "MONOCHROME1"
    columns, rows = groups(searched.report())[0].roi.value.T
    assert (rows.min() > 1000, rows.max() < 1220) == (True, True)
    assert (columns.min() > 785, columns.max() < 925) == (True, True)
    assert np.ptp(rows) > 150
