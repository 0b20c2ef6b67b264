"""Body parts: bones and soft tissue with their positions, in millimetres.

Shapes have textbook proportions of an adult with random variations: sizes by a few percent,
outlines by a fraction of a millimetre, the pose by a few degrees. Most are right limbs seen from
the front; hand and wrist are left ones seen from the back.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.metal import Metal
from lesionscan.simulation.body.outlines import Points, closed_curve, place
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.fields import Field, Knots

Laterality: TypeAlias = Literal["L", "R"]


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """One body part before the exposure.

    Attributes
    ----------
    body_part
        BodyPartExamined, a defined term of DICOM PS3.16 Annex L.
    view
        ViewPosition, e.g. "AP".
    field_mm
        Width and height of the picture, in mm.
    bones, soft, gas
        The contents; gas displaces soft tissue.
    targets
        Names of the bones that lesions may be planted in.
    grain
        Direction (x, y) of the muscles.
    planes
        Strength of fat planes between muscles.
    scatter
        Scatter-to-primary ratio of a part of this thickness.
    physes
        Growth plates of a child: bone, local position along it, half width, in mm.
    covers
        Names of bones that lie in front of others and would hide a randomly placed lesion.
    drawn_side
        Side of the body that is modelled; the other side is its mirror image.
    freedom
        Freedom of pose and build: 1 for a limb, 0.3 for a trunk.
    widest
        Least zoom at which the model fills the picture, at most 1.
    beyond_joint
        Names of the bones that a wider joint gap moves down.
    behind
        Names of bones and their distance behind the others, in mm, by which they shift when a limb
        is turned about its long axis.
    metal
        Implants, added after posing: `turned` and `moved` do not affect them.
    """

    body_part: str
    view: str
    field_mm: tuple[float, float]
    bones: tuple[Bone, ...]
    soft: tuple[SoftBody, ...]
    targets: tuple[str, ...]
    gas: tuple[SoftBody, ...] = ()
    grain: tuple[float, float] = (0.0, 1.0)
    planes: float = 0.10
    scatter: float = 0.25
    physes: tuple[tuple[str, float, float], ...] = ()
    covers: tuple[str, ...] = ()
    drawn_side: Laterality = "R"
    freedom: float = 0.3
    widest: float = 1.0
    beyond_joint: tuple[str, ...] = ()
    behind: tuple[tuple[str, float], ...] = ()
    metal: tuple[Metal, ...] = ()

    def with_growth_plates(self) -> "Anatomy":
        """Return the part of a child, with open growth plates."""
        plates = {name: (position, width) for name, position, width in self.physes}
        bones = tuple(
            replace(bone, physes=(plates[bone.name],), scars=()) if bone.name in plates else bone
            for bone in self.bones
        )
        return replace(self, bones=bones)

    def turned(self, angle_deg: float) -> "Anatomy":
        """Return the part rotated about the middle of the picture, clockwise on the screen."""
        centre = (self.field_mm[0] / 2, self.field_mm[1] / 2)
        return replace(
            self,
            bones=tuple(bone.turned(angle_deg, centre) for bone in self.bones),
            soft=tuple(body.turned(angle_deg, centre) for body in self.soft),
            gas=tuple(body.turned(angle_deg, centre) for body in self.gas),
        )

    def moved(self, dx_mm: float, dy_mm: float) -> "Anatomy":
        """Return the part shifted in the picture."""
        step = (dx_mm, dy_mm)
        return replace(
            self,
            bones=tuple(bone.moved(step) for bone in self.bones),
            soft=tuple(body.moved(step) for body in self.soft),
            gas=tuple(body.moved(step) for body in self.gas),
        )

    def with_metal(self, *pieces: Metal) -> "Anatomy":
        """Return the part with more pieces of metal."""
        return replace(self, metal=(*self.metal, *pieces))

    def bone(self, name: str) -> Bone:
        """Return the bone of that name.

        Raises
        ------
        ValueError
            If the part has no such bone.
        """
        for bone in self.bones:
            if bone.name == name:
                return bone
        known = ", ".join(bone.name for bone in self.bones)
        raise ValueError(f"no bone named {name!r} in {self.body_part}; it has {known}")


@dataclass(frozen=True, slots=True)
class Profiles:
    """The four profiles of a bone, over local millimetres along its axis (see `Bone`)."""

    depth: Knots
    rounding: Knots
    cortex: Knots
    trabecular: Knots


def draw_bone(
    rng: np.random.Generator,
    name: str,
    points: Points,
    profiles: Profiles,
    *,
    origin_mm: tuple[float, float],
    angle_deg: float = 0.0,
    scale: float = 1.0,
    bow_mm: float = 0.0,
    jitter_mm: float = 0.35,
    grain: float = 1.0,
) -> Bone:
    """Create a bone from control points (along, across): jitter, smooth and place them."""
    uneven = np.array(points) + jitter_mm * rng.standard_normal((len(points), 2))
    local: Points = tuple((float(a), float(b)) for a, b in uneven)
    outline = closed_curve(
        place(local, origin_mm=origin_mm, angle_deg=angle_deg, scale=scale, bow_mm=bow_mm)
    )
    angle = np.deg2rad(angle_deg)
    return Bone(
        name=name,
        outline_mm=outline,
        origin_mm=origin_mm,
        direction=(-float(np.sin(angle)), float(np.cos(angle))),
        depth=profiles.depth,
        rounding=profiles.rounding,
        cortex=profiles.cortex,
        trabecular=profiles.trabecular,
        scale=scale,
        grain=grain,
    )


def along_axis(points: Points, *, origin_mm: tuple[float, float], angle_deg: float = 0.0) -> Points:
    """Convert image points (x, y) to local (along, across) ones of a bone at origin and angle.

    The inverse of `outlines.place`, for bones whose outline is given in image coordinates.
    """
    angle = np.deg2rad(angle_deg)
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    local = []
    for x, y in points:
        dx, dy = x - origin_mm[0], y - origin_mm[1]
        local.append((dy * cosine - dx * sine, dx * cosine + dy * sine))
    return tuple(local)


def draw_soft(
    rng: np.random.Generator,
    points: Points,
    *,
    depth_mm: float,
    rounding_mm: float,
    fat_mm: float,
    jitter_mm: float = 1.0,
    fade_mm: float = 0.0,
    beyond_mm: float = 0.0,
) -> SoftBody:
    """Create a soft body with an outline through control points (x, y) in image mm."""
    uneven: Field = np.array(points) + jitter_mm * rng.standard_normal((len(points), 2))
    return SoftBody(closed_curve(uneven), depth_mm, rounding_mm, fat_mm, fade_mm, beyond_mm)


def mirrored(points: Points) -> Points:
    """Return half an outline (along, across) followed by its mirror image, as a closed outline."""
    other = tuple((along, -across) for along, across in reversed(points))
    return points + other


Builder = Callable[[np.random.Generator], Anatomy]
