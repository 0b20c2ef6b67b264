"""Compare the brightness of two registered films around one lesion.

The exposure of the films is equalised on the surroundings of the lesion. Where the second film is
then darker than the first, bone has been lost; where it is brighter, bone has filled in.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.comparison.rays import STEP, STEPS, Radii
from lesionscan.detection.outlines import ANGLES, ray_ends

Profiles = tuple[NDArray[np.float32], NDArray[np.float32]]
"""float32 (ANGLES, STEPS), of the first and of the second film; NaN if unexposed."""

_AROUND = 4, 20
"""Surroundings of a lesion, in radii beyond its outline."""
_CENTRE = 6
"""Distance of a lesion's centre from its outline, in radii."""
_DEEPEST, _HIGHEST = 16, 12
"""How far inside an outline the lesion's level is taken, and how far outside its rim, in radii."""
_STEEP_SHARE = 0.75
"""Quantile of the lesion's depth over the rays: its rim may leave the bone on some."""
_BETWEEN, _BEYOND = 12, 14
"""Where the area of a change is measured: radii inside both outlines, and outside both."""
_LEAST_DEPTH, _LEAST_NOISE = 0.2, 3.0
"""A place has changed by at least this share of the lesion's depth, and by this many standard
deviations of the noise."""
_WHOLE, _LEAST_WHOLE = 0.9, 0.4
"""Quantile of the changes of brightness that counts as the change of a place that the lesion has
reached or left as a whole, and its minimum as a share of the lesion's depth."""
_MOST = 0.95
"""Largest change of area that is counted, as a share of twice the mean area."""
_RINGS = -STEPS, -26, -14, -7, -2, 3
"""Limits of the rings in which a lesion fills in, in radii from its outline."""
_REFITS = 4
_MIN_GAIN, _MIN_NOISE = 0.05, 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Difference in brightness between two films at equal exposure.

    Attributes
    ----------
    darker
        float64 (ANGLES, STEPS), grey levels by which the second film is darker; 0 if either is
        unexposed.
    noise
        Standard deviation of `darker` in the surroundings.
    films
        Both films at equal contrast, float64 (ANGLES, STEPS); NaN if unexposed.
    """

    darker: NDArray[np.float64]
    noise: float
    films: tuple[NDArray[np.float64], NDArray[np.float64]]


def difference(
    profiles: Profiles, inner: Radii, outer: Radii, *, centre_unchanged: bool
) -> Difference | None:
    """Equalise the exposure of two films and subtract them.

    One film is fitted to the other by a gain and a plane (robust least squares with Huber's
    weights), in both directions, so that swapping the films changes only the sign.

    Parameters
    ----------
    profiles
        Of the first and of the second film.
    inner, outer
        Outlines that lie within and around all outlines of the lesion.
    centre_unchanged
        Whether to fit the centre of the lesion as well as its surroundings.

    Returns
    -------
    Difference or None
        None if too little is exposed on both films, or the films do not resemble each other.
    """
    first, second = (profile.astype(np.float64) for profile in profiles)
    exposed = np.isfinite(first) & np.isfinite(second)
    radius, area = np.arange(STEPS), _areas()
    low, high = inner[:, None], outer[:, None]
    around = exposed & (radius >= high + _AROUND[0]) & (radius <= high + _AROUND[1])
    centre = exposed & (radius < low - _CENTRE)
    if min(np.count_nonzero(around), np.count_nonzero(centre)) < ANGLES:
        return None
    weight = np.where(around, area / area[around].sum(), 0.0)
    if centre_unchanged:
        weight += np.where(centre, area / area[centre].sum(), 0.0)
    there, back = _fitted(first, second, weight), _fitted(second, first, weight)
    if min(there.gain, back.gain) < _MIN_GAIN:
        return None
    roots = np.sqrt(there.gain), np.sqrt(back.gain)
    darker = 0.5 * (back.rest / roots[1] - there.rest / roots[0])
    contrast = np.sqrt(roots[0] / roots[1])
    return Difference(
        darker=np.where(exposed, darker, 0.0),
        noise=0.5 * float(there.noise / roots[0] + back.noise / roots[1]),
        films=(first * contrast, second / contrast),
    )


def area_change(profiles: Profiles, before: Radii, after: Radii) -> float | None:
    """Measure the change of a lesion by the area that became darker or brighter around its outline.

    Parameters
    ----------
    profiles
        Of the first and of the second film.
    before, after
        The candidates' own outlines.

    Returns
    -------
    float or None
        Natural logarithm of the ratio of diameters, after / before; 0 if nothing clearly changed,
        None if the films cannot be subtracted.
    """
    inner, outer = np.minimum(before, after), np.maximum(before, after)
    found = difference(profiles, inner, outer, centre_unchanged=True)
    if found is None:
        return None
    radius, area = np.arange(STEPS), _areas()
    near = (radius >= inner[:, None] - _BETWEEN) & (radius <= outer[:, None] + _BEYOND)
    smooth = ndimage.gaussian_filter(
        np.where(near, found.darker, 0.0), 1.0, mode=("wrap", "nearest")
    )
    depth = _depth(0.5 * (found.films[0] + found.films[1]), inner, outer)
    changed = np.abs(smooth) > max(_LEAST_DEPTH * depth, _LEAST_NOISE * found.noise)
    if not changed.any():
        return 0.0
    # the brightness by which a place changes that the lesion reached or left as a whole
    whole = max(float(np.quantile(np.abs(smooth[changed]), _WHOLE)), _LEAST_WHOLE * depth)
    share = np.clip(np.where(changed, found.darker / whole, 0.0), -1.0, 1.0)
    grown = STEP * float((share * area).sum(axis=1).mean())
    middle = 0.5 * float(np.exp(2 * STEP * (0.5 * (inner + outer) - (STEPS - 1) / 2)).mean())
    return float(np.arctanh(np.clip(0.5 * grown / middle, -_MOST, _MOST)))


@dataclass(frozen=True, slots=True)
class Filling:
    """How much brighter a lesion's place is on the film without it.

    Attributes
    ----------
    middle
        Brightening of the middle of the lesion, in grey levels.
    least, most
        Smallest and largest brightening of any ring of the lesion.
    depth
        Depth of the lesion.
    noise
        Standard deviation of the difference between the films.
    """

    middle: float
    least: float
    most: float
    depth: float
    noise: float


def filling(
    profiles: Profiles, outline: Radii, other: Radii | None, *, on_first: bool
) -> Filling | None:
    """Measure how much brighter a lesion's place is on the other film, ring by ring.

    Parameters
    ----------
    profiles
        Of the first and of the second film.
    outline
        Outline of the lesion.
    other
        Outline of a candidate at this place on the other film, if there is one.
    on_first
        Whether the lesion is on the first film.

    Returns
    -------
    Filling or None
        None if the films cannot be subtracted, or a ring is not exposed.
    """
    outer = outline if other is None else np.maximum(outline, other)
    found = difference(profiles, outline, outer, centre_unchanged=False)
    if found is None:
        return None
    exposed, area = np.isfinite(found.films[0] + found.films[1]), _areas()
    brighter = -found.darker if on_first else found.darker
    beyond = np.arange(STEPS) - outline[:, None]
    rings = []
    for low, high in pairwise(_RINGS):
        ring = exposed & (beyond >= low) & (beyond < high)
        if not ring.any():
            return None
        rings.append(float(np.average(brighter[ring], weights=area[ring])))
    own = found.films[0 if on_first else 1]
    depth = _depth(own, outline, outline)
    return Filling(rings[0], min(rings), max(rings), depth, found.noise)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Fit of one film to the other: what is left, the gain and the noise."""

    rest: NDArray[np.float64]
    gain: float
    noise: float


