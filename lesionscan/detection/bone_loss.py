"""Estimate the share of bone that is missing in a region.

Grey values are close to the logarithm of the exposure, so bone adds to the level of the soft
tissue. That level is interpolated across the bones from both sides. The expected bone is taken from
the surroundings in the same bone at the same depth below its surface, so that cortex is compared
with cortex and marrow with marrow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import Footprint
from lesionscan.detection.location import BoneMap
from lesionscan.detection.morphology import distance_to
from lesionscan.radiograph import BoolImage, FloatImage

_LEVEL_PX = 160
"""Long side of the grid of the soft-tissue level, which is smooth."""
_HALVINGS = 4
"""Number of times that grid is halved to interpolate across wide bones."""
_BLURRED = 0.006
"""Width of a bone's blurred edge, as a share of the long side."""
_FADES = 0.4
"""Distance at which the weight of soft tissue falls to 1/e, in half widths of the widest bone:
farther away it may be thinner, or air."""
_LEAST_WEIGHT = 0.05
"""Weight of the coarser grid."""
_LEAST_SPREAD_PX2 = 2.0
"""Added to the variance of the distances, so that a small one gives hardly any slope."""
_ACROSS = 16
"""Samples across a region."""
_GAP, _REACH = 0.25, 1.3
"""Nearest and farthest bone used around a region, in radii from its outline."""
_FARTHEST = 0.2
"""Weight of the farthest bone; the nearest has 1."""
_DEPTHS = 10
"""Number of bins of depth below the bone's surface."""
_LEAST_SAMPLES = 8
_LEAST_SIGNAL = 0.1
"""Minimum signal of the bone (25 grey levels of 255): the soft-tissue level is uncertain by several
grey levels."""
_LARGEST_ERROR = 1 / 3
"""Shares with a larger standard error are not reported."""
_LEAST, _MOST = -0.05, 1.1
"""Smaller shares mean that the bone around is not comparable, larger ones that the soft-tissue
level is wrong: a region cannot lose less than nothing or more than all."""
_QUARTERS = 4
CLEAR_LOSS, _LARGE_LOSS = 0.2, 0.5
"""Shares from which a loss is stated as clear and as large. Texts give no number: half of the
shares are off by 0.08 and more."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftTissue:
    """Grey level of soft tissue without bone, on a coarse grid.

    Attributes
    ----------
    level
        float32 (rows, cols), in the unit of the film.
    scale
        Rows and columns of this grid / those of the film.
    """

    level: FloatImage
    scale: tuple[float, float]

    @classmethod
    def of(cls, image: FloatImage, bone: BoolImage, usable: BoolImage) -> Self | None:
        """Interpolate the level beside the bones across them.

        The known level is averaged on successively halved grids, and gaps are filled from the
        coarser ones ("pull-push": Gortler et al., The Lumigraph, SIGGRAPH 1996). Limbs get thinner
        towards the skin, so if the level falls with the distance from the bone, a line is fitted
        and its value at the bone's edge is used.

        Parameters
        ----------
        image
            float32 (rows, cols) in [0, 1], bone bright.
        bone, usable
            bool (rows, cols); the bone mask, and the exposed field without markers and metal.

        Returns
        -------
        SoftTissue or None
            None if there is no soft tissue beside any bone.
        """
        coarsest = 2**_HALVINGS
        factor = _LEVEL_PX / max(image.shape) / coarsest
        rows, cols = (coarsest * max(1, round(side * factor)) for side in image.shape)
        covered, seen = (_averaged(mask, (rows, cols)) for mask in (bone, usable))
        in_bone = covered > 0.1
        if not in_bone.any():
            return None
        away = distance_to(in_bone)
        reach = _FADES * float(distance_to(~in_bone).max()) if not in_bone.all() else 1.0
        beside = (away > max(1.0, _BLURRED * _LEVEL_PX)) & (seen > 0.98)
        weight = np.asarray(beside * np.exp(-away / reach), np.float32)
        if not weight.any():
            return None
        value = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA)
        moments = np.dstack([value, away, away * value, away**2]) * weight[:, :, None]
        means = _pulled_and_pushed(np.asarray(moments, np.float32), weight)
        level, distance, product, square = np.moveaxis(means, 2, 0)
        spread = np.maximum(square - distance**2, 0) + np.float32(_LEAST_SPREAD_PX2)
        slope = np.minimum(product - distance * level, 0) / spread
        return cls(level - slope * distance, (rows / image.shape[0], cols / image.shape[1]))

    def at(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> FloatImage:
        """Return the level at rows and columns of the film, (rows, cols)."""
        return np.asarray(
            self.level[
                np.ix_(*(_nearest(at, f) for at, f in zip((rows, cols), self.scale, strict=True)))
            ]
        )


def _averaged(mask: BoolImage, shape: tuple[int, int]) -> FloatImage:
    """Return the share of True pixels, float32 in [0, 1], on another grid."""
    whole = mask.view(np.uint8) * np.uint8(255)
    small = cv2.resize(whole, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small / np.float32(255), np.float32)


def _pulled_and_pushed(values: FloatImage, weight: FloatImage) -> FloatImage:
    """Fill gaps in values that are multiplied by their weight, (rows, cols, n)."""
    known = [(values, weight)]
    for _ in range(_HALVINGS):
        size = known[-1][0].shape[1] // 2, known[-1][0].shape[0] // 2
        values, weight = (
            np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.float32)
            for one in known[-1]
        )
        known.append((values, weight))
    total = values.sum(axis=(0, 1)) / weight.sum()
    level = np.broadcast_to(total, values.shape).astype(np.float32)
    for values, weight in reversed(known):
        coarser = cv2.resize(level, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        level = (values + _LEAST_WEIGHT * coarser) / (weight[:, :, None] + _LEAST_WEIGHT)
    return np.asarray(level, np.float32)


def _nearest(at: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Return the indices of film pixels on a coarser grid."""
    return np.asarray((at + 0.5) * scale, np.int64)


