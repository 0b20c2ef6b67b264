"""Outline one lesion on two registered films together.

The detection outlines each film on its own, and may choose different edges although nothing has
changed. Here both films are sampled along the same rays. If both have the same edges at both
outlines, the difference between the outlines is an artefact, and both films get their mean. If the
edges have moved with the outlines, each film keeps its own. A small shift of the edge is found by
correlating the edge profiles of the two films. The difference in brightness between the films is
integrated too (boundary shift integral), in case both outlines follow an edge that is not the
lesion's.

In this module a *step of brightness* is the brightness just outside minus just inside a radius.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.comparison.rays import STEP, STEPS, Radii
from lesionscan.detection.outlines import ANGLES

_REACH = 3
"""Number of radii inside and outside that are averaged for a step of brightness."""
_AROUND = 6
"""Number of radii on each side of an outline over which the films are correlated."""
_MAX_SHIFT = 6
"""Largest shift of an edge, in radii."""
_OUTSIDE = np.arange(8, 20)
"""Surroundings of a lesion, in radii beyond its outline."""
_NONE_MOVED, _ALL_MOVED = 0.12, 0.27
"""Share of the edges that moved with the outlines: below the first none of the outlines' difference
is accepted, above the second all of it. In phantoms, unchanged lesions mostly have less than 0.1,
changed ones more than 0.4."""
_LEAST_EDGES = 0.5
"""Minimum sum of both films' steps of brightness at their own outlines, relative to the root mean
square of all steps around; with hardly any edge there, nothing can have moved."""
_SAME, _MIN_STEP_LEFT = 0.95, 0.87
"""Minimum correlation with the other film around an outline, and minimum step of brightness there,
for a lesion to be on that film too. None of 30 phantom lesions on one film only reaches both."""
_MIN_DEPTH, _SAME_AROUND = 10.0, 0.9
"""Minimum depth of a lesion in grey levels of 255, and minimum correlation of the films around it,
for the boundary shift integral."""
_SLIGHTLY, _HARDLY, _CLEARLY = 0.08, 0.1, 0.2
"""Natural logarithms of a ratio of diameters. The edges are not believed if they moved less than
the second, but the boundary shift integral is the third or more; or if they leave more than the
second of the difference between the candidates' outlines unexplained, and the integral is more than
the first in the same direction."""
_INTEGRAL_ERROR = 0.06
"""Half width of the 95 % interval of the integral: in 26 unchanged lesions of phantoms, only one
exceeds it (0.16)."""
_MOST = 0.95
"""Largest change of area that is counted, as a share of twice the mean area."""


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
    if before is not None and after is not None:
        return _from_both(profiles, before, after)
    first, second = _steps(profiles)
    if before is not None:
        found, agreement, left = _looked_up(first, second, before)
        return Outlines(before, found, None, agreement, left, 0.0)
    if after is not None:
        found, agreement, left = _looked_up(second, first, after)
        return Outlines(found, after, None, agreement, left, 0.0)
    raise ValueError("a lesion must be outlined on one film at least")


def _from_both(
    profiles: tuple[NDArray[np.float32], NDArray[np.float32]], before: Radii, after: Radii
) -> Outlines:
    """Outline a lesion with candidates on both films."""
    first, second = _steps(profiles)
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
    turned = (own - gone + here - come) / max(own + here, _LEAST_EDGES)
    share = float(np.clip((turned - _NONE_MOVED) / (_ALL_MOVED - _NONE_MOVED), 0.0, 1.0))
    shift, agreement = _shift(ours, theirs, middle)
    away = share * half + (1.0 - share) * 0.5 * shift
    apart = _log_ratio(before, after)
    found = _log_ratio(middle - away, middle + away)
    unexplained = (1.0 - share) * abs(apart - STEP * shift)
    integral = boundary_shift(profiles, before, after)
    if integral is not None:
        supported = integral * apart > 0 and abs(integral) > _SLIGHTLY
        supported = supported and abs(apart - found) > _HARDLY
        if supported or (abs(found) < _HARDLY and abs(integral) >= _CLEARLY):
            other = apart if supported else found
            doubt = math.hypot(0.5 * (integral - other), _INTEGRAL_ERROR)
            unexplained = doubt if supported else max(doubt, unexplained)
            away = away + (0.25 * (integral + other) - 0.5 * found) / STEP
    return Outlines(middle - away, middle + away, share, agreement, None, unexplained)


def _log_ratio(before: Radii, after: Radii) -> float:
    """Return the natural logarithm of the ratio of the equivalent diameters of two outlines."""
    first, second = (float(np.exp(2.0 * STEP * one).mean()) for one in (before, after))
    return 0.5 * math.log(second / first)


def boundary_shift(
    profiles: tuple[NDArray[np.float32], NDArray[np.float32]], before: Radii, after: Radii
) -> float | None:
    """Measure the change of a lesion by the change of brightness around its outlines.

    The difference between the films, at equal contrast, is integrated from inside both outlines to
    outside both. Divided by the depth of the lesion, it is the change of its area.

    Parameters
    ----------
    profiles
        As in `outlined`.
    before, after
        The candidates' own outlines.

    Returns
    -------
    float or None
        Natural logarithm of the ratio of diameters, after / before; None if the films differ around
        the lesion, or the lesion is too shallow.

    References
    ----------
    Freeborough PA, Fox NC. The boundary shift integral: an accurate and robust measure of cerebral
    volume changes from registered repeat MRI. IEEE Trans Med Imaging 1997;16:623.
    """
    seen = np.isfinite(profiles[0]) & np.isfinite(profiles[1])
    radius = np.arange(STEPS)
    inner, outer = np.minimum(before, after)[:, None], np.maximum(before, after)[:, None]
    core = seen & (radius < inner - _AROUND)
    around = seen & (radius >= outer + _OUTSIDE[0]) & (radius <= outer + _OUTSIDE[-1])
    if min(np.count_nonzero(core), np.count_nonzero(around)) < ANGLES:
        return None
    first, second = (np.where(seen, profile, np.float32(0)) for profile in profiles)
    one, other = (film[around].astype(np.float64) for film in (first, second))
    spread = float(one.std()), float(other.std())
    shared = float(((one - one.mean()) * (other - other.mean())).mean())
    if min(spread) <= 0 or shared < _SAME_AROUND * math.prod(spread):
        return None
    gain = math.sqrt(spread[1] / spread[0])
    # a sample of a ray covers an area that grows with the square of its radius
    area = np.broadcast_to(np.exp(2 * STEP * (radius - (STEPS - 1) / 2)), seen.shape)
    levels = [
        [float(np.average(film[place], weights=area[place])) for place in (core, around)]
        for film in (first * gain, second / gain)
    ]
    depth = float(np.mean([outside - inside for inside, outside in levels]))
    if depth < _MIN_DEPTH:
        return None
    unchanged = 0.5 * sum(ours - theirs for ours, theirs in zip(*levels, strict=True))
    near = seen & (radius >= inner - _AROUND) & (radius <= outer + _REACH)
    darker = np.where(near, first * gain - second / gain - unchanged, 0.0)
    grown = STEP * float((darker * area).sum(axis=1).mean()) / depth
    middle = float(np.exp(2 * STEP * (0.5 * (before + after) - (STEPS - 1) / 2)).mean()) / 2
    return float(np.arctanh(np.clip(0.5 * grown / middle, -_MOST, _MOST)))


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
    if alike[best] <= alike[_MAX_SHIFT] + 1e-9:  # no edge within reach: no shift
        best = _MAX_SHIFT
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
