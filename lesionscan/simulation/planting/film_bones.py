"""Bones of a real film from their outlines: pieces, axes and half widths, in pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from skimage.morphology import skeletonize

from lesionscan.simulation.fields import Field, Mask

LEAST_HALF_WIDTH_PX = 4.0
"""In bones under 8 px wide, a lesion and its margin are not resolved."""
_EIGHT = np.ones((3, 3), dtype=np.bool_)
_STEPS_ACROSS = 16
"""Half width of the widest bone on the grid for tracing axes; a finer one gives the same axes."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The axis of a bone.

    Attributes
    ----------
    points_px
        (n, 2), row and column of points midway between the bone's sides.
    directions
        (n, 2), unit vectors (row, col) along the bone, towards the last point.
    half_widths_px
        (n,), half of the bone's width across the axis.
    to_ends_px
        (n, 2), distance along the axis to the bone's surface at its first and its last end.
    real_ends
        Whether the first and the last end are ends of the bone, not places where the picture or the
        outline cuts a shaft.
    """

    points_px: Field
    directions: Field
    half_widths_px: Field
    to_ends_px: Field
    real_ends: tuple[bool, bool]

    def enlarged(self, factor: int) -> "Axis":
        """Return the axis on a grid with pixels smaller by `factor`."""
        return Axis(
            points_px=(self.points_px + 0.5) * factor - 0.5,
            directions=self.directions,
            half_widths_px=self.half_widths_px * factor,
            to_ends_px=self.to_ends_px * factor,
            real_ends=self.real_ends,
        )


def join_pieces(outlined: Mask, bright: Mask) -> Mask:
    """Close gaps between pieces of the outlined bone, and small holes.

    Outlines are often drawn in pieces (shaft, metaphysis, epiphysis) with gaps of a few pixels.
    Gaps and notches of up to 2.4 % of the long side are closed if they are as bright as bone, so
    that joint gaps stay open.

    Parameters
    ----------
    outlined
        bool (rows, cols).
    bright
        bool (rows, cols); pixels brighter than the mean of soft tissue and bone.
    """
    radius = max(2, round(0.012 * max(outlined.shape)))
    # padded, since bones continue beyond the border
    padded = np.pad(outlined, 2 * radius, mode="edge")
    near = ndimage.distance_transform_edt(~padded) <= radius
    closed = ndimage.distance_transform_edt(near) > radius
    inner = (slice(2 * radius, -2 * radius), slice(2 * radius, -2 * radius))
    return without_pinholes(outlined | (closed[inner] & bright))


def without_pinholes(bone: Mask) -> Mask:
    """Fill small holes of a bone mask, but not holes of the size of a foramen."""
    holes, count = ndimage.label(ndimage.binary_fill_holes(bone) & ~bone)
    areas = np.bincount(holes.ravel(), minlength=count + 1)
    largest = 4.0 * max(2.0, 0.012 * max(bone.shape)) ** 2
    return np.asarray(bone | ((holes > 0) & (areas[holes] <= largest)), dtype=np.bool_)


def trace_axes(bone: Mask) -> tuple[Axis, ...]:
    """Trace the axes of all bones that are wide enough, the longest of each piece first.

    An axis is the longest path through the skeleton; uncovered parts of the skeleton give further
    axes (fingers in one outline, a trochanter). Near its ends the skeleton bends into a corner, so
    the axis is extended in a straight line there.

    Parameters
    ----------
    bone
        bool (rows, cols).
    """
    widest = float(ndimage.distance_transform_edt(np.pad(bone, 1)).max())
    if widest < LEAST_HALF_WIDTH_PX:
        return ()
    step = max(1, round(widest / _STEPS_ACROSS))
    rows, cols = bone.shape
    padded = np.pad(bone, ((0, -rows % step), (0, -cols % step)))
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    small = np.asarray(blocks.mean(axis=(1, 3)) >= 0.5, dtype=np.bool_)
    # padded: the picture's border is not a surface of the bone, and axes of cut shafts reach it
    reach = int(widest / step) + 2
    wide = np.pad(small, reach, mode="edge")
    depth = ndimage.distance_transform_edt(np.pad(wide, 1))[1:-1, 1:-1]
    inner = (slice(reach, -reach), slice(reach, -reach))
    skeleton = skeletonize(wide)[inner]
    depth = depth[inner]
    axes = []
    for path in _paths(skeleton, depth):
        axis = _axis(path, depth, small, step=step)
        if axis is not None:
            axes.append(axis)
    return tuple(axes)


def _paths(skeleton: Mask, depth: Field) -> list[NDArray[np.int64]]:
    """Return paths (n, 2: row, col) that cover a skeleton, longest first."""
    left = skeleton & (depth >= 2.0)
    paths: list[NDArray[np.int64]] = []
    while left.any() and len(paths) < 40:
        pieces, count = ndimage.label(left, _EIGHT)
        for number in range(1, count + 1):
            path = _longest_path(np.argwhere(pieces == number))
            deep = depth[path[:, 0], path[:, 1]]
            length = float(np.hypot(*np.diff(path, axis=0).T).sum())
            # shorter paths are side branches towards corners
            if length >= 2.0 * float(np.median(deep)):
                paths.append(path)
            left[pieces == number] = False
            covered = np.zeros_like(left)
            covered[path[:, 0], path[:, 1]] = True
            away, nearest = ndimage.distance_transform_edt(~covered, return_indices=True)
            rest = (pieces == number) & (away > 1.2 * depth[tuple(nearest)])
            left |= rest
            if not rest.any():
                continue
            break
    return paths


def _longest_path(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the longest of the shortest paths between pixels (n, 2) of a skeleton, in order."""
    low = pixels.min(axis=0)
    size = pixels.max(axis=0) - low + 3
    # 32-bit indices: dijkstra of SciPy 1.13 accepts no others
    index = np.full((int(size[0]), int(size[1])), -1, dtype=np.int32)
    row, col = (pixels - low + 1).T
    index[row, col] = np.arange(len(pixels), dtype=np.int32)
    starts, stops, lengths = [], [], []
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = index[row + dr, col + dc]
        linked = other >= 0
        starts.append(np.flatnonzero(linked).astype(np.int32))
        stops.append(other[linked])
        lengths.append(np.full(int(linked.sum()), float(np.hypot(dr, dc))))
    graph = csr_array(
        (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(stops))),
        shape=(len(pixels), len(pixels)),
    )
    first = int(np.argmax(dijkstra(graph, directed=False, indices=0)))
    distance, before = dijkstra(graph, directed=False, indices=first, return_predecessors=True)
    path = [int(np.argmax(distance))]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return pixels[path[::-1]]


