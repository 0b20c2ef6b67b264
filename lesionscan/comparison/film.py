"""What is compared of a film: its picture, its bones and its candidates, from a file or results."""

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
"""Long side of the largest picture that is compared, as in the report."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedFilm:
    """One of two films.

    Attributes
    ----------
    record
        What was found on it; its status is "ok".
    picture
        uint8 (rows, cols), the film as it is displayed, bone bright, of any size.
    field
        bool, of the picture's shape; where the film was exposed.
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
    """Return the picture's facts of a film that was read."""
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
    """Read and search one film.

    Parameters
    ----------
    path
        The film's file.
    settings, scorer
        As in `find_candidates`.
    frame
        Which of its pictures, from 1 on; None where it has one.

    Raises
    ------
    lesionscan.reading.UnreadableFileError
        When the file cannot become a radiograph.
    RefusedPairError
        When no picture may be made of it.
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
    """Take what is compared from what was found on a film.

    Parameters
    ----------
    findings
        What was found.
    name
        What the comparison calls the film.
    sha256
        Hash of its file, hexadecimal; None where it is not known.
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
    """Take what is compared from what `scan` wrote for a film; the film itself is not needed.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the film's results, without endings.

    Raises
    ------
    RefusedPairError
        When there is no whole result of a film that was read, or no picture of it.
    """
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    record = None if data is None else parse_record(data)
    if record is None or record.image is None or not is_whole(out, name):
        raise RefusedPairError(
            RefusalCode.NO_RESULT,
            "a film has no whole result in its folder; scan it again"
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
    """Return the mask of outlines, each as row, column, ... in stored pixels, at another size."""
    scale = np.array(shape) / np.array(stored)
    polygons = [
        np.rint((np.array(points).reshape(-1, 2) + 0.5) * scale - 0.5)[:, ::-1].astype(np.int32)
        for points in outlines
    ]
    mask = np.zeros(shape, np.uint8)
    if polygons:
        cv2.fillPoly(mask, polygons, 1)  # by the even-odd rule: an outline in another is a hole
    return np.asarray(mask, np.bool_)
