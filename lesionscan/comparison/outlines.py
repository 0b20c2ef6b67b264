"""Outline one lesion on two registered films together.

The detection outlines each film on its own, and may choose different edges although nothing has
changed. Here both films are sampled along the same rays. If both have the same edges at both
outlines, the difference between the outlines is an artefact, and both films get their mean. If the
edges have moved with the outlines, each film keeps its own. A small shift of the edge is found by
correlating the edge profiles of the two films. The area that became darker or brighter is measured
too, in case both outlines follow an edge that is not the lesion's.

In this module a *step of brightness* is the brightness just outside minus just inside a radius.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.comparison.difference import Filling, Profiles, area_change, filling
from lesionscan.comparison.rays import STEP, Radii
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
_EQUAL = 0.995
"""Correlation from which on the films are the same around an outline, so that a difference between
the outlines says nothing. Phantoms with different exposures reach 0.99."""
_CHANGED = 0.03
"""Change of area (natural logarithm of a ratio of diameters) from which on it is believed: one of
82 unchanged lesions of phantoms reaches it (0.035)."""
_CLEAR, _MOST_OF_IT = 0.12, 0.7
"""The change of area replaces a movement of the edges in the other direction, or one that is below
what it leaves unexplained, or below both the first (natural logarithm of a ratio of diameters) and
the second, as a share of the change of area."""
_STILL_UNEXPLAINED = 0.5
"""Share of the unexplained difference that is left if the area has not changed."""
_CHANGE_ERROR = 0.03
"""Half width of the 95 % interval of the change of area, apart from that of a shift."""
_UNCHANGED = 0.08
"""Largest change of brightness in a lesion that is still there, as a share of its depth."""
_PARTIAL, _MIN_PARTIAL = 0.42, 1.5
"""A lesion that has only shrunk fills in at its edge: its middle by at most this share of the ring
that brightens most, and that ring by this many standard deviations of the noise. In phantoms, the
middle of lesions that are gone reaches 0.5 and more of it, that of shrunk ones at most 0.37."""
_FILLED, _MIN_FILLED, _MIN_FILLED_DEPTH = 0.5, 2.5, 0.2
"""The same shares and standard deviations, and share of the lesion's depth, by which the middle of
a lesion must brighten if it is gone although a weak candidate is in its place."""


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
    filling
        How much brighter the place of the lesion is on the film without a candidate; None if both
        films have candidates, or if it is unknown.
    """

    before: Radii
    after: Radii
    borne_out: float | None
    agreement: float
    step_left: float | None
    unexplained: float
    filling: Filling | None = None

    @property
    def both_show_it(self) -> bool:
        """Whether the lesion is the same on both films, even if only one has a candidate."""
        if self.step_left is None:
            return True
        same_edges = self.agreement >= _SAME and self.step_left >= _MIN_STEP_LEFT
        return same_edges or _is_unchanged(self.filling)

    @property
    def is_partial(self) -> bool:
        """Whether the film without a candidate shows the middle of the lesion."""
        filling = self.filling
        if filling is None or self.both_show_it:
            return False
        least = max(_MIN_PARTIAL * filling.noise, _UNCHANGED * filling.depth)
        return filling.most >= least and filling.middle < _PARTIAL * filling.most


def outlined(
    profiles: Profiles, known: tuple[Radii | None, Radii | None], *, pixel: float = 0.0
) -> Outlines:
    """Outline a lesion on two films.

    Parameters
    ----------
    profiles
        Of the first and of the second film.
    known
        The candidates' own outlines on the first and on the second film, or None.
    pixel
        Pixel size of the coarser film, as a share of the lesion's diameter. A smaller difference
        between the candidates' outlines, or a shift by less than half of it, is not accepted.

    Raises
    ------
    ValueError
        If neither film has a candidate.
    """
    before, after = known
    if before is not None and after is not None:
        return _from_both(profiles, before, after, pixel)
    if before is not None:
        return _from_one(profiles, before, on_first=True)
    if after is not None:
        return _from_one(profiles, after, on_first=False)
    raise ValueError("a lesion must be outlined on one film at least")


def is_gone(profiles: Profiles, known: tuple[Radii, Radii], *, from_first: bool) -> bool:
    """Return whether a lesion is gone from one film although a candidate is in its place there.

    The candidate may be something else that the lesion covers on the other film.

    Parameters
    ----------
    profiles
        Of the first and of the second film.
    known
        Outlines of the candidates on the first and on the second film.
    from_first
        Whether the lesion is on the second film, and gone from (or not yet on) the first.
    """
    other, outline = known if from_first else known[::-1]
    found = filling(profiles, outline, other, on_first=not from_first)
    if found is None:
        return False
    least = max(_FILLED * found.most, _MIN_FILLED * found.noise, _MIN_FILLED_DEPTH * found.depth)
    return found.middle >= least


def _from_both(profiles: Profiles, before: Radii, after: Radii, pixel: float) -> Outlines:
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
    apart = _log_ratio(before, after)
    shift, agreement = _shift(ours, theirs, middle)
    if abs(apart) < pixel:
        share = 0.0
    if STEP * abs(shift) < 0.5 * pixel:
        shift = 0.0
    away = share * half + (1.0 - share) * 0.5 * shift
    unexplained = (1.0 - share) * abs(apart - STEP * shift) if agreement < _EQUAL else 0.0
    found, change = _log_ratio(middle - away, middle + away), area_change(profiles, before, after)
    if change is None:
        pass
    elif abs(change) < _CHANGED:
        unexplained *= _STILL_UNEXPLAINED
    elif not _agrees(found, change, unexplained):
        wanted = found if found * change > 0 and abs(found) > abs(change) else change
        away = away + 0.5 * (wanted - found) / STEP
        share, unexplained = 0.0, _CHANGE_ERROR
    return Outlines(middle - away, middle + away, share, agreement, None, unexplained)


def _agrees(found: float, change: float, unexplained: float) -> bool:
    """Return whether a movement of the edges agrees with the change of area."""
    enough = max(unexplained, min(_CLEAR, _MOST_OF_IT * abs(change)))
    return (found * change > 0 and abs(found) > enough) or abs(found - change) < _CHANGE_ERROR


def _from_one(profiles: Profiles, known: Radii, *, on_first: bool) -> Outlines:
    """Outline a lesion with a candidate on one film only."""
    first, second = _steps(profiles)
    own, other = (first, second) if on_first else (second, first)
    found, agreement, left = _looked_up(own, other, known)
    filled = filling(profiles, known, None, on_first=on_first)
    if _is_unchanged(filled):
        found = known
    before, after = (known, found) if on_first else (found, known)
    return Outlines(before, after, None, agreement, left, 0.0, filled)


def _is_unchanged(filled: Filling | None) -> bool:
    """Return whether the place of a lesion is equally bright on both films."""
    if filled is None:
        return False
    return max(filled.most, -filled.least) < _UNCHANGED * filled.depth


def _log_ratio(before: Radii, after: Radii) -> float:
    """Return the natural logarithm of the ratio of the equivalent diameters of two outlines."""
    first, second = (float(np.exp(2.0 * STEP * one).mean()) for one in (before, after))
    return 0.5 * math.log(second / first)


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
    profiles: Profiles,
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
