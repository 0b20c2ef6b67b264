"""Find the exposed field: the film without collimator, shutter, markers and metal.

Collimated borders are white when bone is bright (unexposed), or black where software blanked them.
They would distort all percentiles, so they are found first. A collimator leaves a convex field;
bones and soft tissue that reach the border of the film do not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import reduced, resized_mask
from lesionscan.detection.morphology import dilate_disk, distance_to
from lesionscan.radiograph import BoolImage, FloatImage, read_only

_MIN_SOLIDITY = 0.9
"""Least share of its convex hull that a field inside a shutter fills; limbs in air: 0.2 to 0.8."""
_STEP = 0.15
"""Least brightness step across a collimator's edge, as a share of the film's range."""
_SMALL, _WHITE_OUTSIDE = 0.25, 0.8
"""Outside a field that covers a smaller share of the film, the median must be this bright. A trunk
that fills the film leaves a patch of air with steps to bright anatomy; of 140 fields of real films
the smallest covers 0.33."""
_EDGE_SHARE = 0.85
"""Least share of the field's edge with such a step; bone crosses the rest."""
_WHITE = 0.95
"""Brightness of an unexposed border, as a share of the film's range."""
_WHITE_RUN = 0.4
"""Least length of an unexposed patch along the border, in long sides; bone is shorter."""
_COARSE_PX = 256
"""Larger films are searched for white borders at half their resolution."""
_PLATEAU = 0.004
"""Pixels within this share of the range above the darkest value count as blanked."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The exposed field and what covers it.

    Attributes
    ----------
    exposed
        bool (rows, cols); inside the collimated field.
    opaque
        bool (rows, cols); lead markers, letters and metal in the field.
    """

    exposed: BoolImage
    opaque: BoolImage

    def __post_init__(self) -> None:
        object.__setattr__(self, "exposed", read_only(self.exposed))
        object.__setattr__(self, "opaque", read_only(self.opaque))

    @property
    def usable(self) -> BoolImage:
        """Exposed and not covered: bool (rows, cols)."""
        return self.exposed & ~self.opaque

    def extended_by(self, bone: BoolImage) -> "Field":
        """Return the field extended by bone outside it.

        Bright anatomy that reaches the border of the film resembles an unexposed border. Slivers
        along the field's edge are left out, because that edge is blurred.

        Parameters
        ----------
        bone
            bool (rows, cols); bone, valid pixels only.
        """
        outside = bone & ~self.exposed
        if not outside.any():
            return self
        margin = _margin(outside)
        core = outside & (distance_to(~outside) > margin)
        added = outside & dilate_disk(core, margin)
        return Field(exposed=self.exposed | added, opaque=self.opaque)


def find_field(scaled: FloatImage, valid: BoolImage) -> Field:
    """Find the exposed field and what covers it.

    Parameters
    ----------
    scaled
        float32 (rows, cols), bone bright; the 0.5th and 99.5th percentiles of the valid pixels are
        scaled to 0 and 1, without clipping. Best at a long side of 256 to 1024.
    valid
        bool (rows, cols); False where the file declares no image data.

    Returns
    -------
    Field
        Without a recognised collimation, all valid pixels are exposed.
    """
    exposed = valid & _without_dark_shutter(scaled, valid)
    exposed &= _at_half_size(_without_white_border, scaled, exposed)
    if not exposed.all():
        exposed = _erode_inside(exposed, _margin(exposed))
    return Field(exposed=exposed, opaque=_find_opaque(scaled, exposed))


def _at_half_size(
    find: Callable[[FloatImage, BoolImage], BoolImage], scaled: FloatImage, exposed: BoolImage
) -> BoolImage:
    """Find a mask at half the resolution on larger films; its edges are straight."""
    rows, columns = scaled.shape
    if max(rows, columns) <= _COARSE_PX:
        return find(scaled, exposed)
    found = find(reduced(scaled, 2), reduced(exposed.astype(np.float32), 2) > 0.5)
    return resized_mask(found, (rows, columns), cv2.INTER_LINEAR)


