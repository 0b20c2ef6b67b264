"""Sample films and outlines along rays from a lesion's centre.

Radii are spaced logarithmically, so that a change of size is a shift along the rays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison.geometry import Matrix, area_ratio, moved
from lesionscan.detection.outlines import ANGLES, ray_ends, sample
from lesionscan.radiograph import BoolImage, FloatImage

STEPS = 72
"""Number of radii on each ray."""
STEP = 0.035
"""Natural logarithm of the ratio of successive radii."""

_BLUR, _BLUR_PX = 0.05, 0.6
"""Standard deviation of the smoothing, the larger of: share of the lesion's radius, pixels of the
coarser film."""
_MIN_EXPOSED = 0.5
"""Share of a sample that must lie in the exposed field."""

Radii = NDArray[np.float64]
"""float64 (ANGLES,): an outline, as a fractional index of the radius on each ray."""


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Rays from a lesion's centre.

    Attributes
    ----------
    centre
        float64 (2,), (row, column) on a grid of square pixels.
    radius
        Radius of the lesion in pixels of that grid; the middle of the rays.
    """

    centre: NDArray[np.float64]
    radius: float

    def corners(self, outline: Radii) -> NDArray[np.float64]:
        """Return an outline as float64 (ANGLES, 2), (row, column)."""
        rows, cols = ray_ends(np.zeros((1, 2)), np.ones(1))
        directions = np.stack([rows[0, :, 0], cols[0, :, 0]], axis=1).astype(np.float64)
        return self.centre + self._lengths(outline)[:, None] * directions

    def area(self, outline: Radii) -> float:
        """Return the area inside an outline, in square pixels."""
        return float(np.pi * (self._lengths(outline) ** 2).mean())

    def profile(
        self, film: FloatImage, field: BoolImage, onto: Matrix, *, pixel: float
    ) -> NDArray[np.float32]:
        """Sample a film along the rays.

        Parameters
        ----------
        film
            float32 (rows, cols), bone bright.
        field
            bool (rows, cols); the exposed field.
        onto
            Map from the grid of the rays to the film.
        pixel
            Pixel size of the coarser film, in pixels of the grid.

        Returns
        -------
        ndarray
            float32 (ANGLES, STEPS), NaN outside the exposed field.
        """
        scale = float(np.sqrt(area_ratio(onto)))
        sigma = scale * max(_BLUR * self.radius, _BLUR_PX * pixel)
        # pixels are already averages over their area
        sigma = float(np.sqrt(max(sigma**2 - 0.25, 0.01)))
        part, places = self._part(film, onto, margin=4 * sigma)
        smooth = cv2.GaussianBlur(part.astype(np.float32), (0, 0), sigma) if part.size else part
        profile = _sampled(np.asarray(smooth, np.float32), places)
        part, places = self._part(field, onto, margin=0.0)
        inside = ((places > -0.5) & (places < np.array(part.shape) - 0.5)).all(axis=2)
        exposed = inside & (_sampled(part.astype(np.float32), places) > _MIN_EXPOSED)
        return np.where(exposed, profile, np.float32(np.nan))

    def outline_of(self, labels: NDArray[np.integer], ids: Sequence[int], onto: Matrix) -> Radii:
        """Outline candidates: in each direction, the radius of the sector with the same area.

        Parameters
        ----------
        labels
            (rows, cols); 0 = background, value = candidate id.
        ids
            The candidates.
        onto
            Map from the grid of the rays to the label image.
        """
        part, places = self._part(labels, onto, margin=0.0)
        inside = _sampled(np.isin(part, ids).astype(np.float32), places).astype(np.float64)
        squares = np.exp(2 * STEP * np.arange(STEPS))
        # the disk within the first radius, then rings
        area = inside[:, 0] + (inside * squares).sum(axis=1) * 2 * STEP
        return np.asarray(0.5 * np.log(np.maximum(area, 1e-6)) / STEP)

    def _lengths(self, outline: Radii) -> NDArray[np.float64]:
        return self.radius * np.exp(STEP * (outline - (STEPS - 1) / 2))

    def _part(
        self, image: NDArray[np.generic], onto: Matrix, *, margin: float
    ) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Crop an image to the rays; also return their points in the crop."""
        lengths = self._lengths(np.arange(STEPS, dtype=np.float64))
        rows, cols = ray_ends(self.centre[None], lengths)
        points = moved(onto, np.stack([rows.ravel(), cols.ravel()], axis=1).astype(np.float64))
        low = np.floor(points.min(axis=0) - margin).astype(int) - 1
        high = np.ceil(points.max(axis=0) + margin).astype(int) + 2
        low, high = np.clip(low, 0, image.shape), np.clip(high, 0, image.shape)
        part = image[low[0] : high[0], low[1] : high[1]]
        return part, (points - low).reshape(ANGLES, STEPS, 2)


def _sampled(part: FloatImage, places: NDArray[np.float64]) -> NDArray[np.float32]:
    if not part.size:
        return np.zeros((ANGLES, STEPS), np.float32)
    rows, cols = (places[None, :, :, axis].astype(np.float32) for axis in (0, 1))
    return np.asarray(sample(part, rows, cols)[0], np.float32)
