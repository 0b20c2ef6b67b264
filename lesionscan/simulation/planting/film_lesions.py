"""Recipes of lesions for real films, in pixels, drawn to fit the bones."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lesionscan.simulation.body.lesions import Shape
from lesionscan.simulation.fields import Grid, Window, check_ranges
from lesionscan.simulation.planting.film_bones import Axis
from lesionscan.simulation.random_lesions import (
    KINDS,
    SIZED_KINDS,
    Draft,
    draw_cluster,
    geographic,
    small_hole,
)

NOMINAL_HALF_WIDTH = 14.0
"""A film's spacing may be unknown. For lengths that do not scale with the lesion (margin, rim,
strands), the bone's median half width is taken as 14 mm, the value of an adult's femur, for which
the recipes were made."""
LEAST_DIAMETER_PX = 4.0
"""A smaller lesion cannot be outlined."""
_NARROWEST_HALF_WIDTH_PX = 1.0
"""Lower bound for the half width of a bone."""
_WIDEST_MARGIN = 0.15
"""Largest margin / diameter of a lesion of given size."""
_TRIES = 40


@dataclass(frozen=True, slots=True)
class FilmLesion:
    """Recipe of a lytic lesion in a film, in pixels.

    Attributes
    ----------
    kind
        Name of its kind, for strata only.
    centre_px
        Row and column of its centre.
    axis_deg
        Direction of the bone's axis there, in degrees from right towards down.
    half_width_px
        Half width of the bone there.
    detail_px
        Length of a millimetre of detail (see `NOMINAL_HALF_WIDTH`).
    diameter_px
        Diameter of the circle of equal area (before clipping at the bone's edge).
    elongation, angle_deg, removed, wobble, moth_eaten, septa, expansile, one_sided
        As in `lesions.Lesion`.
    margin_px
        Half width of the transition from lesion to bone.
    rim
        Bone added in a sclerotic rim, relative to the brightest bone around (0 = none).
    shell_px
        Outer cortex that is not removed; 0 breaches the cortex.
    uneven
        Relative standard deviation of the strands of bone left in front and behind.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    kind: str
    centre_px: tuple[float, float]
    axis_deg: float
    half_width_px: float
    detail_px: float
    diameter_px: float
    elongation: float = 1.2
    angle_deg: float = 0.0
    removed: float = 0.6
    margin_px: float = 1.0
    wobble: float = 0.06
    moth_eaten: float = 0.0
    rim: float = 0.0
    septa: float = 0.0
    shell_px: float = 0.0
    expansile: bool = False
    one_sided: float = 0.0
    uneven: float = 0.1

    def __post_init__(self) -> None:
        ranges = {
            "half_width_px": (self.half_width_px, _NARROWEST_HALF_WIDTH_PX, 1e5),
            "detail_px": (self.detail_px, 0.05, 1e3),
            "diameter_px": (self.diameter_px, 2.0, 1e5),
            "elongation": (self.elongation, 1.0, 4.0),
            "removed": (self.removed, 0.02, 1.0),
            "margin_px": (self.margin_px, 0.3, 1e3),
            "wobble": (self.wobble, 0.0, 0.3),
            "moth_eaten": (self.moth_eaten, 0.0, 1.0),
            "rim": (self.rim, 0.0, 1.0),
            "septa": (self.septa, 0.0, 1.0),
            "shell_px": (self.shell_px, 0.0, 1e3),
            "one_sided": (self.one_sided, 0.0, 1.0),
            "uneven": (self.uneven, 0.0, 1.0),
        }
        check_ranges("a film lesion", ranges)

    def shape(self) -> Shape:
        """Return its shape in pixels, without its position."""
        return Shape(
            diameter=self.diameter_px,
            elongation=self.elongation,
            angle_deg=self.angle_deg,
            removed=self.removed,
            margin=self.margin_px,
            wobble=self.wobble,
            moth_eaten=self.moth_eaten,
            septa=self.septa,
            one_sided=self.one_sided,
            detail=self.detail_px,
            uneven=self.uneven,
        )

    @property
    def direction(self) -> tuple[float, float]:
        """Unit vector (x, y) of the bone's axis."""
        angle = np.deg2rad(self.axis_deg)
        return float(np.cos(angle)), float(np.sin(angle))

    @property
    def widening(self) -> float:
        """Factor by which the bone gets wider where the lesion is widest; 1 = unchanged."""
        if not self.expansile:
            return 1.0
        # the ellipse is a little larger than the expanded bone, to empty it up to the shell
        short = 0.46 * self.diameter_px / float(np.sqrt(self.elongation))
        return max(1.0, short / self.half_width_px)

    @property
    def radius_px(self) -> float:
        """Half of its long axis, with the margin."""
        return 0.5 * self.diameter_px * float(np.sqrt(self.elongation)) + self.margin_px

    def window(self, shape: tuple[int, int]) -> Window:
        """Return the part of a film of (rows, cols) that it may change, with unit spacing."""
        reach = 1.35 * self.radius_px + 2.0 * self.margin_px + self.shell_px
        # x and y of a pixel's centre are column + 0.5 and row + 0.5
        centre = np.array([[self.centre_px[1] + 0.5, self.centre_px[0] + 0.5]])
        return Window.around(
            Grid(*shape, 1.0), centre, margin_mm=reach + 4.0 * self.detail_px + 4.0
        )


def draw_candidates(
    rng: np.random.Generator,
    axes: tuple[Axis, ...],
    *,
    count: int,
    diameters_px: tuple[float, float] | None = None,
) -> Iterator[FilmLesion]:
    """Yield random lesions for the bones of a film, `_TRIES` per requested one.

    The caller selects those that lie in bone and apart from others. For three or more lesions, in
    one of three cases all are small holes in one section of a bone.

    Parameters
    ----------
    rng
        Random number generator.
    axes
        The bones' axes.
    count
        Number of requested lesions.
    diameters_px
        Range of their diameters, drawn log-uniformly; if None, sizes depend on the bone.
    """
    cluster = draw_cluster(rng, count)
    if diameters_px is not None:
        low, high = np.log(diameters_px)
        near = _section(rng, axes) if cluster else None
        for _ in range(_TRIES * count):
            axis, index = _spot(rng, axes) if near is None else _point_of_section(rng, near)
            kind = SIZED_KINDS[int(rng.integers(len(SIZED_KINDS)))]
            draft = kind(rng, _nominal(axis, index))
            diameter = float(np.exp(rng.uniform(low, high))) / _detail_px(axis)
            # a margin as wide as the lesion would leave nothing of it
            margin = min(draft.margin, _WIDEST_MARGIN * diameter)
            yield _at(replace(draft, diameter=diameter, margin=margin), axis, index)
        return
    if not cluster:
        for _ in range(_TRIES * count):
            yield _one(rng, axes)
        return
    section = _section(rng, axes)
    for _ in range(_TRIES * count):
        axis, index = _point_of_section(rng, section)
        yield _at(small_hole(rng, _nominal(axis, index)), axis, index)


def _section(rng: np.random.Generator, axes: tuple[Axis, ...]) -> tuple[Axis, NDArray[np.int64]]:
    """Draw a bone, and a section of it: the points within four half widths of a random point."""
    axis, middle = _spot(rng, axes)
    along = axis.to_ends_px[:, 0]
    near = np.abs(along - along[middle]) <= 4.0 * axis.half_widths_px[middle]
    return axis, np.flatnonzero(near)


def _point_of_section(
    rng: np.random.Generator, section: tuple[Axis, NDArray[np.int64]]
) -> tuple[Axis, int]:
    """Draw a point of a section."""
    axis, spots = section
    return axis, int(spots[int(rng.integers(spots.size))])


def _one(rng: np.random.Generator, axes: tuple[Axis, ...]) -> FilmLesion:
    """Draw one lesion of any kind."""
    axis, index = _spot(rng, axes)
    kind = KINDS[int(rng.integers(len(KINDS)))]
    draft = kind(rng, _nominal(axis, index))
    ends = np.flatnonzero(axis.real_ends)
    if draft.gap is not None and ends.size == 0:
        draft = geographic(rng, _nominal(axis, index))
    elif draft.gap is not None:
        end = int(ends[int(rng.integers(ends.size))])
        draft = kind(rng, _nominal(axis, -end))
        reach = 0.5 * draft.diameter * float(np.sqrt(draft.elongation)) + (draft.gap or 0.0)
        index = int(np.argmin(np.abs(axis.to_ends_px[:, end] - reach * _detail_px(axis))))
    return _at(draft, axis, index)


def _spot(rng: np.random.Generator, axes: tuple[Axis, ...]) -> tuple[Axis, int]:
    """Draw an axis, weighted by length, and one of its points."""
    lengths = np.cumsum([float(np.ptp(axis.to_ends_px[:, 0])) + 1.0 for axis in axes])
    axis = axes[int(np.searchsorted(lengths, float(rng.uniform(0.0, lengths[-1]))))]
    return axis, int(rng.integers(len(axis.points_px)))


def _detail_px(axis: Axis) -> float:
    """Return the length of a millimetre of detail in a bone, in pixels."""
    return float(np.median(axis.half_widths_px)) / NOMINAL_HALF_WIDTH


def _nominal(axis: Axis, index: int) -> float:
    """Return the half width at a point in nominal millimetres, at most 26 as in phantoms."""
    return min(float(axis.half_widths_px[index]) / _detail_px(axis), 26.0)


def _at(draft: Draft, axis: Axis, index: int) -> FilmLesion:
    """Place a draft at a point of an axis."""
    scale = _detail_px(axis)
    along = axis.directions[index]
    # a bone can be narrower than a pixel at its tip
    half = max(float(axis.half_widths_px[index]), _NARROWEST_HALF_WIDTH_PX)
    row, col = axis.points_px[index] + draft.across * half * np.array([-along[1], along[0]])
    return FilmLesion(
        draft.kind,
        (round(float(row), 2), round(float(col), 2)),
        axis_deg=round(float(np.rad2deg(np.arctan2(along[0], along[1]))), 2),
        half_width_px=round(half, 2),
        detail_px=round(scale, 3),
        diameter_px=max(draft.diameter * scale, LEAST_DIAMETER_PX),
        elongation=draft.elongation,
        angle_deg=draft.angle_deg,
        removed=draft.removed,
        # not sharper than the film
        margin_px=max(draft.margin * scale, 0.8),
        wobble=draft.wobble,
        moth_eaten=draft.moth_eaten,
        # relative to the brightest part of an adult's femur, over 8 mm of compact bone
        rim=min(0.09 * draft.rim, 0.3),
        septa=draft.septa,
        shell_px=draft.shell * scale,
        expansile=draft.expansile,
        one_sided=draft.one_sided,
    )
