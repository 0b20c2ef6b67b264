"""Compute the change of a film by a lesion, in grey values."""

from dataclasses import dataclass

import numpy as np

from lesionscan.simulation.body.lesions import LesionField, shape_field
from lesionscan.simulation.fields import Field, Mask, Window, random_field, smooth_step
from lesionscan.simulation.planting.film_balloon import balloon
from lesionscan.simulation.planting.film_lesions import FilmLesion
from lesionscan.simulation.planting.film_signal import Signal
from lesionscan.simulation.planting.film_window import (
    BoneWindow,
    cortical_excess,
    film_sharp,
    kept_amplitude,
    removable,
)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Change of a window of a film by a lesion.

    Attributes
    ----------
    window
        The window.
    removed, added
        Grey values removed from the bone, and added by a rim or by expanded bone.
    truth
        The lesion: inside the half height of its margin, without the shell.
    zone
        Pixels that may change; only bone unless the lesion is expansile.
    bone
        The bone afterwards, including expanded parts.
    """

    window: Window
    removed: Field
    added: Field
    truth: Mask
    zone: Mask
    bone: Mask


def take_bone(rng: np.random.Generator, lesion: FilmLesion, film: Field, signal: Signal) -> Change:
    """Compute the change of a film by a lesion.

    Parameters
    ----------
    rng
        Source of the lesion's outline, texture and shell.
    lesion
        The lesion.
    film
        float64 (rows, cols); the film, with the lesions planted before.
    signal
        Decomposition of the intact film.
    """
    rows, cols = signal.bone.shape
    window = lesion.window((rows, cols))
    x, y = lesion.centre_px[1] + 0.5, lesion.centre_px[0] + 0.5
    field = shape_field(rng, lesion.shape(), (x, y), lesion.direction, window)
    bone = BoneWindow.of(window, film, signal)
    uneven = random_field(
        rng,
        window,
        wavelengths_mm=(4.0 * lesion.detail_px, 30.0 * lesion.detail_px),
        exponent=2.5,
    )
    if lesion.widening > 1.0:
        change, depth, moves = balloon(rng, lesion, field, bone, uneven)
        zone = (moves > 0.0) & ((depth > -4.0) | (bone.edge > -4.0))
        truth = field.outlined & (depth > lesion.shell_px) & signal.tissue[window.slices]
        return Change(
            window=window,
            removed=np.where(zone, np.maximum(-change, 0.0), 0.0),
            added=np.where(zone, np.maximum(change, 0.0), 0.0),
            truth=np.asarray(truth & zone, dtype=np.bool_),
            zone=np.asarray(zone, dtype=np.bool_),
            bone=np.asarray(np.where(zone, depth > 0, bone.mask), dtype=np.bool_),
        )
    fraction = film_sharp(field.fraction * removable(lesion, bone.edge)) * bone.mask
    truth = field.outlined & (bone.edge > lesion.shell_px) & bone.mask
    # extent of the step, its ragged holes and the rim outside the nominal outline
    margin = lesion.margin_px * (1.0 + 1.5 * lesion.one_sided)
    reach = margin * (1.7 + 4.0 * lesion.moth_eaten) + 3.0 * lesion.detail_px + 3.0
    return Change(
        window=window,
        removed=_removed(lesion, bone, fraction, signal.brightest),
        added=_rim(lesion, field, bone, uneven),
        truth=np.asarray(truth, dtype=np.bool_),
        zone=np.asarray(bone.mask & (field.distance > -reach), dtype=np.bool_),
        bone=bone.mask,
    )


def _removed(lesion: FilmLesion, bone: BoneWindow, fraction: Field, most: float) -> Field:
    """Return the grey values removed with a fraction of the bone, at most its signal.

    A lesion that does not breach the cortex lies in the marrow and removes as much in front of a
    bright cortex as beside it, and a third of the cortex's excess (scalloping). Signal over `most`
    is attributed to another, overlapping bone.
    """
    signal = bone.signal
    smooth = signal - bone.textures.sum(axis=0)
    if lesion.shell_px > 0.0:
        smooth = smooth - 0.67 * cortical_excess(smooth, fraction > 0.5 * lesion.removed)
    removed = fraction * np.minimum(smooth, most)
    for texture, share in zip(bone.textures, bone.grain, strict=True):
        removed += (1.0 - kept_amplitude(fraction, share)) * texture
    return np.where(fraction > 0, np.clip(removed, 0.0, signal), 0.0)


def _rim(lesion: FilmLesion, field: LesionField, bone: BoneWindow, uneven: Field) -> Field:
    """Return the grey values of a sclerotic rim: an uneven line outside the margin.

    The rim is a shell around the lesion, visible edge-on, and at most as dense as cortex.
    """
    if lesion.rim <= 0.0:
        return np.zeros_like(bone.above)
    width = max(0.8, 0.55 * lesion.detail_px)
    offset = field.distance + 0.6 * lesion.margin_px + 0.8 * width
    line = np.exp(-((offset / width) ** 2)) * smooth_step((bone.edge - 1.0) / width)
    line = line * np.clip(1.0 + 0.45 * uneven, 0.15, 1.8) * (offset > -3.0 * width)
    room = np.maximum(1.1 * bone.brightest - (bone.signal - bone.textures.sum(axis=0)), 0.0)
    return np.asarray(np.minimum(lesion.rim * bone.brightest * line, room) * bone.mask)
