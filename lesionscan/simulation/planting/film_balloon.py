"""Expansile lesions in films: the bone stretched outward, its cortex a thin shell."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.simulation.body.lesions import LesionField
from lesionscan.simulation.fields import Field, smooth_step
from lesionscan.simulation.planting.film_lesions import FilmLesion
from lesionscan.simulation.planting.film_window import (
    BoneWindow,
    cortical_excess,
    film_sharp,
    kept_amplitude,
    standing,
)

_SHELL = 0.35
"""Brightness of a balloon's thin wall where the beam runs along it, as a share of the brightest
bone around: a millimetre of it against a cortex of several."""
_EDGE_PX = 2.5
"""How far the line of an edge reaches on either side: a film's blur and a hand's error."""


def balloon(
    rng: np.random.Generator,
    lesion: FilmLesion,
    field: LesionField,
    bone: BoneWindow,
    uneven: Field,
) -> tuple[Field, Field, Field]:
    """Return what an expansile lesion makes of the bone.

    The bone's signal is stretched sideways about the bone's axis, most in the middle of the lesion
    and not at all past its ends, so that the cortex runs on into the balloon's thin shell. The
    lesion then takes its fraction inside the shell.

    Returns
    -------
    change
        Grey values to add (positive) or to take (negative), by place; 0 where nothing moves.
    depth
        Distance to the new outline in pixels, positive inside.
    moves
        Over 0 where the bone is stretched.
    """
    stretch, offset = _stretched(rng, lesion, bone)
    across = np.array([lesion.direction[0], -lesion.direction[1]])
    place = np.indices(bone.window.shape, dtype=np.float64)
    source = place - offset * across[:, None, None]
    # what is jagged in an outline drawn by hand would be more so when stretched
    edge = ndimage.gaussian_filter(bone.edge, 1.2, mode="nearest", truncate=3.0)
    depth = _sampled(edge, source) * stretch
    fraction = film_sharp(field.fraction * standing(lesion, depth)) * (depth > -1.0)
    # a little beyond the outline, so that the old edge goes where an outline runs inside it
    # on the bone's sides; at its end the next bone is near
    weight = np.where(bone.mask, 1.0, smooth_step((edge + _EDGE_PX) / 1.5) * _facing(edge, across))
    grain, coarse = bone.textures[0] * weight, bone.textures[1:] * bone.mask
    smooth = bone.above * weight - grain - coarse.sum(axis=0)
    moved = np.maximum(_sampled(smooth, source), 0.0)
    # the cortex thins towards the balloon and does not stop at it
    thinned = 0.4 * cortical_excess(moved, fraction > 0.5 * lesion.removed)
    left = (1.0 - fraction) * moved + fraction * thinned
    for texture, share in zip(coarse, bone.grain[1:], strict=True):
        left += kept_amplitude(fraction, share) * _sampled(texture, source)
    # the grain of a film does not stretch with the bone
    left += kept_amplitude(fraction, bone.grain[0]) * np.where(
        (np.abs(offset) > 0.5) & (np.abs(edge) < _EDGE_PX + 1.0),
        _grain_beside(bone.textures[0], edge, place) * weight,
        grain,
    )
    # the wall is new where the edge has moved, and the edge moves sideways only
    new = np.clip(0.5 * np.abs(offset), 0.0, 1.0) * _facing(depth, across)
    left = np.maximum(left, new * _shell(lesion, bone, depth, uneven))
    # where the bone lay before another one, what has been moved holds some of that one too
    change = np.where(stretch > 1.0, left - bone.above * weight, 0.0)
    beside = bone.above * (1.0 - weight) / max(0.6 * bone.brightest, 1e-9)
    change = np.where(change > 0.0, change * np.clip(1.0 - beside, 0.25, 1.0), change)
    return change, depth, np.asarray(stretch - 1.0)


def _slope(distance: Field) -> NDArray[np.float64]:
    """Return the gradient (2, rows, cols) of a distance map."""
    along_rows, along_cols = np.gradient(distance)
    return np.asarray(np.stack([along_rows, along_cols]), dtype=np.float64)


def _facing(distance: Field, across: NDArray[np.float64]) -> Field:
    """Return 1 where an outline runs along the bone, 0 where it ends the bone."""
    slope = _slope(distance)
    return np.asarray(np.clip(np.abs(slope[0] * across[0] + slope[1] * across[1]), 0.0, 1.0))


def _shell(lesion: FilmLesion, bone: BoneWindow, depth: Field, uneven: Field) -> Field:
    """Return the thin wall of a balloon: seen where the beam runs along it, not evenly."""
    wall = max(0.9, 0.6 * lesion.shell_px)
    line = np.exp(-(((depth - wall) / wall) ** 2)) * (depth > -1.5)
    return np.asarray(_SHELL * bone.brightest * line * np.clip(1.0 + 0.6 * uneven, 0.1, 1.6))


def _grain_beside(grain: Field, edge: Field, place: NDArray[np.float64]) -> Field:
    """Return a film's grain from a little outside the bone, where no edge is in it."""
    slope = _slope(edge)
    length = np.maximum(np.sqrt((slope**2).sum(axis=0)), 1e-6)
    return _sampled(grain, np.rint(place - 3.0 * _EDGE_PX * slope / length))


