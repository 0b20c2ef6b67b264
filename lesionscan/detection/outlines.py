"""Rays from a centre -> the closed outline with the steepest steps from dark to bright.

The outline is found by dynamic programming in polar coordinates (Timp and Karssemeijer, Med Phys
2004;31:958): it cannot leak through a gap in the rim, as level sets do, and crosses septa inside a
lesion. All arrays are (outlines, angles, steps): many outlines are sought at once.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from lesionscan.radiograph import BoolImage, FloatImage

ANGLES = 48
"""Directions in which an edge is sought; divisible by 4, so that turns change nothing."""
STEPS = 40
"""Radii tried in each direction."""

_EDGE_REACH = 0.22
"""Distance over which brightness inside and outside the edge is compared, in expected radii."""


def ray_ends(
    centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rows and columns, float64 (outlines, ANGLES, STEPS), of the points on rays.

    Parameters
    ----------
    centres
        float64 (outlines, 2), (row, col).
    radii
        float64 (STEPS,), rising, in pixels.
    """
    angles = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES)
    rows = centres[:, 0, None, None] + np.sin(angles)[None, :, None] * radii
    cols = centres[:, 1, None, None] + np.cos(angles)[None, :, None] * radii
    return rows, cols


def sample(
    image: FloatImage, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate an image linearly at (outlines, angles, steps); beyond its border, its edge."""
    outlines, angles, steps = rows.shape
    chunk = 32_000 // angles  # cv2.remap takes at most 32767 rows
    sampled = [
        cv2.remap(
            image,
            cols[i : i + chunk].reshape(-1, steps).astype(np.float32),
            rows[i : i + chunk].reshape(-1, steps).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for i in range(0, outlines, chunk)
    ]
    return np.asarray(np.concatenate(sampled), np.float32).reshape(rows.shape)


def edge_steps(
    profile: NDArray[np.float32], *, nearest: float, farthest: float
) -> NDArray[np.float32]:
    """Return, for every radius, brightness just outside minus just inside.

    Parameters
    ----------
    profile
        float32 (outlines, angles, steps), brightness along the rays.
    nearest, farthest
        Range of the rays' radii, in expected radii.
    """
    step = (farthest - nearest) / (STEPS - 1)
    reach = max(1, round(_EDGE_REACH / step))
    padded = np.pad(profile, ((0, 0), (0, 0), (reach, reach)), mode="edge")
    total = np.cumsum(padded, axis=2, dtype=np.float64)
    total = np.concatenate([np.zeros_like(total[:, :, :1]), total], axis=2)
    count = profile.shape[2]
    inside = total[:, :, reach : reach + count] - total[:, :, :count]
    outside = (
        total[:, :, 2 * reach + 1 : 2 * reach + 1 + count]
        - total[:, :, reach + 1 : reach + 1 + count]
    )
    return ((outside - inside) / reach).astype(np.float32)


def steepest_path(edge: NDArray[np.float32], *, bend: float) -> NDArray[np.int64]:
    """Return, per outline and angle, the index of the radius on the closed path of steepest steps.

    Three turns are made and the middle one kept, so that where the path starts has no say.

    Parameters
    ----------
    edge
        float32 (outlines, angles, steps), from `edge_steps`.
    bend
        Cost of a change of radius by one step between neighbouring directions, in mean edge steps.
    """
    outlines, angles, steps = edge.shape
    unit = np.maximum(edge.max(axis=2).mean(axis=1), 1e-4)
    # (angles, steps, outlines): a shift along the steps is then one run of memory
    gain = np.ascontiguousarray((edge / unit[:, None, None]).transpose(1, 2, 0))
    padded = np.full((steps + 4, outlines), -np.inf, np.float32)
    value = padded[2 : 2 + steps]
    value[...] = gain[0]
    came_from = np.empty((3 * angles, steps, outlines), np.int8)
    best, option = np.empty_like(gain[0]), np.empty_like(gain[0])
    better = np.empty((steps, outlines), np.bool_)
    for turn in range(1, 3 * angles):
        # of shifts that are equally good the first stands
        for shift in range(-2, 3):
            np.subtract(padded[2 + shift : 2 + shift + steps], bend * abs(shift), out=option)
            if shift == -2:
                best[...] = option
                came_from[turn] = shift
            else:
                np.greater(option, best, out=better)
                np.copyto(came_from[turn], shift, where=better)
                np.maximum(best, option, out=best)
        np.add(best, gain[turn % angles], out=value)
    at = value.argmax(axis=0)
    path = np.zeros((outlines, angles), np.int64)
    every = np.arange(outlines)
    for turn in range(3 * angles - 1, angles - 1, -1):
        if turn < 2 * angles:
            path[:, turn - angles] = at
        at = at + came_from[turn, at, every]
    return path


def vertices(
    centres: NDArray[np.float64], radii: NDArray[np.float64], path: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the outlines' corners, float64 (outlines, ANGLES, 2), as (row, col)."""
    rows, cols = ray_ends(centres, radii)
    at = path[:, :, None]
    return np.stack(
        [np.take_along_axis(ends, at, axis=2)[:, :, 0] for ends in (rows, cols)], axis=2
    )


def filled(
    polygon: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], BoolImage]:
    """Rasterise a polygon of (row, col) corners; return its box in the picture and its mask."""
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 2, shape)
    inside = polygon2mask((high[0] - low[0], high[1] - low[1]), polygon - low)
    return np.s_[low[0] : high[0], low[1] : high[1]], inside


def blur_to_scale(image: FloatImage, radius: float) -> FloatImage:
    """Blur away what is finer than an outline of this radius needs."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.6, 0.1 * radius)), np.float32)
