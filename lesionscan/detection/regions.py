"""Image + bone -> labelled dark regions: blobs at every scale, each with its own outline.

A blob is a place that is darker than its surroundings in every direction: a maximum, over place
and scale, of the smaller eigenvalue of the Hessian (Lindeberg, IJCV 1998;30:79). Lines such as the
medullary canal have one eigenvalue near 0 and drop out. The outline is the closed path around the
blob with the steepest step from dark to bright, found by dynamic programming in polar coordinates
(Timp and Karssemeijer, Med Phys 2004;31:958): it cannot leak through a gap in the rim, as level
sets do, and crosses septa inside a lesion.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from lesionscan.detection.morphology import largest_component
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage

_ANGLES = 48
"""Directions in which a blob's edge is sought; divisible by 4, so that turns change nothing."""
_STEPS = 40
"""Radii tried in each direction."""
_NEAREST, _FARTHEST = 0.35, 2.2
"""Range of these radii, in blob radii."""
_EDGE_REACH = 0.22
"""Distance over which brightness inside and outside the edge is compared, in blob radii."""
_BEND = 0.2
"""Cost of a change of radius by one step between neighbouring directions, in mean edge steps."""
_SMALLEST_AREA_PX = 6
"""Smaller regions are noise."""
_WEAKEST_BLOB = 0.002
"""Least scale-normalised eigenvalue, in units of the image's range: below it is rounding."""
_MOST_PER_SCALE = 150
"""Blobs outlined at one scale."""
_UNEVEN = 0.3
"""What unevenness inside takes from a region's salience, in standard deviations: without it two
neighbouring holes are outlined as one."""
_WEAK_SHARE = 0.15
"""Quantile of the directions that counts as the weakest side: 7 of 48 may be open."""
_OVERLAP = 0.3
"""Share of the smaller region that two regions may have in common; beyond it the weaker goes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Blob:
    row: float
    col: float
    radius: float
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class _Outline:
    polygon: NDArray[np.float64]
    salience: float


def find_dark_regions(
    image: FloatImage,
    inner: FloatImage,
    search: BoolImage,
    *,
    radii_px: NDArray[np.float64],
    most: int,
) -> LabelImage:
    """Find and outline dark regions.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    inner
        The same, continued smoothly outside bone (`fill_outside`).
    search
        bool (rows, cols); where regions may lie.
    radii_px
        float64 (n,), radii looked for, in pixels.
    most
        Largest number of regions returned.

    Returns
    -------
    ndarray
        int32 (rows, cols); 0 = background, 1 = the most salient region, and so on.
    """
    labels: LabelImage = np.zeros(image.shape, np.int32)
    if not search.any():
        return labels
    outlines = [
        outline
        for radius in radii_px
        for outline in _outlines(image, inner, _find_blobs(inner, search, float(radius)))
    ]
    outlines.sort(key=lambda o: -o.salience)
    label = 0
    for outline in outlines:
        top, left, mask = _drawn(outline.polygon, image.shape)
        rows, cols = mask.shape
        box = np.s_[top : top + rows, left : left + cols]
        mask &= search[box]
        area = np.count_nonzero(mask)
        covered = np.bincount(labels[box][mask], minlength=1)
        if area < _SMALLEST_AREA_PX or covered[1:].sum() > _OVERLAP * area:
            continue
        if _swallows(labels, covered):
            continue
        label += 1
        labels[box][largest_component(mask & (labels[box] == 0))] = label
        if label == most:
            break
    return labels


def _swallows(labels: LabelImage, covered: NDArray[np.int64]) -> bool:
    """Say whether a new region would hold too much of one that is already there."""
    for other in np.flatnonzero(covered[1:]) + 1:
        if covered[other] > _OVERLAP * np.count_nonzero(labels == other):
            return True
    return False


def _drawn(polygon: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int, BoolImage]:
    """Rasterise a polygon of (row, col) vertices; return its box's corner and its mask."""
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 2, shape)
    inside = polygon2mask((high[0] - low[0], high[1] - low[1]), polygon - low)
    return int(low[0]), int(low[1]), inside


