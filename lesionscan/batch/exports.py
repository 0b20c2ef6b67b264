"""Exports for other programs.

Exports of a film are made from its result, its label image and the header of its file, so that
they can be added to results kept from an earlier run.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.film_place import film_place
from lesionscan.reporting.dicom_objects import DicomObjectError, segmentation, structured_report
from lesionscan.reporting.seg_nrrd import seg_nrrd
from lesionscan.results.exported import (
    exported,
    is_as_exported,
    write_exports,
)
from lesionscan.results.labels import Labels, LabelsError, read_labels
from lesionscan.results.own_files import NotOwnError
from lesionscan.results.paths import ResultPaths
from lesionscan.results.record import ResultRecord


class Export(StrEnum):
    """Formats in addition to JSON, pictures and CSV tables, which are always written."""

    PARQUET = "parquet"
    COCO = "coco"
    NRRD = "nrrd"
    DICOM_SR = "dicom-sr"
    DICOM_SEG = "dicom-seg"


OF_FILMS = (Export.NRRD, Export.DICOM_SR, Export.DICOM_SEG)
"""Formats with one file per film; the others have one per run."""


def film_exports(
    film: Path, result: ResultRecord, labels: Labels, wanted: frozenset[Export]
) -> tuple[dict[Export, bytes], Notice | None]:
    """Make the exports of a film.

    Parameters
    ----------
    film
        The input file.
    result
        Its result.
    labels
        Its label image.
    wanted
        Formats; those with one file per run are ignored.

    Returns
    -------
    files : dict
        Contents by format, without those that failed; there is no DICOM segmentation if no
        candidate is shown.
    problem : Notice or None
        The first failure.
    """
    makers: dict[Export, Callable[[], bytes | None]] = {
        Export.NRRD: lambda: seg_nrrd(result, labels, film_place(film, frame=result.input.frame)),
        Export.DICOM_SR: lambda: structured_report(film, result),
        Export.DICOM_SEG: lambda: segmentation(film, result, labels.astype(np.uint16)),
    }
    files: dict[Export, bytes] = {}
    problem = None
    for export in OF_FILMS:
        if export not in wanted:
            continue
        try:
            data = makers[export]()
        except (DicomObjectError, LabelsError, UnreadableFileError) as error:
            problem = problem or notice(NoticeCode.NOT_EXPORTED, str(error))
            continue
        if data is not None:
            files[export] = data
    return files, problem


def export_paths(paths: ResultPaths) -> dict[Export, Path]:
    """Return the paths of a film's exports by format."""
    return {export: paths.exports[export.replace("-", "_")] for export in OF_FILMS}


def not_own(refused: Sequence[Path], out: Path) -> Notice | None:
    """Return a warning about exports that were not written, or None.

    Parameters
    ----------
    refused
        Paths of existing files that lesionscan has not written.
    out
        The output folder, which the message does not contain.
    """
    if not refused:
        return None
    return notice(NoticeCode.NOT_EXPORTED, NotOwnError(refused[0]).within(out))


def add_exports(
    film: Path, paths: ResultPaths, result: ResultRecord, wanted: frozenset[Export]
) -> Notice | None:
    """Write the missing or damaged exports of a film whose results are kept.

    Parameters
    ----------
    film
        The input file.
    paths
        Paths of its results.
    result
        Its result.
    wanted
        Formats.

    Returns
    -------
    Notice or None
        The first failure.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    expected = expected_exports(paths, result, wanted)
    written = exported(paths) if expected else {}
    missing = {export for export, path in expected.items() if not is_as_exported(path, written)}
    if not missing:
        return None
    try:
        labels = read_labels(paths.labels)
    except LabelsError as error:
        return notice(NoticeCode.NOT_EXPORTED, str(error))
    files, problem = film_exports(film, result, labels, frozenset(missing))
    refused = write_exports(
        paths,
        {expected[export]: data for export, data in files.items()},
        keep=True,
    )
    return problem or not_own(refused, paths.out)


def expected_exports(
    paths: ResultPaths, result: ResultRecord, wanted: frozenset[Export]
) -> dict[Export, Path]:
    """Return the paths of the exports that a film should have, by format.

    Parameters
    ----------
    paths
        Paths of its results.
    result
        Its result.
    wanted
        Formats.
    """
    if result.status != "ok":
        return {}
    return {
        export: path
        for export, path in export_paths(paths).items()
        if export in wanted
        and (result.shown or export is not Export.DICOM_SEG)  # which cannot be empty
    }
