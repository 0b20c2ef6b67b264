"""The page's files of one film: its picture, a thumbnail, and a script with the findings."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from lesionscan.detection.measurements import MEASUREMENTS
from lesionscan.detection.pipeline import Findings
from lesionscan.files import check_values
from lesionscan.radiograph import BoolImage
from lesionscan.reporting.overlay import Window, grey_window
from lesionscan.reporting.page.script import call, parse_call
from lesionscan.results.record import CandidateRecord, ResultRecord

MOST_CANDIDATES, LEAST_SCORE = 20, 0.05
"""The page has at most this many candidates of a film, with at least this score, and all shown
ones; the JSON has all."""

THUMBNAIL_LONG_SIDE_PX = 128
_FILM_QUALITY = 88
_THUMBNAIL_QUALITY = 80
_FINEST_PX = 1600
"""Outlines are as detailed as on a film of this long side."""


@dataclass(frozen=True, slots=True)
class CandidateData:
    """Data of a candidate on the page.

    Attributes
    ----------
    id, score, shown, bbox_px, flags
        As in the film's JSON.
    outline_px
        Row, column, row, column, ... of its outline, in stored pixels.
    measures
        By name: numbers, positions as (row, column), and the band of Mirels.
    signs
        (for, against or neither; text) of each.
    """

    id: int
    score: float
    shown: bool
    bbox_px: list[int]
    flags: list[str]
    outline_px: list[int]
    measures: dict[str, float | list[float] | str]
    signs: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Everything that is drawn behind the candidates, independent of these.

    Attributes
    ----------
    window
        Values of the normalised image displayed as black and as white.
    bone, field
        Outlines of the bone mask and of the exposed field, each like `outline_px`.
    """

    window: Window
    bone: list[list[int]]
    field: list[list[int]]

    @classmethod
    def of(cls, findings: Findings) -> Self:
        """Return the backdrop of findings."""
        step = _step(findings.image.shape)
        return cls(
            window=grey_window(findings.image, findings.exposed),
            bone=_outlines(findings.bone, step),
            field=_outlines(findings.exposed, step),
        )

    @classmethod
    def from_script(cls, script: bytes) -> Self | None:
        """Read the backdrop from a film's script; None if it is not of this version."""
        called = parse_call(script)
        if called is None:
            return None
        try:
            check_values(called[1])
            film = _FILM.validate_json(called[1], strict=True)
        except ValueError:
            return None
        return cls(film.window, film.bone, film.field)


@dataclass(frozen=True, slots=True)
class FilmData:
    """Data of a film on the page.

    Attributes
    ----------
    name
        Name of its results, without their endings.
    labels
        What `labels_mark` returns.
    rows, columns
        Of the stored matrix, in pixels.
    picture
        Rows and columns of the picture; None if there is none.
    spacing_mm, spacing_plane, acquisition
        As in the film's JSON.
    assessed, bone_confidence
        Whether it was searched, and the confidence of its bone mask (0 to 1).
    warnings
        One sentence each.
    listed
        Number of candidates in the JSON.
    candidates
        Those that the page can show, best first.
    window, bone, field
        As in `Backdrop`.
    """

    name: str
    labels: str
    rows: int
    columns: int
    picture: list[int] | None
    spacing_mm: list[float] | None
    spacing_plane: str | None
    assessed: bool
    bone_confidence: float
    acquisition: dict[str, str | int | float | bool]
    warnings: list[str]
    listed: int
    candidates: list[CandidateData]
    window: Window
    bone: list[list[int]]
    field: list[list[int]]


_FILM = TypeAdapter(FilmData)


@dataclass(frozen=True, slots=True)
class FilmView:
    """The files that the page needs of one film.

    Attributes
    ----------
    script
        JavaScript that passes the findings to the page.
    picture, thumbnail
        JPEGs of the film without outlines; None if pictures are not allowed or were not requested.
    """

    script: bytes
    picture: bytes | None
    thumbnail: bytes | None


