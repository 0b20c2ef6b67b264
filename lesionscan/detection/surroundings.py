"""Image around a region -> contrast, noise, enclosure and margin.

All is measured on a copy of the neighbourhood reduced until the region is at most 64 pixels
across: that bounds the work on large films and averages quantum noise as an eye does.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.margin import margin_width
from lesionscan.detection.morphology import distance_to
from lesionscan.radiograph import BoolImage, FloatImage

_ACROSS_PX = 64
"""Largest region diameter on the reduced grid."""
_SECTORS = 16
"""Directions in which a region's surroundings are looked at."""
_CLEARLY_BRIGHTER = 0.3
"""Share of a region's contrast that one direction must reach to count as enclosing."""
_WEAK_SHARE = 0.2
"""Quantile of the directions that counts as the weakest side: the worst 3 of 16."""
_LEAST_NOISE = 0.004
"""Noise is never taken to be smaller: about one grey level of 255."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Brightness facts about one region; `Region` documents those that it takes over.

    Attributes
    ----------
    contrast, contrast_to_noise, weakest_side_contrast, weakest_edge_step, rim_contrast,
    inside_spread, ring_spread, enclosure, edge_alignment, bone_fraction
        As in `Region`.
    rim_in_bone
        Share of the pixels just outside the region that lie in the bone mask, 0 to 1.
    margin_width_px
        10 to 90 % width of the margin in stored pixels, or None where no edge rises.
    """

    contrast: float
    contrast_to_noise: float
    weakest_side_contrast: float
    weakest_edge_step: float
    rim_contrast: float
    inside_spread: float
    ring_spread: float
    enclosure: float
    edge_alignment: float
    bone_fraction: float
    rim_in_bone: float
    margin_width_px: float | None


