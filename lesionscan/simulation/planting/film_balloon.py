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
    removable,
)

_SHELL = 0.35
"""Brightness of the expanded bone's thin wall seen edge-on, relative to the brightest bone around:
a millimetre of bone compared with a cortex of several."""
_EDGE_PX = 2.5
"""Half width of the edge's line: blur of the film and error of the outline."""


def balloon(
    rng: np.random.Generator,
    lesion: FilmLesion,
    field: LesionField,
    bone: BoneWindow,
    uneven: Field,
) -> tuple[Field, Field, Field]:
    """Compute the effect of an expansile lesion on the bone.

    The bone's signal is stretched sideways about the bone's axis, most in the middle of the lesion
    and not at all past its ends, so that the cortex continues into the thin shell. The lesion then
    removes its fraction inside the shell.

    Returns
    -------
    change
        Grey values to add (positive) or to remove (negative); 0 where nothing changes.
    depth
        Distance to the new outline in pixels, positive inside.
    moves
        Over 0 where the bone is stretched.
    """
    stretch, offset = _stretched(rng, lesion, bone)
    across = np.array([lesion.direction[0], -lesion.direction[1]])
    place = np.indices(bone.window.shape, dtype=np.float64)
    source = place - offset * across[:, None, None]
    # smoothed, since stretching amplifies the irregularities of a hand-drawn outline
    edge = ndimage.gaussian_filter(bone.edge, 1.2, mode="nearest", truncate=3.0)
    depth = _sampled(edge, source) * stretch
    fraction = film_sharp(field.fraction * removable(lesion, depth)) * (depth > -1.0)
    # a little beyond the outline on the bone's sides, to include the edge if the outline is too
    # tight; not at its ends, where the next bone is near
    weight = np.where(bone.mask, 1.0, smooth_step((edge + _EDGE_PX) / 1.5) * _facing(edge, across))
    grain, coarse = bone.textures[0] * weight, bone.textures[1:] * bone.mask
    smooth = bone.above * weight - grain - coarse.sum(axis=0)
    moved = np.maximum(_sampled(smooth, source), 0.0)
    # the cortex thins gradually towards the expanded part
    thinned = 0.4 * cortical_excess(moved, fraction > 0.5 * lesion.removed)
    left = (1.0 - fraction) * moved + fraction * thinned
    for texture, share in zip(coarse, bone.grain[1:], strict=True):
        left += kept_amplitude(fraction, share) * _sampled(texture, source)
    # film grain is not stretched with the bone
    left += kept_amplitude(fraction, bone.grain[0]) * np.where(
        (np.abs(offset) > 0.5) & (np.abs(edge) < _EDGE_PX + 1.0),
        _grain_beside(bone.textures[0], edge, place) * weight,
        grain,
    )
    # there is a new wall where the edge has moved, which it does sideways only
    new = np.clip(0.5 * np.abs(offset), 0.0, 1.0) * _facing(depth, across)
    left = np.maximum(left, new * _shell(lesion, bone, depth, uneven))
    # where bones overlap, the stretched signal includes some of the other bone too
    change = np.where(stretch > 1.0, left - bone.above * weight, 0.0)
    beside = bone.above * (1.0 - weight) / max(0.6 * bone.brightest, 1e-9)
    change = np.where(change > 0.0, change * np.clip(1.0 - beside, 0.25, 1.0), change)
    return change, depth, np.asarray(stretch - 1.0)


def _slope(distance: Field) -> NDArray[np.float64]:
    """Return the gradient (2, rows, cols) of a distance map."""
    along_rows, along_cols = np.gradient(distance)
    return np.asarray(np.stack([along_rows, along_cols]), dtype=np.float64)


def _facing(distance: Field, across: NDArray[np.float64]) -> Field:
    """Return 1 where the outline is parallel to the bone's axis, 0 at the bone's ends."""
    slope = _slope(distance)
    return np.asarray(np.clip(np.abs(slope[0] * across[0] + slope[1] * across[1]), 0.0, 1.0))


def _shell(lesion: FilmLesion, bone: BoneWindow, depth: Field, uneven: Field) -> Field:
    """Return the signal of the expanded bone's thin wall, uneven and visible edge-on only."""
    wall = max(0.9, 0.6 * lesion.shell_px)
    line = np.exp(-(((depth - wall) / wall) ** 2)) * (depth > -1.5)
    return np.asarray(_SHELL * bone.brightest * line * np.clip(1.0 + 0.6 * uneven, 0.1, 1.6))


def _grain_beside(grain: Field, edge: Field, place: NDArray[np.float64]) -> Field:
    """Return film grain taken from just outside the bone, where there is no edge."""
    slope = _slope(edge)
    length = np.maximum(np.sqrt((slope**2).sum(axis=0)), 1e-6)
    return _sampled(grain, np.rint(place - 3.0 * _EDGE_PX * slope / length))


def _stretched(
    rng: np.random.Generator, lesion: FilmLesion, bone: BoneWindow
) -> tuple[Field, Field]:
    """Return maps of the factor of widening, and of the outward displacement in pixels.

    The displacement is signed, along the normal of the axis. Outside the new edge it fades over the
    distance that the edge has moved.
    """
    x, y = bone.window.coordinates_mm()
    along_x, along_y = lesion.direction
    x, y = x - (lesion.centre_px[1] + 0.5), y - (lesion.centre_px[0] + 0.5)
    along, across = x * along_x + y * along_y, y * along_x - x * along_y
    # the expansion ends at the bone's end: the joint surface must not move
    back, ahead = (_length_of_bone(lesion, bone, sign) for sign in (-1.0, 1.0))
    phase = np.clip(along / np.where(along < 0, back, ahead), -1.0, 1.0)
    # expansion is asymmetric and lobulated: three waves, independent on each side
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
    """Return the extent of the expansion along the axis: 1.3 half lengths, or to the bone's end."""
    reach = 0.65 * lesion.diameter_px * float(np.sqrt(lesion.elongation))
    steps = np.arange(0.0, reach, 0.5)
    row = lesion.centre_px[0] - bone.window.top + sign * steps * lesion.direction[1]
    col = lesion.centre_px[1] - bone.window.left + sign * steps * lesion.direction[0]
    depth = _sampled(bone.edge, np.stack([row, col])[:, None, :])[0]
    outside = np.flatnonzero(depth < 0.0)
    return max(float(steps[outside[0]]) if outside.size else reach, 1.0)


def _sampled(array: Field, source: NDArray[np.float64]) -> Field:
    """Interpolate an array at `source` (2, rows, cols)."""
    return np.asarray(ndimage.map_coordinates(array, source, order=1, mode="nearest"))
