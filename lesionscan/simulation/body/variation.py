"""Variation of patient and pose around a typical adult, straight in the middle of the picture."""

from dataclasses import dataclass, replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.decoys import with_decoys
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.fields import Field, Knots, check_ranges


@dataclass(frozen=True, slots=True)
class Variation:
    """Patient and pose; the defaults are a typical adult.

    Attributes
    ----------
    growth_plates
        Whether they are open, as in a child.
    bone_loss
        0 = the bone of a healthy adult, 1 = severe osteoporosis: half of the cortex and of the
        trabeculae is missing, the remaining trabeculae are coarse.
    size
        Lengths of the body / those of a typical adult.
    girth
        Width / length of bones, relative to a typical adult.
    bow_mm
        Bend of long bones in the middle, in mm.
    turn_deg
        Rotation of a limb about its long axis.
    flesh, fat
        Thickness of muscle and of the layer of fat / those of a typical adult.
    joint_mm
        Added to the joint gap, in mm; negative for worn cartilage.
    tilt_deg
        Rotation in the picture; less for trunks (`Anatomy.freedom`).
    zoom
        Over 1 a close-up, under 1 a wide field.
    aspect
        Width / height of the picture, relative to the usual film of the part.
    shift
        Offset of the picture to the right and down, -1..1 of the possible range.
    foramina, skin_folds, soft_gas
        Numbers of decoys: nutrient foramina seen end-on, folds of skin, bubbles in soft tissue.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    growth_plates: bool = False
    bone_loss: float = 0.0
    size: float = 1.0
    girth: float = 1.0
    bow_mm: float = 0.0
    turn_deg: float = 0.0
    flesh: float = 1.0
    fat: float = 1.0
    joint_mm: float = 0.0
    tilt_deg: float = 0.0
    zoom: float = 1.0
    aspect: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    foramina: int = 0
    skin_folds: int = 0
    soft_gas: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "bone_loss": (self.bone_loss, 0.0, 1.0),
            "size": (self.size, 0.5, 1.3),
            "girth": (self.girth, 0.8, 1.25),
            "bow_mm": (self.bow_mm, -20.0, 20.0),
            "turn_deg": (self.turn_deg, -25.0, 25.0),
            "flesh": (self.flesh, 0.5, 2.0),
            "fat": (self.fat, 0.2, 4.0),
            "joint_mm": (self.joint_mm, -4.0, 6.0),
            "tilt_deg": (self.tilt_deg, -30.0, 30.0),
            "zoom": (self.zoom, 0.5, 2.0),
            "aspect": (self.aspect, 0.7, 1.5),
            "shift right": (self.shift[0], -1.0, 1.0),
            "shift down": (self.shift[1], -1.0, 1.0),
            "foramina": (self.foramina, 0, 9),
            "skin_folds": (self.skin_folds, 0, 9),
            "soft_gas": (self.soft_gas, 0, 40),
        }
        check_ranges("a variation", ranges)


_NARROWEST = 0.54
"""Width / height of the narrowest film: 128 rows still have the 64 columns of a `Grid`."""
TYPICAL = Variation()
"""A typical adult: the anatomy as modelled."""


def draw_variation(rng: np.random.Generator) -> Variation:
    """Draw a patient and pose, distributed as in archives.

    About one in seven is a child, and one in four adults has bone loss.
    """
    child = bool(rng.random() < 0.15)
    loss = float(max(0.0, rng.uniform(-2.4, 0.9)))
    bulk = float(rng.normal(0.0, 0.13))
    close = float(np.clip(rng.normal(0.03, 0.17), -0.4, 0.45))
    folds, gas = rng.random(), rng.random()
    return Variation(
        growth_plates=child,
        bone_loss=0.0 if child else loss,
        size=float(rng.uniform(0.66, 0.92) if child else rng.uniform(0.93, 1.07)),
        girth=float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.14)),
        bow_mm=float(np.clip(rng.normal(0.0, 2.0), -5.0, 5.0)),
        turn_deg=float(np.clip(rng.normal(0.0, 6.0), -15.0, 15.0)),
        flesh=float(np.clip(np.exp(bulk + rng.normal(0.0, 0.05)), 0.7, 1.45)),
        fat=float(np.clip(np.exp(2.0 * bulk + rng.normal(0.0, 0.25)), 0.4, 2.5)),
        joint_mm=float(np.clip(rng.normal(0.0, 0.6), -1.8, 1.5)),
        tilt_deg=float(np.clip(rng.normal(0.0, 7.0), -15.0, 15.0)),
        zoom=float(np.exp(close)),
        aspect=float(np.exp(np.clip(rng.normal(0.0, 0.10), -0.2, 0.25))),
        shift=(float(rng.uniform(-1.0, 1.0)), float(rng.uniform(-1.0, 1.0))),
        foramina=int(rng.integers(0, 3)) if rng.random() < 0.5 else 0,
        skin_folds=int(folds < 0.12) + int(folds < 0.03),
        soft_gas=int(rng.integers(2, 12)) if gas < 0.03 else 0,
    )


def varied(rng: np.random.Generator, anatomy: Anatomy, variation: Variation) -> Anatomy:
    """Apply a variation to a body part; `rng` places the decoys.

    Targets outside the picture are dropped, as long as one is left.
    """
    if variation.growth_plates:
        anatomy = anatomy.with_growth_plates()
    if replace(variation, growth_plates=False) == TYPICAL:
        return anatomy
    centre = (anatomy.field_mm[0] / 2, anatomy.field_mm[1] / 2)
    behind = dict(anatomy.behind)
    turn = np.deg2rad(variation.turn_deg * anatomy.freedom)
    bones = []
    for bone in anatomy.bones:
        grown = _scaled(_built(bone, variation, anatomy.freedom), variation.size, centre)
        aside = variation.size * behind.get(bone.name, 0.0) * float(np.sin(turn))
        down = variation.joint_mm if bone.name in anatomy.beyond_joint else 0.0
        bones.append(grown.moved((aside, down)))
    soft = tuple(_fleshed(body, variation, centre) for body in anatomy.soft)
    gas = tuple(_resized(body, variation.size, centre) for body in anatomy.gas)
    whole = replace(anatomy, bones=tuple(bones), soft=soft, gas=gas)
    whole = whole.turned(variation.tilt_deg * anatomy.freedom)
    framed = _framed(whole, variation)
    return with_decoys(
        rng, framed, foramina=variation.foramina, skin_folds=variation.skin_folds,
        soft_gas=variation.soft_gas,
    )  # fmt: skip


def _built(bone: Bone, variation: Variation, freedom: float) -> Bone:
    """Return a bone with bone loss, girth, bend and rotation about its axis applied."""
    loss = variation.bone_loss
    along, across = bone.local(bone.outline_mm[:, 0], bone.outline_mm[:, 1])
    middle = 0.5 * (across.min() + across.max())
    half = max(0.5 * float(across.max() - across.min()), 1e-6)
    span = max(float(along.max() - along.min()), 1e-6)
    t = (along - along.min()) / span
    girth = 1.0 + (variation.girth - 1.0) * freedom
    turn = float(np.sin(np.deg2rad(variation.turn_deg * freedom)))
    # when rotated, one side of an uneven bone looks wider and the other narrower
    side = (across - middle) / half
    shift = (across - middle) * (girth * (1.0 + 0.25 * turn * side) - 1.0)
    if span > 100.0:
        shift = shift + variation.bow_mm * freedom * 4.0 * t * (1.0 - t) / bone.scale
    normal = np.array([bone.direction[1], -bone.direction[0]])
    return replace(
        bone,
        outline_mm=bone.outline_mm + bone.scale * shift[:, None] * normal[None, :],
        depth=_times(bone.depth, girth),
        rounding=_times(bone.rounding, girth),
        cortex=_times(bone.cortex, 1.0 - 0.45 * loss),
        trabecular=_times(bone.trabecular, 1.0 - 0.5 * loss),
        grain=bone.grain * (1.0 + 0.25 * loss),
        coarse=bone.coarse * (1.0 + 0.8 * loss),
        beyond_mm=max(bone.beyond_mm, min(max(r for _, r in bone.rounding), 25.0)),
    )


def _times(knots: Knots, factor: float) -> Knots:
    """Multiply a profile by a number."""
    return tuple((where, value * factor) for where, value in knots)


def _scaled(bone: Bone, size: float, centre_mm: tuple[float, float]) -> Bone:
    """Return a bone scaled about a point."""
    centre = np.array(centre_mm)
    origin = centre + size * (np.array(bone.origin_mm) - centre)
    hole = bone.hole_mm
    return replace(
        bone,
        outline_mm=centre + size * (bone.outline_mm - centre),
        origin_mm=(float(origin[0]), float(origin[1])),
        hole_mm=None if hole is None else centre + size * (hole - centre),
        scale=bone.scale * size,
        depth=_times(bone.depth, size),
        rounding=_times(bone.rounding, size),
        cortex=_times(bone.cortex, size),
    )


def _resized(body: SoftBody, size: float, centre_mm: tuple[float, float]) -> SoftBody:
    """Return a soft body scaled about a point."""
    centre = np.array(centre_mm)
    return replace(
        body,
        outline_mm=centre + size * (body.outline_mm - centre),
        depth_mm=body.depth_mm * size,
        rounding_mm=body.rounding_mm * size,
        fat_mm=body.fat_mm * size,
        fade_mm=body.fade_mm * size,
    )


def _fleshed(body: SoftBody, variation: Variation, centre_mm: tuple[float, float]) -> SoftBody:
    """Return a soft body adapted to the person's flesh and fat; bellies only get thicker."""
    resized = _resized(body, variation.size, centre_mm)
    more = variation.flesh - 1.0
    depth = resized.depth_mm * variation.flesh
    return replace(
        resized,
        depth_mm=depth,
        # a limb grows more along the beam than at its sides
        grow_mm=0.0 if body.fade_mm else 0.4 * more * resized.rounding_mm,
        beyond_mm=min(resized.rounding_mm, 30.0),
        fat_mm=min(resized.fat_mm * variation.fat, 0.2 * depth),
    )