def _fitted(
    film: NDArray[np.float64], other: NDArray[np.float64], weight: NDArray[np.float64]
) -> _Fit:
    """Fit a gain and a plane that turn a film into the other."""
    rows, cols = ray_ends(np.zeros((1, 2)), _lengths())
    plane = (one.reshape(film.shape).astype(np.float64) for one in (rows, cols))
    terms = np.stack([film, np.ones(film.shape), *plane], axis=-1)
    used = weight > 0
    known, wanted, root = terms[used], other[used], np.sqrt(weight[used])
    robust = root
    for _ in range(_REFITS):
        factors, *_ = np.linalg.lstsq(known * robust[:, None], wanted * robust, rcond=None)
        errors = np.abs(wanted - known @ factors)
        noise = 1.4826 * float(np.median(errors)) + _MIN_NOISE
        robust = root * np.sqrt(np.minimum(1.0, 2.0 * noise / np.maximum(errors, 1e-9)))
    return _Fit(other - terms @ factors, float(factors[0]), noise)


def _depth(film: NDArray[np.float64], inner: Radii, outer: Radii) -> float:
    """Return the depth of a lesion, from its level inside to its rim, in grey levels."""
    radius, low, high = np.arange(STEPS), inner[:, None], outer[:, None]
    inside = np.isfinite(film) & (radius >= low - _DEEPEST) & (radius < low - _CENTRE)
    rim = np.isfinite(film) & (radius >= low) & (radius <= high + _HIGHEST)
    known = inside.any(axis=1) & rim.any(axis=1)
    if not known.any():
        return 0.0
    level = np.where(inside, film, 0.0).sum(axis=1)[known] / inside.sum(axis=1)[known]
    highest = np.where(rim, film, -np.inf).max(axis=1)[known]
    return float(np.quantile(highest - level, _STEEP_SHARE))


def _lengths() -> NDArray[np.float64]:
    """Return the radii of the samples, in radii of the lesion."""
    return np.asarray(np.exp(STEP * (np.arange(STEPS) - (STEPS - 1) / 2)))


def _areas() -> NDArray[np.float64]:
    """Return the relative areas of the samples, (ANGLES, STEPS)."""
    return np.broadcast_to(_lengths() ** 2, (ANGLES, STEPS))
