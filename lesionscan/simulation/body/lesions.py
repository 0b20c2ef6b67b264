"""Lytic lesions: the bone that they remove, and their true outline."""

from dataclasses import dataclass

import numpy as np

from lesionscan.simulation.body.bones import Bone, BoneMaps
from lesionscan.simulation.fields import (
    Field,
    Mask,
    Window,
    check_ranges,
    random_field,
    smooth_step,
)


@dataclass(frozen=True, slots=True)
class Lesion:
    """Recipe of a lytic lesion.

    Attributes
    ----------
    bone
        Name of its bone.
    along, across
        Position of its centre: 0..1 from end to end of the bone, -1..1 from side to side.
    diameter_mm
        Diameter of the circle of equal area (before clipping at the bone's edge), in mm.
    elongation
        Long axis / short axis, 1 to 4.
    angle_deg
        Angle of the long axis to the bone's axis.
    removed
        Fraction of the mineral removed in the middle, over 0 and at most 1.
    margin_mm
        Half width of the transition from lesion to bone, in mm: 0.3 is punched out, 1 geographic,
        3 and more permeative.
    wobble
        Relative unevenness of the outline (0 = an ellipse).
    moth_eaten
        0 = one hole; 1 = the margin breaks up into small holes.
    rim_mm
        Compact bone added in a sclerotic rim, in mm (0 = none).
    septa
        0 = none; 1 = septa keep all their bone (soap bubble).
    shell_mm
        Outer cortex that is not removed, in mm; 0 breaches the cortex.
    expansile
        Whether the bone is expanded to a thin shell where the lesion is wider than the bone.
    one_sided
        0 = the same contrast and margin all round; 1 = on a random side, half the contrast and a
        margin 2.5 times as wide.
    kind
        Name of its kind, for strata only.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    bone: str
    along: float
    across: float
    diameter_mm: float
    elongation: float = 1.2
    angle_deg: float = 0.0
    removed: float = 0.6
    margin_mm: float = 0.8
    wobble: float = 0.06
    moth_eaten: float = 0.0
    rim_mm: float = 0.0
    septa: float = 0.0
    shell_mm: float = 0.8
    expansile: bool = False
    one_sided: float = 0.0
    kind: str = ""

    def __post_init__(self) -> None:
        ranges = {
            "along": (self.along, 0.0, 1.0),
            "across": (self.across, -1.2, 1.2),
            "diameter_mm": (self.diameter_mm, 1.0, 200.0),
            "elongation": (self.elongation, 1.0, 4.0),
            "removed": (self.removed, 0.02, 1.0),
            "margin_mm": (self.margin_mm, 0.1, 20.0),
            "wobble": (self.wobble, 0.0, 0.3),
            "moth_eaten": (self.moth_eaten, 0.0, 1.0),
            "rim_mm": (self.rim_mm, 0.0, 10.0),
            "septa": (self.septa, 0.0, 1.0),
            "shell_mm": (self.shell_mm, 0.0, 5.0),
            "one_sided": (self.one_sided, 0.0, 1.0),
        }
        check_ranges("a lesion", ranges)

    def shape(self) -> "Shape":
        """Return its shape in millimetres, without its position."""
        return Shape(
            diameter=self.diameter_mm,
            elongation=self.elongation,
            angle_deg=self.angle_deg,
            removed=self.removed,
            margin=self.margin_mm,
            wobble=self.wobble,
            moth_eaten=self.moth_eaten,
            septa=self.septa,
            one_sided=self.one_sided,
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """Outline and depth of a lesion, without its position, for phantoms and films.

    All lengths are in the unit of the window: millimetres in a phantom, pixels in a film, whose
    spacing may be unknown.

    Attributes
    ----------
    diameter, elongation, angle_deg, removed, margin, wobble, moth_eaten, septa, one_sided
        As in `Lesion`.
    detail
        Length of a millimetre of detail (remaining strands, ragged edges) in that unit.
    uneven
        Relative standard deviation of the strands of bone left in front and behind.
    """

    diameter: float
    elongation: float
    angle_deg: float
    removed: float
    margin: float
    wobble: float
    moth_eaten: float
    septa: float
    one_sided: float = 0.0
    detail: float = 1.0
    uneven: float = 0.16


@dataclass(frozen=True, slots=True, eq=False)
class LesionField:
    """Maps of a lesion on a window, before bone is removed.

    Attributes
    ----------
    distance
        Signed distance to the nominal outline (the middle of the step), positive inside, in the
        unit of the window.
    fraction
        Fraction of the mineral removed, 0..1.
    outlined
        True where the fraction, without septa and moth-eaten holes, is over half of its value one
        margin further in.
    walls
        Fraction of the bone kept by septa, 0..1.
    """

    distance: Field
    fraction: Field
    outlined: Mask
    walls: Field


@dataclass(frozen=True, slots=True, eq=False)
class LesionMaps:
    """Effect of a lesion: mineral removed and added in mm, and the truth mask."""

    removed_mm: Field
    added_mm: Field
    truth: Mask


def lesion_field(
    rng: np.random.Generator, lesion: Lesion, bone: Bone, window: Window
) -> LesionField:
    """Compute the maps of a lesion on a window of its bone."""
    centre_x, centre_y, _ = bone.point_mm(lesion.along, lesion.across)
    return shape_field(rng, lesion.shape(), (centre_x, centre_y), bone.direction, window)


def shape_field(
    rng: np.random.Generator,
    shape: Shape,
    centre: tuple[float, float],
    direction: tuple[float, float],
    window: Window,
) -> LesionField:
    """Compute the maps of a lesion's shape on a window.

    The fraction is the chord of an ellipsoid that is cut by the front and back cortex (0.6 plus 0.4
    of the chord), times a step over the margin. The outline is at the half height of the edge,
    where the fraction falls below half of its value one margin further in.

    Parameters
    ----------
    rng
        Source of the outline's wobble, the moth-eaten holes, the septa and the remaining strands.
    shape
        The shape.
    centre
        x and y of its middle.
    direction
        Unit vector (x, y) of the bone's axis.
    window
        The window; its unit is that of all lengths.
    """
    x, y = window.coordinates_mm()
    turn = np.deg2rad(shape.angle_deg)
    long_x = direction[0] * np.cos(turn) - direction[1] * np.sin(turn)
    long_y = direction[1] * np.cos(turn) + direction[0] * np.sin(turn)
    u = (x - centre[0]) * long_x + (y - centre[1]) * long_y
    v = (x - centre[0]) * -long_y + (y - centre[1]) * long_x
    long = 0.5 * shape.diameter * np.sqrt(shape.elongation)
    short = long / shape.elongation
    radius = np.sqrt((u / long) ** 2 + (v / short) ** 2)
    slope = np.sqrt((u / long**2) ** 2 + (v / short**2) ** 2)
    edge = _wobbling_edge(rng, np.arctan2(v / short, u / long), shape.wobble)
    # first-order distance (value / gradient), exact enough near the outline
    inner = np.where(radius > 0.05, radius / np.maximum(slope, 1e-9), short)
    distance = (edge - radius) * inner
    margin, thinner = _one_sided(rng, shape, u / long, v / short)
    ragged = random_field(
        rng,
        window,
        wavelengths_mm=(2.2 * shape.detail, 4.0 * shape.detail + shape.margin),
        exponent=2.2,
    )
    broken = distance + 1.3 * shape.moth_eaten * margin * ragged
    dome = np.sqrt(np.clip(1.0 - (radius / edge) ** 2, 0.0, 1.0))
    plug = 0.6 + 0.4 * dome
    # the same one margin deeper: the full height of the edge
    depth = np.clip(radius / edge - margin / np.maximum(edge * inner, 1e-9), 0.0, 1.0)
    top = 0.6 + 0.4 * np.sqrt(1.0 - depth**2)
    outlined = smooth_step(distance / margin) * plug > 0.5 * top
    step = smooth_step(broken / (margin * (1.0 + 0.7 * shape.moth_eaten)))
    bubbles = random_field(
        rng, window, wavelengths_mm=(0.13 * shape.diameter, 0.6 * shape.diameter), exponent=2.0
    )
    walls = shape.septa * np.exp(-((bubbles / 0.16) ** 2))
    # destruction is uneven: strands of bone remain in front and behind
    strands = random_field(
        rng, window, wavelengths_mm=(1.5 * shape.detail, 15.0 * shape.detail), exponent=2.5
    )
    left = shape.uneven * strands
    eaten = np.clip(shape.removed * thinner * plug * (1.0 - left), 0.0, 1.0)
    fraction = eaten * step * (1.0 - walls)
    return LesionField(
        np.asarray(distance), np.asarray(fraction), np.asarray(outlined), np.asarray(walls)
    )


def _one_sided(rng: np.random.Generator, shape: Shape, u: Field, v: Field) -> tuple[Field, Field]:
    """Return maps of the margin's half width and of the factor of the removed fraction.

    `u` and `v` are coordinates in half axes. Lesions usually fade on the side where they are thin
    along the beam.
    """
    if shape.one_sided <= 0.0:
        return np.full_like(u, shape.margin), np.ones_like(u)
    angle = float(rng.uniform(0.0, 2.0 * np.pi))
    towards = np.clip(u * np.cos(angle) + v * np.sin(angle), -1.0, 1.0)
    margin = shape.margin * np.exp(0.9 * shape.one_sided * towards)
    return np.asarray(margin), np.asarray(1.0 - 0.25 * shape.one_sided * (1.0 + towards))


def _wobbling_edge(rng: np.random.Generator, angle: Field, wobble: float) -> Field:
    """Return the outline's radius / the ellipse's by angle: harmonics 2 to 7, equal area."""
    edge = np.ones_like(angle)
    for harmonic in range(2, 8):
        size, phase = rng.standard_normal(), rng.uniform(0.0, 2 * np.pi)
        edge += wobble * size / (harmonic - 0.6) * np.cos(harmonic * angle + phase)
    return np.maximum(edge, 0.5)


def blown_up(distance: Field, lesion: Lesion, field: LesionField) -> tuple[Field, Field]:
    """Return the bone's distance map with an expansile lesion, and a map of the thinned cortex.

    The wall of the expanded bone is just outside the lesion.
    """
    if not lesion.expansile:
        return distance, np.zeros_like(distance)
    merged = rounded_union(distance, field.distance + lesion.shell_mm, soft=1.5)
    thin = smooth_step(field.distance / 2.5)
    return merged, thin


def rounded_union(distance: Field, balloon: Field, *, soft: float) -> Field:
    """Return the distance to the union of two outlines, positive inside.

    A smooth maximum over `soft` rounds the corner between the expanded part and the shaft, like
    periosteal new bone.
    """
    gap = np.clip(0.5 + 0.5 * (balloon - distance) / soft, 0.0, 1.0)
    return np.asarray(distance * (1 - gap) + balloon * gap + soft * gap * (1 - gap))


def remove_bone(lesion: Lesion, field: LesionField, maps: BoneMaps) -> LesionMaps:
    """Compute the bone removed by a lesion (at most all of it) and the truth mask.

    The truth is bounded by the half height of the margin, i.e. the steep edge that a careful reader
    would outline, inside the remaining shell.
    """
    available = maps.mineral - maps.skin(lesion.shell_mm)
    removed = np.clip(field.fraction * available, 0.0, maps.mineral)
    inside_bone = maps.distance > max(lesion.shell_mm, 0.0)
    truth = field.outlined & inside_bone & (maps.volume > 0)
    # the rim is outside the outline, where the margin ends
    offset = field.distance + 0.6 * lesion.margin_mm + 0.6
    rim = lesion.rim_mm * np.exp(-((offset / 0.75) ** 2)) * smooth_step(maps.distance - 1.0)
    rim = np.minimum(rim, maps.volume - maps.mineral)
    return LesionMaps(np.asarray(removed), np.asarray(rim), np.asarray(truth, dtype=np.bool_))
