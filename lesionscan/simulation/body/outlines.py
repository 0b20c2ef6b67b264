"""Smooth closed outlines in millimetres and the signed distance to them."""

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from lesionscan.simulation.fields import Field, Mask, Window

Points = tuple[tuple[float, float], ...]


def closed_curve(points: Field, *, per_segment: int = 10) -> Field:
    """Return a smooth closed polygon (n, 2) through control points (m, 2), in the same unit.

    Centripetal chord lengths prevent overshoot of the spline between uneven control points.
    """
    ring = np.vstack([points, points[:1]])
    steps = np.sqrt(np.hypot(*np.diff(ring, axis=0).T))
    knots = np.concatenate([[0.0], np.cumsum(steps)])
    fractions = np.arange(per_segment) / per_segment
    at = (knots[:-1, None] + steps[:, None] * fractions[None, :]).ravel()
    return np.asarray(CubicSpline(knots, ring, bc_type="periodic")(at), dtype=np.float64)


def place(
    points: Points,
    *,
    origin_mm: tuple[float, float],
    angle_deg: float,
    scale: float = 1.0,
    bow_mm: float = 0.0,
) -> Field:
    """Convert local (along, across) points in mm to image (x, y) points in mm.

    At 0 degrees "along" points down the image and "across" to the right; positive angles rotate
    clockwise on the screen about the end of the bone at the origin. `bow_mm` bends the axis
    sideways by that much in the middle (real femora and forearms are not straight).
    """
    along, across = np.array(points, dtype=np.float64).T * scale
    span = max(float(np.ptp(along)), 1e-9)
    t = (along - along.min()) / span
    across = across + bow_mm * 4.0 * t * (1.0 - t)
    angle = np.deg2rad(angle_deg)
    x = origin_mm[0] - along * np.sin(angle) + across * np.cos(angle)
    y = origin_mm[1] + along * np.cos(angle) + across * np.sin(angle)
    return np.column_stack([x, y])


def inside(polygon_mm: Field, window: Window) -> Mask:
    """Return the pixels of `window` whose centres are inside a polygon (n, 2: x, y, in mm)."""
    rows, cols = window.shape
    spacing = window.grid.spacing_mm
    x = polygon_mm[:, 0] / spacing - 0.5 - window.left
    y = polygon_mm[:, 1] / spacing - 0.5 - window.top
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    # even-odd rule by rows: every edge inverts the row to the right of the crossing
    first = np.clip(np.ceil(np.minimum(y, y2)).astype(int), 0, rows)
    last = np.clip(np.ceil(np.maximum(y, y2)).astype(int), 0, rows)
    count = last - first
    edge = np.repeat(np.arange(x.size), count)
    row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    run, rise = (x2 - x)[edge], (y2 - y)[edge]
    crossing = x[edge] + (row - y[edge]) * run / rise
    flips = np.zeros((rows, cols + 1), dtype=np.int64)
    np.add.at(flips, (row, np.clip(np.ceil(crossing), 0, cols).astype(int)), 1)
    return np.asarray(np.cumsum(flips[:, :cols], axis=1) % 2 == 1, dtype=np.bool_)


def signed_distance_mm(window: Window, outline_mm: Field, hole_mm: Field | None = None) -> Field:
    """Return the distance to an outline in mm, positive inside it and outside its hole.

    A distance transform alone has an accuracy of a pixel, which would give a serrated cortex.
    Within 2 px of the outline, distances are therefore measured to the polygon itself; further
    away, the distance to the nearest pixel across the edge is corrected by that pixel's distance.
    """
    spacing = window.grid.spacing_mm
    mask = inside(outline_mm, window)
    if hole_mm is not None:
        mask &= ~inside(hole_mm, window)
    if mask.all() or not mask.any():
        return np.full(window.shape, 1e3 if mask.all() else -1e3)
    curves = [outline_mm] if hole_mm is None else [outline_mm, hole_mm]
    corner = np.array([window.left, window.top]) + 0.5
    tree = cKDTree(np.vstack([_dense(curve / spacing - corner) for curve in curves]))
    distance = np.zeros(window.shape)
    for side, sign in ((mask, 1.0), (~mask, -1.0)):
        across, nearest = ndimage.distance_transform_edt(side, return_indices=True)
        rim = ~side & ndimage.binary_dilation(side, structure=np.ones((3, 3), dtype=np.bool_))
        own = np.zeros(window.shape)
        own[rim] = _to_curve(tree, rim)
        value = across - own[tuple(nearest)]
        close = side & (across <= 2.0)
        value[close] = _to_curve(tree, close)
        distance[side] = sign * value[side]
    smooth = ndimage.gaussian_filter(distance, 0.6, mode="nearest", truncate=3.0)
    return np.asarray(smooth * spacing, dtype=np.float64)


def distance_beyond_mm(
    window: Window, outline_mm: Field, hole_mm: Field | None = None, *, beyond_mm: float
) -> Field:
    """Return `signed_distance_mm`, including edges up to `beyond_mm` outside the picture.

    Otherwise skin or skull just outside the picture would be treated as far away.
    """
    grid, more = window.grid, int(np.ceil(beyond_mm / window.grid.spacing_mm))
    wide = Window(
        grid,
        window.top - more * (window.top == 0),
        window.bottom + more * (window.bottom == grid.rows),
        window.left - more * (window.left == 0),
        window.right + more * (window.right == grid.cols),
    )
    top, left = window.top - wide.top, window.left - wide.left
    distance = signed_distance_mm(wide, outline_mm, hole_mm)
    return distance[top : top + window.shape[0], left : left + window.shape[1]]


def _dense(curve_px: Field) -> Field:
    """Return points at most 0.1 px apart along a closed polygon, in pixels."""
    step = np.roll(curve_px, -1, axis=0) - curve_px
    count = np.ceil(np.hypot(step[:, 0], step[:, 1]) * 10.0).astype(int) + 1
    segment = np.repeat(np.arange(len(curve_px)), count)
    place_in = np.arange(segment.size) - np.repeat(np.cumsum(count) - count, count)
    weight = (place_in / count[segment])[:, None]
    return np.asarray(curve_px[segment] + weight * step[segment], dtype=np.float64)


def _to_curve(tree: cKDTree, pixels: Mask) -> Field:
    """Return the distance of the chosen pixels to the nearest point of the curve, in pixels."""
    rows, cols = np.nonzero(pixels)
    found, _ = tree.query(np.column_stack([cols, rows]).astype(np.float64))
    return np.asarray(found, dtype=np.float64)
