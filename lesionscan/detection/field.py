"""Pixels -> exposed field: what was irradiated, without collimator, shutter, markers and metal.

Collimated borders turn white once bone is bright (nothing reached the detector there) and black
where the vendor's software blanked them. Both ruin every percentile and every ranking, so they are
found first. A collimator leaves a convex field; bones and soft tissue that run off the picture do
not, which is what tells them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import reduced, resized_mask
from lesionscan.detection.morphology import dilate_disk, distance_to
from lesionscan.radiograph import BoolImage, FloatImage, read_only

_CONVEX_ENOUGH = 0.9
"""Least share of its convex hull that a blanked field fills; limbs in air fill 0.2 to 0.8."""
_STEP = 0.15
"""Least brightness step across a collimator's edge, as a share of the picture's range."""
_SMALL, _WHITE_OUTSIDE = 0.25, 0.8
"""A field of less than so much of the picture must have a border as white as that (median): a trunk
that fills the picture leaves a patch of air with steps to bright anatomy. Of 140 fields of real
films the smallest is 0.33."""
_EDGE_SHARE = 0.85
"""Least share of the field's edge that shows such a step; the rest is where bone crosses it."""
_WHITE = 0.95
"""Brightness, as a share of the picture's range, of a border that nothing reached."""
_WHITE_RUN = 0.4
"""Length along the picture's border, in long sides, from which so bright a patch is no bone."""
_COARSE_PX = 256
"""Long side of the largest picture whose border is sought on all of its pixels."""
_PLATEAU = 0.004
"""Pixels within this share of the range from the darkest value count as blanked."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Which pixels carry anatomy.

    Attributes
    ----------
    exposed
        bool (rows, cols); inside the collimated field.
    opaque
        bool (rows, cols); lead markers, letters and metal inside it.
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
        """Return the field with what looks like bone beyond it: that was exposed as well.

        White anatomy that runs off the picture passes for a collimator's shadow, and only who knows
        bones can tell. Slivers along the field's edge stay out: there the edge bleeds.

        Parameters
        ----------
        bone
            bool (rows, cols); what looks like bone, valid pixels only.
        """
        beyond = bone & ~self.exposed
        if not beyond.any():
            return self
        margin = _margin(beyond)
        core = beyond & (distance_to(~beyond) > margin)
        taken = beyond & dilate_disk(core, margin)
        return Field(exposed=self.exposed | taken, opaque=self.opaque)


def find_field(scaled: FloatImage, valid: BoolImage) -> Field:
    """Find the exposed field and what covers it.

    Parameters
    ----------
    scaled
        float32 (rows, cols), bone bright, stretched so that the 0.5th and 99.5th percentile of the
        valid pixels are 0 and 1 and not clipped; best at a long side of 256 to 1024.
    valid
        bool (rows, cols); False where the file says that there is no image data.

    Returns
    -------
    Field
        Masks of the same shape. Where no collimation is recognised, all valid pixels are exposed.
    """
    exposed = valid & _without_dark_shutter(scaled, valid)
    exposed &= _at_half_size(_without_white_border, scaled, exposed)
    if not exposed.all():
        exposed = _erode_inside(exposed, _margin(exposed))
    return Field(exposed=exposed, opaque=_find_opaque(scaled, exposed))


def _at_half_size(
    find: Callable[[FloatImage, BoolImage], BoolImage], scaled: FloatImage, exposed: BoolImage
) -> BoolImage:
    """Find a mask on half of a larger picture's rows and columns: its edges are straight."""
    rows, columns = scaled.shape
    if max(rows, columns) <= _COARSE_PX:
        return find(scaled, exposed)
    found = find(reduced(scaled, 2), reduced(exposed.astype(np.float32), 2) > 0.5)
    return resized_mask(found, (rows, columns), cv2.INTER_LINEAR)


def _margin(mask: BoolImage) -> int:
    """Return how many pixels a blanked or white edge may bleed into the field."""
    return max(1, round(0.01 * float(max(mask.shape))))


def _erode_inside(mask: BoolImage, margin: int) -> BoolImage:
    """Erode a mask by `margin` pixels, but not from the picture's own border."""
    return ~dilate_disk(~mask, margin)


def _sizeable_components(mask: BoolImage) -> BoolImage:
    """Keep the components of a mask that cover at least 2 % of the picture."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sizeable = stats[:, cv2.CC_STAT_AREA] >= 0.02 * mask.size
    sizeable[0] = False
    return np.asarray(sizeable[labels])


def _touching_border(mask: BoolImage, *, run: float = 1) -> BoolImage:
    """Keep the components of a mask that cover at least `run` pixels of the picture's border."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    touching = np.bincount(edge, minlength=int(labels.max()) + 1) >= run
    touching[0] = False
    return np.asarray(touching[labels])