def _stretched(
    rng: np.random.Generator, lesion: FilmLesion, bone: BoneWindow
) -> tuple[Field, Field]:
    """Return how much wider the bone gets, by place, and how far each pixel has come outward.

    The distance is signed, along the normal of the axis. Past the new edge it fades over as far as
    the edge has moved.
    """
    x, y = bone.window.coordinates_mm()
    along_x, along_y = lesion.direction
    x, y = x - (lesion.centre_px[1] + 0.5), y - (lesion.centre_px[0] + 0.5)
    along, across = x * along_x + y * along_y, y * along_x - x * along_y
    # a balloon ends where the bone ends: a joint surface stays in its place
    back, ahead = (_length_of_bone(lesion, bone, sign) for sign in (-1.0, 1.0))
    phase = np.clip(along / np.where(along < 0, back, ahead), -1.0, 1.0)
    # balloons are lopsided and lobulated: three waves, each side its own
    lopsided = float(rng.uniform(-0.6, 0.6))
    sizes, phases = rng.normal(0.0, 0.16, (2, 3)), rng.uniform(0.0, 2.0 * np.pi, (2, 3))
    sides = []
    for number, sign in enumerate((-1.0, 1.0)):
        waves = sum(
            sizes[number, k] * np.cos((k + 1) * np.pi * phase + phases[number, k]) for k in range(3)
        )
        sides.append(np.clip((1.0 + sign * lopsided) * (1.0 + waves), 0.1, 1.7))
    bump = (1.0 - phase**2) ** 2 * np.where(across < 0, sides[0], sides[1])
    stretch = 1.0 + (lesion.widening - 1.0) * bump
    edge = lesion.half_width_px * stretch
    moved = edge - lesion.half_width_px
    fading = np.clip(1.0 - (np.abs(across) - edge) / np.maximum(moved, 1e-6), 0.0, 1.0)
    inside = np.abs(across) <= edge
    offset = np.where(inside, across - across / stretch, np.sign(across) * moved * fading)
    return np.asarray(stretch), np.asarray(offset)


def _length_of_bone(lesion: FilmLesion, bone: BoneWindow, sign: float) -> float:
    """Return how far a balloon reaches along the axis: 1.3 half lengths, or to the bone's end."""
    reach = 0.65 * lesion.diameter_px * float(np.sqrt(lesion.elongation))
    steps = np.arange(0.0, reach, 0.5)
    row = lesion.centre_px[0] - bone.window.top + sign * steps * lesion.direction[1]
    col = lesion.centre_px[1] - bone.window.left + sign * steps * lesion.direction[0]
    depth = _sampled(bone.edge, np.stack([row, col])[:, None, :])[0]
    outside = np.flatnonzero(depth < 0.0)
    return max(float(steps[outside[0]]) if outside.size else reach, 1.0)


def _sampled(array: Field, source: NDArray[np.float64]) -> Field:
    """Return an array sampled at `source` (2, rows, cols)."""
    return np.asarray(ndimage.map_coordinates(array, source, order=1, mode="nearest"))
