"""Image around a region -> contrast, noise, enclosure and margin.

All is measured on a copy of the neighbourhood reduced until the region is at most 64 pixels
across: that bounds the work on large films and averages quantum noise as an eye does.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.margin import margin_width
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
    contrast, contrast_to_noise, weakest_side_contrast, enclosure, edge_alignment, bone_fraction
        As in `Region`.
    rim_in_bone
        Share of the pixels just outside the region that lie in the bone mask, 0 to 1.
    margin_width_px
        10 to 90 % width of the margin in stored pixels, or None where no edge rises.
    """

    contrast: float
    contrast_to_noise: float
    weakest_side_contrast: float
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
        film, np.rint((contour + corner + 0.5) / scale - 0.5).astype(np.int32),
        reach=max(2.0, 0.6 * radius / factor),
    )
    facts = _brightness(film, region, in_bone, in_field)
    return Surroundings(*facts, margin_width_px=None if margin is None else margin * factor)


def _brightness(
    film: FloatImage, region: BoolImage, in_bone: BoolImage, in_field: BoolImage
) -> tuple[float, float, float, float, float, float, float]:
    """Return the fields of `Surroundings` up to `rim_in_bone`, in their order."""
    rows, cols = np.nonzero(region)
    if rows.size == 0:  # a region thinner than the reduced grid
        return (0.0,) * 7
    radius = float(np.sqrt(rows.size / np.pi))
    distance = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # the innermost pixels outside the outline still belong to its slope
    gap, width = 0.05 * radius + 0.5, max(2.0, 0.45 * radius)
    ring = (distance > gap) & (distance <= gap + width) & in_field
    inside = float(film[region].mean())
    if not ring.any():
        return (0.0,) * 7
    ring_rows, ring_cols = np.nonzero(ring)
    angle = np.arctan2(ring_rows - rows.mean(), ring_cols - cols.mean())
    sector = np.minimum(((angle + np.pi) * (_SECTORS / (2 * np.pi))).astype(int), _SECTORS - 1)
    values = film[ring]
    levels = np.array([values[sector == s].mean() for s in np.unique(sector)])
    steps = levels - inside
    contrast = float(values.mean()) - inside
    noise = _noise(values, sector)
    clearly = steps > max(_CLEARLY_BRIGHTER * contrast, 0.0)
    rim = (distance > 0) & (distance <= 1.5)
    return (
        contrast,
        contrast / noise,
        float(np.quantile(steps, _WEAK_SHARE)),
        # a direction without exposed surroundings encloses nothing
        float(np.count_nonzero(clearly)) / _SECTORS if contrast > 0 else 0.0,
        _alignment(film, distance, region),
        float(in_bone[region | ring].mean()),
        float(in_bone[rim].mean()) if rim.any() else 0.0,
    )


def _noise(values: NDArray[np.float32], sector: NDArray[np.int64]) -> float:
    """Return the spread around each direction's median (robust, as a standard deviation)."""
    residual = np.concatenate(
        [values[sector == s] - np.median(values[sector == s]) for s in np.unique(sector)]
    )
    return max(1.4826 * float(np.median(np.abs(residual))), _LEAST_NOISE)


def _alignment(film: FloatImage, distance: FloatImage, region: BoolImage) -> float:
    """Return the mean cosine between brightness gradient and outward normal along the edge."""
    smooth = cv2.GaussianBlur(film, (0, 0), 1.0)
    inner = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outward = cv2.GaussianBlur(distance - inner, (0, 0), 1.0)
    gradient = np.stack([cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((0, 1), (1, 0))])
    normal = np.stack([cv2.Sobel(outward, cv2.CV_32F, *order, ksize=3) for order in ((0, 1), (1, 0))])
    edge = (distance <= 1.5) & (inner <= 1.5)
    length = np.linalg.norm(gradient, axis=0) * np.linalg.norm(normal, axis=0)
    cosine = (gradient * normal).sum(axis=0) / np.maximum(length, 1e-9)
    return float(cosine[edge].mean()) if edge.any() else 0.0
