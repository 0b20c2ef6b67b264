"""What the page shows of one film: its picture, a thumbnail, and a script with what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.measurements import MEASUREMENTS
from lesionscan.detection.pipeline import Findings
from lesionscan.radiograph import BoolImage
from lesionscan.reporting.caption import told
from lesionscan.reporting.page.script import call
from lesionscan.results.record import name_of

MOST_CANDIDATES, LEAST_SCORE = 20, 0.05
"""The page can show so many candidates of a film, of such scores, and whatever is shown anyway; the
JSON has all."""

THUMBNAIL_LONG_SIDE_PX = 128
_FILM_QUALITY = 88
_THUMBNAIL_QUALITY = 80
_FINEST_PX = 1600
"""Outlines are as fine as a film of so many pixels shows them."""


@dataclass(frozen=True, slots=True)
class CandidateData:
    """What the page shows of one candidate.

    Attributes
    ----------
    id, score, shown, bbox_px, flags
        As in the film's JSON.
    outline_px
        Row, column, row, column, ... of its outline, in stored pixels.
    measures
        By name: numbers, positions as (row, column), and the band of Mirels.
    reasons
        (effect, text) of the strongest terms.
    """

    id: int
    score: float
    shown: bool
    bbox_px: list[int]
    flags: list[str]
    outline_px: list[int]
    measures: dict[str, float | list[float] | str]
    reasons: list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class FilmData:
    """What the page shows of one film.

    Attributes
    ----------
    name
        Name of its results, without their endings.
    labels
        What `labels_mark` returns.
    rows, columns
        Of the stored matrix, in pixels.
    picture
        Rows and columns of the picture; None where there is none.
    spacing_mm, spacing_plane, acquisition
        As in the film's JSON.
    assessed, bone_confidence
        Whether it was searched, and how far its bone mask can be believed (0 to 1).
    warnings
        One sentence each.
    listed
        Number of candidates in the JSON.
    candidates
        Those that the page can show, best first.
    bone, field
        Outlines of the bone mask and of the exposed field, each like `outline_px`.
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
    bone: list[list[int]]
    field: list[list[int]]


@dataclass(frozen=True, slots=True)
class FilmView:
    """The files that the page needs of one film.

    Attributes
    ----------
    script
        JavaScript that hands the page what was found.
    picture, thumbnail
        JPEGs of the film without outlines; None where no picture may be or was to be made.
    """

    script: bytes
    picture: bytes | None
    thumbnail: bytes | None


def film_view(
    findings: Findings, result: Mapping[str, Any], film: NDArray[np.uint8] | None
) -> FilmView:
    """Make what the page needs of a film.

    Parameters
    ----------
    findings
        What was found.
    result
        The same as its JSON says it.
    film
        uint8 (rows, cols), the film as it is displayed, of any size; None for no picture.
    """
    shape = None if film is None else [int(side) for side in film.shape]
    return FilmView(
        script=call("view", _said(findings, result, shape)),
        picture=None if film is None else _jpeg(film, _FILM_QUALITY),
        thumbnail=None if film is None else _jpeg(_thumbnail(film), _THUMBNAIL_QUALITY),
    )


def labels_mark(result: Mapping[str, Any]) -> str:
    """Return what tells the results of one scan of a film from those of another.

    Parameters
    ----------
    result
        The film's JSON, read back.
    """
    return str(result["pictures"]["labels_sha256"][:16])


def on_page(candidates: Sequence[Any]) -> int:
    """Return how many candidates of a film, best first, the page can show.

    Parameters
    ----------
    candidates
        As in the JSON read back.
    """
    return sum(
        candidate["shown"] or (place < MOST_CANDIDATES and candidate["score"] >= LEAST_SCORE)
        for place, candidate in enumerate(candidates)
    )


def _said(findings: Findings, said: Mapping[str, Any], shape: list[int] | None) -> FilmData:
    rows, columns = findings.image.shape
    step = max(1.0, max(rows, columns) / _FINEST_PX)
    image = said["image"]
    return FilmData(
        name=name_of(said),
        labels=labels_mark(said),
        rows=rows,
        columns=columns,
        picture=shape,
        spacing_mm=image["spacing_mm"],
        spacing_plane=image["spacing_plane"],
        assessed=findings.assessed,
        bone_confidence=said["bone"]["confidence"],
        acquisition=said["acquisition"],
        warnings=[warning["message"] for warning in said["warnings"]],
        listed=len(said["candidates"]),
        candidates=[
            _candidate(candidate, step)
            for candidate in said["candidates"][: on_page(said["candidates"])]
        ],
        bone=_outlines(findings.bone, step),
        field=_outlines(findings.exposed, step),
    )


def _candidate(said: Mapping[str, Any], step: float) -> CandidateData:
    reasons = said["reasons"]
    strongest = told([reason["term"] for reason in reasons])
    points = np.asarray(said["contour_px"], np.int32)[:, ::-1]
    return CandidateData(
        **{name: said[name] for name in ("id", "score", "shown", "bbox_px", "flags")},
        outline_px=_simple(points.reshape(-1, 1, 2), step),
        measures=_measures(said),
        reasons=[(reasons[place]["effect"], reasons[place]["text"]) for place in strongest],
    )


def _measures(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a candidate, lengths in mm where these are known, otherwise in px."""
    known = {
        name: said[name]
        for name in ("centroid_px", "centroid_mm", *MEASUREMENTS)
        if said[name] is not None
    }
    in_mm = {name.rpartition("_")[0] for name in known if name.endswith(("_mm", "_mm2"))}
    return {
        name: value
        for name, value in known.items()
        if not (name.endswith("_px") and name.removesuffix("_px") in in_mm)
    }


def _outlines(mask: BoolImage, step: float) -> list[list[int]]:
    """Return the mask's outlines, each as row, column, row, column, ... in stored pixels."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_KCOS)
    simple = [_simple(np.asarray(contour, np.int32), 1.5 * step) for contour in contours]
    return [points for points in simple if len(points) > 4]


def _simple(contour: NDArray[np.int32], tolerance_px: float) -> list[int]:
    """Leave out the points that the eye does not miss; (column, row) becomes row, column, ..."""
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
