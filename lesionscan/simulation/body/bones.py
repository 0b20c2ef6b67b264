"""Model of a bone: an outline with profiles of depth, cortex and trabeculae; thickness maps."""

from dataclasses import dataclass, replace

import numpy as np

from lesionscan.simulation.body.lucencies import (
    Canal,
    Foramen,
    Groove,
    Rarefaction,
    grooved,
    growth_plates,
    pierced,
    rarefied,
)
from lesionscan.simulation.body.outlines import distance_beyond_mm
from lesionscan.simulation.fields import Field, Grid, Knots, Window, profile, random_field


@dataclass(frozen=True, slots=True)
class Wall:
    """The wall of a hollow bone (the vault of a skull): two tables and the diploe, in mm."""

    outer: float
    diploe: float
    inner: float

    @property
    def thickness(self) -> float:
        """Return the thickness of all three, in mm."""
        return self.outer + self.diploe + self.inner


@dataclass(frozen=True, slots=True, eq=False)
class Bone:
    """Recipe of a bone; all profiles are functions of local millimetres along the axis.

    Attributes
    ----------
    name
        Stable name used by lesion recipes, e.g. "femur" or "metacarpal_2".
    outline_mm
        Closed polygon (n, 2: x, y) in image millimetres.
    origin_mm, direction
        Position of local (0, 0), and the unit vector of the bone's axis.
    scale
        Image millimetres per local millimetre (people differ in size).
    depth
        Full thickness along the beam, in mm.
    rounding
        Distance from the outline at which the full depth is reached, in mm: the half width for a
        tube, a few mm if a joint surface is seen edge-on.
    cortex
        Thickness of compact bone, in mm.
    trabecular
        Volume fraction of bone inside the cortex: 0.02 in a canal, 0.1 to 0.3 near joints.
    grain
        Strength of the trabecular texture (1 = as in a knee).
    grain_tilt_deg
        Angle of the trabeculae from the axis, clockwise on the screen (they follow the load).
    hole_mm
        Polygon of a hole (obturator foramen), in image millimetres.
    physes
        Open growth plates: position and half width.
    scars
        Positions of the faint dense lines that closed growth plates leave.
    rarefactions, canals, foramina, grooves
        Normal lucencies.
    coarse
        Width of the trabeculae and their gaps / that of a healthy adult.
    wall
        Wall of a hollow bone without marrow; `cortex` and `trabecular` are then the unevenness of
        its inner table and the density of its diploe.
    beyond_mm
        How far outside the picture its outline is taken into account (see `distance_beyond_mm`).
    """

    name: str
    outline_mm: Field
    origin_mm: tuple[float, float]
    direction: tuple[float, float]
    depth: Knots
    rounding: Knots
    cortex: Knots
    trabecular: Knots
    scale: float = 1.0
    grain: float = 1.0
    grain_tilt_deg: float = 0.0
    hole_mm: Field | None = None
    physes: Knots = ()
    scars: tuple[float, ...] = ()
    rarefactions: tuple[Rarefaction, ...] = ()
    canals: tuple[Canal, ...] = ()
    foramina: tuple[Foramen, ...] = ()
    grooves: tuple[Groove, ...] = ()
    coarse: float = 1.0
    wall: Wall | None = None
    beyond_mm: float = 0.0

    def turned(self, angle_deg: float, centre_mm: tuple[float, float]) -> "Bone":
        """Return the bone rotated about a point, clockwise on the screen."""
        angle = np.deg2rad(angle_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = np.array(centre_mm)
        origin = (np.array(self.origin_mm) - centre) @ turn + centre
        direction = np.array(self.direction) @ turn
        return replace(
            self,
            outline_mm=(self.outline_mm - centre) @ turn + centre,
            origin_mm=(float(origin[0]), float(origin[1])),
            direction=(float(direction[0]), float(direction[1])),
            hole_mm=None if self.hole_mm is None else (self.hole_mm - centre) @ turn + centre,
        )

    def moved(self, step_mm: tuple[float, float]) -> "Bone":
        """Return the bone shifted by (x, y) millimetres."""
        return replace(
            self,
            outline_mm=self.outline_mm + np.array(step_mm),
            origin_mm=(self.origin_mm[0] + step_mm[0], self.origin_mm[1] + step_mm[1]),
            hole_mm=None if self.hole_mm is None else self.hole_mm + np.array(step_mm),
        )

    def local(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Convert image points to local (along, across), in local mm."""
        dx, dy = x - self.origin_mm[0], y - self.origin_mm[1]
        along = (dx * self.direction[0] + dy * self.direction[1]) / self.scale
        across = (dx * self.direction[1] - dy * self.direction[0]) / self.scale
        return along, across

    def placed(self, points: tuple[tuple[float, float], ...]) -> Field:
        """Convert local (along, across) points to image points (n, 2: x, y), in mm."""
        along, across = np.array(points, dtype=np.float64).T * self.scale
        x = self.origin_mm[0] + along * self.direction[0] + across * self.direction[1]
        y = self.origin_mm[1] + along * self.direction[1] - across * self.direction[0]
        return np.column_stack([x, y])

    def reach(self) -> tuple[float, float]:
        """Return the local along-coordinates of the two ends."""
        along, _ = self.local(self.outline_mm[:, 0], self.outline_mm[:, 1])
        return float(along.min()), float(along.max())

    def point_mm(self, along: float, across: float) -> tuple[float, float, float]:
        """Return image x, y and the half width, all in mm, at a place given by fractions.

        `along` runs from 0 (first end) to 1; `across` from -1 to 1 between the two sides there.
        """
        s, t = self.local(self.outline_mm[:, 0], self.outline_mm[:, 1])
        low, high = float(s.min()), float(s.max())
        at = low + along * (high - low)
        s2, t2 = np.roll(s, -1), np.roll(t, -1)
        crossing = (s - at) * (s2 - at) <= 0
        weight = (at - s[crossing]) / np.where(s2 == s, 1.0, s2 - s)[crossing]
        hits = t[crossing] + weight * (t2 - t)[crossing]
        centre, half = 0.5 * (hits.min() + hits.max()), 0.5 * (hits.max() - hits.min())
        sideways = centre + across * half
        x = self.origin_mm[0] + self.scale * (at * self.direction[0] + sideways * self.direction[1])
        y = self.origin_mm[1] + self.scale * (at * self.direction[1] - sideways * self.direction[0])
        return float(x), float(y), float(half * self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class BoneMaps:
    """Thickness maps of one intact bone on a window, in mm along the beam.

    Attributes
    ----------
    window
        The part of the grid that the maps cover.
    mineral
        Bone as compact bone of the same mineral content.
    volume
        Everything inside the outer surface, marrow included.
    distance
        Signed distance to the outline in the picture, in mm, positive inside.
    full_depth, rounding
        The depth and rounding profiles at each pixel, in mm.
    """

    window: Window
    mineral: Field
    volume: Field
    distance: Field
    full_depth: Field
    rounding: Field

    def skin(self, thickness_mm: float) -> Field:
        """Return the mineral in an outer shell of that thickness, in mm."""
        inner = _chord(
            self.distance - thickness_mm,
            self.full_depth - 2 * thickness_mm,
            self.rounding - thickness_mm,
        )
        whole = _chord(self.distance, self.full_depth, self.rounding)
        return np.minimum(whole - inner, self.mineral)


def _chord(distance: Field, depth: Field, rounding: Field) -> Field:
    """Return the thickness of a body with elliptic sides at a distance inside its outline."""
    t = np.clip(distance / np.maximum(rounding, 0.3), 0.0, 1.0)
    return np.maximum(depth, 0.0) * np.sqrt(t * (2.0 - t))


def outline_distance_mm(bone: Bone, window: Window) -> Field:
    """Return the signed distance to the bone's outline on `window`, in mm, positive inside."""
    return distance_beyond_mm(window, bone.outline_mm, bone.hole_mm, beyond_mm=bone.beyond_mm)


def bone_window(bone: Bone, grid: Grid, *, margin_mm: float) -> Window:
    """Return the part of the grid that covers the bone and a margin."""
    return Window.around(grid, bone.outline_mm, margin_mm=margin_mm)


def fill_bone(
    rng: np.random.Generator, bone: Bone, window: Window, distance: Field, thinned: Field
) -> BoneMaps:
    """Compute the thickness maps of a bone whose outline is at `distance` 0.

    `thinned` (0..1) is over 0 where an expansile lesion has thinned the cortex to a shell.
    """
    x, y = window.coordinates_mm()
    along, across = bone.local(x, y)
    depth, rounding = profile(bone.depth, along), profile(bone.rounding, along)
    cortex = profile(bone.cortex, along)
    # a thick cortex is smooth inside; the thickness of a thin one varies along the outline
    uneven = np.clip(0.42 - 0.09 * cortex, 0.05, 0.4)
    slow = random_field(
        rng, window, wavelengths_mm=(5.0, 60.0), exponent=2.5, stretch=2.5, direction=bone.direction
    )
    cortex = cortex * np.clip(1.0 + uneven * slow, 0.25, 2.0)
    # one cortex of a shaft is always thicker
    cortex = cortex * (1.0 + 0.12 * np.tanh(across / 10.0))
    cortex = np.clip(cortex * (1.0 - 0.75 * thinned), 0.15, 0.8 * rounding)
    # the depth is constant further inside, so an expanded part is not deeper than the bone
    volume = _chord(distance, depth, rounding)
    hollow = _chord(distance - cortex, depth - 2 * cortex, rounding - cortex)
    # a hollow bone has trabeculae in the diploe only
    network = hollow if bone.wall is None else _diploe(bone.wall, distance, depth, rounding)
    spongy = profile(bone.trabecular, along) * _texture(rng, bone, window, network)
    # trabeculae are denser near the cortex than in the middle of the canal
    spongy = spongy * (0.75 + 0.5 * np.exp(-np.maximum(distance - cortex, 0.0) / 5.0))
    spongy = np.clip(rarefied(spongy, bone.rarefactions, along, across), 0.0, 0.9)
    if bone.wall is None:
        mineral = (volume - hollow) + hollow * spongy
    else:
        volume = volume - _under(bone.wall.thickness, distance, depth, rounding)
        mineral = volume - network * (1.0 - spongy)
    mineral = mineral * (1.0 - pierced(bone.canals, bone.foramina, along, across))
    if bone.grooves:
        lines = tuple((groove, bone.placed(groove.points)) for groove in bone.grooves)
        mineral = mineral * grooved(lines, window)
    mineral = mineral * growth_plates(rng, window, along, physes=bone.physes, scars=bone.scars)
    return BoneMaps(window, mineral, volume, distance, depth, rounding)


def _under(deep_mm: float, distance: Field, depth: Field, rounding: Field) -> Field:
    """Return the thickness of everything deeper than `deep_mm` under the bone's outer surface."""
    return _chord(distance - deep_mm, depth - 2 * deep_mm, rounding - deep_mm)


def _diploe(wall: Wall, distance: Field, depth: Field, rounding: Field) -> Field:
    """Return the thickness of the diploe of a hollow bone, which the beam crosses twice."""
    below_outer = _under(wall.outer, distance, depth, rounding)
    return below_outer - _under(wall.outer + wall.diploe, distance, depth, rounding)


def _texture(rng: np.random.Generator, bone: Bone, window: Window, hollow: Field) -> Field:
    """Return a field with mean about 1: clouds, streaks along the axis, and a fine network.

    Streaks 0.4 to 1 mm apart run along the bone. The more trabeculae a ray crosses, the weaker is
    their projected texture (root-n), hence the division by the root of the depth.
    """
    spread = bone.grain / np.sqrt(np.maximum(hollow, 4.0) / 14.0)
    tilt = np.deg2rad(bone.grain_tilt_deg)
    direction = (
        float(bone.direction[0] * np.cos(tilt) - bone.direction[1] * np.sin(tilt)),
        float(bone.direction[1] * np.cos(tilt) + bone.direction[0] * np.sin(tilt)),
    )
    clouds = random_field(rng, window, wavelengths_mm=(3.0, 40.0), exponent=2.6)
    streaks = random_field(
        rng,
        window,
        wavelengths_mm=(0.35 * bone.coarse, 6.0),
        exponent=2.2,
        stretch=4.0,
        direction=direction,
    )
    mesh = random_field(
        rng,
        window,
        wavelengths_mm=(0.45 * bone.coarse, 2.2 * bone.coarse),
        exponent=1.2,
        stretch=1.6,
        direction=direction,
    )
    walls = np.exp(-((mesh / 0.45) ** 2)) - 0.41
    return np.asarray(1.0 + 0.13 * clouds + spread * (0.26 * streaks + 0.40 * walls))
