"""Results for other programs: which there are, and those of one film.

What is made of a film is made of its result, its labels picture and its file's header, so that
results kept from an earlier run get theirs too.
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
    """Formats beside JSON, pictures and the tables as CSV, which are always written."""

    PARQUET = "parquet"
    COCO = "coco"
    NRRD = "nrrd"
    DICOM_SR = "dicom-sr"
    DICOM_SEG = "dicom-seg"


OF_FILMS = (Export.NRRD, Export.DICOM_SR, Export.DICOM_SEG)
"""Those with a file for each film; the others have one for the run."""


def film_exports(
    film: Path, result: ResultRecord, labels: Labels, wanted: frozenset[Export]
) -> tuple[dict[Export, bytes], Notice | None]:
    """Make the files of a film.

    Parameters
    ----------
    film
        The input.
    result
        Its result.
    labels
        Its label image.
    wanted
        Which; those that are no film's are passed over.

    Returns
    -------
    files : dict
        What could be made; a segmentation in DICOM has no file where no candidate is shown.
    trouble : Notice or None
        Why the others could not.
    """
    makers: dict[Export, Callable[[], bytes | None]] = {
        Export.NRRD: lambda: seg_nrrd(result, labels, film_place(film, frame=result.input.frame)),
        Export.DICOM_SR: lambda: structured_report(film, result),
        Export.DICOM_SEG: lambda: segmentation(film, result, labels.astype(np.uint16)),
    }
    files: dict[Export, bytes] = {}
    trouble = None
    for export in OF_FILMS:
        if export not in wanted:
            continue
        try:
            data = makers[export]()
        except (DicomObjectError, LabelsError, UnreadableFileError) as error:
            trouble = trouble or notice(NoticeCode.NOT_EXPORTED, str(error))
            continue
        if data is not None:
            files[export] = data
    return files, trouble


def export_paths(paths: ResultPaths) -> dict[Export, Path]:
    """Return where a film's files stand, by format."""
    return {export: paths.exports[export.replace("-", "_")] for export in OF_FILMS}


def not_own(refused: Sequence[Path], out: Path) -> Notice | None:
    """Return what to say of exports that were not written; nothing where all were.

    Parameters
    ----------
    refused
        Those where a file stands that lesionscan has not written.
    out
        The output folder, which is not named.
    """
    if not refused:
        return None
    return notice(NoticeCode.NOT_EXPORTED, NotOwnError(refused[0]).within(out))


def add_exports(
    film: Path, paths: ResultPaths, result: ResultRecord, wanted: frozenset[Export]
) -> Notice | None:
    """Write the files that a film whose results are kept lacks; return why some cannot be made.

    A file that is damaged is lacking too.

    Parameters
    ----------
    film
        The input.
    paths
        Where its results stand.
    result
        Its result.
    wanted
        Which.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When one cannot be written.
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
    files, trouble = film_exports(film, result, labels, frozenset(missing))
    refused = write_exports(
        paths,
        {expected[export]: data for export, data in files.items()},
        keep=True,
    )
    return trouble or not_own(refused, paths.out)


def expected_exports(
    paths: ResultPaths, result: ResultRecord, wanted: frozenset[Export]
) -> dict[Export, Path]:
    """Return where the files of a film that are wanted stand, if all can be made.

    Parameters
    ----------
    paths
        Where its results stand.
    result
        Its result.
    wanted
        Which.
    """
    if result.status != "ok":
        return {}
    return {
        export: path
        for export, path in export_paths(paths).items()
        if export in wanted
        and (result.shown or export is not Export.DICOM_SEG)  # of nothing there is none
    }
