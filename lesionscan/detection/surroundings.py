"""Image around regions -> contrast, noise, enclosure and margin of each.

All is measured on a copy of a region's neighbourhood, reduced until the region is at most 48 pixels
across: that bounds the work on large films and averages quantum noise as an eye does. The pixels of
all neighbourhoods then stand in one table, and every fact is taken of all regions at once: the same
region by region, a hundred small sums each, was half of the time of a search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import Footprint
from lesionscan.detection.margin import margin_widths, profiles_across
from lesionscan.detection.morphology import distance_to
from lesionscan.radiograph import BoolImage, FloatImage

_ACROSS_PX = 48
"""Largest region diameter on the reduced grid."""
_SECTORS, _OCTANTS = 16, 8
"""Directions in which a region's surroundings, and its edge, are looked at."""
_CLEARLY_BRIGHTER = 0.3
"""Share of a region's contrast that one direction must reach to count as enclosing."""
_WEAK_SHARE = 0.2
"""Quantile of the directions that counts as the weakest side: the worst 3 of 16."""
_LEAST_NOISE = 0.004
"""Noise is never taken to be smaller: about one grey level of 255."""


_AnyT = TypeVar("_AnyT", bound=np.generic)

_Places: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Rows and columns, (regions,) each, in every region's own patch."""


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
    lucency_around
        Mean of the lucency map in the ring around, or None without exposed surroundings.
    margin_width_px
        10 to 90 % width of the margin in stored pixels, or None where no edge rises.
    """

    contrast: float = 0.0
    contrast_to_noise: float = 0.0
    weakest_side_contrast: float = 0.0
    weakest_edge_step: float = 0.0
    rim_contrast: float = 0.0
    inside_spread: float = 0.0
    ring_spread: float = 0.0
    enclosure: float = 0.0
    edge_alignment: float = 0.0
    bone_fraction: float = 0.0
    rim_in_bone: float = 0.0
    lucency_around: float | None = None
    margin_width_px: float | None = None


def look_around(
    footprints: Sequence[Footprint],
    contours: Sequence[NDArray[np.int32]],
    *,
    image: FloatImage,
    bone: BoolImage,
    exposed: BoolImage,
    lucency: FloatImage,
) -> tuple[Surroundings, ...]:
    """Measure regions' brightness against their surroundings.

    Parameters
    ----------
    footprints
        The regions.
    contours
        int32 (n, 2), each region's boundary in order, as (row, col) inside its box.
    image, bone, exposed, lucency
        Full (rows, cols) arrays: the normalised image, the bone mask, the exposed field, the
        scorer's lucency map.

    Returns
    -------
    tuple of Surroundings
        One a region. All is 0 or None of a region that has no exposed surroundings, or is thinner
        than the reduced grid; but it may have a margin.
    """
    if not footprints:
        return ()
    patches = [
        _Patch.of(footprint, contour, image, bone, exposed, lucency)
        for footprint, contour in zip(footprints, contours, strict=True)
    ]
    widths = margin_widths(
        np.stack([patch.profiles for patch in patches]),
        np.array([patch.profile_reach for patch in patches]),
    )
    margins = [
        None if width is None else width * patch.factor
        for width, patch in zip(widths, patches, strict=True)
    ]
    facts = _facts(_Pixels.of(patches))
    facts["edge_alignment"] = np.array([patch.edge_alignment for patch in patches])
    surrounded = facts.pop("surrounded")
    around = facts.pop("lucency_around")
    return tuple(
        Surroundings(
            **{name: float(values[number]) for name, values in facts.items()},
            lucency_around=None if np.isnan(around[number]) else float(around[number]),
            margin_width_px=margins[number],
        )
        if surrounded[number]
        else Surroundings(margin_width_px=margins[number])
        for number in range(len(patches))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """One region and what surrounds it, on the reduced grid; all arrays are (rows, cols) of it.

    Attributes
    ----------
    factor
        Stored pixels per pixel of this grid.
    film, lucency, inside, in_bone, in_field
        The full arrays here, and the region.
    distance, depth
        Distance to the nearest pixel inside, and outside, in pixels of this grid.
    edge_alignment
        As in `Region`.
    profiles, profile_reach
        The film across the region's margin, and how far.
    """

    factor: int
    film: FloatImage
    lucency: FloatImage
    inside: BoolImage
    in_bone: BoolImage
    in_field: BoolImage
    distance: FloatImage
    depth: FloatImage
    edge_alignment: float
    profiles: NDArray[np.float32]
    profile_reach: float

    @classmethod
    def of(
        cls,
        footprint: Footprint,
        contour: NDArray[np.int32],
        image: FloatImage,
        bone: BoolImage,
        exposed: BoolImage,
        lucency: FloatImage,
    ) -> Self:
        mask, box = footprint.mask, footprint.box
        radius = float(np.sqrt(np.count_nonzero(mask) / np.pi))
        factor = max(1, round(2.0 * radius / _ACROSS_PX))
        reach = int(np.ceil(0.6 * radius)) + 4 * factor
        cut = _Cut.around(box, image.shape, reach=reach, factor=factor)
        own = np.zeros(cut.shape, np.bool_)
        corner = cut.place(box)
        own[corner[0] :, corner[1] :][: mask.shape[0], : mask.shape[1]] = mask
        inside = _mostly(own, factor)
        film = _reduced(cut.of(image), factor)
        distance, depth = np.full(film.shape, np.inf, np.float32), np.zeros_like(film)
        if inside.any():
            distance = distance_to(inside)
            depth = _depth(inside)
        profile_reach = max(2.0, 0.6 * radius / factor)
        return cls(
            factor=factor,
            film=film,
            lucency=_reduced(cut.of(lucency), factor),
            inside=inside,
            in_bone=_mostly(cut.of(bone), factor),
            in_field=_mostly(cut.of(exposed, beyond=False), factor),
            distance=distance,
            depth=depth,
            edge_alignment=_alignment(film, distance, depth) if inside.any() else 0.0,
            profiles=profiles_across(
                film, (contour + corner + 0.5) / factor - 0.5, reach=profile_reach
            ),
            profile_reach=profile_reach,
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """A piece of the stored matrix whose sides are whole multiples of a factor.

    Attributes
    ----------
    near
        What of it lies in the matrix.
    beyond
        Rows above and below, columns to the left and right that do not.
    """

    near: tuple[slice, slice]
    beyond: tuple[int, int, int, int]

    @classmethod
    def around(
        cls, box: tuple[slice, slice], shape: tuple[int, ...], *, reach: int, factor: int
    ) -> Self:
        near: list[slice] = []
        beyond: list[int] = []
        for side, whole in zip(box, shape, strict=True):
            low, high = max(side.start - reach, 0), min(side.stop + reach, whole)
            missing = -(high - low) % factor
            # evenly on both sides, so that a film turned round is cut alike
            low, high = low - missing // 2, high + missing - missing // 2
            near.append(slice(max(low, 0), min(high, whole)))
            beyond += [max(-low, 0), max(high - whole, 0)]
        return cls((near[0], near[1]), (beyond[0], beyond[1], beyond[2], beyond[3]))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = (side.stop - side.start for side in self.near)
        return rows + sum(self.beyond[:2]), cols + sum(self.beyond[2:])

    def place(self, box: tuple[slice, slice]) -> tuple[int, int]:
        """Return the row and column here at which a box of the matrix begins."""
        rows, cols = (
            inner.start - outer.start for inner, outer in zip(box, self.near, strict=True)
        )
        return rows + self.beyond[0], cols + self.beyond[2]

    def of(self, array: NDArray[_AnyT], *, beyond: bool = True) -> NDArray[_AnyT]:
        """Cut it out; beyond the matrix its last pixels go on, or all is zero."""
        inside = array[self.near]
        if not any(self.beyond):
            return inside
        top, bottom, left, right = self.beyond
        widths = ((top, bottom), (left, right))
        padded = np.pad(inside, widths, mode="edge") if beyond else np.pad(inside, widths)
        return np.asarray(padded, array.dtype)


def _reduced(image: FloatImage, factor: int) -> FloatImage:
    """Average pixels, `factor` a side."""
    if factor == 1:
        return np.ascontiguousarray(image)
    size = (max(1, image.shape[1] // factor), max(1, image.shape[0] // factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _mostly(mask: BoolImage, factor: int) -> BoolImage:
    """Return where half of the pixels or more are True, `factor` a side."""
    if factor == 1:
        return np.ascontiguousarray(mask)
    whole = np.ascontiguousarray(mask).view(np.uint8) * np.uint8(255)
    size = (max(1, mask.shape[1] // factor), max(1, mask.shape[0] // factor))
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA) > 127, np.bool_)


def _depth(inside: BoolImage) -> FloatImage:
    """Return the distance to the nearest pixel outside; beyond the picture all is outside."""
    rows, cols = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    padded = cv2.copyMakeBorder(
        inside[box].view(np.uint8), *(1, 1, 1, 1), cv2.BORDER_CONSTANT, value=0
    )
    depth = np.zeros(inside.shape, np.float32)
    depth[box] = distance_to(padded == 0)[1:-1, 1:-1]
    return depth


def _alignment(film: FloatImage, distance: FloatImage, depth: FloatImage) -> float:
    """Return the mean cosine between brightness gradient and outward normal along the edge."""
    edge = np.flatnonzero((distance <= 1.5) & (depth <= 1.5))
    if not edge.size:
        return 0.0
    gradient, normal = (
        [cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3).ravel()[edge] for order in ((0, 1), (1, 0))]
        for smooth in (
            cv2.GaussianBlur(film, (0, 0), 1.0),
            cv2.GaussianBlur(distance - depth, (0, 0), 1.0),
        )
    )
    length = np.hypot(*gradient) * np.hypot(*normal)
    cosine = (gradient[0] * normal[0] + gradient[1] * normal[1]) / np.maximum(length, 1e-9)
    return float(cosine.mean())


@dataclass(frozen=True, slots=True, eq=False)
class _Pixels:
    """The pixels of all patches, a row a pixel.

    Attributes
    ----------
    count
        Number of regions.
    region
        int64 (n,), which one's neighbourhood a pixel belongs to.
    row, col
        float32 (n,), its place in the patch.
    film, lucency, inside, in_bone, in_field, distance, depth
        (n,), as in `_Patch`.
    """

    count: int
    region: NDArray[np.int64]
    row: NDArray[np.float32]
    col: NDArray[np.float32]
    film: FloatImage
    lucency: FloatImage
    inside: BoolImage
    in_bone: BoolImage
    in_field: BoolImage
    distance: FloatImage
    depth: FloatImage

    @classmethod
    def of(cls, patches: Sequence[_Patch]) -> Self:
        shapes = [patch.film.shape for patch in patches]
        names = ("film", "lucency", "inside", "in_bone", "in_field", "distance", "depth")
        return cls(
            count=len(patches),
            region=np.repeat(np.arange(len(patches)), [rows * cols for rows, cols in shapes]),
            row=np.concatenate(
                [np.repeat(np.arange(rows, dtype=np.float32), cols) for rows, cols in shapes]
            ),
            col=np.concatenate(
                [np.tile(np.arange(cols, dtype=np.float32), rows) for rows, cols in shapes]
            ),
            **{
                name: np.concatenate([getattr(patch, name).ravel() for patch in patches])
                for name in names
            },
        )

    def part(self, chosen: BoolImage) -> "_Part":
        """Return some of the pixels."""
        where = np.flatnonzero(chosen)
        return _Part(self, where, self.region[where])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some of the pixels.

    Attributes
    ----------
    pixels
        All of them.
    where
        int64 (n,), which ones.
    region
        int64 (n,), whose neighbourhood each belongs to.
    """

    pixels: _Pixels
    where: NDArray[np.int64]
    region: NDArray[np.int64]

    def mean(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return every region's mean of these pixels' values; NaN without any."""
        return _means(values[self.where], self.region, self.pixels.count)

    def spread(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every region's standard deviation of these pixels' film, given its mean."""
        residual = self.pixels.film[self.where] - means.astype(np.float32)[self.region]
        return np.sqrt(_means(residual * residual, self.region, self.pixels.count))

    def directions(self, middle: _Places, number: int) -> NDArray[np.int64]:
        """Return region * number + direction as seen from its middle, 0 to number - 1."""
        rows = self.pixels.row[self.where] - middle[0][self.region]
        cols = self.pixels.col[self.where] - middle[1][self.region]
        turn = (np.arctan2(rows, cols) + np.float32(np.pi)) * np.float32(number / (2 * np.pi))
        direction = np.minimum(turn.astype(np.int64), number - 1)
        return np.asarray(self.region * number + direction, np.int64)


def _means(
    values: NDArray[np.generic], group: NDArray[np.int64], groups: int
) -> NDArray[np.float64]:
    """Return the mean of each group of values; NaN of an empty one."""
    total = np.bincount(group, weights=values, minlength=groups)
    number = np.bincount(group, minlength=groups)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _facts(pixels: _Pixels) -> dict[str, NDArray[np.float64]]:
    """Return the facts by their names, (regions,) each, and which regions are surrounded."""
    inside = pixels.part(pixels.inside)
    radius = np.sqrt(np.bincount(inside.region, minlength=pixels.count) / np.pi)
    outside, seen = ~pixels.inside, pixels.in_field & ~pixels.inside

    def within(limit: NDArray[np.float64]) -> BoolImage:
        return np.asarray(pixels.distance <= limit.astype(np.float32)[pixels.region], np.bool_)

    # the innermost pixels outside the outline still belong to its slope
    gap = 0.05 * radius + 0.5
    ring = pixels.part(seen & within(gap + np.maximum(2.0, 0.45 * radius)) & ~within(gap))
    rim = pixels.part(seen & within(0.2 * radius + 1.0))
    near = pixels.part(seen & within(np.maximum(2.0, 0.5 * radius)))
    touching = pixels.part(outside & (pixels.distance <= 1.5))
    level, around = inside.mean(pixels.film), ring.mean(pixels.film)
    contrast = around - level
    middle = (
        inside.mean(pixels.row).astype(np.float32),
        inside.mean(pixels.col).astype(np.float32),
    )
    bright, noise = _directions_of_ring(ring, middle)
    steps = bright - level[:, None]
    clearly = steps > np.maximum(_CLEARLY_BRIGHTER * contrast, 0.0)[:, None]
    edge = 0.12 * radius + 1.0
    outer = pixels.part(outside & within(edge))
    inner = pixels.part(pixels.inside & (pixels.depth <= edge.astype(np.float32)[pixels.region]))
    edge_steps = _by_octant(outer, middle) - _by_octant(inner, middle)
    return {
        "surrounded": np.isfinite(contrast),
        "contrast": contrast,
        "contrast_to_noise": contrast / noise,
        "weakest_side_contrast": _quantile_of_known(steps, _WEAK_SHARE),
        "weakest_edge_step": np.nan_to_num(_quantile_of_known(edge_steps, _WEAK_SHARE)),
        "rim_contrast": np.nan_to_num(rim.mean(pixels.film) - around),
        "inside_spread": inside.spread(level),
        "ring_spread": ring.spread(around),
        # a direction without exposed surroundings encloses nothing
        "enclosure": np.where(contrast > 0, clearly.mean(axis=1), 0.0),
        "bone_fraction": _mean_of_both(pixels.in_bone, inside, ring),
        "rim_in_bone": np.nan_to_num(touching.mean(pixels.in_bone)),
        "lucency_around": near.mean(pixels.lucency),
    }


def _directions_of_ring(
    ring: _Part, middle: _Places
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bright part of every direction, (regions, sectors), and every region's noise."""
    count = ring.pixels.count
    seen = _Groups.of(ring.pixels.film[ring.where], ring.directions(middle, _SECTORS))
    # a thin cortex encloses as well as thick bone does, so the bright part of a direction counts
    bright = np.full(count * _SECTORS, np.nan)
    bright[seen.group] = seen.quantile(0.8)
    # the spread around each direction's median: robust, as a standard deviation
    residual = np.abs(seen.values - np.repeat(seen.quantile(0.5), seen.counts))
    spread = _Groups.of(residual, np.repeat(seen.group // _SECTORS, seen.counts))
    noise = np.full(count, _LEAST_NOISE)
    noise[spread.group] = np.maximum(1.4826 * spread.quantile(0.5), _LEAST_NOISE)
    return bright.reshape(count, _SECTORS), noise


def _by_octant(part: _Part, middle: _Places) -> NDArray[np.float64]:
    """Return the film's mean in every direction, (regions, octants); NaN without any pixel."""
    film, count = part.pixels.film[part.where], part.pixels.count
    octants = _means(film, part.directions(middle, _OCTANTS), count * _OCTANTS)
    return octants.reshape(count, _OCTANTS)


def _mean_of_both(values: NDArray[np.generic], one: _Part, other: _Part) -> NDArray[np.float64]:
    """Return every region's mean over the pixels of two parts; NaN without any."""
    where = np.concatenate([one.where, other.where])
    region = np.concatenate([one.region, other.region])
    return _means(values[where], region, one.pixels.count)


def _quantile_of_known(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return a quantile of each row's finite values, (rows,); NaN of a row without any."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    at = np.maximum(np.isfinite(values).sum(axis=1) - 1, 0) * share
    below = at.astype(np.int64)
    low, high = (
        np.take_along_axis(ordered, index[:, None], axis=1)[:, 0]
        for index in (below, np.ceil(at).astype(np.int64))
    )
    return np.asarray(low + (at - below) * (high - low), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Values of many groups, sorted within each; groups without any are left out.

    Attributes
    ----------
    values
        float32 (n,), group by group.
    group
        int64 (groups,), their numbers, rising.
    starts, counts
        int64 (groups,), where each one's values begin, and how many they are.
    """

    values: NDArray[np.float32]
    group: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float32], group: NDArray[np.int64]) -> Self:
        """Sort values, float32 of at least 0, by their group."""
        # One number holds both, since floats that are not negative are in the order of their bits:
        # an eighth of the time of sorting by two keys. Adding 0 turns -0 into 0.
        bits = (values + np.float32(0)).view(np.uint32)
        ordered = np.sort((group.astype(np.uint64) << np.uint64(32)) | bits)
        counts = np.bincount(group)
        known = np.flatnonzero(counts)
        counts = counts[known]
        return cls(
            values=ordered.astype(np.uint32).view(np.float32),
            group=known,
            starts=np.cumsum(counts) - counts,
            counts=counts,
        )

    def quantile(self, share: float) -> NDArray[np.float32]:
        """Return each group's quantile, between values linearly, as numpy has it."""
        at = (self.counts - 1) * share
        below = at.astype(np.int64)
        low = self.values[self.starts + below]
        high = self.values[self.starts + np.minimum(below + 1, self.counts - 1)]
        part, step = at - below, high - low
        # from the nearer end, so that the last value is reached exactly
        nearer = part < 0.5
        up, down = step * part.astype(np.float32), step * (1 - part).astype(np.float32)
        return np.asarray(np.where(nearer, low + up, high - down), np.float32)
