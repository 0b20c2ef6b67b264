"""One lesion on two registered films -> its outline on each, from both searches and both films.

Each search outlines a lesion on its own film, and may take another edge on another film although
nothing has changed. Here both films are sampled along the same rays. Where both have the same
steps of brightness at the outlines of both searches, the difference of these outlines is a matter
of the searches, and both films get their mean; where the steps have moved with the outlines, each
film keeps its own. A small shift of the edge is found by correlating the steps of the two films.

Radii are in steps of equal ratio, so that a change of size is a shift along the rays.
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
"""Radii on each ray."""
STEP = 0.035
"""Natural logarithm of the ratio of one radius to the last."""

_BLUR, _BLUR_PX = 0.05, 0.6
"""Standard deviation of the smoothing: share of the lesion's radius, and pixels of the coarser
film; the larger holds."""
_REACH = 3
"""How far inside and outside a radius brightness is compared, in steps."""
_AROUND = 6
"""How far from an outline the steps of two films are compared, in steps."""
_MOST_SHIFT = 6
"""Largest shift of an edge that is looked for, in steps."""
_SEEN = 0.5
"""Share of a point that must have been exposed."""
_OUTSIDE = np.arange(8, 20)
"""Surroundings of a lesion, in steps beyond its outline."""
_NONE_MOVED, _ALL_MOVED = 0.12, 0.27
"""Share of the steps that must have moved with the outlines before anything of their difference is
believed, and at which all is. Of phantoms, lesions that have not changed have mostly under 0.1, and
those that have changed over 0.4."""
_SAME, _LEAST_LEFT = 0.95, 0.87
"""Least correlation with the other film around an outline, and least step there, of a lesion that
is on that film too. Of 30 lesions of phantoms that are on one film only, none has as much."""

Radii = NDArray[np.float64]
"""float64 (ANGLES,): an outline's radii, in steps of the rays."""


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Rays from a lesion's centre.

    Attributes
    ----------
    centre
        float64 (2,), (row, column), on a grid of square pixels.
    radius
        The lesion's radius there, in pixels; the middle of the rays.
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
        """Return a film's brightness along the rays.

        Parameters
        ----------
        film
            float32 (rows, cols), bone bright.
        field
            bool (rows, cols); where it was exposed.
        onto
            From the grid of the rays to the film.
        pixel
            Side of a pixel of the coarser film, in pixels of the grid.

        Returns
        -------
        ndarray
            float32 (ANGLES, STEPS), NaN where the film was not exposed.
        """
        scale = float(np.sqrt(area_ratio(onto)))
        sigma = scale * max(_BLUR * self.radius, _BLUR_PX * pixel)
        # a pixel is an average over its side already
        sigma = float(np.sqrt(max(sigma**2 - 0.25, 0.01)))
        part, places = self._part(film, onto, margin=4 * sigma)
        smooth = cv2.GaussianBlur(part.astype(np.float32), (0, 0), sigma) if part.size else part
        profile = _sampled(np.asarray(smooth, np.float32), places)
        part, places = self._part(field, onto, margin=0.0)
        inside = ((places > -0.5) & (places < np.array(part.shape) - 0.5)).all(axis=2)
        seen = inside & (_sampled(part.astype(np.float32), places) > _SEEN)
        return np.where(seen, profile, np.float32(np.nan))

    def outline_of(self, labels: NDArray[np.integer], ids: Sequence[int], onto: Matrix) -> Radii:
        """Return the outline of candidates: in each direction the radius of a sector of their area.

        Parameters
        ----------
        labels
            (rows, cols); 0 = background, value = candidate id.
        ids
            The candidates.
        onto
            From the grid of the rays to the label image.
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
        """Return the part of an image that the rays cross, and their points in it."""
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
    """The outlines of one lesion on two films.

    Attributes
    ----------
    before, after
        On the first and on the second film.
    borne_out
        Share of the difference of the searches' outlines that the films bear out, 0 to 1; None
        where one search alone has outlined the lesion.
    agreement
        Correlation of the films' steps of brightness around the lesion, -1 to 1.
    left
        Step of brightness on the film without an outline of its own over that on the other, their
        contrast being equal; None where both searches have outlined the lesion.
    doubt
        What the searches' outlines differ by and the films do not bear out: the natural logarithm
        of a ratio of diameters.
    """

    before: Radii
    after: Radii
    borne_out: float | None
    agreement: float
    left: float | None
    doubt: float

    @property
    def both_show_it(self) -> bool:
        """Whether a lesion that one search has outlined is on the other film as well."""
        return self.left is None or (self.agreement >= _SAME and self.left >= _LEAST_LEFT)


def outlined(
    profiles: tuple[NDArray[np.float32], NDArray[np.float32]],
    known: tuple[Radii | None, Radii | None],
) -> Outlines:
    """Outline a lesion on two films.

    Parameters
    ----------
    profiles
        float32 (ANGLES, STEPS) of the first and of the second film.
    known
        The searches' outlines on the first and on the second film; None where a search has none.

    Raises
    ------
    ValueError
        When neither search has an outline.
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
    """Outline a lesion that both searches have outlined, by the films' steps of brightness."""
    middle, half = 0.5 * (before + after), 0.5 * (after - before)
    # films of another contrast have other steps everywhere
    around = middle[:, None] + np.arange(-2 * _AROUND, 2 * _AROUND + 1)
    ours, theirs = (step / max(_rms(_at(step, around)), 1e-6) for step in (first, second))
    # where the outlines hardly differ, the films cannot tell which of them is right
    weights = np.abs(half) + 1e-3
    (own, gone), (come, here) = (
        [float(np.average(_at(step, place), weights=weights)) for place in (before, after)]
        for step in (ours, theirs)
    )
    # 1 where each film has its step at its own outline and none at the other, 0 for equal films
    turned = (own - gone + here - come) / max(own + here, 1e-6)
    share = float(np.clip((turned - _NONE_MOVED) / (_ALL_MOVED - _NONE_MOVED), 0.0, 1.0))
    shift, agreement = _shift(ours, theirs, middle)
    away = share * half + (1.0 - share) * 0.5 * shift
    doubt = (1.0 - share) * STEP * abs(2.0 * float(half.mean()) - shift)
    return Outlines(middle - away, middle + away, share, agreement, None, doubt)


def _looked_up(
    film: NDArray[np.float32], other: NDArray[np.float32], known: Radii
) -> tuple[Radii, float, float]:
    """Look at the place of an outline on the other film.

    Returns
    -------
    found, agreement, left
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
    """Return, for every radius, brightness just outside minus just inside, (ANGLES, STEPS).

    What one of the films does not show is 0 on both.
    """
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
    """Return how far the edge around an outline lies further out on the second film, in steps.

    Half of it is looked for on each film, so that the films' order changes its sign alone.

    Returns
    -------
    shift, agreement : float
        The shift, and the correlation of the films there.
    """
    around = outline[:, None] + np.arange(-_AROUND, _AROUND + 1)
    shifts = np.arange(-_MOST_SHIFT, _MOST_SHIFT + 1)
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
    """Return values on the rays, (ANGLES, STEPS), at places on each ray, (ANGLES, ...)."""
    rays = np.arange(ANGLES).reshape(-1, *[1] * (places.ndim - 1))
    at = np.stack([np.broadcast_to(rays, places.shape), places])
    found = ndimage.map_coordinates(values.astype(np.float64), at, order=1, mode="nearest")
    return np.asarray(found, np.float64)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))
