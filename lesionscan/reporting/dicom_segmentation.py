"""Binary DICOM segmentation of a film's candidates.

Imports highdicom; import this module only if a segmentation is needed.
"""

from typing import Any

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lesionscan.reporting.dicom_source import (
    DicomObjectError,
    SourceFilm,
    copy_elements,
    file_bytes,
)
from lesionscan.reporting.dicom_words import (
    CATEGORY,
    FAMILY,
    FINDING,
    Maker,
    site,
    tracking_id,
)
from lesionscan.results.record import ResultRecord

_SERIES_NUMBER = 9002
"""After that of the reports (`dicom_report`)."""


_OF_THE_FILM = (
    "PatientOrientation",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)
"""Attributes that hold for a picture on the film's pixel grid as for the film (PS3.3 C.7.6.1)."""


def segmentation_bytes(
    film: SourceFilm, result: ResultRecord, labels: NDArray[np.uint16]
) -> bytes | None:
    """Create the file of the segmentation; None if no candidate is shown.

    Parameters
    ----------
    film
        The film of the result.
    result
        The result.
    labels
        uint16 (rows, cols), the labels picture.

    Raises
    ------
    DicomObjectError
        If the labels do not match the result.
    """
    segments = _segments(film, result, labels)
    if segments is None:
        return None
    maker = Maker.of(result)
    made = Segmentation(
        source_images=[film.anonymous()],
        pixel_array=segments,
        # one bit per pixel, uncompressed: RLE and the like need bytes (PS3.5 8.2.2), and highdicom
        # rejects them here
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=_descriptions(film, result, maker),
        series_instance_uid=film.derived_uid("segmentation", "series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=film.derived_uid("segmentation"),
        **maker.equipment,
        content_label="CANDIDATES",
        content_description="Candidate lytic lesions, research use only",
        content_creator_name="lesionscan^",
    )
    _derive_dimension_uid(film, made)
    made.PatientOrientation = None  # type 2C without image orientation (PS3.3 C.7.6.1)
    copy_elements(film, made, _OF_THE_FILM)
    return file_bytes(film, made)


def _segments(
    film: SourceFilm, result: ResultRecord, labels: NDArray[np.uint16]
) -> NDArray[np.uint8] | None:
    """Return uint8 (rows, cols), the shown candidates numbered from 1; None if there are none."""
    if labels.shape != (film.rows, film.columns):
        raise DicomObjectError(
            f"{film.path}: the film has {film.rows} x {film.columns} pixels and the labels picture "
            f"{' x '.join(str(size) for size in labels.shape)}; scan the film again"
        )
    ids = [candidate.id for candidate in result.shown]
    number_of = np.zeros(max(int(labels.max()), *ids, 0) + 1, np.uint8)  # at most 100 candidates
    number_of[ids] = np.arange(1, len(ids) + 1)
    segments = number_of[labels]
    missing = set(range(1, len(ids) + 1)) - set(np.unique(segments).tolist())
    if missing:
        raise DicomObjectError(
            f"{film.path}: the labels picture lacks candidate {ids[min(missing) - 1]}, which its "
            "result names; scan the film again"
        )
    return segments if ids else None


def _descriptions(film: SourceFilm, result: ResultRecord, maker: Maker) -> list[Any]:
    algorithm = AlgorithmIdentificationSequence(
        name="lesionscan", family=FAMILY, version=maker.version, parameters=dict(maker.parameters)
    )
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=tracking_id(candidate),
            segmented_property_category=CATEGORY,
            segmented_property_type=FINDING,
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=film.derived_uid("candidate", candidate.id),
            tracking_id=tracking_id(candidate),
            anatomic_regions=[site(film.tags)],
        )
        for number, candidate in enumerate(result.shown, start=1)
    ]


def _derive_dimension_uid(film: SourceFilm, made: Dataset) -> None:
    """Replace highdicom's random UID of the dimension organization by a derived one."""
    uid = film.derived_uid("segmentation", "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
