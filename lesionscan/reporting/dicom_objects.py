"""A film's result as DICOM objects, for archives and viewers; the extra `dicom`.

They hold what the film's own header says of patient and study, since an archive files them by it:
nothing else that lesionscan writes does.
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
    """Make a Comprehensive SR (TID 1500) of the candidates shown, each with outline and measures.

    A film without shown candidates gives a report that says so.

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
        When highdicom is not installed or the film cannot be referred to.
    """
    with _highdicom(source):
        from lesionscan.reporting.dicom_report import report_bytes
    return report_bytes(read_source(source, result), result)


def segmentation(source: Path, result: ResultRecord, labels: NDArray[np.uint16]) -> bytes | None:
    """Make a binary Segmentation with one segment for every candidate shown, best first.

    Parameters
    ----------
    source
        The film, a DICOM file of one frame.
    result
        Its result.
    labels
        uint16 (rows, cols), the labels picture: 0 for background, else the number of a candidate.

    Returns
    -------
    bytes or None
        The file, of the film's rows and columns; the same input gives the same bytes. None where
        no candidate is shown: a segmentation has at least one segment (PS3.3 C.8.20.2).

    Raises
    ------
    DicomObjectError
        When highdicom is not installed, the film cannot be referred to, or the labels are not
        those of the result.
    """
    with _highdicom(source):
        from lesionscan.reporting.dicom_segmentation import segmentation_bytes
    return segmentation_bytes(read_source(source, result), result, labels)


@contextmanager
def _highdicom(source: Path) -> Iterator[None]:
    """Say what is missing, where it is highdicom or what that needs."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise DicomObjectError(
            f"{source}: no DICOM object can be made because {missing.name} is not installed; "
            "run: pip install 'lesionscan[dicom]'"
        ) from missing
