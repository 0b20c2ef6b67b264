"""Image + bone -> labelled dark regions: blobs at every scale, each with its own outline.

A blob is a place that is darker than its surroundings in every direction: a maximum, over place
and scale, of the smaller eigenvalue of the Hessian (Lindeberg, IJCV 1998;30:79). Lines such as the
medullary canal have one eigenvalue near 0 and drop out. The outline is the closed path around the
blob with the steepest steps from dark to bright (`outlines`).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.morphology import largest_component
from lesionscan.detection.outlines import (
    STEPS,
    blur_to_scale,
    edge_steps,
    filled,
    ray_ends,
    sample,
    steepest_path,
    vertices,
)
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage

_NEAREST, _FARTHEST = 0.35, 2.2
"""Range of these radii, in blob radii."""
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
    found: LabelImage,
    radii_px: NDArray[np.float64],
    most: int,
) -> LabelImage:
    """Find and outline dark regions beside those that are known.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    inner
        The same, continued smoothly outside bone (`fill_outside`).
    search
        bool (rows, cols); where regions may lie.
    found
        int32 (rows, cols); regions found already, numbered from 1. They keep their numbers and
        their ground.
    radii_px
        float64 (n,), radii looked for, in pixels.
    most
        Largest number of regions returned, the known ones included.

    Returns
    -------
    ndarray
        int32 (rows, cols); 0 = background, then the known regions, then the most salient new one,
        and so on.
    """
    labels: LabelImage = found.copy()
    if not search.any():
        return labels
    outlines = _outlines(
        image, inner, [_find_blobs(inner, search, float(radius)) for radius in radii_px]
    )
    outlines.sort(key=lambda o: -o.salience)
    label = int(found.max())
    for outline in outlines:
        if label >= most:
            break
        box, mask = filled(outline.polygon, image.shape)
        mask &= search[box]
        area = np.count_nonzero(mask)
        covered = np.bincount(labels[box][mask], minlength=1)
        if area < _SMALLEST_AREA_PX or covered[1:].sum() > _OVERLAP * area:
            continue
        if _swallows(labels, covered):
            continue
        label += 1
        labels[box][largest_component(mask & (labels[box] == 0))] = label
    return labels


def _swallows(labels: LabelImage, covered: NDArray[np.int64]) -> bool:
    """Say whether a new region would hold too much of one that is already there."""
    for other in np.flatnonzero(covered[1:]) + 1:
        if covered[other] > _OVERLAP * np.count_nonzero(labels == other):
            return True
    return False


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


def _outlines(image: FloatImage, inner: FloatImage, scales: list[list[_Blob]]) -> list[_Outline]:
    """Outline the blobs of all scales; all paths are sought at once."""
    scales = [blobs for blobs in scales if blobs]
    if not scales:
        return []
    edges = []
    for blobs in scales:
        centres, radii = _rays(blobs)
        profile = sample(blur_to_scale(inner, blobs[0].radius), *ray_ends(centres, radii))
        edges.append(edge_steps(profile, nearest=_NEAREST, farthest=_FARTHEST))
    paths = steepest_path(np.concatenate(edges), bend=_BEND)
    outlines = []
    for blobs, best in zip(scales, _split(paths, scales), strict=True):
        centres, radii = _rays(blobs)
        film = sample(blur_to_scale(image, blobs[0].radius), *ray_ends(centres, radii))
        size = np.sqrt((radii[best] ** 2).mean(axis=1))
        # the whole lesion rather than its darkest spot: contrast times size
        salience = _weakest_side(film, best) * size
        outlines += [
            _Outline(polygon=polygon, salience=float(value))
            for polygon, value in zip(vertices(centres, radii, best), salience, strict=True)
        ]
    return outlines


def _rays(blobs: list[_Blob]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres (row, col) and radii of the rays of blobs of one scale."""
    radii = blobs[0].radius * np.linspace(_NEAREST, _FARTHEST, STEPS)
    return np.array([(blob.row, blob.col) for blob in blobs]), radii


def _split(paths: NDArray[np.int64], scales: list[list[_Blob]]) -> list[NDArray[np.int64]]:
    return np.split(paths, np.cumsum([len(blobs) for blobs in scales])[:-1])


def _weakest_side(film: NDArray[np.float32], best: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much brighter the surroundings are on the sides where they are so least.

    A hole is enclosed on all sides; a canal, a joint gap or a notch in the outline is not.
    """
    steps = np.arange(STEPS)
    relative = np.linspace(_NEAREST, _FARTHEST, STEPS)
    reach = relative[best][:, :, None]
    inside = relative < 0.9 * reach
    ring = (relative > 1.05 * reach) & (relative <= np.maximum(1.5 * reach, reach + 0.25))
    ring |= (steps == STEPS - 1) & ~ring.any(axis=2, keepdims=True)
    weight = inside * relative  # every radius stands for a ring of pixels
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    level = (film * weight).sum(axis=(1, 2)) / total
    spread = np.sqrt(np.maximum((film**2 * weight).sum(axis=(1, 2)) / total - level**2, 0.0))
    # the brightest just outside: a thin cortex encloses as well as thick bone does
    around = np.where(ring, film, -np.inf).max(axis=2)
    weakest = np.quantile(around, _WEAK_SHARE, axis=1) - level
    return np.asarray(weakest - _UNEVEN * spread, np.float64)
