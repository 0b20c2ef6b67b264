"""Small films for which the correct results are known by construction."""

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage, FloatImage, Radiograph


def disk(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> BoolImage:
    """Return the pixels whose centre lies within `radius` of a point."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    inside: BoolImage = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2 <= radius**2
    return inside


def limb(shape: tuple[int, int] = (320, 240), *, lesion_radius: float = 14.0) -> FloatImage:
    """Return a limb in air with one upright bone (cortex and marrow) and a round hole in it.

    Air is 0, soft tissue 0.3, marrow 0.6, cortex 0.9; the hole at (160, 120) is 0.25 darker than
    the marrow. Weak noise with a fixed seed avoids equal grey values.
    """
    rows, cols = shape
    film = np.zeros(shape)
    film[:, cols // 8 : -cols // 8] = 0.3
    film[20:-20, 84:156] = 0.9
    film[28:-28, 92:148] = 0.6
    film[disk(shape, (rows / 2, 120), lesion_radius)] -= 0.25
    film += np.random.default_rng(0).normal(0.0, 0.004, shape)
    return film.astype(np.float32)


def radiograph(pixels: NDArray[np.floating]) -> Radiograph:
    """Wrap pixels as a radiograph without spacing, all pixels valid."""
    return Radiograph(
        pixels=np.ascontiguousarray(pixels, np.float32), valid=np.ones(pixels.shape, np.bool_)
    )
