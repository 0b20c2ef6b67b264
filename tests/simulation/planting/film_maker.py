"""Synthetic films with known grey values: a shaft of bone in soft tissue."""

import numpy as np
from numpy.typing import NDArray

from lesionscan.simulation.fields import generator

SOFT, BONE = 50.0, 100.0
"""Grey value of the soft tissue, and what bone adds to it."""


def bar(rows: int = 200, cols: int = 160, *, half: int = 20) -> NDArray[np.bool_]:
    """Return the mask of a straight shaft in the middle, from border to border."""
    mask = np.zeros((rows, cols), dtype=np.bool_)
    mask[:, cols // 2 - half : cols // 2 + half] = True
    return mask


def club(rows: int = 240, cols: int = 200) -> NDArray[np.bool_]:
    """Return the mask of a shaft that comes from the upper border and ends in a round knob."""
    row, col = np.mgrid[:rows, :cols]
    knob = np.hypot(row - 170, col - cols // 2) < 40
    shaft = (np.abs(col - cols // 2) < 16) & (row < 170)
    return np.asarray(knob | shaft, dtype=np.bool_)


def film(mask: NDArray[np.bool_], *, noise: float = 0.0, grain: float = 0.0) -> NDArray[np.float32]:
    """Return a film of a bone: noise everywhere, trabecular grain in the bone only.

    The left edge is a strip of air. One corner pixel (a marker) is brighter than all others, so
    that a rim can be brighter than bone.
    """
    rng = generator(5)
    picture = SOFT + BONE * mask
    picture += noise * rng.standard_normal(mask.shape)
    picture += grain * rng.standard_normal(mask.shape) * mask
    picture[:, :12] = 0.0
    picture[3, 3] = 250.0
    return picture.astype(np.float32)