def _framed(anatomy: Anatomy, variation: Variation) -> Anatomy:
    """Return the part in the picture's field, with zoom, aspect and shift applied."""
    middle = 0.5 * np.array(anatomy.field_mm)
    # the field is scaled to the person, so that a child's film shows as much of the limb
    usual = variation.size * np.array(anatomy.field_mm)
    widest = usual / anatomy.widest
    zoom = max(variation.zoom, anatomy.widest)
    tall = float(usual[1]) / zoom
    # at least so wide that the smallest film has enough columns
    wide = max(float(usual[0]) / zoom * variation.aspect, _NARROWEST * tall)
    field = np.minimum([wide, tall], widest)
    room = 0.5 * (widest - field)
    reach = np.minimum(room, 0.06 * field + 0.32 * np.maximum(usual - field, 0.0))
    centre = _near_bone(anatomy, middle + np.array(variation.shift) * reach, 0.25 * field.min())
    corner = centre - 0.5 * field
    moved = replace(
        anatomy.moved(-float(corner[0]), -float(corner[1])),
        field_mm=(float(field[0]), float(field[1])),
    )
    seen = tuple(name for name in moved.targets if _in_view(moved.bone(name), moved.field_mm) > 0.1)
    return replace(moved, targets=seen or moved.targets)


def _near_bone(anatomy: Anatomy, centre: Field, reach_mm: float) -> Field:
    """Move a centre to within `reach_mm` of the middle of a target bone.

    Otherwise a close-up might show only air and the edge of a limb.
    """
    steps = np.linspace(0.05, 0.95, 19)
    names = dict.fromkeys(anatomy.targets)
    points = np.array([
        anatomy.bone(name).point_mm(float(step), 0.0)[:2] for name in names for step in steps
    ])  # fmt: skip
    apart = points - centre
    # rounded, so that the choice does not depend on the last bit
    nearest = int(np.argmin(np.round(np.hypot(apart[:, 0], apart[:, 1]), 3)))
    away = float(np.hypot(*apart[nearest]))
    return centre if away <= reach_mm else centre + (1.0 - reach_mm / away) * apart[nearest]


def _in_view(bone: Bone, field_mm: tuple[float, float]) -> float:
    """Return the fraction of a bone's length whose middle lies in the picture."""
    places = [bone.point_mm(float(step), 0.0)[:2] for step in np.linspace(0.05, 0.95, 19)]
    inside = [0 < x < field_mm[0] and 0 < y < field_mm[1] for x, y in places]
    return sum(inside) / len(inside)
