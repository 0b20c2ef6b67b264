"""Find and outline dark regions in bone: blobs at several scales.

A blob is darker than its surroundings in all directions: a maximum, over place and scale, of the
smaller eigenvalue of the Hessian (Lindeberg, IJCV 1998;30:79). Lines such as the medullary canal
have one eigenvalue near 0 and are not found. The outline is the closed path around the blob with
the steepest steps from dark to bright (`outlines`).
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
"""Range of the outline's radius, in blob radii."""
_BEND = 0.2
"""Cost of a change of radius by one step between neighbouring directions, in mean edge steps."""
_SMALLEST_AREA_PX = 6
"""Smaller regions are noise."""
_MIN_STRENGTH = 0.002
"""Least scale-normalised eigenvalue, in units of the image's range; less is rounding."""
_MAX_PER_SCALE = 40
"""Largest number of blobs outlined per scale."""
_PIXEL_SIZE = 0.25
"""Size of the pixels at a scale, in blob radii, if larger than the image's."""
_UNEVEN = 0.3
"""Weight of the standard deviation inside, which lowers the salience of a region; without it, two
neighbouring holes are outlined as one."""
_WEAK_SHARE = 0.15
"""Quantile of the directions that counts as the weakest side: 7 of 48 may be open."""
_BASE_LUCENCY = 0.002
"""Added to the lucency, so that blobs missed by the network are ranked too."""
_OVERLAP = 0.3
"""Largest share of the smaller of two regions that they may have in common."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rays:
    """The blobs of one scale and the profiles along their rays.

    Attributes
    ----------
    centres
        float64 (blobs, 2), (row, col), the best blob first.
    radii
        float64 (STEPS,), in pixels.
    edge, film
        float32 (blobs, ANGLES, STEPS): edge steps in the image continued outside bone, and
        brightness of the image.
    lucency
        float32 (blobs,): mean lucency at the centre.
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
    max_regions: int,
) -> LabelImage:
    """Find and outline further dark regions.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    inner
        The same, continued smoothly outside bone (`fill_outside`).
    lucency
        float32 (rows, cols) in [0, 1]; the lucency map, which influences the order of the regions.
    search
        bool (rows, cols); where regions may lie.
    found
        int32 (rows, cols); the regions found before, numbered from 1. They keep their labels and
        their pixels.
    radii_px
        float64 (n,), blob radii, in pixels.
    max_regions
        Largest number of regions returned, those in `found` included.

    Returns
    -------
    ndarray
        int32 (rows, cols); 0 = background, then the regions in `found`, then the new ones, the
        most salient first.
    """
    labels: LabelImage = found.copy()
    if not search.any():
        return labels
    label = int(found.max())
    areas = np.bincount(labels.ravel(), minlength=max_regions + 1)
    scales = [_rays(image, inner, lucency, search, float(radius)) for radius in radii_px]
    outlines = _outlines([rays for rays in scales if rays is not None])
    for box, mask in filled(outlines, image.shape):
        if label >= max_regions:
            break
        mask &= search[box]
        covered = np.bincount(labels[box][mask], minlength=max_regions + 1)
        area = covered.sum()
        covered[0] = 0
        if area < _SMALLEST_AREA_PX or covered.sum() > _OVERLAP * area:
            continue
        if (covered > _OVERLAP * areas).any():  # covers too much of an earlier region
            continue
        label += 1
        own = largest_component(mask & (labels[box] == 0))
        labels[box][own] = label
        areas[label] = np.count_nonzero(own)
    return labels


def fill_outside(image: FloatImage, search: BoolImage) -> FloatImage:
    """Continue the brightness of bone smoothly outside it.

    Otherwise air and soft tissue would be the darkest regions, and a lesion at the edge of bone
    would leak into them.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    search
        bool (rows, cols); the pixels to keep.
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
    """Return the vertices of all outlines, (outlines, ANGLES, 2), the most salient first."""
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
    # contrast times size prefers the whole lesion to its darkest spot
    film = np.concatenate([rays.film for rays in scales])
    salience = _weakest_side(film, paths) * np.concatenate(size)
    salience *= _BASE_LUCENCY + np.concatenate([rays.lucency for rays in scales])
    return np.concatenate(corners)[np.argsort(-salience, kind="stable")]


def _rays(
    image: FloatImage, inner: FloatImage, lucency: FloatImage, search: BoolImage, radius: float
) -> _Rays | None:
    """Find the blobs of one scale and sample the rays around them; None without any."""
    # details finer than the scale only add noise and time
    factor = max(1, int(_PIXEL_SIZE * radius))
    image, inner, lucency = (reduced(one, factor) for one in (image, inner, lucency))
    scale = np.array(search.shape) / np.array(inner.shape)
    centres, lucent = _find_blobs(inner, lucency, search, scale, radius=radius / factor)
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
    return _Rays(centres, radii, edge, film, lucent)


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
        (rows, cols), pixels of `search` per pixel of `inner`.
    radius
        Blob radius in pixels of `inner`.

    Returns
    -------
    centres
        float64 (blobs, 2), (row, col) in pixels of `search`.
    lucent
        float32 (blobs,), mean lucency over the size of a blob.
    """
    # the response to a disk is strongest at this sigma
    strength = _smaller_eigenvalue(inner, sigma=radius / np.sqrt(2.0))
    peak = strength >= cv2.dilate(strength, np.ones((3, 3), np.uint8))
    peak &= strength > _MIN_STRENGTH
    centres = (np.argwhere(peak) + 0.5) * scale - 0.5
    rows, cols = np.rint(centres).astype(int).T
    inside = search[rows, cols]
    width = 2 * round(0.5 * radius) + 1
    lucent = cv2.blur(lucency, (width, width))[peak][inside]
    # a stable sort: the upper left one of equally good blobs is first
    rank = strength[peak][inside] * (_BASE_LUCENCY + lucent)
    best = np.argsort(-rank, kind="stable")[:_MAX_PER_SCALE]
    return centres[inside][best], lucent[best]


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
    """Return the brightness of the surroundings minus the inside, on the least bright sides.

    A hole is enclosed on all sides; a canal, a joint space or a notch in the outline is not.
    """
    relative = np.linspace(_NEAREST, _FARTHEST, STEPS, dtype=np.float32)
    reach = relative[best][:, :, None]
    # the area of a ring grows with its radius
    weight = np.where(relative < np.float32(0.9) * reach, relative, np.float32(0))
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    weighted = film * weight
    level = weighted.sum(axis=(1, 2)) / total
    weighted *= film
    spread = np.sqrt(np.maximum(weighted.sum(axis=(1, 2)) / total - level**2, 0.0))
    ring = relative <= np.maximum(np.float32(1.5) * reach, reach + np.float32(0.25))
    ring &= relative > np.float32(1.05) * reach
    ring[:, :, -1] |= ~ring.any(axis=2)
    # the maximum just outside, because a thin cortex encloses as well as thick bone does
    around = np.where(ring, film, -np.inf).max(axis=2)
    weakest = np.quantile(around, _WEAK_SHARE, axis=1) - level
    return np.asarray(weakest - _UNEVEN * spread, np.float64)
