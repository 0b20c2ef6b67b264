"""Lumbar spine from the front and from the side, in millimetres (see `anatomy`)."""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.person import Person, Pose, draw_person, even
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.body.strips import Strip, smooth_path, strip_bone
from lesionscan.simulation.parts.bowel import gas_bubbles, gas_loop
from lesionscan.simulation.parts.pelvis import lid_height, lower_trunk
from lesionscan.simulation.parts.thorax import rib_from_front
from lesionscan.simulation.parts.vertebra_views import (
    body_from_side,
    vertebra_from_front,
    vertebra_from_side,
)
from lesionscan.simulation.parts.vertebrae import (
    LUMBAR,
    THORACIC,
    Vertebra,
    stacked,
    worn,
)

# from T8: a small person shows more than T11 to the sacrum
_COLUMN = (*THORACIC[-5:], *LUMBAR)
_L3 = 7
_NAMES = tuple(vertebra.name for vertebra in LUMBAR)


def lumbar_spine(rng: np.random.Generator) -> Anatomy:
    """Return a lumbar spine from the front, T11 to the sacrum, under bowel gas.

    Targets are the bodies of L1 to L5.
    """
    person = draw_person(rng)
    size = person.size
    width, height = 218.0 * size, 300.0 * size
    at = (0.5 * width + float(rng.uniform(-6, 6)), 0.46 * height + float(rng.uniform(-8, 8)))
    lean, bend = float(rng.normal(0.0, 1.2)), float(rng.normal(0.0, 1.0))
    tilts = tuple(lean + bend * (step - _L3) for step in range(len(_COLUMN)))
    column = worn(rng, _COLUMN)
    poses = stacked(person, column, tilts, _L3, at)
    bones: list[Bone] = []
    for vertebra, pose in zip(column, poses, strict=True):
        bones.extend(vertebra_from_front(rng, vertebra, pose))
    for number, vertebra, pose in zip(range(8, 13), column, poses, strict=False):
        root = Pose(person, (pose.at_mm[0], pose.at_mm[1] - 0.5 * size * vertebra.height))
        fall = 1.25 if number > 10 else 0.85
        bones.extend(_named(rib_from_front(rng, number, root, -1.0, fall), "right"))
        bones.extend(_named(rib_from_front(rng, number, root, 1.0, fall), "left"))
    low = poses[-1].at_mm
    hips = (low[0], low[1] + size * lid_height(column[-1]))
    bones.extend(lower_trunk(rng, person, hips))
    soft = _trunk_from_front(rng, at, size, (width, height))
    return Anatomy(
        "LSPINE", "AP", (width, height), tuple(bones), soft, _NAMES,
        gas=_gas_from_front(rng, at, size), grain=(0.2, 0.98), planes=0.02, scatter=0.65,
    )  # fmt: skip


def _named(bones: tuple[Bone, ...], word: str) -> tuple[Bone, ...]:
    """Append the side to the names of bones."""
    return tuple(replace(bone, name=f"{bone.name}_{word}") for bone in bones)


def _trunk_from_front(
    rng: np.random.Generator,
    at_mm: tuple[float, float],
    size: float,
    field_mm: tuple[float, float],
) -> tuple[SoftBody, ...]:
    """Return the trunk with its psoas muscles and kidneys; `at_mm` is the middle of L3."""
    width, height = field_mm
    # the skin lies outside the field
    trunk = draw_soft(
        rng, ((-150, -150), (width + 150, -150), (width + 150, height + 150), (-150, height + 150)),
        depth_mm=float(rng.uniform(150, 200)), rounding_mm=40, fat_mm=float(rng.uniform(12, 30)),
    )  # fmt: skip
    bodies = [trunk]
    for side in (-1.0, 1.0):
        muscle: Points = (
            (16, -62), (24, -40), (36, -5), (50, 40), (62, 80), (70, 130), (40, 140), (24, 90),
            (16, 40), (10, -10), (10, -60),
        )  # fmt: skip
        bodies.append(draw_soft(
            rng, tuple((at_mm[0] + side * size * x, at_mm[1] + size * y) for x, y in muscle),
            depth_mm=float(rng.uniform(2.0, 5.0)), rounding_mm=14.0, fat_mm=0.0, jitter_mm=1.5,
            fade_mm=1.6,
        ))  # fmt: skip
        bodies.append(_kidney(rng, at_mm, size, side))
    return tuple(bodies)


def _kidney(
    rng: np.random.Generator, at_mm: tuple[float, float], size: float, side: float
) -> SoftBody:
    """Draw a kidney, with its lower pole farther from the midline; `at_mm` is the middle of L3."""
    x, y = side * float(rng.uniform(54, 62)), float(rng.uniform(-58, -36))
    bean = tuple(
        (at_mm[0] + size * (x + 27.0 * float(np.cos(a)) + side * 12.0 * float(np.sin(a))),
         at_mm[1] + size * (y + 52.0 * float(np.sin(a))))
        for a in np.arange(10) * np.pi / 5)  # fmt: skip
    return draw_soft(rng, bean, depth_mm=float(rng.uniform(1.5, 3.5)), rounding_mm=18.0,
                     fat_mm=0.0, jitter_mm=1.5, fade_mm=2.5)  # fmt: skip


