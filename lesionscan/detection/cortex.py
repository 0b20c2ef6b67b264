"""Measure scalloping and breaks of the cortex, and expansion of a long bone, at a region.

The bone is straightened along its local axis. Its two edges and the thickness of its cortex are
measured on both sides of the region, the edges are interpolated past it, and the observed cortex
there is compared with the expected one.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import Footprint, reduced
from lesionscan.detection.location import Frame
from lesionscan.radiograph import BoolImage, FloatImage

Scalloping: TypeAlias = Literal["none", "under_half", "over_half"]
CortexUnknown: TypeAlias = Literal[
    "no_long_bone", "too_coarse", "no_bone_beside", "outline_unclear"
]

_ACROSS = 64
"""Samples across the bone's width."""
_SIDE = 64
"""Samples on either side of the axis, wide enough for flares and the soft tissue beside them."""
_ALONG = 2
"""Distance between rows along the bone, in samples across."""
_LEAST_WIDTH_PX = 20.0
"""The cortex of a narrower bone has two or three pixels: too few to measure a share."""
_BESIDE, _GAP = 0.7, 0.12
"""Length used on each side of the region, and the gap to it, in widths of the bone."""
_LEAST_ROWS = 8
"""Minimum number of rows with both edges on each side of the region, of 22."""
_NEAR_EDGE = 6
"""Search radius for the film's edge around the mask's edge, in samples."""
_UNEVEN = 3.0
"""Maximum median distance of the edges from the interpolated ones beside the region, in samples (a
20th of the width)."""
_SLIGHT = 0.3
"""Share of the usual rise at an edge below which there is no edge."""
_SOLID, _GAPS = 0.95, 0.05
"""Share of its width that a bone fills, and share of rows in which it may fill less."""
_SHELL = 8.0
"""Maximum thickness of the shell of an expansile region, in samples (an eighth of the width)."""
_EXPANDS_FROM = 0.4
"""Minimum share of the bone's width that a region must take to expand it."""
_BEYOND = 2.0
"""If a region extends beyond an edge by more samples, the edge is the lesion's inner one."""
_WIDER = 1.6
"""Maximum ratio of the bone's widths on both sides of the region; beyond, the outline includes
another bone or a joint."""
_LEAST_STEP = 0.03
"""Minimum rise of brightness at the edge of a bone, as a share of the range."""
_DEEP = 28
"""Search depth for the cortex, in samples."""
_CLEAR_CORTEX = 0.12
"""Minimum fall from cortex to marrow, as a share of the rise from soft tissue to cortex, to find an
inner border of the cortex."""
_NO_CORTEX = 0.4
"""Share of the cortex's usual rise over soft tissue below which there is no cortex."""
_NOTHING_TAKEN = 0.2
"""Scalloping below this is within the natural variation of the cortex."""
_SHORTEST_BREAK = 0.08
"""Minimum length of a break, in widths of the bone."""


@dataclass(frozen=True, slots=True)
class Cortex:
    """Cortex of a bone at a region.

    Attributes
    ----------
    scalloping
        Share of the cortex's thickness that is lost from inside where it is thinnest, 0 to 1; None
        if the cortex has no visible inner border.
    break_px
        Length along the bone without cortex, in stored pixels; 0 for none.
    expansion
        Width of the bone at the region / the width interpolated from both sides; at most 1 if one
        side is even wider.
    unknown
        Why the other attributes are None; None if they are known.
    """

    scalloping: float | None = None
    break_px: float | None = None
    expansion: float | None = None
    unknown: CortexUnknown | None = None


def scalloping_word(share: float | None) -> Scalloping | None:
    """Classify scalloping; None stays None.

    Deep scalloping is unusual in enchondromas (Murphey et al., RadioGraphics 1998;18:1213: over two
    thirds of the thickness; here over half, which can be measured).
    """
    if share is None:
        return None
    if share < _NOTHING_TAKEN:
        return "none"
    return "under_half" if share <= 0.5 else "over_half"


