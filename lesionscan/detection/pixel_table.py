"""Tables of the pixels around all regions, and statistics per region.

Each statistic is computed for all regions at once; region by region, it took half of the time of a
search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.neighbourhood import Patch
from lesionscan.radiograph import BoolImage, FloatImage

Places: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Rows and columns, (regions,) each, in the patch of each region."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """The pixels of all patches, one row per pixel.

    Attributes
    ----------
    count
        Number of regions.
    region
        int64 (n,), index of the region whose patch contains the pixel.
    row, col
        float32 (n,), position in the patch.
    film, lucency, inside, in_bone, in_field, distance, depth
        (n,), as in `Patch`.
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
    def of(cls, patches: Sequence[Patch]) -> Self:
        """Collect the pixels of at least one patch."""
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

    def part(self, chosen: BoolImage) -> "Part":
        """Select pixels by a mask, bool (n,)."""
        where = np.flatnonzero(chosen)
        return Part(self, where, self.region[where])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A selection of the pixels.

    Attributes
    ----------
    pixels
        All pixels.
    where
        int64 (n,), indices of the selected pixels.
    region
        int64 (n,), index of the region of each.
    """

    pixels: Pixels
    where: NDArray[np.int64]
    region: NDArray[np.int64]

    def mean(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the mean of the selected values per region; NaN without any."""
        return means_of(values[self.where], self.region, self.pixels.count)

    def spread(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation of the film per region, from its means."""
        residual = self.pixels.film[self.where] - means.astype(np.float32)[self.region]
        return np.sqrt(means_of(residual * residual, self.region, self.pixels.count))

    def directions(self, middle: Places, number: int) -> NDArray[np.int64]:
        """Return region * number + the sector, 0 to number - 1, around the region's middle."""
        rows = self.pixels.row[self.where] - middle[0][self.region]
        cols = self.pixels.col[self.where] - middle[1][self.region]
        turn = (np.arctan2(rows, cols) + np.float32(np.pi)) * np.float32(number / (2 * np.pi))
        direction = np.minimum(turn.astype(np.int64), number - 1)
        return np.asarray(self.region * number + direction, np.int64)


def means_of(
    values: NDArray[np.generic], group: NDArray[np.int64], groups: int
) -> NDArray[np.float64]:
    """Return the mean of each group of values; NaN for an empty group."""
    total = np.bincount(group, weights=values, minlength=groups)
    count = np.bincount(group, minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def row_nanquantile(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return a quantile of the finite values of each row, (rows,); NaN for a row without any."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    at = np.maximum(np.isfinite(values).sum(axis=1) - 1, 0) * share
    below = at.astype(np.int64)
    low, high = (
        np.take_along_axis(ordered, index[:, None], axis=1)[:, 0]
        for index in (below, np.ceil(at).astype(np.int64))
    )
    return np.asarray(low + (at - below) * (high - low), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Values sorted by group; empty groups are left out.

    Attributes
    ----------
    values
        float32 (n,), group by group, ascending within each.
    group
        int64 (groups,), numbers of the groups, ascending.
    starts, counts
        int64 (groups,), index of the first value of each group, and number of its values.
    """

    values: NDArray[np.float32]
    group: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.float32], group: NDArray[np.int64]) -> Self:
        """Sort non-negative float32 values by group."""
        # Non-negative floats sort like their bits, so one integer holds group and value, which
        # takes an eighth of the time of sorting by two keys. Adding 0 turns -0 into 0.
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
        """Return a quantile of each group, interpolated linearly as in numpy."""
        at = (self.counts - 1) * share
        below = at.astype(np.int64)
        low = self.values[self.starts + below]
        high = self.values[self.starts + np.minimum(below + 1, self.counts - 1)]
        part, step = at - below, high - low
        # from the nearer end, so that the last value is exact
        lower_half = part < 0.5
        up, down = step * part.astype(np.float32), step * (1 - part).astype(np.float32)
        return np.asarray(np.where(lower_half, low + up, high - down), np.float32)
