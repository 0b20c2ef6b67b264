"""Export a film's result as DICOM objects, for archives and viewers; needs the extra `dicom`.

They contain patient and study from the film's header, by which an archive files them. No other file
that lesionscan writes does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionscan.reporting.dicom_source import DicomObjectError, read_source
from lesionscan.results.record import ResultRecord

__all__ = ["DicomObjectError", "segmentation", "structured_report"]


def structured_report(source: Path, result: ResultRecord) -> bytes:
    """Create a Comprehensive SR (TID 1500) of the shown candidates, with outlines and measurements.

    For a film without shown candidates, the report says so.

    Parameters
    ----------
    source
        The film, a DICOM file of one frame.
    result
        Its result.

    Returns
    -------
    bytes
        The file; the same film and result give the same bytes. Outlines are (column, row) from the
        corner of the top left pixel, in pixels (PS3.3 C.10.5).

    Raises
    ------
    DicomObjectError
        If highdicom is not installed, or the film cannot be referred to.
    """
    with _highdicom(source):
        from lesionscan.reporting.dicom_report import report_bytes
    return report_bytes(read_source(source, result), result)


def segmentation(source: Path, result: ResultRecord, labels: NDArray[np.uint16]) -> bytes | None:
    """Create a binary Segmentation with one segment per shown candidate, best first.

    Parameters
    ----------
    source
        The film, a DICOM file of one frame.
    result
        Its result.
    labels
        uint16 (rows, cols), the labels picture: 0 background, value = candidate id.

    Returns
    -------
    bytes or None
        The file, of the film's rows and columns; the same input gives the same bytes. None if no
        candidate is shown, since a segmentation has at least one segment (PS3.3 C.8.20.2).

    Raises
    ------
    DicomObjectError
        If highdicom is not installed, the film cannot be referred to, or the labels do not match
        the result.
    """
    with _highdicom(source):
        from lesionscan.reporting.dicom_segmentation import segmentation_bytes
    return segmentation_bytes(read_source(source, result), result, labels)


@contextmanager
def _highdicom(source: Path) -> Iterator[None]:
    """Raise a DicomObjectError if highdicom, or a package that it needs, is not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise DicomObjectError(
            f"{source}: no DICOM object can be made because {missing.name} is not installed; "
            "run: pip install 'lesionscan[dicom]'"
        ) from missing