def _without_dark_shutter(scaled: FloatImage, valid: BoolImage) -> BoolImage:
    """Find the field inside a border that software blanked to one dark value."""
    darkest = float(scaled[valid].min()) if valid.any() else 0.0
    blank = _touching_border((scaled <= darkest + _PLATEAU) | ~valid)
    inside = _sizeable_components(~blank)
    if not 0.04 < inside.mean() < 0.995:
        return np.ones_like(valid)
    hull, _ = _convex_hull(inside)
    # air that is clipped to black also leaves only the limb, which is far from convex
    convex = inside.sum() >= _CONVEX_ENOUGH * hull.sum()
    return hull if convex else np.ones_like(valid)


def _without_white_border(scaled: FloatImage, exposed: BoolImage) -> BoolImage:
    """Find the field inside a border that no radiation reached (white once bone is bright).

    Every level between tissue and white leaves some inner part free; the field is the one whose
    convex hull has a step to white along most of its edge. Where none has (bright anatomy runs
    into the border), only the white patches themselves are left out.
    """
    sigma = max(0.8, 0.002 * max(scaled.shape))
    smooth = np.asarray(cv2.GaussianBlur(scaled, (0, 0), sigma), np.float32)
    best, best_share = np.ones_like(exposed), _EDGE_SHARE
    for level in np.linspace(0.3, 0.9, 7):
        white = _touching_border((smooth > level) | ~exposed)
        inside = _sizeable_components(~white)
        if not 0.04 < inside.mean() < 0.98 * exposed.mean():
            continue
        hull, corners = _convex_hull(inside)
        if hull.mean() < _SMALL and np.median(smooth[exposed & ~hull]) < _WHITE_OUTSIDE:
            continue  # air between body and border, not a field between shadows
        share = _share_with_step(smooth, exposed, corners)
        if share > best_share:
            best, best_share = hull, share
    if best.all():
        best = ~_touching_border(smooth > _WHITE, run=_WHITE_RUN * max(scaled.shape))
    return best


def _convex_hull(mask: BoolImage) -> tuple[BoolImage, NDArray[np.float64]]:
    """Return the filled convex hull of a mask and its corners as (n, 2) rows of (col, row)."""
    # every row's first and last pixel: the others cannot be corners
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    ends = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], axis=1)
    corners = cv2.convexHull(ends[np.lexsort(ends.T)].astype(np.int32))
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, corners, 1)
    return hull.astype(bool), corners[:, 0].astype(np.float64)


def _share_with_step(smooth: FloatImage, exposed: BoolImage, corners: NDArray[np.float64]) -> float:
    """Return the share of a convex polygon's edge, off the picture's border, that steps to white.

    Returns 0 where less than a tenth of the polygon runs inside the picture.
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
    """Find letters, lead markers and metal: small, bright, sharp, and standing alone or blinding.

    A letter stands in air or soft tissue with nothing bright around it; a phalanx of the same
    size continues beyond its joint. Metal inside bone is brighter than any bone.
    """
    long_side = max(scaled.shape)
    clipped = np.clip(scaled, 0.0, 1.6)
    tophat = cv2.morphologyEx(clipped, cv2.MORPH_TOPHAT, _disk(max(3, round(0.018 * long_side))))
    gradient = cv2.morphologyEx(clipped, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    bright = ((tophat > 0.3) & (gradient > 0.0) & exposed).astype(np.uint8)
    # the strokes of one marker, its ring included, belong together
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
        # closing scattered pixels can leave a group that holds none of them
        if not strokes.any() or np.median(gradient[box][rim]) < 0.25:
            continue
        around = (cv2.dilate(group.astype(np.uint8), _disk(reach)) > 0) & ~group
        level = float(np.median(clipped[box][strokes]))
        alone = float(np.percentile(clipped[box][around], 97)) < level - 0.25
        if alone or level > 1.15:
            opaque[box][group] = 1
    if opaque.any():
        opaque = np.asarray(cv2.dilate(opaque, _disk(max(1, round(0.006 * long_side)))), np.uint8)
    return opaque.astype(bool)


def _disk(radius: int) -> NDArray[np.uint8]:
    """Return a filled disk as a structuring element of 2 radius + 1 pixels."""
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
