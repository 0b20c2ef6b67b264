"""Find closed outlines with the steepest steps from dark to bright along rays from a centre.

Dynamic programming in polar coordinates (Timp and Karssemeijer, Med Phys 2004;31:958) does not leak
through gaps in the rim, as level sets do, and crosses septa in a lesion. Arrays are (outlines,
angles, steps): many outlines are found at once.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage, FloatImage

ANGLES = 48
"""Number of rays; a multiple of 4, so that rotations by 90 degrees give the same outline."""
STEPS = 40
"""Number of radii per ray."""

_SHIFTS = (-2, 2, -1, 1, 0)
"""Allowed changes of the radius from ray to ray, in steps; the last one wins a tie."""
_CODE_BITS = 7
"""Lowest bits of a float, which hold the index of a shift: 1/200,000 of its value."""
_EDGE_REACH = 0.22
"""Distance over which brightness inside and outside the edge is compared, in expected radii."""


def ray_ends(
    centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the rows and columns of the points on the rays, float32 (outlines, ANGLES, STEPS).

    Parameters
    ----------
    centres
        float64 (outlines, 2), (row, col).
    radii
        float64 (STEPS,), ascending, in pixels.
    """
    sines, cosines = _directions()
    from_centre = [(towards[:, None] * radii).astype(np.float32) for towards in (sines, cosines)]
    rows, cols = centres.astype(np.float32).T[:, :, None, None]
    return rows + from_centre[0], cols + from_centre[1]


