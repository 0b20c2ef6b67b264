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

from lesionscan.detection.grid import reduced
from lesionscan.detection.morphology import largest_component
from lesionscan.detection.outlines import (
    ANGLES,
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
_MOST_PER_SCALE = 40
"""Blobs outlined at one scale."""
_FINEST = 0.25
"""Pixels in which a scale is looked at, in blob radii, where these are larger than the image's."""
_UNEVEN = 0.3
"""What unevenness inside takes from a region's salience, in standard deviations: without it two
neighbouring holes are outlined as one."""
_WEAK_SHARE = 0.15
"""Quantile of the directions that counts as the weakest side: 7 of 48 may be open."""
_UNSEEN = 0.002
"""Lucency that every place has: the network's say in the order is no more than that."""
_OVERLAP = 0.3
"""Share of the smaller region that two regions may have in common; beyond it the weaker goes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """Blobs of one scale: where their rays start and end, and what they meet.

    Attributes
    ----------
    centres
        float64 (blobs, 2), (row, col), the best blob first.
    radii
        float64 (STEPS,), in pixels.
    edge, film
        float32 (blobs, ANGLES, STEPS): steps of the continued bone's brightness, and brightness of
        the image.
    lucency
        float32 (blobs,): the lucency map there.
    """

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    edge: NDArray[np.float32]
    film: NDArray[np.float32]
    lucency: NDArray[np.float32]


def find_dark_regions(
    image: FloatImage,
    inner: FloatImage,
    lucency: FloatImage,
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
    lucency
        float32 (rows, cols) in [0, 1]; the scorer's lucency map, which has a say in what comes
        first, however faint it is.
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
    label = int(found.max())
    areas = np.bincount(labels.ravel(), minlength=most + 1)
    scales = [_rays(image, inner, lucency, search, float(radius)) for radius in radii_px]
    outlines = _outlines([rays for rays in scales if rays is not None])
    for box, mask in filled(outlines, image.shape):
        if label >= most:
            break
        mask &= search[box]
        covered = np.bincount(labels[box][mask], minlength=most + 1)
        area = covered.sum()
        covered[0] = 0
        if area < _SMALLEST_AREA_PX or covered.sum() > _OVERLAP * area:
            continue
        if (covered > _OVERLAP * areas).any():  # it would hold too much of one that is there
            continue
        label += 1
        own = largest_component(mask & (labels[box] == 0))
        labels[box][own] = label
        areas[label] = np.count_nonzero(own)
    return labels


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


def _outlines(scales: list[_Rays]) -> NDArray[np.float64]:
    """Return the corners of all blobs' outlines, (outlines, ANGLES, 2), the most salient first."""
    if not scales:
        return np.empty((0, ANGLES, 2))
    paths = steepest_path(np.concatenate([rays.edge for rays in scales]), bend=_BEND)
    first = np.cumsum([len(rays.centres) for rays in scales])[:-1]
    by_scale = np.split(paths, first)
    corners = [
        vertices(rays.centres, rays.radii, path)
        for rays, path in zip(scales, by_scale, strict=True)
    ]
    size = [
        np.sqrt((rays.radii[path] ** 2).mean(axis=1))
        for rays, path in zip(scales, by_scale, strict=True)
    ]
    # the whole lesion rather than its darkest spot: contrast times size
    film = np.concatenate([rays.film for rays in scales])
    salience = _weakest_side(film, paths) * np.concatenate(size)
    salience *= _UNSEEN + np.concatenate([rays.lucency for rays in scales])
    return np.concatenate(corners)[np.argsort(-salience, kind="stable")]


def _rays(
    image: FloatImage, inner: FloatImage, lucency: FloatImage, search: BoolImage, radius: float
) -> _Rays | None:
    """Find the blobs of one scale and look along the rays around them; None without any."""
    # what is finer than the scale needs costs time and adds noise
    factor = max(1, int(_FINEST * radius))
    image, inner, lucency = (reduced(one, factor) for one in (image, inner, lucency))
    scale = np.array(search.shape) / np.array(inner.shape)
    centres, seen = _find_blobs(inner, lucency, search, scale, radius=radius / factor)
    if not centres.size:
        return None
    radii = radius * np.linspace(_NEAREST, _FARTHEST, STEPS)
    rows, cols = ray_ends(centres, radii)
    if factor > 1:
        rows, cols = (
            (ends + np.float32(0.5)) / np.float32(part) - np.float32(0.5)
            for ends, part in zip((rows, cols), scale, strict=True)
        )
    bone, film = (sample(blur_to_scale(one, radius / factor), rows, cols) for one in (inner, image))
    edge = edge_steps(bone, nearest=_NEAREST, farthest=_FARTHEST)
    return _Rays(centres, radii, edge, film, seen)


def _find_blobs(
    inner: FloatImage,
    lucency: FloatImage,
    search: BoolImage,
    scale: NDArray[np.float64],
    *,
    radius: float,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Find the local maxima of the Hessian's smaller eigenvalue at one scale.

    Parameters
    ----------
    inner, lucency
        float32, reduced by `scale`.
    search
        bool (rows, cols), not reduced.
    scale
        Pixels of `search` per pixel of `inner`, down the rows and along them.
    radius
        Of the scale, in pixels of `inner`.

    Returns
    -------
    centres
        float64 (blobs, 2), (row, col) in pixels of `search`.
    seen
        float32 (blobs,), the lucency there as far as a blob of this scale reaches.
    """
    # a disk of this radius answers most at this sigma
    strength = _smaller_eigenvalue(inner, sigma=radius / np.sqrt(2.0))
    peak = strength >= cv2.dilate(strength, np.ones((3, 3), np.uint8))
    peak &= strength > _WEAKEST_BLOB
    centres = (np.argwhere(peak) + 0.5) * scale - 0.5
    rows, cols = np.rint(centres).astype(int).T
    inside = search[rows, cols]
    across = 2 * round(0.5 * radius) + 1
    seen = cv2.blur(lucency, (across, across))[peak][inside]
    # the best of one scale are enough; of equally good ones the upper, left one is first
    worth = strength[peak][inside] * (_UNSEEN + seen)
    best = np.argsort(-worth, kind="stable")[:_MOST_PER_SCALE]
    return centres[inside][best], seen[best]


def _smaller_eigenvalue(inner: FloatImage, sigma: float) -> FloatImage:
    """Return sigma^2 times the Hessian's smaller eigenvalue."""
    smooth = cv2.GaussianBlur(inner, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    row_row = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4.0
    col_col = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4.0
    row_col = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4.0
    half_sum = 0.5 * (row_row + col_col)
    half_gap = np.sqrt(0.25 * (row_row - col_col) ** 2 + row_col**2)
    return np.asarray(sigma**2 * (half_sum - half_gap), np.float32)


def _weakest_side(film: NDArray[np.float32], best: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much brighter the surroundings are on the sides where they are so least.

    A hole is enclosed on all sides; a canal, a joint gap or a notch in the outline is not.
    """
    relative = np.linspace(_NEAREST, _FARTHEST, STEPS, dtype=np.float32)
    reach = relative[best][:, :, None]
    # every radius stands for a ring of pixels
    weight = np.where(relative < np.float32(0.9) * reach, relative, np.float32(0))
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    weighted = film * weight
    level = weighted.sum(axis=(1, 2)) / total
    weighted *= film
    spread = np.sqrt(np.maximum(weighted.sum(axis=(1, 2)) / total - level**2, 0.0))
    ring = relative <= np.maximum(np.float32(1.5) * reach, reach + np.float32(0.25))
    ring &= relative > np.float32(1.05) * reach
    ring[:, :, -1] |= ~ring.any(axis=2)
    # the brightest just outside: a thin cortex encloses as well as thick bone does
    around = np.where(ring, film, -np.inf).max(axis=2)
    weakest = np.quantile(around, _WEAK_SHARE, axis=1) - level
    return np.asarray(weakest - _UNEVEN * spread, np.float64)