def look_around(
    mask: BoolImage,
    box: tuple[slice, slice],
    contour: NDArray[np.int32],
    image: FloatImage,
    bone: BoolImage,
    exposed: BoolImage,
) -> Surroundings:
    """Measure a region's brightness against its surroundings.

    Parameters
    ----------
    mask
        bool; the region inside its bounding box.
    box
        Slices of that box in the full arrays.
    contour
        int32 (n, 2), the region's boundary as (row, col) inside the box.
    image, bone, exposed
        Full (rows, cols) arrays: the normalised image, the bone mask, the exposed field.
    """
    radius = float(np.sqrt(np.count_nonzero(mask) / np.pi))
    factor = max(1, round(2.0 * radius / _ACROSS_PX))
    reach = int(np.ceil(0.9 * radius)) + 4 * factor
    top, left = max(box[0].start - reach, 0), max(box[1].start - reach, 0)
    near = np.s_[top : box[0].stop + reach, left : box[1].stop + reach]
    rows, cols = image[near].shape
    size = (max(1, cols // factor), max(1, rows // factor))
    whole = np.zeros((rows, cols), np.float32)
    corner = (box[0].start - top, box[1].start - left)
    whole[corner[0] : corner[0] + mask.shape[0], corner[1] : corner[1] + mask.shape[1]] = mask

    def reduced(array: NDArray[np.generic]) -> FloatImage:
        as_float = np.ascontiguousarray(array, np.float32)
        if factor == 1:
            return as_float
        return np.asarray(cv2.resize(as_float, size, interpolation=cv2.INTER_AREA), np.float32)

    region = reduced(whole) >= 0.5
    film = reduced(image[near])
    in_bone = reduced(bone[near]) >= 0.5
    in_field = reduced(exposed[near]) >= 0.5
    scale = np.array([rows / size[1], cols / size[0]])
    margin = margin_width(
        film,
        np.rint((contour + corner + 0.5) / scale - 0.5).astype(np.int32),
        reach=max(2.0, 0.6 * radius / factor),
    )
    facts = _brightness(film, region, in_bone, in_field)
    return replace(facts, margin_width_px=None if margin is None else margin * factor)


_NOTHING = Surroundings(*(0.0,) * 11, margin_width_px=None)
"""Facts about a region that has no exposed surroundings, or is thinner than the reduced grid."""


def _brightness(
    film: FloatImage, region: BoolImage, in_bone: BoolImage, in_field: BoolImage
) -> Surroundings:
    """Return all but the margin, on the reduced grid."""
    if not region.any():
        return _NOTHING
    rows, cols = np.nonzero(region)
    radius = float(np.sqrt(rows.size / np.pi))
    distance = distance_to(region)
    # the innermost pixels outside the outline still belong to its slope
    gap = 0.05 * radius + 0.5
    ring = (distance > gap) & (distance <= gap + max(2.0, 0.45 * radius)) & in_field
    if not ring.any():
        return _NOTHING
    inside, around = film[region], film[ring]
    centre = (float(rows.mean()), float(cols.mean()))
    seen = _Directions.of(around, _sectors(ring, centre))
    # a thin cortex encloses as well as thick bone does, so the bright part of a direction counts
    steps = seen.quantile(0.8) - float(inside.mean())
    contrast = float(around.mean() - inside.mean())
    clearly = steps > max(_CLEARLY_BRIGHTER * contrast, 0.0)
    depth = distance_to(np.pad(~region, 1, constant_values=True))[1:-1, 1:-1]
    edge = 0.12 * radius + 1.0
    outer = (distance > 0.5) & (distance <= edge)
    inner = (depth > 0.5) & (depth <= edge)
    rim = (distance > 0.5) & (distance <= 0.2 * radius + 1.0) & in_field
    touching = (distance > 0) & (distance <= 1.5)
    return Surroundings(
        contrast=contrast,
        contrast_to_noise=contrast / seen.noise(),
        weakest_side_contrast=float(np.quantile(steps, _WEAK_SHARE)),
        weakest_edge_step=_weakest_step(film, outer, inner, centre),
        rim_contrast=float(film[rim].mean() - around.mean()) if rim.any() else 0.0,
        inside_spread=float(inside.std()),
        ring_spread=float(around.std()),
        # a direction without exposed surroundings encloses nothing
        enclosure=float(np.count_nonzero(clearly)) / _SECTORS if contrast > 0 else 0.0,
        edge_alignment=_alignment(film, distance, depth),
        bone_fraction=float(in_bone[region | ring].mean()),
        rim_in_bone=float(in_bone[touching].mean()) if touching.any() else 0.0,
        margin_width_px=None,
    )


def _sectors(mask: BoolImage, centre: tuple[float, float]) -> NDArray[np.int64]:
    """Return the direction, 0 to _SECTORS - 1, of every True pixel as seen from a point."""
    rows, cols = np.nonzero(mask)
    angle = np.arctan2(rows - centre[0], cols - centre[1]) + np.pi
    sector = (angle * (_SECTORS / (2 * np.pi))).astype(np.int64)
    return np.asarray(np.minimum(sector, _SECTORS - 1), np.int64)


def _weakest_step(
    film: FloatImage, outer: BoolImage, inner: BoolImage, centre: tuple[float, float]
) -> float:
    """Return the step across the outline in the fifth of the octants where it is least."""
    means = []
    for mask in (outer, inner):
        octant = _sectors(mask, centre) * 8 // _SECTORS
        count = np.bincount(octant, minlength=8)
        total = np.bincount(octant, weights=film[mask], minlength=8)
        means.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    steps = means[0] - means[1]
    known = steps[np.isfinite(steps)]
    return float(np.quantile(known, _WEAK_SHARE)) if known.size else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Directions:
    """The brightness of a ring, by direction: float32 values, sorted within each direction.

    All directions at once: the same sixteen times in Python would take half of the measuring.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float32], sector: NDArray[np.int64]) -> "_Directions":
        """Sort values by their sector; sectors without any fall away."""
        counts = np.bincount(sector)
        counts = counts[counts > 0]
        return cls(values[np.lexsort((values, sector))], np.cumsum(counts) - counts, counts)

    def quantile(self, share: float) -> NDArray[np.float32]:
        """Return each direction's quantile, between values linearly, as numpy has it."""
        at = (self.counts - 1) * share
        below = at.astype(np.int64)
        low = self.values[self.starts + below]
        high = self.values[self.starts + np.minimum(below + 1, self.counts - 1)]
        part, step = at - below, high - low
        # from the nearer end, so that the last value is reached exactly
        nearer = part < 0.5
        up, down = step * part.astype(np.float32), step * (1 - part).astype(np.float32)
        return np.asarray(np.where(nearer, low + up, high - down), np.float32)

    def noise(self) -> float:
        """Return the spread around each direction's median (robust, as a standard deviation)."""
        low = self.values[self.starts + (self.counts - 1) // 2]
        high = self.values[self.starts + self.counts // 2]
        residual = self.values - np.repeat((low + high) / 2, self.counts)
        return max(1.4826 * float(np.median(np.abs(residual))), _LEAST_NOISE)


def _alignment(film: FloatImage, distance: FloatImage, depth: FloatImage) -> float:
    """Return the mean cosine between brightness gradient and outward normal along the edge."""
    smooth = cv2.GaussianBlur(film, (0, 0), 1.0)
    outward = cv2.GaussianBlur(distance - depth, (0, 0), 1.0)
    gradient, normal = (
        np.stack([cv2.Sobel(array, cv2.CV_32F, *order, ksize=3) for order in ((0, 1), (1, 0))])
        for array in (smooth, outward)
    )
    edge = (distance <= 1.5) & (depth <= 1.5)
    length = np.linalg.norm(gradient, axis=0) * np.linalg.norm(normal, axis=0)
    cosine = (gradient * normal).sum(axis=0) / np.maximum(length, 1e-9)
    return float(cosine[edge].mean()) if edge.any() else 0.0