def follow_cortex(film: FloatImage, bone: BoolImage, footprint: Footprint, frame: Frame) -> Cortex:
    """Follow the cortex on both sides of a bone past a region.

    Parameters
    ----------
    film
        float32 (rows, cols) in [0, 1], bone bright.
    bone
        bool (rows, cols); the bone mask.
    footprint
        The region.
    frame
        Local coordinates of the bone around it.

    Returns
    -------
    Cortex
        With `unknown` set if it cannot be followed.
    """
    if frame.width_px < _LEAST_WIDTH_PX:
        return Cortex(unknown="too_coarse")
    strip = _straightened(film, bone, footprint, frame)
    edges = _edges(strip)
    if edges is None:
        return Cortex(unknown="no_bone_beside")
    if edges.gaps > _GAPS:
        return Cortex(unknown="outline_unclear")
    sides = [_Side.of(strip, edges, way) for way in (0, 1)]
    if any(side is None for side in sides):
        return Cortex(unknown="outline_unclear")
    known = [side for side in sides if side is not None]
    left, right = known
    widths = [
        _ranked((right.found - left.found)[part], 0.5) for part in (edges.before, edges.after)
    ]
    if max(widths) > _WIDER * max(min(widths), 1.0):
        return Cortex(unknown="outline_unclear")
    lesion = np.flatnonzero(strip.region.any(axis=1))
    expected = np.maximum(right.expected[lesion] - left.expected[lesion], 1.0)
    width = expected + left.pushed[lesion] + right.pushed[lesion]
    expansion = _ranked(width / expected, 0.8)
    taken = strip.region.sum(axis=1).max() / _ACROSS
    if taken < _EXPANDS_FROM or _ranked(width, 0.8) < max(widths):
        expansion = min(expansion, 1.0)  # a bump or a flare rather than an expansion
    taken = [share for side in known if (share := side.scalloping(strip)) is not None]
    gap = max(side.gap(strip) for side in known) * _ALONG * strip.unit_px
    return Cortex(
        scalloping=max(taken) if taken else None,
        break_px=gap if gap >= _SHORTEST_BREAK * frame.width_px else 0.0,
        expansion=expansion,
    )


class _Strip(NamedTuple):
    """Straightened bone: rows along it, columns across it."""

    film: NDArray[np.float32]
    bone: NDArray[np.bool_]
    region: NDArray[np.bool_]
    unit_px: float