def _margin(mask: BoolImage) -> int:
    """Return the width, in pixels, over which the edge of the field may be blurred."""
    return max(1, round(0.01 * float(max(mask.shape))))


def _erode_inside(mask: BoolImage, margin: int) -> BoolImage:
    """Erode a mask by `margin` pixels, but not from the border of the film."""
    return ~dilate_disk(~mask, margin)


def _large_components(mask: BoolImage) -> BoolImage:
    """Keep the components of a mask that cover at least 2 % of the film."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= 0.02 * mask.size
    large[0] = False
    return np.asarray(large[labels])


def _touching_border(mask: BoolImage, *, run: float = 1) -> BoolImage:
    """Keep the components of a mask that cover at least `run` pixels of the film's border."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    touching = np.bincount(edge, minlength=int(labels.max()) + 1) >= run
    touching[0] = False
    return np.asarray(touching[labels])


def _without_dark_shutter(scaled: FloatImage, valid: BoolImage) -> BoolImage:
    """Find the field inside a border that software blanked to one dark value."""
    darkest = float(scaled[valid].min()) if valid.any() else 0.0
    blank = _touching_border((scaled <= darkest + _PLATEAU) | ~valid)
    inside = _large_components(~blank)
    if not 0.04 < inside.mean() < 0.995:
        return np.ones_like(valid)
    hull, _ = _convex_hull(inside)
    # where air is clipped to black, the limb remains, which is far from convex
    convex = inside.sum() >= _MIN_SOLIDITY * hull.sum()
    return hull if convex else np.ones_like(valid)


def _without_white_border(scaled: FloatImage, exposed: BoolImage) -> BoolImage:
    """Find the field inside an unexposed border, which is white when bone is bright.

    Of the regions below several thresholds, the field is the one whose convex hull has a step to
    white along most of its edge. If none has (bright anatomy meets the border), only the white
    patches are excluded.
    """
    sigma = max(0.8, 0.002 * max(scaled.shape))
    smooth = np.asarray(cv2.GaussianBlur(scaled, (0, 0), sigma), np.float32)
    best, best_share = np.ones_like(exposed), _EDGE_SHARE
    for level in np.linspace(0.3, 0.9, 7):
        white = _touching_border((smooth > level) | ~exposed)
        inside = _large_components(~white)
        if not 0.04 < inside.mean() < 0.98 * exposed.mean():
            continue
        hull, corners = _convex_hull(inside)
        if hull.mean() < _SMALL and np.median(smooth[exposed & ~hull]) < _WHITE_OUTSIDE:
            continue  # air between body and border
        share = _share_with_step(smooth, exposed, corners)
        if share > best_share:
            best, best_share = hull, share
    if best.all():
        best = ~_touching_border(smooth > _WHITE, run=_WHITE_RUN * max(scaled.shape))
    return best


def _convex_hull(mask: BoolImage) -> tuple[BoolImage, NDArray[np.float64]]:
    """Return the filled convex hull of a mask and its corners, (n, 2) as (col, row)."""
    # only the first and the last pixel of a row can be corners
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    ends = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], axis=1)
    corners = cv2.convexHull(ends[np.lexsort(ends.T)].astype(np.int32))
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, corners, 1)
    return hull.astype(bool), corners[:, 0].astype(np.float64)


