"""Decompose a real film: level of the soft tissue, signal of the bone, texture.

Grey values of a film are close to logarithmic, so the signal of bone is added to that of soft
tissue. The level of the soft tissue beside the bone is extended across the bone; the bone's signal
is the picture minus that level. Film grain is distinguished from trabeculae by measuring it where
there is no bone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.radiograph import read_only
from lesionscan.simulation.fields import Field, Mask, gaussian
from lesionscan.simulation.planting.film_bones import without_pinholes

_BLOCKS_ACROSS = 10
"""Blocks per half width of the widest bone, on which the smooth level is computed."""
_ROUNDS = 4
"""Iterations that separate soft tissue beside the bone from other bones; 3 converge."""
_RELAXATIONS = 300
"""Steps of Laplace relaxation over 20 blocks; the remaining error is below one grey value."""
_SCATTER = 1.4826
"""Standard deviation / median absolute deviation of a normal distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Decomposition of a film.

    Attributes
    ----------
    level
        float32 (rows, cols); grey value of the soft tissue without bone.
    bone
        bool (rows, cols); the bone, with its outline moved to the visible edge.
    bone_signal
        float32; grey values of the bone above the level, at least 0, and 0 outside `bone`.
    edge_px
        float32; distance to the bone's outline, positive inside.
    textures
        float32 (bands, rows, cols); the fine structure of the picture, finest first.
    grain
        Fraction of each band's power that is film grain.
    noise
        Standard deviation of the finest band in bone, in grey values.
    brightest
        90th percentile of the bone's signal, in grey values.
    tissue
        bool; True in the body, False in air or a collimator's shadow.
    """

    level: NDArray[np.float32]
    bone: Mask
    bone_signal: NDArray[np.float32]
    edge_px: NDArray[np.float32]
    textures: NDArray[np.float32]
    grain: tuple[float, ...]
    noise: float
    brightest: float
    tissue: Mask

    def __post_init__(self) -> None:
        for name in ("level", "bone", "bone_signal", "edge_px", "textures", "tissue"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def soft_tissue_level(film: Field, bone: Mask, tissue: Mask) -> tuple[Field, Field, Mask]:
    """Extend the grey level of the soft tissue beside the bone across it.

    Beside the bone, a pixel is soft tissue if it is darker than the mean of the local levels of
    soft tissue and bone; other bones are brighter. Both levels are updated after each iteration.
    The level is extended by the Laplace equation, and raised to the darkest smoothed grey value
    within a bone's width, for bones whose adjacent soft tissue is much thinner than that over them
    (a hip).

    Parameters
    ----------
    film
        float64 (rows, cols), bone bright.
    bone, tissue
        bool (rows, cols).

    Returns
    -------
    level, bone_level
        float64 (rows, cols); grey values of soft tissue and, smoothed, of the bone with it.
    soft
        bool (rows, cols); the pixels beside the bone classified as soft tissue.
    """
    long_side = max(film.shape)
    inside = ndimage.distance_transform_edt(np.pad(bone, 1))[1:-1, 1:-1]
    away = ndimage.distance_transform_edt(~bone)
    widest = float(inside.max())
    step = max(1, int(widest // _BLOCKS_ACROSS))
    # the pixels next to a bone belong to its blurred edge, or to an inaccurate outline
    ring = tissue & (away > max(2.0, 0.008 * long_side)) & (away < 2.0 * widest)
    nearness = ring * np.exp(-away / (0.6 * widest))
    sigma = 0.8 * widest / step
    bone_level, _ = _local_mean(
        block_means(film * bone, step), block_means(bone.astype(np.float64), step), sigma
    )
    share = block_means(ring.astype(np.float64), step)
    value = block_means(film * ring, step) / np.maximum(share, 1e-9)
    weight = block_means(nearness, step)
    darker = weight * (value < bone_level)
    level, _ = _local_mean(value * darker, darker, 3.0 * sigma)
    soft = darker > 0
    for _ in range(_ROUNDS):
        rise = np.maximum(bone_level - level, 1e-6)
        soft = (weight > 0) & (value < level + 0.5 * rise) & (value > level - 0.7 * rise)
        wide, _ = _local_mean(value * weight * soft, weight * soft, 3.0 * sigma)
        near, sure = _local_mean(value * weight * soft, weight * soft, sigma)
        trust = sure / (sure + 0.01)
        level = trust * near + (1.0 - trust) * wide
    fixed = soft & (weight > 0.02)
    known, _ = _local_mean(value * weight * soft, weight * soft, 1.0)
    known = np.where(fixed, known, level)
    level = _relaxed(known, fixed)
    full = np.maximum(block_means(tissue.astype(np.float64), step), 1e-9)
    seen = block_means(film * tissue, step) / full
    floor = np.where(full > 0.5, ndimage.gaussian_filter(seen, 1.0, mode="nearest"), np.inf)
    floor = ndimage.minimum_filter(floor, size=2 * int(1.2 * widest / step) + 1, mode="nearest")
    level = np.where(np.isfinite(floor), np.maximum(level, floor), level)
    level = ndimage.gaussian_filter(level, 1.0, mode="nearest")
    soft_fine = enlarged(fixed.astype(np.float64), step, film.shape) > 0.5
    return (
        enlarged(level, step, film.shape),
        enlarged(bone_level, step, film.shape),
        np.asarray(soft_fine & ring, dtype=np.bool_),
    )


def _local_mean(total: Field, weight: Field, sigma: float) -> tuple[Field, Field]:
    """Return the weighted local mean at every block, and the smoothed weight."""
    blurred = ndimage.gaussian_filter(weight, sigma, mode="constant")
    mean = ndimage.gaussian_filter(total, sigma, mode="constant") / np.maximum(blurred, 1e-12)
    return np.asarray(mean), np.asarray(blurred)


def _relaxed(known: Field, fixed: Mask) -> Field:
    """Return the harmonic field equal to `known` where `fixed` (Jacobi relaxation)."""
    field = known
    for _ in range(_RELAXATIONS):
        wide = np.pad(field, 1, mode="edge")
        mean = 0.25 * (wide[2:, 1:-1] + wide[:-2, 1:-1] + wide[1:-1, 2:] + wide[1:-1, :-2])
        field = np.where(fixed, known, mean)
    return field


def block_means(array: Field, step: int) -> Field:
    """Return block means of `step` x `step` pixels; pixels past the border count as 0."""
    rows, cols = array.shape
    padded = np.pad(array, ((0, -rows % step), (0, -cols % step)))
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


def enlarged(small: Field, step: int, shape: tuple[int, int]) -> Field:
    """Return block values interpolated to every pixel of an array of that shape."""
    row = np.clip((np.arange(shape[0]) + 0.5) / step - 0.5, 0, small.shape[0] - 1)
    col = np.clip((np.arange(shape[1]) + 0.5) / step - 0.5, 0, small.shape[1] - 1)
    r0, c0 = np.floor(row).astype(int), np.floor(col).astype(int)
    r1, c1 = np.minimum(r0 + 1, small.shape[0] - 1), np.minimum(c0 + 1, small.shape[1] - 1)
    down = small[r0] * (1.0 - (row - r0))[:, None] + small[r1] * (row - r0)[:, None]
    return np.asarray(down[:, c0] * (1.0 - (col - c0)) + down[:, c1] * (col - c0))


def body_mask(film: Field, bone: Mask) -> Mask:
    """Return the mask of the body: pixels brighter than the darkest 1.2 % of the range.

    If nearly everything beside the bone is that dark, the soft tissue itself is black (or there is
    no air in the picture), and the mask is the whole film.

    Parameters
    ----------
    film
        float64 (rows, cols), bone bright.
    bone
        bool (rows, cols).
    """
    low, high = float(film.min()), float(film.max())
    body = gaussian(film, sigma_px=1.0) > low + 0.012 * (high - low)
    widest = float(ndimage.distance_transform_edt(np.pad(bone, 1)).max())
    away = ndimage.distance_transform_edt(~bone)
    beside = (away > max(2.0, 0.008 * max(film.shape))) & (away < widest)
    if beside.any() and body[beside].mean() < 0.05:
        return np.ones_like(bone)
    return np.asarray(body, dtype=np.bool_)


def fitted_outline(film: Field, bone: Mask, level: Field, bone_level: Field, soft: Mask) -> Mask:
    """Move the outline of the bone to its visible edge.

    Hand-drawn outlines are wrong by a few pixels. Within 0.7 % of the long side (at least 2 px) of
    the outline, a pixel is bone if it is at least 40 % of the way from the soft tissue's level to
    the bone's. Where there is no soft tissue beside the bone (a joint), the outline is kept.

    Parameters
    ----------
    film
        float64 (rows, cols).
    bone, soft
        bool; the outlined bone, and pixels known to be soft tissue.
    level, bone_level
        float64; local grey values of both.
    """
    band = max(2.0, 0.007 * max(film.shape))
    inside = ndimage.distance_transform_edt(np.pad(bone, 1, mode="edge"))[1:-1, 1:-1]
    away = ndimage.distance_transform_edt(~bone)
    guard = max(2.0, 0.008 * max(film.shape))
    beside = ndimage.distance_transform_edt(~soft) <= guard + 2.0 * band
    rise = bone_level - level
    smooth = ndimage.gaussian_filter(film, 0.7, mode="nearest")
    dense = (smooth > level + 0.4 * rise) & (rise > 0)
    doubtful = beside & (inside <= band) & (away <= band)
    moved = np.where(doubtful, dense, bone)
    rounded = ndimage.gaussian_filter(moved.astype(np.float64), 2.0, mode="nearest") > 0.5
    moved = np.where(doubtful, rounded, bone)
    pieces, count = ndimage.label(moved)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    # small detached pieces are muscle or a neighbouring bone
    kept = sizes[pieces] >= max(40.0, 0.02 * float(sizes.max()))
    return without_pinholes(np.asarray(kept, dtype=np.bool_))


def outline_distance_px(bone: Mask) -> Field:
    """Return the distance to a bone's outline in pixels, positive inside, ignoring the border."""
    inside = ndimage.distance_transform_edt(np.pad(bone, 1, mode="edge"))[1:-1, 1:-1]
    away = ndimage.distance_transform_edt(~bone)
    distance = np.where(bone, inside - 0.5, 0.5 - away)
    return np.asarray(ndimage.gaussian_filter(distance, 0.7, mode="nearest"), dtype=np.float64)


