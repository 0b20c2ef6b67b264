"""Load a film for comparison (picture, bone mask, candidates) from a file or from results."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import RefusalCode
from lesionscan.comparison.refusal import RefusedPairError
from lesionscan.detection.pipeline import Findings, find_candidates
from lesionscan.detection.scorer.scorer_file import Scorer
from lesionscan.files import sha256_of_file
from lesionscan.radiograph import BoolImage
from lesionscan.reading import read_radiograph
from lesionscan.reporting.conversion import ok_record
from lesionscan.reporting.overlay import displayed, grey_window, may_be_drawn
from lesionscan.reporting.page.view import Backdrop
from lesionscan.results.folder import is_whole
from lesionscan.results.labels import LabelsError, read_labels
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.pictures import PictureError, read_grey
from lesionscan.results.record import ImageRecord, ResultRecord, parse_record
from lesionscan.settings import Settings

LONG_SIDE_PX = 1600
"""Maximum long side of the picture, as in the report."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedFilm:
    """A film to compare.

    Attributes
    ----------
    record
        Its result, with status "ok".
    picture
        uint8 (rows, cols), the film as displayed, bone bright, at any size.
    field
        bool, shape of `picture`; the exposed field.
    bone
        bool (rows, cols) of the stored matrix; the bone mask.
    labels
        (rows, cols) of the stored matrix; 0 background, value = candidate id.
    pixel_aspect
        Height of a stored pixel over its width.
    """

    record: ResultRecord
    picture: NDArray[np.uint8]
    field: BoolImage
    bone: BoolImage
    labels: NDArray[np.integer[Any]]
    pixel_aspect: float


def image_of(film: ComparedFilm) -> ImageRecord:
    """Return the image record of a film."""
    image = film.record.image
    if image is None:
        raise ValueError("a film that failed cannot be compared")
    return image


def film_of_file(
    path: Path,
    *,
    settings: Settings | None = None,
    scorer: Scorer | None = None,
    frame: int | None = None,
) -> ComparedFilm:
    """Read a film and find its candidates.

    Parameters
    ----------
    path
        The film's file.
    settings, scorer
        As in `find_candidates`.
    frame
        Number of the frame or page, starting at 1; None for files with a single one.

    Raises
    ------
    lesionscan.reading.UnreadableFileError
        If the file cannot be read as a radiograph.
    RefusedPairError
        If the film may have burned-in text, so that no picture may be made of it.
    """
    radiograph = read_radiograph(path, settings=settings, frame=frame)
    if not may_be_drawn(radiograph, settings or Settings()):
        raise RefusedPairError(
            RefusalCode.NO_RESULT,
            "the file says that identifying text is burned in; --allow-burned-in compares it",
        )
    findings = find_candidates(radiograph, settings, scorer)
    return film_of_findings(findings, name=path.name, sha256=sha256_of_file(path))


def film_of_findings(findings: Findings, *, name: str, sha256: str | None = None) -> ComparedFilm:
    """Convert the findings of a film.

    Parameters
    ----------
    findings
        Result of `find_candidates`.
    name
        Name of the film in the comparison.
    sha256
        SHA-256 of its file, hexadecimal; None if unknown.
    """
    window = grey_window(findings.image, findings.exposed)
    picture = displayed(findings.image, window, at_most_px=LONG_SIDE_PX)
    size = picture.shape[::-1]
    field = cv2.resize(findings.exposed.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return ComparedFilm(
        record=ok_record(findings, file=name, sha256=sha256),
        picture=picture,
        field=np.asarray(field, np.bool_),
        bone=findings.bone,
        labels=findings.labels,
        pixel_aspect=findings.radiograph.pixel_aspect,
    )


def film_of_results(out: Path, name: str) -> ComparedFilm:
    """Load a film from the output of `lesionscan scan`; the film itself is not needed.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the film's results, without endings.

    Raises
    ------
    RefusedPairError
        If the result is missing, incomplete or failed, or there is no picture of the film.
    """
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    record = None if data is None else parse_record(data)
    if record is None or record.image is None or not is_whole(out, name):
        raise RefusedPairError(
            RefusalCode.NO_RESULT,
            "a film has no complete result in its folder; scan it again"
            if record is None or record.status == "ok"
            else "a film could not be read when it was scanned; see its result",
        )
    jpeg, script = read_file(paths.film), read_file(paths.view)
    backdrop = None if script is None else Backdrop.from_script(script)
    if jpeg is None or backdrop is None:
        raise RefusedPairError(
            RefusalCode.NO_RESULT,
            "a film has no picture in its folder; scan it with --overlay (films with burned-in "
            "text: --allow-burned-in)",
        )
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    try:
        bone, labels = read_grey(paths.bone) > 0, read_labels(paths.labels)
    except (LabelsError, PictureError):
        decoded = None
    if decoded is None:
        raise RefusedPairError(
            RefusalCode.NO_RESULT, "a picture of a film cannot be read; scan it again"
        )
    picture, (rows, cols) = np.asarray(decoded, np.uint8), bone.shape
    spacing = record.image.spacing_mm
    return ComparedFilm(
        record=record,
        picture=picture,
        field=_filled(backdrop.field, (rows, cols), picture.shape),
        bone=bone,
        labels=labels,
        pixel_aspect=1.0 if spacing is None else spacing[0] / spacing[1],
    )


def _filled(
    outlines: list[list[int]], stored: tuple[int, int], shape: tuple[int, ...]
) -> BoolImage:
    """Fill outlines, given as [row, column, row, ...] in stored pixels, in a mask of `shape`."""
    scale = np.array(shape) / np.array(stored)
    polygons = [
        np.rint((np.array(points).reshape(-1, 2) + 0.5) * scale - 0.5)[:, ::-1].astype(np.int32)
        for points in outlines
    ]
    mask = np.zeros(shape, np.uint8)
    if polygons:
        cv2.fillPoly(mask, polygons, 1)  # even-odd rule: an outline inside another is a hole
    return np.asarray(mask, np.bool_)