def _gas_from_front(
    rng: np.random.Generator, at_mm: tuple[float, float], size: float
) -> tuple[SoftBody, ...]:
    """Return gas in colon, stomach and small bowel; `at_mm` is the middle of L3."""

    def at(x: float, y: float) -> tuple[float, float]:
        """Convert textbook mm to image mm, with a random error of a few mm."""
        return (at_mm[0] + size * (x + float(rng.normal(0, 7))),
                at_mm[1] + size * (y + float(rng.normal(0, 8))))  # fmt: skip

    bodies: list[SoftBody] = []
    loops = (
        ((at(-92, 90), at(-90, 55), at(-94, 15), at(-88, -30)), 0.6),
        ((at(94, -70), at(92, -30), at(95, 20), at(90, 70)), 0.6),
        ((at(-70, -20), at(-35, 2), at(5, 6), at(45, -12), at(75, -40)), 0.45),
        ((at(30, -110), at(55, -100), at(80, -112)), 0.4),
    )
    for path, chance in loops:
        if rng.random() < chance:
            bodies.append(gas_loop(rng, path, float(rng.uniform(9.0, 17.0))))
    for _ in range(int(rng.integers(2, 5))):
        centre = at(float(rng.uniform(-75, 75)), float(rng.uniform(-60, 110)))
        bodies.extend(gas_bubbles(rng, centre, (12.0, 10.0), count=int(rng.integers(3, 9)),
                                  radius_mm=(1.5, 10.0)))  # fmt: skip
    return tuple(bodies)


# the sacrum from the side: bodies, and the crest behind its canal; 0 = middle of its endplate
_SACRUM: Points = (
    (0, -15.5), (3, -17.5), (13, -14.5), (28, -11), (45, -10), (60, -12), (76, -17), (90, -25),
    (91, -16), (76, -4), (60, 3), (45, 7), (28, 11.5), (14, 14.5), (3, 17), (0, 15), (1.5, 0),
)  # fmt: skip
_SACRUM_PROFILES = Profiles(
    depth=((0, 50), (15, 62), (45, 44), (91, 22)),
    rounding=((0, 3.5), (8, 9), (91, 8)),
    cortex=((0, 0.4), (8, 0.25), (91, 0.3)),
    trabecular=((0, 0.15), (15, 0.1), (91, 0.12)),
)
_CREST: Points = (
    (-9, 19), (-8, 24), (2, 29), (8, 36), (15, 39), (30, 35), (46, 30), (62, 20), (76, 8),
    (70, 4), (56, 12), (40, 17), (22, 19), (6, 19),
)  # fmt: skip
# an ilium from the side, about the middle of the sacrum's endplate; x grows to the back
_WING: Points = (
    (32, -86), (4, -62), (-16, -34), (-28, -4), (-29, 22), (-18, 44), (2, 58), (14, 57), (24, 46),
    (34, 40), (50, 36), (64, 30), (84, 14), (130, 0), (190, -4), (215, -30), (190, -52),
    (120, -74), (70, -80), (48, -82),
)  # fmt: skip


def lumbar_spine_lateral(rng: np.random.Generator) -> Anatomy:
    """Return a lumbar spine from the side, T11 to the sacrum, the front to the left.

    Targets are the bodies of L1 to L5.
    """
    person = draw_person(rng)
    size = person.size
    width, height = 172.0 * size, 288.0 * size
    at = (width * float(rng.uniform(0.40, 0.46)), height * float(rng.uniform(0.43, 0.47)))
    # lordosis: from L1 tilted back to a sacral slope of 30 to 48 degrees
    curve, slope = float(rng.uniform(0.75, 1.2)), float(rng.uniform(30, 48))
    base = float(rng.uniform(-4, 4))
    tilts = tuple(base - curve * t for t in (
        -8.0, -12.0, -16.0, -19.0, -19.0, -16.0, -9.0, 1.0, 12.0, 25.0))  # fmt: skip
    column = worn(rng, _COLUMN)
    poses = stacked(person, column, tilts, _L3, at)
    bones: list[Bone] = []
    for vertebra, pose in zip(column, poses, strict=True):
        if vertebra.name in _NAMES:
            bones.extend(vertebra_from_side(rng, vertebra, pose))
        else:
            bones.append(body_from_side(rng, vertebra, pose))
    lid = _sacral_lid(column[-1], poses[-1], slope)
    sacrum = lid.draw(rng, "sacrum", _SACRUM, _SACRUM_PROFILES, grain=0.45)
    # remnants of the discs between its bodies
    bones.append(replace(sacrum, scars=(27.0, 30.0, 50.0, 52.5)))
    bones.append(lid.draw(rng, "sacral_crest", _CREST, even(16.0, 6.0, 0.4, 0.12), jitter_mm=0.9))
    for word in ("right", "left"):
        shifted = (lid.at_mm[0] + float(rng.normal(0, 3.5)), lid.at_mm[1] + float(rng.normal(0, 3)))
        wing = Pose(person, shifted, 0.3 * lid.tilt_deg + float(rng.uniform(-3, 3)))
        bones.append(wing.draw(rng, f"ilium_{word}", _WING, even(7.0, 6.0, 0.5, 0.1),
                               jitter_mm=1.2, grain=0.25))  # fmt: skip
    bones.extend(_ribs_from_side(rng, person, poses[3].at_mm))
    soft, gas = _flesh_from_side(rng, at, size, (width, height))
    return Anatomy(
        "LSPINE", "LL", (width, height), tuple(bones), soft, _NAMES, gas=gas,
        grain=(0.3, 0.95), planes=0.02, scatter=0.8,
    )  # fmt: skip


