"""Measure contrast, noise, enclosure and margin of regions against their surroundings.

Each region is cropped to a reduced grid (`neighbourhood`); all regions are then measured at once in
one `pixel_table`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.grid import Footprint
from lesionscan.detection.margin import Margin, measure_margins
from lesionscan.detection.neighbourhood import Patch
from lesionscan.detection.pixel_table import (
    Groups,
    Part,
    Pixels,
    Places,
    means_of,
    row_nanquantile,
)
from lesionscan.radiograph import BoolImage, FloatImage

_SECTORS, _OCTANTS = 16, 8
"""Number of directions for the surroundings and for the edge."""
_CLEARLY_BRIGHTER = 0.3
"""Share of a region's contrast that a direction must reach to count as enclosing."""
_WEAK_SHARE = 0.2
"""Quantile of the directions that is the weakest side: the worst 3 of 16."""
ENOUGH_BONE = 0.2
"""Share of a region's ring in bone from which the region is compared with bone only."""
_LEAST_NOISE = 0.004
"""Lower limit of the noise, about one grey level of 255."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Measurements of one region against its surroundings.

    Attributes
    ----------
    measured
        Values of `Measurements`, by name.
    rim_in_bone
        Share of the pixels just outside the region that lie in the bone mask, 0 to 1.
    lucency_around
        Mean of the lucency map in the surrounding ring; None without exposed surroundings.
    margin
        Margin, in stored pixels.
    """

    measured: Mapping[str, float]
    rim_in_bone: float
    lucency_around: float | None
    margin: Margin


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
        One per region. Everything but the margin is 0 or None for a region without exposed
        surroundings, or thinner than the reduced grid.
    """
    if not footprints:
        return ()
    patches = [
        Patch.of(footprint, contour, image, bone, exposed, lucency)
        for footprint, contour in zip(footprints, contours, strict=True)
    ]
    margins = measure_margins(
        np.stack([patch.profiles for patch in patches]),
        np.stack([patch.profiles_in_bone for patch in patches]),
        reaches=np.array([patch.profile_reach for patch in patches]),
        radii=np.array([patch.radius for patch in patches]),
    )
    facts = _facts(Pixels.of(patches))
    facts["edge_alignment"] = np.array([patch.edge_alignment for patch in patches])
    surrounded = np.isfinite(facts["contrast"])
    known = {name: np.where(surrounded, values, 0.0) for name, values in facts.items()}
    lucency_around, rim_in_bone = known.pop("lucency_around"), known.pop("rim_in_bone")
    seen = surrounded & np.isfinite(lucency_around)
    return tuple(
        Surroundings(
            measured={name: float(values[number]) for name, values in known.items()},
            rim_in_bone=float(rim_in_bone[number]),
            lucency_around=float(lucency_around[number]) if seen[number] else None,
            margin=margins[number].enlarged(patch.factor),
        )
        for number, patch in enumerate(patches)
    )


def _facts(pixels: Pixels) -> dict[str, NDArray[np.float64]]:
    """Return measurements by name, (regions,) each; contrast is NaN without surroundings."""
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
    in_bone = ring.mean(pixels.in_bone)
    # soft tissue and air beside a bone would hide how dark the region is within it
    against = _in_bone_where_enough(ring, in_bone)
    level, around = inside.mean(pixels.film), against.mean(pixels.film)
    contrast = around - level
    middle = (
        inside.mean(pixels.row).astype(np.float32),
        inside.mean(pixels.col).astype(np.float32),
    )
    bone_around = _by_sector(against, middle)
    bright, noise = _bright_part(bone_around, pixels.count), _noise(bone_around, pixels.count)
    clearly = bright - level[:, None] > np.maximum(_CLEARLY_BRIGHTER * contrast, 0.0)[:, None]
    steps = _bright_part(_by_sector(ring, middle), pixels.count) - level[:, None]
    edge = 0.12 * radius + 1.0
    outer = pixels.part(outside & within(edge))
    inner = pixels.part(pixels.inside & (pixels.depth <= edge.astype(np.float32)[pixels.region]))
    edge_steps = _by_octant(outer, middle) - _by_octant(inner, middle)
    return {
        "contrast": contrast,
        "contrast_to_noise": contrast / noise,
        "weakest_side_contrast": row_nanquantile(steps, _WEAK_SHARE),
        "weakest_edge_step": np.nan_to_num(row_nanquantile(edge_steps, _WEAK_SHARE)),
        "rim_contrast": np.nan_to_num(
            _in_bone_where_enough(rim, in_bone).mean(pixels.film) - around
        ),
        "inside_spread": inside.spread(level),
        "ring_spread": against.spread(around),
        "ring_in_bone": np.nan_to_num(in_bone),
        # a direction without exposed surroundings, or without bone, encloses nothing
        "enclosure": np.where(contrast > 0, clearly.mean(axis=1), 0.0),
        "bone_fraction": _mean_of_both(pixels.in_bone, inside, ring),
        "rim_in_bone": np.nan_to_num(touching.mean(pixels.in_bone)),
        "lucency_around": near.mean(pixels.lucency),
    }


def _in_bone_where_enough(part: Part, in_bone: NDArray[np.float64]) -> Part:
    """Keep only bone pixels of a part, for regions with enough bone in their ring."""
    little = in_bone < ENOUGH_BONE
    kept = little[part.region] | part.pixels.in_bone[part.where]
    return Part(part.pixels, part.where[kept], part.region[kept])


def _by_sector(ring: Part, middle: Places) -> Groups:
    """Return a ring's film by region and direction."""
    return Groups.of(ring.pixels.film[ring.where], ring.directions(middle, _SECTORS))


def _bright_part(seen: Groups, count: int) -> NDArray[np.float64]:
    """Return the bright part of every direction, (regions, sectors); NaN without any pixel."""
    # a thin cortex encloses as well as thick bone does, so the bright part of a direction counts
    bright = np.full(count * _SECTORS, np.nan)
    bright[seen.group] = seen.quantile(0.8)
    return bright.reshape(count, _SECTORS)


def _noise(seen: Groups, count: int) -> NDArray[np.float64]:
    """Return every region's noise: the spread around each direction's median, (regions,)."""
    # robust, as a standard deviation
    residual = np.abs(seen.values - np.repeat(seen.quantile(0.5), seen.counts))
    spread = Groups.of(residual, np.repeat(seen.group // _SECTORS, seen.counts))
    noise = np.full(count, _LEAST_NOISE)
    noise[spread.group] = np.maximum(1.4826 * spread.quantile(0.5), _LEAST_NOISE)
    return noise


def _by_octant(part: Part, middle: Places) -> NDArray[np.float64]:
    """Return the film's mean in every direction, (regions, octants); NaN without any pixel."""
    film, count = part.pixels.film[part.where], part.pixels.count
    octants = means_of(film, part.directions(middle, _OCTANTS), count * _OCTANTS)
    return octants.reshape(count, _OCTANTS)


def _mean_of_both(values: NDArray[np.generic], one: Part, other: Part) -> NDArray[np.float64]:
    """Return every region's mean over the pixels of two parts; NaN without any."""
    where = np.concatenate([one.where, other.where])
    region = np.concatenate([one.region, other.region])
    return means_of(values[where], region, one.pixels.count)