def _share_with_step(smooth: FloatImage, exposed: BoolImage, corners: NDArray[np.float64]) -> float:
    """Return the share of a convex polygon's edge, inside the film, with a step to white outside.

    Returns 0 if less than a tenth of the edge lies inside the film.
    """
    rows, cols = smooth.shape
    reach = 0.03 * max(rows, cols)  # penumbra: 30 of 768 pixels in a Fuji CR tibia
    along = np.roll(corners, -1, axis=0) - corners
    length = np.hypot(along[:, 0], along[:, 1])
    steps = np.arange(0.0, length.sum(), max(1.0, length.sum() / 400))
    ends = np.cumsum(length)
    edge = np.minimum(np.searchsorted(ends, steps, side="right"), len(length) - 1)
    share = (steps - (ends[edge] - length[edge])) / np.maximum(length[edge], 1e-9)
    points = corners[edge] + share[:, None] * along[edge]
    normal = np.stack([along[edge, 1], -along[edge, 0]], axis=1)
    normal /= np.maximum(length[edge], 1e-9)[:, None]
    if _doubled_area(corners) < 0:
        normal = -normal
    outer, inner = points + reach * normal, points - reach * normal

    def sample(image: NDArray[np.generic], where: NDArray[np.float64]) -> NDArray[np.float32]:
        coordinates = np.rint(where[:, ::-1].T).astype(int)
        row = np.clip(coordinates[0], 0, rows - 1)
        col = np.clip(coordinates[1], 0, cols - 1)
        return np.asarray(image[row, col], np.float32)

    within = (outer >= 0).all(axis=1) & (outer[:, 0] <= cols - 1) & (outer[:, 1] <= rows - 1)
    within &= sample(exposed, outer) > 0
    if np.count_nonzero(within) < max(1, 0.1 * within.size):
        return 0.0
    step = sample(smooth, outer) - sample(smooth, inner)
    return float((step[within] > _STEP).mean())


def _doubled_area(corners: NDArray[np.float64]) -> float:
    """Return twice the signed area of a polygon (shoelace formula)."""
    x, y = corners[:, 0], corners[:, 1]
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def _find_opaque(scaled: FloatImage, exposed: BoolImage) -> BoolImage:
    """Find letters, lead markers and metal: small, sharp, and isolated or brighter than bone.

    A letter lies in air or soft tissue with nothing bright around it; a phalanx of the same size
    continues beyond its joint. Metal in bone is brighter than any bone.
    """
    long_side = max(scaled.shape)
    clipped = np.clip(scaled, 0.0, 1.6)
    tophat = cv2.morphologyEx(clipped, cv2.MORPH_TOPHAT, _disk(max(3, round(0.018 * long_side))))
    gradient = cv2.morphologyEx(clipped, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    bright = ((tophat > 0.3) & (gradient > 0.0) & exposed).astype(np.uint8)
    # join the strokes of a marker and its ring
    groups = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, _disk(max(2, round(0.012 * long_side))))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(groups)
    opaque = np.zeros(scaled.shape, np.uint8)
    reach = max(2, round(0.02 * long_side))
    for label in range(1, count):
        left, top, width, height, area = (int(v) for v in stats[label])
        if area < 4 or max(width, height) > 0.16 * long_side:
            continue
        box = np.s_[
            max(top - reach, 0) : top + height + reach, max(left - reach, 0) : left + width + reach
        ]
        group = labels[box] == label
        strokes = group & (bright[box] > 0)
        rim = strokes & ~cv2.erode(
            strokes.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0
        ).astype(bool)
        # closing scattered pixels can give a group without any of them
        if not strokes.any() or np.median(gradient[box][rim]) < 0.25:
            continue
        around = (cv2.dilate(group.astype(np.uint8), _disk(reach)) > 0) & ~group
        level = float(np.median(clipped[box][strokes]))
        isolated = float(np.percentile(clipped[box][around], 97)) < level - 0.25
        if isolated or level > 1.15:
            opaque[box][group] = 1
    if opaque.any():
        opaque = np.asarray(cv2.dilate(opaque, _disk(max(1, round(0.006 * long_side)))), np.uint8)
    return opaque.astype(bool)


def _disk(radius: int) -> NDArray[np.uint8]:
    """Return a disk as a structuring element, 2 radius + 1 pixels wide."""
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
