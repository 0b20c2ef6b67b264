"""Write the shown candidates as a segmentation for 3D Slicer: `.seg.nrrd`.

The file is a text header and the gzipped label image. It is written without pynrrd, because pynrrd
1.1 writes the time into the header, so that the bytes would differ.

Only shown candidates are included, since the file is opened to inspect and correct them. All listed
ones are in the labels picture and in the COCO files.

References
----------
The NRRD file format, version 4, of Teem; the keys as `vtkMRMLSegmentationStorageNode.cxx` of 3D
Slicer writes and reads them.
"""

import gzip
from collections.abc import Iterable, Iterator
from itertools import cycle

import numpy as np

from lesionscan import __version__
from lesionscan.reading.film_place import FilmPlace
from lesionscan.results.labels import Box, Labels, candidate_boxes
from lesionscan.results.record import (
    DISCLAIMER,
    CandidateRecord,
    ImageRecord,
    ResultRecord,
)

_COLOURS = ("#FFB000", "#648FFF", "#DC267F", "#FE6100", "#785EF0")
"""IBM's colour-blind-safe palette, starting with the amber of the overlays."""


def seg_nrrd(result: ResultRecord, labels: Labels, place: FilmPlace) -> bytes:
    """Create a `.seg.nrrd` file of a film's shown candidates.

    The segmentation is placed where 3D Slicer places the film, even if another spacing was used for
    measurements: without a position in the patient, the first pixel is at the origin, columns along
    the first axis and rows along the second (left-posterior-superior). The header states the unit.

    Parameters
    ----------
    result
        The result of a film that was searched.
    labels
        The film's label image.
    place
        Where ITK places the film.

    Raises
    ------
    lesionscan.results.labels.LabelsError
        If the label image does not match the JSON.
    """
    boxes = candidate_boxes(result, labels)
    # pixels without a segment would be kept when the file is edited and saved
    kept = np.where(np.isin(labels, [candidate.id for candidate in result.shown]), labels, 0)
    lines = [*_geometry(result, place), *_about(result, place)]
    for number, (candidate, colour) in enumerate(zip(result.shown, cycle(_COLOURS), strict=False)):
        for key, value in _segment(candidate, boxes[candidate.id], colour):
            lines.append(f"Segment{number}_{key}:={value}")
    # an empty line ends the header; the column index varies fastest
    header = "\n".join(lines).encode("ascii") + b"\n\n"
    return header + gzip.compress(kept.astype("<u2").tobytes(), mtime=0)


def _geometry(result: ResultRecord, place: FilmPlace) -> Iterator[str]:
    image = result.searched_image
    yield "NRRD0004"
    if image.spacing_mm is None:
        yield "# The film states no pixel spacing: lengths are in pixels, or in mm of its printing."
    elif not _is_measured_with(image, place):
        yield "# 3D Slicer gives the film another pixel spacing than sizes were measured with."
    yield "type: unsigned short"
    yield "dimension: 3"
    yield "space: left-posterior-superior"
    yield f"sizes: {image.columns} {image.rows} 1"
    steps = (place.along_row, place.along_column, place.between_slices)
    yield f"space directions: {' '.join(map(_vector, steps))}"
    yield "kinds: domain domain domain"
    yield "endian: little"
    yield "encoding: gzip"
    yield f"space origin: {_vector(place.origin)}"


def _vector(values: Iterable[float]) -> str:
    return f"({','.join(f'{value:.15g}' for value in values)})"


def _is_measured_with(image: ImageRecord, place: FilmPlace) -> bool:
    """Return whether the spacing in the file is that of the JSON, which has six digits."""
    spacing = image.spacing_mm
    return spacing is not None and np.allclose(spacing, place.spacing, rtol=1e-5, atol=0)


def _about(result: ResultRecord, place: FilmPlace) -> Iterator[str]:
    yield "Segmentation_ContainedRepresentationNames:=Binary labelmap|"
    yield "Segmentation_MasterRepresentation:=Binary labelmap"
    yield "Segmentation_ReferenceImageExtentOffset:=0 0 0"
    yield f"lesionscan_version:={__version__}"
    yield f"lesionscan_disclaimer:={DISCLAIMER}"
    yield f"lesionscan_length_unit:={_unit(result.searched_image, place)}"
    image = result.searched_image
    if image.spacing_mm is not None:
        row_mm, column_mm = image.spacing_mm
        plane = image.spacing_plane
        yield f"lesionscan_measured_with_mm:={row_mm:.9g} {column_mm:.9g} ({plane})"


def _unit(image: ImageRecord, place: FilmPlace) -> str:
    if _is_measured_with(image, place):
        return f"mm ({image.spacing_plane})"
    return "pixel" if place.spacing == (1.0, 1.0) else "as 3D Slicer reads the film"


def _segment(candidate: CandidateRecord, box: Box, colour: str) -> Iterator[tuple[str, str]]:
    """Yield the keys of a segment and their values."""
    rows, columns = box
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    yield "Color", " ".join(f"{part:.6f}" for part in parts)
    yield "ColorAutoGenerated", "0"
    yield "Extent", f"{columns.start} {columns.stop - 1} {rows.start} {rows.stop - 1} 0 0"
    yield "ID", f"candidate_{candidate.id}"
    yield "LabelValue", str(candidate.id)
    yield "Layer", "0"
    yield "Name", f"candidate {candidate.id}, score {candidate.score:.2f}"
    yield "NameAutoGenerated", "0"
    yield "Tags", "Segmentation.Status:notstarted|"  # not reviewed
