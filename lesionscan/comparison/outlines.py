"""Outline one lesion on two registered films together.

The detection outlines each film on its own, and may choose different edges although nothing has
changed. Here both films are sampled along the same rays. If both have the same edges at both
outlines, the difference between the outlines is an artefact, and both films get their mean. If the
edges have moved with the outlines, each film keeps its own. A small shift of the edge is found by
correlating the edge profiles of the two films.

Radii are spaced logarithmically, so that a change of size is a shift along the rays.

In this module a *step of brightness* is the brightness just outside minus just inside a radius.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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
_REACH = 3
"""Number of radii inside and outside that are averaged for a step of brightness."""
_AROUND = 6
"""Number of radii on each side of an outline over which the films are correlated."""
_MAX_SHIFT = 6
"""Largest shift of an edge, in radii."""
_MIN_EXPOSED = 0.5
"""Share of a sample that must lie in the exposed field."""
_OUTSIDE = np.arange(8, 20)
"""Surroundings of a lesion, in radii beyond its outline."""
_NONE_MOVED, _ALL_MOVED = 0.12, 0.27
"""Share of the edges that moved with the outlines: below the first none of the outlines' difference
is accepted, above the second all of it. In phantoms, unchanged lesions mostly have less than 0.1,
changed ones more than 0.4."""
_SAME, _MIN_STEP_LEFT = 0.95, 0.87
"""Minimum correlation with the other film around an outline, and minimum step of brightness there,
for a lesion to be on that film too. None of 30 phantom lesions on one film only reaches both."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Outlines of one lesion on two films.

    Attributes
    ----------
    before, after
        Outlines on the first and on the second film.
    borne_out
        Share of the difference between the candidates' own outlines that the films confirm, 0 to
        1; None if only one film has a candidate.
    agreement
        Correlation of the films' steps of brightness around the lesion, -1 to 1.
    step_left
        Step of brightness on the film without a candidate / that on the other film, at equal
        contrast; None if both films have candidates.
    unexplained
        Difference between the candidates' own outlines that the films do not confirm, as the
        natural logarithm of a ratio of diameters.
    """

    before: Radii
    after: Radii
    borne_out: float | None
    agreement: float
    step_left: float | None
    unexplained: float

    @property
    def both_show_it(self) -> bool:
        """Whether the lesion is on both films, even if only one has a candidate."""
        if self.step_left is None:
            return True
        return self.agreement >= _SAME and self.step_left >= _MIN_STEP_LEFT


def outlined(
    profiles: tuple[NDArray[np.float32], NDArray[np.float32]],
    known: tuple[Radii | None, Radii | None],
) -> Outlines:
    """Outline a lesion on two films.

    Parameters
    ----------
    profiles
        float32 (ANGLES, STEPS), of the first and of the second film.
    known
        The candidates' own outlines on the first and on the second film, or None.

    Raises
    ------
    ValueError
        If neither film has a candidate.
    """
    before, after = known
    first, second = _steps(profiles)
    if before is not None and after is not None:
        return _from_both(first, second, before, after)
    if before is not None:
        found, agreement, left = _looked_up(first, second, before)
        return Outlines(before, found, None, agreement, left, 0.0)
    if after is not None:
        found, agreement, left = _looked_up(second, first, after)
        return Outlines(found, after, None, agreement, left, 0.0)
    raise ValueError("a lesion must be outlined on one film at least")


def _from_both(
    first: NDArray[np.float32], second: NDArray[np.float32], before: Radii, after: Radii
) -> Outlines:
    """Outline a lesion with candidates on both films."""
    middle, half = 0.5 * (before + after), 0.5 * (after - before)
    # normalised: films of different contrast have different steps everywhere
    around = middle[:, None] + np.arange(-2 * _AROUND, 2 * _AROUND + 1)
    ours, theirs = (step / max(_rms(_at(step, around)), 1e-6) for step in (first, second))
    # rays where the outlines hardly differ carry no information
    weights = np.abs(half) + 1e-3
    (own, gone), (come, here) = (
        [float(np.average(_at(step, place), weights=weights)) for place in (before, after)]
        for step in (ours, theirs)
    )
    # 1 if each film has an edge at its own outline and none at the other's; 0 for equal films
    turned = (own - gone + here - come) / max(own + here, 1e-6)
    share = float(np.clip((turned - _NONE_MOVED) / (_ALL_MOVED - _NONE_MOVED), 0.0, 1.0))
    shift, agreement = _shift(ours, theirs, middle)
    away = share * half + (1.0 - share) * 0.5 * shift
    unexplained = (1.0 - share) * STEP * abs(2.0 * float(half.mean()) - shift)
    return Outlines(middle - away, middle + away, share, agreement, None, unexplained)


def _looked_up(
    film: NDArray[np.float32], other: NDArray[np.float32], known: Radii
) -> tuple[Radii, float, float]:
    """Look for an outline on the other film.

    Returns
    -------
    found : Radii
        Outline on the other film.
    agreement, step_left : float
        As in `Outlines`.
    """
    shift, agreement = _shift(film, other, known)
    found = known + shift
    around = known[:, None] + _OUTSIDE
    contrast = _rms(_at(other, around)) / max(_rms(_at(film, around)), 1e-6)
    step = max(float(_at(film, known).mean()), 1e-6)
    return found, agreement, float(_at(other, found).mean()) / step / max(contrast, 1e-6)


def _steps(
    profiles: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the step of brightness at every radius, (ANGLES, STEPS); 0 if either is unexposed."""
    outside = np.full(_REACH, 1.0 / _REACH, np.float32)
    kernel = np.concatenate([-outside, np.zeros(1, np.float32), outside])[None]
    first, second = (
        cv2.filter2D(profile, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
        for profile in profiles
    )
    unseen = np.isnan(first) | np.isnan(second)
    zero = np.float32(0)
    return np.where(unseen, zero, first), np.where(unseen, zero, second)


def _shift(
    first: NDArray[np.float32], second: NDArray[np.float32], outline: Radii
) -> tuple[float, float]:
    """Find the outward shift of an edge from the first film to the second.

    Each film is shifted by half of it, so that swapping the films changes only the sign.

    Returns
    -------
    shift : float
        In radii.
    agreement : float
        Correlation of the films at that shift.
    """
    around = outline[:, None] + np.arange(-_AROUND, _AROUND + 1)
    shifts = np.arange(-_MAX_SHIFT, _MAX_SHIFT + 1)
    alike = []
    for shift in shifts:
        ours, theirs = _at(first, around - 0.5 * shift), _at(second, around + 0.5 * shift)
        alike.append(float((ours * theirs).mean()) / max(_rms(ours) * _rms(theirs), 1e-9))
    best = int(np.argmax(alike))
    top = 0.0
    if 0 < best < len(alike) - 1:
        low, middle, high = alike[best - 1 : best + 2]
        bend = low - 2 * middle + high
        top = 0.5 * (low - high) / bend if bend < 0 else 0.0
    return float(shifts[best] + top), alike[best]


def _at(values: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate values on the rays, (ANGLES, STEPS), at positions on each ray, (ANGLES, ...)."""
    rays = np.arange(ANGLES).reshape(-1, *[1] * (places.ndim - 1))
    at = np.stack([np.broadcast_to(rays, places.shape), places])
    found = ndimage.map_coordinates(values.astype(np.float64), at, order=1, mode="nearest")
    return np.asarray(found, np.float64)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))