def texture_bands(
    film: Field, bone: Mask, soft: Mask, *, coarsest_px: float
) -> tuple[list[Field], list[float], float]:
    """Extract the fine structure of a film in octaves, and estimate its fraction of film grain.

    A band is a difference of Gaussians, clipped at 2.5 standard deviations to exclude edges. The
    fraction of grain is the band's power in soft tissue / that in bone.

    Parameters
    ----------
    film
        float64 (rows, cols).
    bone, soft
        bool; pixels of bone, and of soft tissue without bone.
    coarsest_px
        Standard deviation of the largest Gaussian, in pixels.

    Returns
    -------
    textures
        float64 (rows, cols) for each band, finest first.
    grain
        Power of each band in soft tissue / that in bone, 0.02 to 1.
    noise
        Standard deviation of the finest band in bone, in grey values.
    """
    textures: list[Field] = []
    grain: list[float] = []
    noise = 0.0
    sigma, above = 1.0, film
    while not textures or sigma <= coarsest_px:
        below = gaussian(film, sigma_px=sigma)
        band = above - below
        in_bone = _SCATTER * float(np.median(np.abs(band[bone])))
        in_soft = _SCATTER * float(np.median(np.abs(band[soft]))) if soft.any() else in_bone
        textures.append(np.clip(band, -2.5 * in_bone, 2.5 * in_bone))
        grain.append(float(np.clip((in_soft / max(in_bone, 1e-9)) ** 2, 0.02, 1.0)))
        noise = noise or in_bone
        sigma, above = 2.0 * sigma, below
    return textures, grain, noise