def film_view(record: ResultRecord, backdrop: Backdrop, film: NDArray[np.uint8] | None) -> FilmView:
    """Create the page's files of a film.

    Parameters
    ----------
    record
        Result of a film that was read, with the hashes of its pictures.
    backdrop
        What is drawn behind the candidates.
    film
        uint8 (rows, cols), the film as displayed, of any size; None for no picture.

    Raises
    ------
    ValueError
        If the film failed, or has no pictures.
    """
    shape = None if film is None else [int(side) for side in film.shape]
    return FilmView(
        script=call("view", _film_data(record, backdrop, shape)),
        picture=None if film is None else _jpeg(film, _FILM_QUALITY),
        thumbnail=None if film is None else _jpeg(_thumbnail(film), _THUMBNAIL_QUALITY),
    )


def labels_mark(labels_sha256: str) -> str:
    """Return a mark that distinguishes results of different scans of a film.

    Parameters
    ----------
    labels_sha256
        Hash of the labels picture, hexadecimal.
    """
    return labels_sha256[:16]


def on_page(candidates: Iterable[tuple[float, bool]]) -> int:
    """Return the number of candidates of a film, best first, that the page can show.

    Parameters
    ----------
    candidates
        Score of each, and whether it is shown.
    """
    return sum(
        shown or (place < MOST_CANDIDATES and score >= LEAST_SCORE)
        for place, (score, shown) in enumerate(candidates)
    )


def _film_data(record: ResultRecord, backdrop: Backdrop, shape: list[int] | None) -> FilmData:
    image, bone, pictures = record.image, record.bone, record.pictures
    if image is None or bone is None or pictures is None:
        raise ValueError("a film that failed is not on the page")
    step = _step((image.rows, image.columns))
    listed = record.candidates
    shown = on_page((one.score, one.shown) for one in listed)
    return FilmData(
        name=record.name,
        labels=labels_mark(pictures.labels_sha256),
        rows=image.rows,
        columns=image.columns,
        picture=shape,
        spacing_mm=None if image.spacing_mm is None else list(image.spacing_mm),
        spacing_plane=image.spacing_plane,
        assessed=bone.assessed,
        bone_confidence=bone.confidence,
        acquisition=record.acquisition,
        warnings=[warning.message for warning in record.warnings],
        listed=len(listed),
        candidates=[_candidate(candidate, step) for candidate in listed[:shown]],
        window=backdrop.window,
        bone=backdrop.bone,
        field=backdrop.field,
    )


def _candidate(record: CandidateRecord, step: float) -> CandidateData:
    points = np.asarray(record.contour_px, np.int32)[:, ::-1]
    return CandidateData(
        id=record.id,
        score=record.score,
        shown=record.shown,
        bbox_px=list(record.bbox_px),
        flags=list(record.flags),
        outline_px=_simple(points.reshape(-1, 1, 2), step),
        measures=_measures(record),
        signs=[(sign.speaks, sign.text) for sign in record.signs],
    )


def _measures(record: CandidateRecord) -> dict[str, Any]:
    """Return the known measurements of a candidate, lengths in mm if known, else in px."""
    values = {name: getattr(record, name) for name in ("centroid_px", "centroid_mm", *MEASUREMENTS)}
    known = {name: value for name, value in values.items() if value is not None}
    in_mm = {name.rpartition("_")[0] for name in known if name.endswith(("_mm", "_mm2"))}
    return {
        name: value
        for name, value in known.items()
        if not (name.endswith("_px") and name.removesuffix("_px") in in_mm)
    }


def _step(shape: tuple[int, ...]) -> float:
    """Return the tolerance of outlines, in stored pixels."""
    return max(1.0, max(shape) / _FINEST_PX)


def _outlines(mask: BoolImage, step: float) -> list[list[int]]:
    """Return the mask's outlines, each as row, column, row, column, ... in stored pixels."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_KCOS)
    simple = [_simple(np.asarray(contour, np.int32), 1.5 * step) for contour in contours]
    return [points for points in simple if len(points) > 4]


def _simple(contour: NDArray[np.int32], tolerance_px: float) -> list[int]:
    """Simplify an outline; (column, row) points become row, column, ..."""
    points = cv2.approxPolyDP(contour, 0.5 * tolerance_px, closed=True)
    return [int(value) for value in points[:, 0, ::-1].ravel()]


def _thumbnail(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = film.shape
    scale = min(1.0, THUMBNAIL_LONG_SIDE_PX / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(cv2.resize(film, size, interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"no JPEG can be made of an array {picture.dtype} {picture.shape}")
    return data.tobytes()
