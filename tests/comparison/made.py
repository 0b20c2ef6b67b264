"""A sample film and moved copies of it, for which the correct comparison is known.

A moved film is not searched again: its candidates move with it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison import ComparedFilm, film_of_file
from lesionscan.results.record import CandidateRecord

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images" / "images"


@cache
def sample(name: str = "knee_giant_cell") -> ComparedFilm:
    """Return a sample film with its best candidate only."""
    film = film_of_file(SAMPLES / f"{name}.dcm")
    best = film.record.candidates[0]
    assert best.shown
    return replace(
        film,
        record=film.record.model_copy(update={"candidates": (best,)}),
        labels=np.where(film.labels == best.id, film.labels, 0),
    )


def similarity(
    turn_deg: float, magnification: float, shift: tuple[float, float]
) -> NDArray[np.float64]:
    """Return a similarity about the sample's centre; the shift is (column, row) in pixels."""
    rows, cols = sample().labels.shape
    matrix = cv2.getRotationMatrix2D(((cols - 1) / 2, (rows - 1) / 2), -turn_deg, magnification)
    moved = np.array(matrix, np.float64)
    moved[:, 2] += np.array(shift)
    return moved


def moved_film(film: ComparedFilm, matrix: NDArray[np.float64]) -> ComparedFilm:
    """Return a film of the same size on which everything is moved by a matrix."""
    rows, cols = film.picture.shape

    def warped(array: NDArray[Any], interpolation: int) -> NDArray[Any]:
        return np.asarray(cv2.warpAffine(array, matrix, (cols, rows), flags=interpolation))

    assert film.picture.shape == film.labels.shape
    labels = np.asarray(warped(film.labels.astype(np.uint16), cv2.INTER_NEAREST), np.uint16)
    return with_labels(
        replace(
            film,
            picture=np.asarray(warped(film.picture, cv2.INTER_LINEAR), np.uint8),
            field=np.asarray(warped(film.field.astype(np.uint8), cv2.INTER_NEAREST), np.bool_),
            bone=np.asarray(warped(film.bone.astype(np.uint8), cv2.INTER_NEAREST), np.bool_),
        ),
        labels,
    )


def with_labels(
    film: ComparedFilm,
    labels: NDArray[np.uint16],
    change: Callable[[CandidateRecord], CandidateRecord] = lambda one: one,
) -> ComparedFilm:
    """Return a film with the candidates of a label image, each like the best one of the film."""
    like = film.record.candidates[0]
    candidates = []
    for number in np.unique(labels[labels > 0]).tolist():
        mask = (labels == number).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(contours, key=len)[:, 0, ::-1]
        area, at = int(mask.sum()), np.argwhere(mask).mean(axis=0)
        one = replace(
            like,
            id=number,
            area_px=area,
            equivalent_diameter_px=2.0 * float(np.sqrt(area / np.pi)),
            feret_max_px=float(np.ptp(outline, axis=0).max()) + 1.0,
            centroid_px=(float(at[0]), float(at[1])),
            contour_px=tuple((int(row), int(column)) for row, column in outline),
            flags=(),
        )
        candidates.append(change(one))
    record = film.record.model_copy(update={"candidates": tuple(candidates)})
    return replace(film, record=record, labels=labels)
