"""A dark disk of known size in bone, sampled along rays."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison.rays import Radii, Rays

SHAPE = (160, 180)
CENTRE = np.array([78.3, 90.6])
RAYS = Rays(CENTRE, 22.0)
SAME = np.eye(2, 3)
EXPOSED = np.ones(SHAPE, np.bool_)


def disk(radius: float) -> NDArray[np.float32]:
    """Return the share of each pixel that lies in a disk."""
    rows, cols = np.indices(SHAPE)
    away = np.hypot(rows - CENTRE[0], cols - CENTRE[1])
    return np.asarray(np.clip(radius - away + 0.5, 0.0, 1.0), np.float32)


def film(radius: float) -> NDArray[np.float32]:
    """Return a film with a dark disk, and with edges beside it that do not move."""
    bone = 150.0 - 100.0 * disk(radius)
    bone[:, :50] = 20.0
    bone[130:] += 40.0
    return np.asarray(cv2.GaussianBlur(bone, (0, 0), 1.0), np.float32)


def profile(radius: float) -> NDArray[np.float32]:
    """Return the profile of such a film along the rays."""
    return RAYS.profile(film(radius), EXPOSED, SAME, pixel=1.0)


def circle(radius: float) -> Radii:
    """Return the outline of a candidate that is a disk."""
    return RAYS.outline_of((disk(radius) >= 0.5).astype(np.int32) * 7, (7,), SAME)