def _axis(path: NDArray[np.int64], depth: Field, small: Mask, *, step: int) -> Axis | None:
    """Return the axis along a skeleton path; None if the bone is too thin or too short."""
    deep = depth[path[:, 0], path[:, 1]]
    width = float(np.median(deep))
    smooth = ndimage.gaussian_filter1d(path.astype(np.float64), 0.5 * width, axis=0, mode="nearest")
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(smooth, axis=0).T))])
    # near an end the skeleton bends into a corner, over about its depth there
    start, stop = 0.8 * float(deep[:6].max()), arc[-1] - 0.8 * float(deep[-6:].max())
    if stop - start < 0.5 * width:
        start, stop = 0.35 * arc[-1], 0.65 * arc[-1]
    kept = (arc >= start) & (arc <= stop)
    if kept.sum() < 3:
        return None
    points = smooth[kept]
    reach = max(1, int(0.8 * width))
    ahead = np.minimum(np.arange(len(points)) + reach, len(points) - 1)
    behind = np.maximum(np.arange(len(points)) - reach, 0)
    along = points[ahead] - points[behind]
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    points, along, ends = _straight_on(points, along, small)
    across = np.column_stack([-along[:, 1], along[:, 0]])
    limit = 1.7 * ndimage.map_coordinates(depth, points.T, order=1, mode="nearest")
    right, left = _reach(small, points, across, limit), _reach(small, points, -across, limit)
    half = 0.5 * (right + left)
    points = points + 0.5 * (right - left)[:, None] * across
    if float(np.median(half)) * step < LEAST_HALF_WIDTH_PX:
        return None
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    to_ends = np.column_stack([arc + ends[0], arc[-1] - arc + ends[1]])
    flared = np.array([half[: max(3, len(half) // 6)].max(), half[-max(3, len(half) // 6) :].max()])
    tips = np.array([points[0] - along[0] * ends[0], points[-1] + along[-1] * ends[1]])
    margin = 0.02 * max(small.shape) + 1.0
    inside = ((tips > margin) & (tips < np.array(small.shape) - 1.0 - margin)).all(axis=1)
    # a joint end is wider than the shaft, a cut end is not
    real = inside & (flared > 1.15 * float(np.median(half)))
    return Axis(points, along, half, to_ends, (bool(real[0]), bool(real[1]))).enlarged(step)


def _straight_on(points: Field, along: Field, small: Mask) -> tuple[Field, Field, Field]:
    """Extend an axis straight towards the bone's surface at both ends, except for the last 0.3.

    Returns the points, their directions, and the remaining distance to the surface at both ends.
    """
    far = np.full(1, float(max(small.shape)))
    first = float(_reach(small, points[:1], -along[:1], far)[0])
    last = float(_reach(small, points[-1:], along[-1:], far)[0])
    before = points[0] - along[0] * np.arange(int(0.7 * first), 0, -1)[:, None]
    after = points[-1] + along[-1] * np.arange(1, int(0.7 * last) + 1)[:, None]
    directions = np.vstack(
        [np.repeat(along[:1], len(before), 0), along, np.repeat(along[-1:], len(after), 0)]
    )
    ends = np.array([first - len(before), last - len(after)])
    return np.vstack([before, points, after]), directions, ends


def _reach(small: Mask, points: Field, directions: Field, limit: Field) -> Field:
    """Return the distance from points to the edge of a mask in a direction, at most `limit`."""
    steps = np.arange(0.0, float(limit.max()) + 0.5, 0.5)
    at = points[:, None, :] + directions[:, None, :] * steps[None, :, None]
    row = np.rint(at[..., 0]).astype(np.int64)
    col = np.rint(at[..., 1]).astype(np.int64)
    seen = (row >= 0) & (col >= 0) & (row < small.shape[0]) & (col < small.shape[1])
    inside = seen & small[np.where(seen, row, 0), np.where(seen, col, 0)]
    inside &= steps[None, :] <= limit[:, None]
    inside[:, -1] = False
    return np.asarray(np.maximum(steps[np.argmin(inside, axis=1)] - 0.25, 0.0), dtype=np.float64)
