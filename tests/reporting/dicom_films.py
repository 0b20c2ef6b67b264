"""Films on disk with the results of their search, and readers of the objects made of them."""

import io
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from lesionscan.reading.dicom_tags import silenced_pydicom
from lesionscan.reporting.dicom_objects import segmentation, structured_report
from lesionscan.results.sealed import sha256_of
from tests.reading.dicom_maker import dataset, ramp, save
from tests.reporting.made import Disk, Film, make_findings
from tests.results.test_record import as_json, parsed

THREE = Film(disks=(Disk(150, 100, 14, 0.9), Disk(60, 110, 7, 0.6), Disk(230, 90, 5, 0.2)))
NONE_SHOWN = Film(disks=(Disk(150, 100, 14, 0.3),))
IDENTITY = {
    "PatientName": "Doe^Jane",
    "PatientID": "1234",
    "PatientBirthDate": "19600102",
    "PatientSex": "F",
    "StudyDate": "20200304",
    "StudyTime": "101112",
    "StudyID": "7",
    "AccessionNumber": "A5",
    "ReferringPhysicianName": "Roe^Richard",
}
UIDS = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
needs_dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)"
)
needs_dsrdump = pytest.mark.skipif(
    shutil.which("dsrdump") is None, reason="needs dsrdump (Debian: dcmtk)"
)


@dataclass(frozen=True)
class Searched:
    """A film, its result and its labels, as in a batch."""

    path: Path
    result: dict[str, Any]
    labels: NDArray[np.uint16]

    def report(self) -> bytes:
        """Make the report."""
        return structured_report(self.path, parsed(self.result))

    def segmentation(self) -> bytes:
        """Make the segmentation; fail if there is none."""
        made = segmentation(self.path, parsed(self.result), self.labels)
        assert made is not None
        return made


def searched(
    folder: Path,
    film: Film = THREE,
    *,
    packing: str = "explicit",
    **tags: Any,  # noqa: ANN401 - whatever a DICOM tag may hold
) -> Searched:
    """Write a DX film and make the result of its search; tags set to None are removed."""
    header = dataset(
        ramp(12, rows=film.rows, columns=film.columns), bits_stored=12, packing=packing
    )
    return searched_header(folder, header, film, **{**UIDS, **IDENTITY, **tags})


def searched_header(
    folder: Path,
    header: Dataset,
    film: Film,
    **tags: Any,  # noqa: ANN401 - whatever a DICOM tag may hold
) -> Searched:
    """Write a film with additional tags, and make the result of its search."""
    with silenced_pydicom([]):  # some values break the standard
        for keyword, value in tags.items():
            if value is not None:
                setattr(header, keyword, value)
            elif keyword in header:
                delattr(header, keyword)
        path = save(header, folder / "film.dcm")
    result = as_json(film)
    result["input"]["sha256"] = sha256_of(path.read_bytes())
    return Searched(path, result, make_findings(film).labels.astype(np.uint16))


def coded(value: str | None, scheme: str, meaning: str) -> list[Dataset]:
    """Return the value of a code sequence."""
    item = Dataset()
    if value is not None:
        item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    with silenced_pydicom([]):
        item.CodeMeaning = meaning
    return [item]


def read(data: bytes) -> Dataset:
    """Read an object back with pydicom."""
    return dcmread(io.BytesIO(data))


def groups(data: bytes) -> list[Any]:
    """Return the report's measurement groups, as highdicom reads them."""
    from highdicom import sr  # only some tests need the extra

    return list(sr.srread(io.BytesIO(data)).content.get_planar_roi_measurement_groups())


def inside(points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Fill an outline of SCOORD points: the pixels whose centres are inside or on it."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(points - 0.5).astype(np.int32)], 1)
    return mask > 0


def comments(items: Any) -> list[str]:  # noqa: ANN401
    """Return the texts of the comments in a content sequence."""
    return [
        item.TextValue for item in items if item.ConceptNameCodeSequence[0].CodeMeaning == "Comment"
    ]


def complaints(data: bytes, path: Path) -> list[str]:
    """Return the errors and warnings of dciodvfy, except about our coding scheme."""
    path.write_bytes(data)
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [
        line
        for line in lines
        if line.startswith(("Error", "Warning"))
        and "Unrecognized defined term <99LESIONSCAN>" not in line
    ]
