"""Share of a region's bone that is missing, from what its bone and the soft tissue look like.

On a film's grey scale, which is close to a logarithm of the exposure, bone adds to what the soft
tissue gives. The level of the soft tissue is carried across the bones from beside them; the bone
that should be there is taken from the same bone around the region, at the same depth under the
bone's surface, so that cortex is compared with cortex and marrow with marrow.
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
"""Long side of the grid of the soft tissue's level, which is smooth."""
_HALVINGS = 4
"""How often that grid is halved to carry the level into wide bones."""
_BLURRED = 0.006
"""Share of the long side beside a bone that belongs to its blurred edge."""
_FADES = 0.4
"""Distance over which soft tissue loses its say, in half widths of the widest bone: far away it
may be thinner, or air."""
_LEAST_WEIGHT = 0.05
"""Weight of the coarser level where nothing is known."""
_LEAST_SPREAD_PX2 = 2.0
"""Variance of the distances on that grid under which hardly any slope is believed."""
_ACROSS = 16
"""Samples across a region."""
_GAP, _REACH = 0.25, 1.3
"""Where the bone around a region is looked at, in its radii from the outline: beyond the margin."""
_FARTHEST = 0.2
"""Weight of the farthest bone, of 1 for the nearest."""
_DEPTHS = 10
"""Steps of depth under the bone's surface that are distinguished."""
_LEAST_SAMPLES = 8
_LEAST_SIGNAL = 0.1
"""Bone that adds less than 25 grey levels of 255 to the soft tissue cannot be divided by: the soft
tissue's level is no better known than by some of them."""
_LARGEST_ERROR = 1 / 3
"""A share with a larger standard error says nothing."""
_MOST = 1.1
"""A region can lose all of its bone, but not more: beyond, the soft tissue's level is wrong."""
_QUARTERS = 4


@dataclass(frozen=True, slots=True, eq=False)
class SoftTissue:
    """The grey level that soft tissue alone would give, on a coarse grid over the whole film.

    Attributes
    ----------
    level
        float32 (rows, cols), in the unit of the film.
    scale
        Rows and columns of this grid over those of the film.
    """

    level: FloatImage
    scale: tuple[float, float]

    @classmethod
    def of(cls, image: FloatImage, bone: BoolImage, usable: BoolImage) -> Self | None:
        """Carry the level beside the bones across them.

        The level is averaged where it is known and halved until it reaches everywhere; what is not
        known is then filled from the coarser grids ("pull-push": Gortler et al., The Lumigraph,
        SIGGRAPH 1996). A limb gets thinner towards its skin, so where the level falls with the
        distance from the bone, a line is fitted to it, and its value at the bone's edge taken.

        Parameters
        ----------
        image
            float32 (rows, cols) in [0, 1], bone bright.
        bone, usable
            bool (rows, cols); the bone mask, and the exposed field without markers and metal.

        Returns
        -------
        SoftTissue or None
            None where no soft tissue is seen beside any bone.
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
        """Return the level at the crossings of rows and columns of the film."""
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
    """Return weighted values (weight included), (rows, cols, n), spread over the whole grid."""
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
    """Return the pixels of a smaller grid that hold pixels of the film."""
    return np.asarray((at + 0.5) * scale, np.int64)


@dataclass(frozen=True, slots=True)
class BoneLoss:
    """How much of its bone a region has lost.

    Attributes
    ----------
    share
        Of the bone's own signal, 0 to 1.
    error
        Standard error of the share.
    """

    share: float
    error: float


def bone_losses(
    footprints: Sequence[Footprint],
    *,
    image: FloatImage,
    bone: BoolImage,
    usable: BoolImage,
    bone_map: BoneMap,
) -> tuple[BoneLoss | None, ...]:
    """Estimate what share of its bone each region has lost.

    The bone's own signal is what it adds to the soft tissue; the share is the mean of what is
    missing inside the region over the mean of what should be there. Its standard error is the
    standard deviation between the quarters of the surroundings, as pseudo-values of the jackknife
    (Tukey, Ann Math Statist 1958;29:614): the bone that is missing was one more such piece.

    Parameters
    ----------
    footprints
        The regions.
    image
        float32 (rows, cols) in [0, 1], bone bright.
    bone, usable
        bool (rows, cols); the bone mask, and the exposed field without markers and metal.
    bone_map
        Of that bone mask.

    Returns
    -------
    tuple of BoneLoss or None
        One for each region; None where too little bone is seen around it, no soft tissue is seen
        beside any bone, the bone is hardly brighter than that, the region clearly darker, or the
        error over a third.
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
    """What is seen in a region and around it.

    Attributes
    ----------
    level, soft
        Mean of the film inside, and of the soft tissue's level there.
    inside
        float64 (depths,), the region's samples by depth.
    total, weight
        float64 (quarters, depths), sums over the bone around it by direction and depth.
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
        """Sample a region and its surroundings; None where no sample falls into it."""
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
    """Yield the share that is missing in each region, or None where it cannot be estimated."""
    total, weight, inside = (
        np.stack([getattr(one, name) for one in around]) for name in ("total", "weight", "inside")
    )
    level, soft = (np.array([[getattr(one, name)] for one in around]) for name in ("level", "soft"))
    # of all quarters, then of all but one of them
    total, weight = (
        np.concatenate([one.sum(axis=1, keepdims=True), one.sum(axis=1, keepdims=True) - one], 1)
        for one in (total, weight)
    )
    # not through BLAS, whose sums round otherwise with another number of threads
    alike_total, alike_weight = ((one[:, :, None] * _ALIKE).sum(axis=3) for one in (total, weight))
    bone = alike_total / np.maximum(alike_weight, 1e-9)
    expected = (inside[:, None] * bone).sum(axis=2) / inside.sum(axis=1, keepdims=True)
    signal = expected - soft
    known = (weight.sum(axis=2) >= _LEAST_SAMPLES * _FARTHEST) & (signal >= _LEAST_SIGNAL)
    missing = (expected - level) / np.maximum(signal, _LEAST_SIGNAL)
    for shares, sure in zip(missing, known, strict=True):
        if not sure[0] or shares[0] > _MOST:
            yield None
            continue
        others = shares[1:][sure[1:]]
        spread = ((others - others.mean()) ** 2).sum() * (others.size - 1) if others.size else 0.0
        loss = BoneLoss(float(np.clip(shares[0], 0.0, 1.0)), float(np.sqrt(spread)))
        yield loss if loss.error <= _LARGEST_ERROR else None


def _depths_alike() -> NDArray[np.float64]:
    """Return how much the bone of each depth says about that of another, (depths, depths)."""
    steps = np.arange(_DEPTHS)
    # a thousandth: where no other depth is seen, any bone must do
    return np.asarray(np.exp(-0.5 * (steps[:, None] - steps) ** 2) + 1e-3, np.float64)


_ALIKE = _depths_alike()


def _lattice(side: slice, length: int, *, step: float, beyond: float) -> NDArray[np.int64]:
    """Return evenly spaced pixels over a side of a box and beyond it, inside the film."""
    middle, half = 0.5 * (side.start + side.stop - 1), 0.5 * (side.stop - side.start) + beyond
    count = int(np.ceil(2.0 * half / step))
    at = np.rint(middle + (np.arange(count) - 0.5 * (count - 1)) * step).astype(np.int64)
    return np.asarray(at[(at >= 0) & (at < length)])


def _sampled(footprint: Footprint, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> BoolImage:
    """Return where crossings of rows and columns lie in a region."""
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