def _sacral_lid(vertebra: Vertebra, last: Pose, slope_deg: float) -> Pose:
    """Return the pose of the sacrum below L5: the middle of its upper endplate."""
    size = last.person.size
    tilt = 0.5 * (last.tilt_deg - slope_deg)
    x, y = last.at_mm
    for length, angle in ((0.5 * vertebra.height, last.tilt_deg), (vertebra.disc, tilt)):
        turn = np.deg2rad(angle)
        x -= size * length * float(np.sin(turn))
        y += size * length * float(np.cos(turn))
    return Pose(last.person, (x, y), -slope_deg)


def _ribs_from_side(
    rng: np.random.Generator, person: Person, at_mm: tuple[float, float]
) -> tuple[Bone, ...]:
    """Return the last ribs of both sides from the side; `at_mm` is the middle of T11."""
    strip = Strip(((0.0, 3.6), (0.5, 5.5), (1.0, 3.5)), ((0.0, 6.0), (0.4, 7.0), (1.0, 5.0)),
                  ((0.0, 0.4), (0.5, 0.5), (1.0, 0.35)))  # fmt: skip
    course = ((10, 0), (27, 5), (41, 20), (44, 40), (37, 60), (20, 80), (-4, 98), (-26, 110))
    bones = []
    for number, down, points in ((11, -12.0, course), (12, 15.0, course[:6])):
        for word in ("right", "left"):
            dx, dy = float(rng.normal(0, 3)), float(rng.normal(0, 3))
            path = smooth_path(tuple((x + dx, down + y + dy) for x, y in points))
            bones.append(strip_bone(rng, f"rib_{number}_{word}", path, strip, Pose(person, at_mm)))
    return tuple(bones)


def _flesh_from_side(
    rng: np.random.Generator,
    at_mm: tuple[float, float],
    size: float,
    field_mm: tuple[float, float],
) -> tuple[tuple[SoftBody, ...], tuple[SoftBody, ...]]:
    """Return the trunk, and lung and bowel gas; `at_mm` is the middle of L3."""
    width, height = field_mm
    # the skin lies out of the field; the belly is thicker than the back
    trunk = draw_soft(
        rng, ((-150, -150), (width + 150, -150), (width + 150, height + 150), (-150, height + 150)),
        depth_mm=float(rng.uniform(130, 180)), rounding_mm=70, fat_mm=float(rng.uniform(8, 20)),
    )  # fmt: skip
    edge = at_mm[0] + size * float(rng.uniform(50, 75))
    belly = draw_soft(
        rng, ((-150, -150), (edge + 12, -150), (edge + 6, 0.25 * height), (edge - 4, 0.5 * height),
              (edge + 6, 0.75 * height), (edge + 20, height + 150), (-150, height + 150)),
        depth_mm=float(rng.uniform(1, 4)), rounding_mm=60, fat_mm=0.0, fade_mm=14.0,
    )  # fmt: skip

    def at(x: float, y: float) -> tuple[float, float]:
        """Convert textbook mm to image mm, with a random error of a few mm."""
        return (at_mm[0] + size * (x + float(rng.normal(0, 6))),
                at_mm[1] + size * (y + float(rng.normal(0, 8))))  # fmt: skip

    dome = (at(-110, -96), at(-55, -116), at(-12, -114), at(18, -98), at(42, -72), at(58, -60),
            at(68, -78), at(68, -120), at(60, -220), at(-110, -220))  # fmt: skip
    lung = draw_soft(rng, dome, depth_mm=float(rng.uniform(7, 15)), rounding_mm=34.0, fat_mm=0.0)
    bodies: list[SoftBody] = [lung]
    for _ in range(int(rng.integers(2, 6))):
        centre = at(float(rng.uniform(-75, -28)), float(rng.uniform(-60, 95)))
        bodies.extend(gas_bubbles(rng, centre, (9.0, 12.0), count=int(rng.integers(2, 8)),
                                  radius_mm=(2.0, 11.0)))  # fmt: skip
    if rng.random() < 0.5:
        path = (at(-72, -30), at(-60, 10), at(-66, 50), at(-50, 90))
        bodies.append(gas_loop(rng, path, float(rng.uniform(8.0, 14.0))))
    return (trunk, belly), tuple(bodies)