def _straightened(film: FloatImage, bone: BoolImage, footprint: Footprint, frame: Frame) -> _Strip:
    unit = frame.width_px / _ACROSS
    more = (_BESIDE + _GAP) * frame.width_px
    first = int(np.floor((frame.reach_px[0] - more) / (_ALONG * unit)))
    last = int(np.ceil((frame.reach_px[1] + more) / (_ALONG * unit)))
    rows, cols = last - first + 1, 2 * _SIDE + 1
    start = frame.centre + first * _ALONG * unit * frame.axis - _SIDE * unit * frame.across
    across, along = unit * frame.across, _ALONG * unit * frame.axis
    corners = [
        start + j * (cols - 1) * across + i * (rows - 1) * along for i in (0, 1) for j in (0, 1)
    ]
    low = np.maximum(np.floor(np.min(corners, axis=0)).astype(int) - 2, 0)
    high = np.ceil(np.max(corners, axis=0)).astype(int) + 3 + int(unit)
    high = np.minimum(high, film.shape)
    near = np.s_[low[0] : high[0], low[1] : high[1]]
    origin = start - low
    whole = film[near]
    # averaged, so that no pixel is left out; whole blocks, because these are averaged much faster
    factor = max(1, min(int(unit), *whole.shape))
    blocks = whole[: whole.shape[0] // factor * factor, : whole.shape[1] // factor * factor]

    def laid(picture: NDArray[Any], how: int, beyond: float, pixel: int = 1) -> NDArray[Any]:
        steps = [across / pixel, along / pixel, (origin + 0.5) / pixel - 0.5]
        return cv2.warpAffine(
            picture,
            np.array(steps).T[::-1],  # OpenCV counts columns first
            (cols, rows),
            flags=how | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=beyond,
        )

    own = np.zeros(whole.shape, np.uint8)
    box = footprint.box
    top, left = box[0].start - low[0], box[1].start - low[1]
    inside = footprint.mask[max(-top, 0) :, max(-left, 0) :]
    place = own[max(top, 0) :, max(left, 0) :][: inside.shape[0], : inside.shape[1]]
    place[:] = inside[: place.shape[0], : place.shape[1]]
    region = np.asarray(laid(own, cv2.INTER_NEAREST, 0), np.bool_)
    bones = np.asarray(
        laid(np.ascontiguousarray(bone[near]).view(np.uint8), cv2.INTER_NEAREST, 0), np.bool_
    )
    return _Strip(
        np.asarray(laid(reduced(blocks, factor), cv2.INTER_LINEAR, -1.0, factor), np.float32),
        bones | region,
        region,
        unit,
    )


class _Edges(NamedTuple):
    """Edges of the bone and the region, (2, rows), NaN for none; rows beside it; share of gaps."""

    columns: NDArray[np.float64]
    rims: NDArray[np.float64]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    smooth: NDArray[np.float32]
    gaps: float


def _edges(strip: _Strip) -> _Edges | None:
    """Find both edges of the bone; None if too little of it is visible beside the region."""
    rows, cols = strip.film.shape
    lesion = np.flatnonzero(strip.region.any(axis=1))
    if not lesion.size:  # thinner than a row
        return None
    _, pieces = cv2.connectedComponents(strip.bone.astype(np.uint8), connectivity=4)
    own = np.bincount(pieces[strip.region]).argmax()
    mask = pieces == own
    there = mask.any(axis=1)
    ends = np.stack([mask.argmax(axis=1), cols - 1 - mask[:, ::-1].argmax(axis=1)]).astype(float)
    # no edge where the mask extends beyond the strip
    ends[:, ~there | (ends[0] <= 0) | (ends[1] >= cols - 1)] = np.nan
    smooth = cv2.GaussianBlur(strip.film, (5, 3), 1.0)
    slope = np.gradient(smooth, axis=1)
    window = np.arange(-_NEAR_EDGE, _NEAR_EDGE + 1)
    columns, rises = np.full_like(ends, np.nan), np.zeros_like(ends)
    for way, sign in ((0, 1.0), (1, -1.0)):
        known = np.flatnonzero(np.isfinite(ends[way]))
        at = (ends[way][known, None].astype(int) + window).clip(1, cols - 2)
        rise = sign * np.take_along_axis(slope[known], at, axis=1)
        columns[way, known] = np.take_along_axis(at, rise.argmax(axis=1)[:, None], axis=1)[:, 0]
        rises[way, known] = rise.max(axis=1)
    outside = (strip.film < 0).any(axis=1)
    columns[:, outside] = np.nan
    number, gap = np.arange(rows), round(_GAP * _ACROSS / _ALONG)
    good = np.isfinite(columns).all(axis=0)
    before, after = good & (number < lesion[0] - gap), good & (number > lesion[-1] + gap)
    if min(before.sum(), after.sum()) < _LEAST_ROWS:
        return None
    # where a lesion has destroyed the edge, use the edge of the mask and the region
    usual = np.sort(rises[:, before | after], axis=1)[:, [(before | after).sum() // 2]]
    columns[:, lesion] = np.where(rises >= _SLIGHT * usual, columns, ends)[:, lesion]
    region = strip.region
    rims = np.stack([region.argmax(axis=1), cols - 1 - region[:, ::-1].argmax(axis=1)]).astype(
        float
    )
    rims[:, ~region.any(axis=1)] = np.nan
    # two bones in one piece of the mask leave a gap somewhere
    parted = mask.sum(axis=1) < _SOLID * (ends[1] - ends[0] + 1.0)
    gaps = float(parted[good].mean())
    return _Edges(columns, rims, before, after, np.asarray(smooth, np.float32), gaps)


class _Side(NamedTuple):
    """One edge of the bone, observed and expected, with its cortex."""

    found: NDArray[np.float64]
    expected: NDArray[np.float64]
    pushed: NDArray[np.float64]
    sign: int
    profiles: NDArray[np.float32]
    thickness: float | None
    step: float

    @classmethod
    def of(cls, strip: _Strip, edges: _Edges, way: int) -> "_Side | None":
        """Measure one side (`way` 0 or 1); None if its outline is unreliable."""
        found, beside = edges.columns[way], edges.before | edges.after
        expected = _interpolated(found, edges.before, edges.after)
        off = np.abs(found - expected)[beside]
        sign = 1 if way == 0 else -1
        found = np.where(np.isfinite(found), found, expected)
        # an edge that the region extends beyond is the lesion's inner border
        rim = edges.rims[way]
        beyond = sign * (found - rim) > _BEYOND
        outer = np.where(beyond, np.fmin(sign * rim, sign * expected) * sign, found)
        # only an edge close to the region was pushed out by it
        pushed = sign * (expected - found)
        pushed[(pushed > 0) & ~(sign * (rim - found) <= _SHELL)] = 0.0
        inwards = np.arange(-8, _DEEP)
        at = (np.rint(outer)[:, None].astype(int) + sign * inwards).clip(0, strip.film.shape[1] - 1)
        profiles = np.take_along_axis(edges.smooth, at, axis=1)
        usual = _middle(profiles[beside])
        soft = _ranked(usual[:5], 0.5)
        peak = 8 + int(usual[8:24].argmax())
        bright = float(usual[peak])
        uneven = _ranked(off, 0.5) > _UNEVEN or _ranked(off, 0.8) > 2 * _UNEVEN
        # the cortex thins towards a joint: use the fainter of both flanks
        flanks = (_middle(profiles[flank]) for flank in (edges.before, edges.after))
        step = min(float(flank[8:24].max()) - _ranked(flank[:5], 0.5) for flank in flanks)
        if uneven or step < _LEAST_STEP:
            return None
        marrow = float(usual[peak:].min())
        thickness = None
        if bright - marrow >= _CLEAR_CORTEX * (bright - soft):
            fallen = np.flatnonzero(usual[peak:] < 0.5 * (bright + marrow))
            thickness = float(peak + fallen[0] - 8) - 0.5  # it falls between two samples
        return cls(found, expected, pushed, sign, profiles, thickness, step)

    def _reached(self, strip: _Strip) -> NDArray[np.intp]:
        """Return the rows in which the region reaches the cortex."""
        region = strip.region if self.sign > 0 else strip.region[:, ::-1]
        rows = np.flatnonzero(region.any(axis=1))
        first = region[rows].argmax(axis=1)
        outer = self.expected[rows]
        edge = outer if self.sign > 0 else region.shape[1] - 1 - outer
        near = first <= edge + (self.thickness or 3.0) + 2.0
        return np.asarray(rows[near], np.intp)

    def scalloping(self, strip: _Strip) -> float | None:
        """Return the share of the cortex that is lost; None without a visible inner border."""
        if self.thickness is None:
            return None
        rows = self._reached(strip)
        if not rows.size:
            return 0.0
        depth = 8 + int(np.ceil(self.thickness)) + 4
        inner = self.profiles[rows, 8:depth]
        peak = inner.argmax(axis=1)
        top = inner.max(axis=1)
        low = np.minimum.accumulate(inner[:, ::-1], axis=1)[:, -1]
        half = 0.5 * (top + low)
        behind = (np.arange(inner.shape[1]) > peak[:, None]) & (inner < half[:, None])
        left = np.where(behind.any(axis=1), behind.argmax(axis=1) - 0.5, inner.shape[1])
        return float(np.clip(1.0 - _ranked(left, 0.2) / self.thickness, 0.0, 1.0))

    def gap(self, strip: _Strip) -> int:
        """Return the longest run of rows in which the region reaches an edge without cortex."""
        rows = self._reached(strip)
        if not rows.size:
            return 0
        inside = 8 + max(3, int(0.8 * (self.thickness or 3.0)))
        soft = np.sort(self.profiles[rows, :5], axis=1)[:, 2]
        seen = self.profiles[rows, 6:inside].max(axis=1) - soft
        none = np.zeros(strip.film.shape[0] + 2, np.bool_)
        none[rows + 1] = seen < _NO_CORTEX * self.step
        turns = np.flatnonzero(np.diff(none.astype(np.int8)))
        return int((turns[1::2] - turns[::2]).max(initial=0))


def _interpolated(
    found: NDArray[np.float64], before: NDArray[np.bool_], after: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Interpolate an edge between both flanks by a cubic Hermite spline."""
    rows = np.arange(found.size, dtype=np.float64)
    ends, slopes = [], []
    for flank in (before, after):
        places = np.flatnonzero(flank)
        near, far = np.array_split(places, 2) if flank is after else np.array_split(places, 2)[::-1]
        a, b = (_ranked(rows[part], 0.5) for part in (near, far))
        y, z = (_ranked(found[part], 0.5) for part in (near, far))
        ends.append((a, y))
        slopes.append((z - y) / (b - a))
    (a, y), (b, z) = ends
    span = b - a
    t = (rows - a) / span
    inner = t.clip(0.0, 1.0)
    cubic = (
        (2 * inner**3 - 3 * inner**2 + 1) * y
        + (inner**3 - 2 * inner**2 + inner) * span * slopes[0]
        + (3 * inner**2 - 2 * inner**3) * z
        + (inner**3 - inner**2) * span * slopes[1]
    )
    beyond = np.where(t < 0, (rows - a) * slopes[0], np.where(t > 1, (rows - b) * slopes[1], 0.0))
    return np.asarray(cubic + beyond, np.float64)


def _middle(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median row, without interpolation."""
    return np.asarray(np.sort(rows, axis=0)[len(rows) // 2], np.float32)


def _ranked(values: NDArray[np.generic], share: float) -> float:
    """Return a quantile, without interpolation."""
    return float(np.sort(values)[min(int(share * len(values)), len(values) - 1)])