def sample(
    image: FloatImage, rows: NDArray[np.float32], cols: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Interpolate an image linearly at (outlines, angles, steps); edge pixels are repeated."""
    outlines, angles, steps = rows.shape
    sampled = np.empty(rows.shape, np.float32)
    chunk = 32_000 // angles  # cv2.remap takes at most 32767 rows
    for i in range(0, outlines, chunk):
        some = sampled[i : i + chunk].reshape(-1, steps)
        cv2.remap(
            image,
            cols[i : i + chunk].reshape(-1, steps),
            rows[i : i + chunk].reshape(-1, steps),
            cv2.INTER_LINEAR,
            dst=some,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return sampled


def edge_steps(
    profile: NDArray[np.float32], *, nearest: float, farthest: float
) -> NDArray[np.float32]:
    """Return the brightness just outside minus just inside each radius.

    Parameters
    ----------
    profile
        float32 (outlines, angles, steps), brightness along the rays.
    nearest, farthest
        Smallest and largest radius on the rays, in expected radii.
    """
    step = (farthest - nearest) / (STEPS - 1)
    reach = max(1, round(_EDGE_REACH / step))
    outside = np.full(reach, 1.0 / reach, np.float32)
    kernel = np.concatenate([-outside, np.zeros(1, np.float32), outside])[None]
    rays = profile.reshape(-1, profile.shape[2])
    edge = cv2.filter2D(rays, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(edge, np.float32).reshape(profile.shape)


def steepest_path(edge: NDArray[np.float32], *, bend: float) -> NDArray[np.int64]:
    """Return the index of the radius on the closed path of steepest steps, (outlines, angles).

    The middle of three turns is kept, so that the result does not depend on the starting angle.

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
    gain -= gain.min(axis=(0, 1))  # a constant per outline, so that no value is negative
    padded = np.full((steps + 4, outlines), -np.inf, np.float32)
    value = padded[2 : 2 + steps]
    value[...] = gain[0]
    options = np.empty((len(_SHIFTS), steps, outlines), np.float32)
    bits = options.view(np.int32)
    codes = np.arange(len(_SHIFTS), dtype=np.int32)[:, None, None]
    transitions = [
        (padded[2 + shift : 2 + shift + steps], np.float32(bend * abs(shift)), option)
        for shift, option in zip(_SHIFTS, options, strict=True)
    ]
    best = np.empty((steps, outlines), np.int32)
    came_from = np.empty((3 * angles, steps, outlines), np.int8)
    for turn in range(1, 3 * angles):
        for start, cost, option in transitions:
            np.subtract(start, cost, out=option)
        # Non-negative floats sort like their bits, so the lowest bits can hold the shift: one
        # maximum then gives both the best value and its origin.
        bits &= ~_CODE_BITS
        bits |= codes
        np.max(bits, axis=0, out=best)
        np.bitwise_and(best, _CODE_BITS, out=came_from[turn], casting="unsafe")
        best &= ~_CODE_BITS
        np.add(best.view(np.float32), gain[turn % angles], out=value)
    at = value.argmax(axis=0)
    path = np.zeros((outlines, angles), np.int64)
    outline, shifts = np.arange(outlines), np.array(_SHIFTS)
    for turn in range(3 * angles - 1, angles - 1, -1):
        if turn < 2 * angles:
            path[:, turn - angles] = at
        at = at + shifts[came_from[turn, at, outline]]
    return path


def vertices(
    centres: NDArray[np.float64], radii: NDArray[np.float64], path: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the vertices of the outlines, float64 (outlines, ANGLES, 2), as (row, col).

    Parameters
    ----------
    centres
        float64 (outlines, 2), (row, col).
    radii
        float64 (STEPS,) or (outlines, STEPS), in pixels.
    path
        int64 (outlines, ANGLES), from `steepest_path`.
    """
    sines, cosines = _directions()
    own = np.broadcast_to(radii, (len(centres), radii.shape[-1]))
    reach = np.take_along_axis(own, path, axis=1)
    return np.stack([centres[:, :1] + reach * sines, centres[:, 1:] + reach * cosines], axis=2)


def filled(
    polygons: NDArray[np.float64], shape: tuple[int, ...]
) -> Iterator[tuple[tuple[slice, slice], BoolImage]]:
    """Rasterise polygons, one per iteration.

    Pixels whose centres are inside are set, by the even-odd rule. `skimage.draw.polygon2mask` gives
    the same except for centres on an edge, but tests each pixel and takes many times as long.

    Parameters
    ----------
    polygons
        float64 (polygons, vertices, 2), (row, col).
    shape
        (rows, cols) of the image.

    Yields
    ------
    box : tuple of slice
        Box of the polygon in the image.
    mask : ndarray
        bool; the polygon in that box.
    """
    low = np.maximum(np.floor(polygons.min(axis=1)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(polygons.max(axis=1)).astype(int) + 2, shape)
    tall, wide = np.maximum(high - low, 0).T
    start = polygons - low[:, None]
    end = np.concatenate([start[:, 1:], start[:, :1]], axis=1)
    # the rows that each edge crosses: from its upper end, excluding its lower end
    upper, lower = (
        np.ceil(pick(start[:, :, 0], end[:, :, 0])).clip(0, tall[:, None]).astype(int)
        for pick in (np.minimum, np.maximum)
    )
    crossed = lower - upper
    side = np.repeat(np.arange(crossed.size), crossed.ravel())
    before = np.cumsum(crossed) - crossed.ravel()
    row = upper.ravel()[side] + np.arange(side.size) - before[side]
    (start_row, start_col), (end_row, end_col) = (
        ends.reshape(-1, 2)[side].T for ends in (start, end)
    )
    col = np.ceil(start_col + (row - start_row) / (end_row - start_row) * (end_col - start_col))
    width = wide[side // crossed.shape[1]]
    place = row * (width + 1) + col.astype(int).clip(0, width)
    by_polygon = np.split(place, np.cumsum(crossed.sum(axis=1)))[:-1]
    for (top, left), rows, cols, crossings in zip(
        low.tolist(), tall.tolist(), wide.tolist(), by_polygon, strict=True
    ):
        changes = np.bincount(crossings, minlength=rows * (cols + 1)).reshape(rows, cols + 1)
        inside = np.bitwise_xor.accumulate((changes[:, :cols] & 1).astype(np.bool_), axis=1)
        yield np.s_[top : top + rows, left : left + cols], inside


def blur_to_scale(image: FloatImage, radius: float) -> FloatImage:
    """Remove details that are too fine for an outline of this radius."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.6, 0.1 * radius)), np.float32)


def _directions() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sines (rows) and cosines (columns) of the rays' angles."""
    angles = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES)
    return np.sin(angles), np.cos(angles)