@dataclass(frozen=True, slots=True)
class BoneLoss:
    """Share of the bone that a region has lost.

    Attributes
    ----------
    share
        Missing share of the bone's signal, 0 to 1.
    error
        Standard error of the share.
    """

    share: float
    error: float


def density_words(loss: float) -> str:
    """Describe a share of missing bone."""
    if loss >= _LARGE_LOSS:
        return "much less dense than the bone around"
    return f"{'' if loss >= CLEAR_LOSS else 'slightly '}less dense than the bone around"


def bone_losses(
    footprints: Sequence[Footprint],
    *,
    image: FloatImage,
    bone: BoolImage,
    usable: BoolImage,
    bone_map: BoneMap,
) -> tuple[BoneLoss | None, ...]:
    """Estimate the share of bone that each region has lost.

    It is (expected bone - level inside) / (expected bone - soft tissue), each a mean over the
    region. The standard error is the standard deviation of the jackknife's pseudo-values (Tukey,
    Ann Math Statist 1958;29:614) over the quarters of the surroundings: the missing bone is
    regarded as one more such quarter.

    Parameters
    ----------
    footprints
        The regions.
    image
        float32 (rows, cols) in [0, 1], bone bright.
    bone, usable
        bool (rows, cols); the bone mask, and the exposed field without markers and metal.
    bone_map
        Map of that bone mask.

    Returns
    -------
    tuple of BoneLoss or None
        One per region; None if there is too little bone around it or all of it in one quarter, no
        soft tissue beside any bone, the bone is hardly brighter than soft tissue, the region
        is clearly darker than soft tissue or brighter than the bone around, or the error is over a
        third.
    """
    soft = SoftTissue.of(image, bone, usable) if footprints else None
    if soft is None:
        return (None,) * len(footprints)
    seen = bone & usable
    around = [_Around.of(footprint, image, seen, bone_map, soft) for footprint in footprints]
    losses = _losses([one for one in around if one is not None])
    return tuple(None if one is None else next(losses) for one in around)


