"""Pictures with square pixels, and affine maps between them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage, FloatImage

Matrix = NDArray[np.float64]
"""float64 (2, 3): maps (column, row, 1) on the first film to (column, row) on the second."""

_LOCAL = 0.035
"""Standard deviation of the window for local mean and spread, as a share of the long side."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The parts of a film used for registration, with square pixels.

    Attributes
    ----------
    grey
        float32 (rows, cols), bone bright.
    bone
        bool (rows, cols); the bone mask.
    field
        bool (rows, cols); the exposed field.
    """

    grey: FloatImage
    bone: BoolImage
    field: BoolImage

    def at(self, long_side_px: int) -> tuple["Picture", Matrix]:
        """Resize the picture; also return the map from the resized picture to this one."""
        rows, cols = self.grey.shape
        factor = long_side_px / max(rows, cols)
        size = (max(1, round(cols * factor)), max(1, round(rows * factor)))
        shrink = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        masks = [
            cv2.resize(mask.astype(np.float32), size, interpolation=shrink) >= 0.5
            for mask in (self.bone, self.field)
        ]
        grey = np.asarray(cv2.resize(self.grey, size, interpolation=shrink), np.float32)
        return Picture(grey, *masks), resize_matrix(grey.shape, (rows, cols))


def resize_matrix(shape: tuple[int, ...], other: tuple[int, ...]) -> Matrix:
    """Return the map from a picture of one shape to the same picture at another shape."""
    (rows, cols), (other_rows, other_cols) = shape, other
    x, y = other_cols / cols, other_rows / rows
    return np.array([[x, 0.0, 0.5 * x - 0.5], [0.0, y, 0.5 * y - 0.5]])


def composed(second: Matrix, first: Matrix) -> Matrix:
    """Return the map that applies `first`, then `second`."""
    return np.asarray((_square(second) @ _square(first))[:2])


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse map."""
    return np.asarray(np.linalg.inv(_square(matrix))[:2])


def area_ratio(matrix: Matrix) -> float:
    """Return the ratio of an area on the second film to that on the first, in pixels of each."""
    return abs(float(np.linalg.det(matrix[:, :2])))


def moved(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points, float64 (n, 2) as (row, column), from the first film to the second."""
    at = points[:, ::-1] @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(at[:, ::-1])


def _square(matrix: Matrix) -> Matrix:
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def locally_normalised(picture: Picture, *, share: float = _LOCAL) -> FloatImage:
    """Normalise grey values by their local mean and spread; 0 outside the field."""
    sigma = share * max(picture.grey.shape)
    seen = picture.field.astype(np.float32)

    def blurred(values: FloatImage) -> FloatImage:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)

    weight = np.maximum(blurred(seen), np.float32(1e-3))
    mean = blurred(picture.grey * seen) / weight
    away = np.asarray((picture.grey - mean) * seen, np.float32)
    spread = np.sqrt(blurred(away * away) / weight)
    # without a floor, noise in a uniform part would look like bone
    floor = 0.25 * float(np.median(spread[picture.field])) if picture.field.any() else 1.0
    return np.asarray(np.clip(away / (spread + floor + 1e-6), -3.0, 3.0) * seen, np.float32)


def warped_to_first(
    picture: FloatImage,
    matrix: Matrix,
    size: tuple[int, int],
    interpolation: int = cv2.INTER_LINEAR,
) -> FloatImage:
    """Warp a picture of the second film to the grid of the first; 0 outside it."""
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=flags), np.float32)
