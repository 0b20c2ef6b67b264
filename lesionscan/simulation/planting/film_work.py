"""State of a film in which lesions are planted one after the other."""

import numpy as np
from numpy.typing import NDArray

from lesionscan.simulation.fields import Field, Mask, generator
from lesionscan.simulation.planting.film_lesions import FilmLesion
from lesionscan.simulation.planting.film_removal import take_bone
from lesionscan.simulation.planting.film_signal import Signal

_LEAST_AREA_PX = 12
"""Smaller lesions are rejected: they have no shape."""


class PlantingWork:
    """State of a film in which lesions are planted.

    Attributes
    ----------
    now
        float64 (rows, cols); the film with the lesions so far, as it will be stored.
    removed
        float64; grey values removed by lesions.
    truth, zone, bone
        Labels; pixels that may have changed; the bone, including expanded parts.
    recipes
        The planted lesions, in the order of the labels.
    """

    def __init__(self, image: NDArray[np.generic], signal: Signal, key: tuple[int, ...]) -> None:
        self.image = image
        self.signal = signal
        self.key = key
        self.now: Field = image.astype(np.float64)
        self.removed: Field = np.zeros(self.now.shape)
        self.truth: NDArray[np.uint16] = np.zeros(self.now.shape, dtype=np.uint16)
        self.zone: Mask = np.zeros(self.now.shape, dtype=np.bool_)
        self.bone: Mask = signal.bone.copy()
        self.recipes: list[FilmLesion] = []

    def has_room(self, lesion: FilmLesion) -> bool:
        """Return whether a lesion lies in visible bone, in the picture, and apart from others."""
        if lesion.expansile and lesion.widening < 1.02:
            return False  # its expansion would not be visible at an edge
        row, col = lesion.centre_px
        for other in self.recipes:
            away = np.hypot(row - other.centre_px[0], col - other.centre_px[1])
            if away < lesion.radius_px + other.radius_px + 2.0 * lesion.detail_px:
                return False
        rows, cols = _spread(lesion)
        seen = (rows >= 0) & (rows < self.now.shape[0]) & (cols >= 0) & (cols < self.now.shape[1])
        if seen.mean() < 0.97:
            return False
        at = (rows[seen], cols[seen])
        bony = self.signal.bone[at]
        strength = self.signal.bone_signal[at][bony]
        least = max(0.25 * self.signal.brightest, 2.0 * self.signal.noise)
        return bool(
            bony.mean() >= (0.4 if lesion.expansile else 0.6)
            and self.signal.tissue[at].mean() > 0.97
            # masks made by programs may include soft tissue
            and (strength > least).mean() > 0.8
        )

    def add(self, lesion: FilmLesion) -> bool:
        """Plant a lesion; return False, without changes, if hardly any of it is in bone."""
        row, col = lesion.centre_px
        if not (0 <= row < self.now.shape[0] and 0 <= col < self.now.shape[1]):
            return False
        label = len(self.recipes) + 1
        signal = self.signal
        change = take_bone(generator(*self.key, 41, label), lesion, self.now, signal)
        part = change.window.slices
        truth = change.truth & (self.truth[part] == 0)
        if truth.sum() < _LEAST_AREA_PX or not (change.removed[truth] > 0).any():
            return False
        before = self.image[part]
        after = self.now[part] - change.removed + change.added
        # not brighter than the film's brightest pixel
        after = np.minimum(after, np.maximum(float(self.image.max()), self.now[part]))
        stored = _stored(after, before, signal.level[part])
        stored = np.where(change.zone, stored, self.now[part])
        self.removed[part] += np.where(change.zone, change.removed, 0.0)
        self.now[part] = stored
        self.truth[part][truth] = label
        self.zone[part] |= change.zone
        self.bone[part] |= change.bone
        self.recipes.append(lesion)
        return True

    def pixels(self) -> NDArray[np.generic]:
        """Return the film in its dtype, unchanged outside the zone."""
        inside = np.where(self.zone, self.now, 0.0).astype(self.image.dtype)
        return np.where(self.zone, inside, self.image)


def _spread(lesion: FilmLesion) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of 150 points distributed evenly over a lesion's ellipse."""
    number = np.arange(150) + 0.5
    radius, angle = np.sqrt(number / 150.0), number * np.pi * (3.0 - np.sqrt(5.0))
    long = 0.5 * lesion.diameter_px * np.sqrt(lesion.elongation)
    u, v = long * radius * np.cos(angle), long / lesion.elongation * radius * np.sin(angle)
    turn = np.deg2rad(lesion.axis_deg + lesion.angle_deg)
    row = lesion.centre_px[0] + u * np.sin(turn) + v * np.cos(turn)
    col = lesion.centre_px[1] + u * np.cos(turn) - v * np.sin(turn)
    return np.rint(row).astype(np.int64), np.rint(col).astype(np.int64)


def _stored(after: Field, before: NDArray[np.generic], level: NDArray[np.float32]) -> Field:
    """Round to storable values, not below the soft tissue's level unless below it before."""
    if not np.issubdtype(before.dtype, np.integer):
        return after.astype(np.float32).astype(np.float64)
    least = np.minimum(np.ceil(level.astype(np.float64)), before.astype(np.float64))
    return np.asarray(np.maximum(np.rint(after), least))