@dataclass(frozen=True, slots=True, eq=False)
class _Around:
    """Samples of a region and of its surroundings.

    Attributes
    ----------
    level, soft
        Mean of the film and of the soft-tissue level inside.
    inside
        float64 (depths,), number of samples inside, by depth.
    total, weight
        float64 (quarters, depths), weighted sums of grey values, and sums of weights, of the bone
        around, by direction and depth.
    """

    level: float
    soft: float
    inside: NDArray[np.float64]
    total: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        footprint: Footprint,
        image: FloatImage,
        bone: BoolImage,
        bone_map: BoneMap,
        soft: SoftTissue,
    ) -> Self | None:
        """Sample a region and its surroundings; None if no sample lies inside."""
        radius = float(np.sqrt(np.count_nonzero(footprint.mask) / np.pi))
        step = max(1.0, 2.0 * radius / _ACROSS)
        rows, cols = (
            _lattice(side, length, step=step, beyond=_REACH * radius + 2.0 * step)
            for side, length in zip(footprint.box, image.shape, strict=True)
        )
        inside = _sampled(footprint, rows, cols)
        if not inside.any():
            return None
        crossing = np.ix_(rows, cols)
        film = image[crossing]
        away = distance_to(inside) * np.float32(step)
        nearest, farthest = _GAP * radius + 1.0, _REACH * radius + 2.0
        ring = bone[crossing] & (away > nearest) & (away <= farthest)
        depth = bone_map.depth_at(rows, cols)
        deepest = max(float(depth[ring | inside].max()), float(_DEPTHS))
        step_of_depth = np.minimum(depth * (_DEPTHS / deepest), _DEPTHS - 1).astype(np.int64)
        at = np.nonzero(ring)
        middle = [float(one.mean()) for one in np.nonzero(inside)]
        quarter = 2 * (at[0] > middle[0]) + (at[1] > middle[1])
        group = quarter * _DEPTHS + step_of_depth[ring]
        weight = 1.0 - (1.0 - _FARTHEST) * (away[ring] - nearest) / (farthest - nearest)
        total, weights = (
            np.asarray(np.bincount(group, values, _QUARTERS * _DEPTHS), np.float64).reshape(
                _QUARTERS, _DEPTHS
            )
            for values in (weight * film[ring], weight)
        )
        return cls(
            level=float(film[inside].mean()),
            soft=float(soft.at(rows, cols)[inside].mean()),
            inside=np.bincount(step_of_depth[inside], minlength=_DEPTHS).astype(np.float64),
            total=total,
            weight=weights,
        )


def _losses(around: Sequence[_Around]) -> Iterator[BoneLoss | None]:
    """Yield the missing share of each region; None if it cannot be estimated."""
    total, weight, inside = (
        np.stack([getattr(one, name) for one in around]) for name in ("total", "weight", "inside")
    )
    level, soft = (np.array([[getattr(one, name)] for one in around]) for name in ("level", "soft"))
    # all quarters, then leaving out each one in turn
    total, weight = (
        np.concatenate([one.sum(axis=1, keepdims=True), one.sum(axis=1, keepdims=True) - one], 1)
        for one in (total, weight)
    )
    # not by BLAS, whose rounding depends on the number of threads
    alike_total, alike_weight = ((one[:, :, None] * _ALIKE).sum(axis=3) for one in (total, weight))
    bone = alike_total / np.maximum(alike_weight, 1e-9)
    expected = (inside[:, None] * bone).sum(axis=2) / inside.sum(axis=1, keepdims=True)
    signal = expected - soft
    known = (weight.sum(axis=2) >= _LEAST_SAMPLES * _FARTHEST) & (signal >= _LEAST_SIGNAL)
    missing = (expected - level) / np.maximum(signal, _LEAST_SIGNAL)
    for shares, sure in zip(missing, known, strict=True):
        # if nearly all bone is in one quarter, the error cannot be estimated
        if not sure.all() or not _LEAST <= shares[0] <= _MOST:
            yield None
            continue
        others = shares[1:]
        spread = ((others - others.mean()) ** 2).sum() * (_QUARTERS - 1)
        loss = BoneLoss(float(np.clip(shares[0], 0.0, 1.0)), float(np.sqrt(spread)))
        yield loss if loss.error <= _LARGEST_ERROR else None


def _depths_alike() -> NDArray[np.float64]:
    """Return the weights of bone at one depth for another depth, (depths, depths)."""
    steps = np.arange(_DEPTHS)
    # plus a thousandth, so that any depth serves if no similar one exists
    return np.asarray(np.exp(-0.5 * (steps[:, None] - steps) ** 2) + 1e-3, np.float64)


_ALIKE = _depths_alike()


def _lattice(side: slice, length: int, *, step: float, beyond: float) -> NDArray[np.int64]:
    """Return evenly spaced indices over a side of a box and beyond it, clipped to the film."""
    middle, half = 0.5 * (side.start + side.stop - 1), 0.5 * (side.stop - side.start) + beyond
    count = int(np.ceil(2.0 * half / step))
    at = np.rint(middle + (np.arange(count) - 0.5 * (count - 1)) * step).astype(np.int64)
    return np.asarray(at[(at >= 0) & (at < length)])


def _sampled(footprint: Footprint, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> BoolImage:
    """Return whether rows and columns of the film lie in a region, (rows, cols)."""
    own = [
        (at >= side.start) & (at < side.stop)
        for at, side in zip((rows, cols), footprint.box, strict=True)
    ]
    places = (
        at[kept] - side.start
        for at, kept, side in zip((rows, cols), own, footprint.box, strict=True)
    )
    inside = np.zeros((rows.size, cols.size), np.bool_)
    inside[np.ix_(*own)] = footprint.mask[np.ix_(*places)]
    return inside