def fill_outside(image: FloatImage, search: BoolImage) -> FloatImage:
    """Continue the bone's brightness beyond its edge.

    Air and soft tissue would otherwise be the darkest regions of all, and a lesion that reaches
    the bone's edge would run out into them.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    search
        bool (rows, cols); what to keep as it is.
    """
    if not search.any():
        return image
    weight = search.astype(np.float32)
    filled = np.where(search, image, 0.0).astype(np.float32)
    missing = ~search
    for share in (0.01, 0.03, 0.1, 0.4):
        sigma = share * max(image.shape)
        factor = max(1, int(sigma // 6))
        size = (-(-image.shape[1] // factor), -(-image.shape[0] // factor))
        near, total = (
            cv2.GaussianBlur(
                cv2.resize(array, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / factor
            )
            for array in (weight, weight * image)
        )
        mean = cv2.resize(total / np.maximum(near, 1e-6), image.shape[::-1])
        near = cv2.resize(near, image.shape[::-1])
        reached = missing & (near > 0.02)
        filled[reached] = mean[reached]
        missing &= ~reached
    filled[missing] = float(image[search].mean())
    return filled


def _find_blobs(inner: FloatImage, search: BoolImage, radius: float) -> list[_Blob]:
    """Find the local maxima of the Hessian's smaller eigenvalue at one scale."""
    sigma = radius / np.sqrt(2.0)  # a disk of this radius answers most at this sigma
    strength = _smaller_eigenvalue(inner, sigma, factor=max(1, int(sigma // 3)))
    peak = strength >= cv2.dilate(strength, np.ones((3, 3), np.uint8))
    rows, cols = np.nonzero(peak & (strength > _WEAKEST_BLOB))
    scale = np.array(inner.shape) / np.array(strength.shape)
    found = []
    for r, c in zip(rows, cols, strict=True):
        row, col = (r + 0.5) * scale[0] - 0.5, (c + 0.5) * scale[1] - 0.5
        if search[int(np.rint(row)), int(np.rint(col))]:
            found.append(_Blob(float(row), float(col), radius, float(strength[r, c])))
    # the strongest of one scale are enough; place breaks ties, so that the order is always the same
    found.sort(key=lambda b: (-b.strength, b.row, b.col))
    return found[:_MOST_PER_SCALE]


def _smaller_eigenvalue(inner: FloatImage, sigma: float, factor: int) -> FloatImage:
    """Return sigma^2 times the Hessian's smaller eigenvalue, on a grid reduced by `factor`."""
    if factor > 1:
        size = (-(-inner.shape[1] // factor), -(-inner.shape[0] // factor))
        inner = np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), np.float32)
    sigma = sigma / factor
    smooth = cv2.GaussianBlur(inner, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    row_row = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4.0
    col_col = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4.0
    row_col = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4.0
    half_sum = 0.5 * (row_row + col_col)
    half_gap = np.sqrt(0.25 * (row_row - col_col) ** 2 + row_col**2)
    return np.asarray(sigma**2 * (half_sum - half_gap), np.float32)


def _outlines(image: FloatImage, inner: FloatImage, blobs: list[_Blob]) -> list[_Outline]:
    """Outline all blobs of one scale at once."""
    if not blobs:
        return []
    radius = blobs[0].radius
    steps = radius * np.linspace(_NEAREST, _FARTHEST, _STEPS)
    angles = (np.arange(_ANGLES) + 0.5) * (2 * np.pi / _ANGLES)
    centres = np.array([(b.row, b.col) for b in blobs])
    directions = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    # (blobs, angles, steps) grids of rows and columns
    rows = centres[:, 0, None, None] + directions[None, :, 0, None] * steps
    cols = centres[:, 1, None, None] + directions[None, :, 1, None] * steps
    blurred = _blur_to_scale(inner, radius)
    profile = _sample(blurred, rows, cols)
    best = _steepest_path(_edge_steps(profile))
    film = _sample(_blur_to_scale(image, radius), rows, cols)
    polygons = centres[:, None, :] + steps[best][:, :, None] * directions[None]
    weakest = _weakest_side(film, best)
    size = np.sqrt((steps[best] ** 2).mean(axis=1))
    # the whole lesion rather than its darkest spot: contrast times size
    salience = weakest * size
    return [
        _Outline(polygon=polygon, salience=float(value))
        for polygon, value in zip(polygons, salience, strict=True)
    ]


def _blur_to_scale(image: FloatImage, radius: float) -> FloatImage:
    """Blur away what is finer than a blob of this radius needs."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.6, 0.1 * radius)), np.float32)


def _sample(
    image: FloatImage, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate an image linearly at (blobs, angles, steps); beyond its border, its edge."""
    blobs, angles, steps = rows.shape
    chunk = 32_000 // angles  # cv2.remap takes at most 32767 rows
    sampled = [
        cv2.remap(
            image,
            cols[i : i + chunk].reshape(-1, steps).astype(np.float32),
            rows[i : i + chunk].reshape(-1, steps).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for i in range(0, blobs, chunk)
    ]
    return np.asarray(np.concatenate(sampled), np.float32).reshape(rows.shape)


def _edge_steps(profile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return, for every radius, brightness just outside minus just inside."""
    step = (_FARTHEST - _NEAREST) / (_STEPS - 1)
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


def _steepest_path(edge: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return, per blob and angle, the index of the radius on the closed path of steepest steps.

    Three turns are made and the middle one kept, so that where the path starts has no say.
    """
    blobs, angles, steps = edge.shape
    unit = np.maximum(edge.max(axis=2).mean(axis=1), 1e-4)
    gain = edge / unit[:, None, None]
    shifts = np.arange(-2, 3)
    value = gain[:, 0].copy()
    came_from = np.zeros((3 * angles, blobs, steps), np.int8)
    for turn in range(1, 3 * angles):
        padded = np.pad(value, ((0, 0), (2, 2)), constant_values=-np.inf)
        options = np.stack([padded[:, 2 + s : 2 + s + steps] - _BEND * abs(int(s)) for s in shifts])
        choice = options.argmax(axis=0)
        came_from[turn] = shifts[choice]
        value = np.take_along_axis(options, choice[None], axis=0)[0] + gain[:, turn % angles]
    at = value.argmax(axis=1)
    path = np.zeros((blobs, angles), np.int64)
    every = np.arange(blobs)
    for turn in range(3 * angles - 1, angles - 1, -1):
        if turn < 2 * angles:
            path[:, turn - angles] = at
        at = at + came_from[turn, every, at]
    return path


def _weakest_side(film: NDArray[np.float32], best: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much brighter the surroundings are on the sides where they are so least.

    A hole is enclosed on all sides; a canal, a joint gap or a notch in the outline is not.
    """
    steps = np.arange(_STEPS)
    relative = np.linspace(_NEAREST, _FARTHEST, _STEPS)
    reach = relative[best][:, :, None]
    inside = relative < 0.9 * reach
    ring = (relative > 1.05 * reach) & (relative <= np.maximum(1.5 * reach, reach + 0.25))
    ring |= (steps == _STEPS - 1) & ~ring.any(axis=2, keepdims=True)
    weight = inside * relative  # every radius stands for a ring of pixels
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    level = (film * weight).sum(axis=(1, 2)) / total
    spread = np.sqrt(np.maximum((film**2 * weight).sum(axis=(1, 2)) / total - level**2, 0.0))
    # the brightest just outside: a thin cortex encloses as well as thick bone does
    around = np.where(ring, film, -np.inf).max(axis=2)
    weakest = np.quantile(around, _WEAK_SHARE, axis=1) - level
    return np.asarray(weakest - _UNEVEN * spread, np.float64)
