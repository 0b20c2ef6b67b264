"""Lytic lesions: what they remove from a bone, and the outline a careful reader would draw."""

from dataclasses import dataclass

import numpy as np

from lesionscan.simulation.bones import Bone, BoneMaps
from lesionscan.simulation.fields import Field, Mask, Window, random_field, smooth_step


@dataclass(frozen=True, slots=True)
class Lesion:
    """A recipe for one lytic lesion.

    Attributes
    ----------
    bone
        Name of the bone that carries it.
    along, across
        Where its centre lies: 0..1 from end to end of the bone, -1..1 from side to side.
    diameter_mm
        Diameter of the circle of the same area (before the bone's edge cuts it), in mm.
    elongation
        Long axis over short axis, 1 to 4.
    angle_deg
        Of the long axis to the bone's axis.
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
        Outer cortex that is left standing, in mm; 0 breaches the cortex.
    expansile
        Whether the bone is blown up to a thin shell where the lesion is wider than the bone.

    Raises
    ------
    ValueError
        When a number is out of its range.
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
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ValueError(f"{name} of a lesion must be in {low}..{high}, got {value!r}")


@dataclass(frozen=True, slots=True, eq=False)
class LesionField:
    """A lesion's place on a window, before any bone is removed.

    Attributes
    ----------
    distance
        Signed distance to the nominal outline (the middle of the step) in mm, positive inside.
    fraction
        Fraction of the mineral that it takes away, 0..1.
    outlined
        Where, without septa and moth-eaten holes, the fraction is over half of what it is one
        margin further in.
    """

    distance: Field
    fraction: Field
    outlined: Mask


@dataclass(frozen=True, slots=True, eq=False)
class LesionMaps:
    """What one lesion did: mm of mineral removed and added, and the truth mask."""

    removed_mm: Field
    added_mm: Field
    truth: Mask


def lesion_field(
    rng: np.random.Generator, lesion: Lesion, bone: Bone, window: Window
) -> LesionField:
    """Lay a lesion over a window of the bone.

    The fraction is the chord of an ellipsoid that the front and back cortex cut flat (0.6 plus
    0.4 of the chord), times a step over the margin. Its outline lies where, going outward, the
    fraction falls under half of what it is one margin further in: the half height of the edge.
    """
    centre_x, centre_y, _ = bone.point_mm(lesion.along, lesion.across)
    x, y = window.coordinates_mm()
    turn = np.deg2rad(lesion.angle_deg)
    axis = np.array(bone.direction)
    long_x = axis[0] * np.cos(turn) - axis[1] * np.sin(turn)
    long_y = axis[1] * np.cos(turn) + axis[0] * np.sin(turn)
    u = (x - centre_x) * long_x + (y - centre_y) * long_y
    v = (x - centre_x) * -long_y + (y - centre_y) * long_x
    long = 0.5 * lesion.diameter_mm * np.sqrt(lesion.elongation)
    short = long / lesion.elongation
    radius = np.sqrt((u / long) ** 2 + (v / short) ** 2)
    slope = np.sqrt((u / long**2) ** 2 + (v / short**2) ** 2)
    edge = _wobbling_edge(rng, np.arctan2(v / short, u / long), lesion.wobble)
    # distance by the first-order rule (value over gradient); exact enough near the outline
    inner = np.where(radius > 0.05, radius / np.maximum(slope, 1e-9), short)
    distance = (edge - radius) * inner
    ragged = random_field(rng, window, wavelengths_mm=(1.6, 4.0 + lesion.margin_mm), exponent=2.2)
    broken = distance + 1.3 * lesion.moth_eaten * lesion.margin_mm * ragged
    dome = np.sqrt(np.clip(1.0 - (radius / edge) ** 2, 0.0, 1.0))
    plug = 0.6 + 0.4 * dome
    # the same one margin deeper: what the edge falls from
    depth = np.clip(radius / edge - lesion.margin_mm / np.maximum(edge * inner, 1e-9), 0.0, 1.0)
    top = 0.6 + 0.4 * np.sqrt(1.0 - depth**2)
    outlined = smooth_step(distance / lesion.margin_mm) * plug > 0.5 * top
    step = smooth_step(broken / (lesion.margin_mm * (1.0 + 0.7 * lesion.moth_eaten)))
    bubbles = random_field(
        rng,
        window,
        wavelengths_mm=(0.13 * lesion.diameter_mm, 0.6 * lesion.diameter_mm),
        exponent=2.0,
    )
    walls = lesion.septa * np.exp(-((bubbles / 0.16) ** 2))
    # destruction is never even: strands of bone are left in front and behind
    left = 0.16 * random_field(rng, window, wavelengths_mm=(1.5, 15.0), exponent=2.5)
    eaten = np.clip(lesion.removed * plug * (1.0 - left), 0.0, 1.0)
    fraction = eaten * step * (1.0 - walls)
    return LesionField(np.asarray(distance), np.asarray(fraction), np.asarray(outlined))


def _wobbling_edge(rng: np.random.Generator, angle: Field, wobble: float) -> Field:
    """Return the outline's radius over the ellipse's, by angle: harmonics 2 to 7, area kept."""
    edge = np.ones_like(angle)
    for harmonic in range(2, 8):
        size, phase = rng.standard_normal(), rng.uniform(0.0, 2 * np.pi)
        edge += wobble * size / (harmonic - 0.6) * np.cos(harmonic * angle + phase)
    return np.maximum(edge, 0.5)


def blown_up(distance: Field, lesion: Lesion, field: LesionField) -> tuple[Field, Field]:
    """Return the bone's distance map after an expansile lesion, and where its cortex is thin.

    The balloon's wall lies just outside the lesion, and a smooth maximum rounds the corner where
    it meets the shaft, as periosteal new bone does.
    """
    if not lesion.expansile:
        return distance, np.zeros_like(distance)
    balloon = field.distance + lesion.shell_mm
    soft = 1.5
    gap = np.clip(0.5 + 0.5 * (balloon - distance) / soft, 0.0, 1.0)
    merged = distance * (1 - gap) + balloon * gap + soft * gap * (1 - gap)
    thin = smooth_step(field.distance / 2.5)
    return np.asarray(merged), thin


def remove_bone(lesion: Lesion, field: LesionField, maps: BoneMaps) -> LesionMaps:
    """Return what the lesion removes from the bone (never more than is there) and its truth.

    Truth is the half height of the margin, i.e. the steep edge that a careful reader draws,
    inside the shell that is left standing.
    """
    available = maps.mineral - maps.skin(lesion.shell_mm)
    removed = np.clip(field.fraction * available, 0.0, maps.mineral)
    inside_bone = maps.distance > max(lesion.shell_mm, 0.0)
    truth = field.outlined & inside_bone & (maps.volume > 0)
    # the rim lies outside the outline, where the margin has faded
    offset = field.distance + 0.6 * lesion.margin_mm + 0.6
    rim = lesion.rim_mm * np.exp(-((offset / 0.75) ** 2)) * smooth_step(maps.distance - 1.0)
    rim = np.minimum(rim, maps.volume - maps.mineral)
    return LesionMaps(np.asarray(removed), np.asarray(rim), np.asarray(truth, dtype=np.bool_))
