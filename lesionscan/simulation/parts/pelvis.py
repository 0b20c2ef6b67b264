"""A whole pelvis from the front, in millimetres (see `anatomy` for the conventions).

Textbook coordinates: 0 across = the midline (or the middle of a femoral head), 0 along = the
level of the hip joints, growing downwards. "left" is the person's left: the right of the picture.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, draw_soft, mirrored
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Groove, Rarefaction
from lesionscan.simulation.body.outlines import Points, closed_curve, place
from lesionscan.simulation.body.person import (
    Person,
    Pose,
    draw_person,
    even,
    flipped,
    side_sign,
)
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.parts.bowel import gas_bubbles, gas_loop
from lesionscan.simulation.parts.proximal_femur import proximal_femur
from lesionscan.simulation.parts.vertebra_views import vertebra_from_front
from lesionscan.simulation.parts.vertebrae import LUMBAR, Vertebra, stacked, worn

HEAD_OFFSET_MM = 88.0
"""Half the distance between the centres of the femoral heads."""

# the wing, its crest, the roof of the hip joint and the wall of the small pelvis
_ILIUM: Points = (
    (-72, 37), (-96, 43), (-118, 61), (-131, 85), (-133, 105), (-124, 123), (-107, 135),
    (-86, 139), (-68, 136), (-58, 128), (-47, 120), (-36, 118), (-26, 114.5), (-18, 110),
    (-21.5, 104), (-25.5, 98), (-28.2, 88), (-24.5, 74.5), (-14, 64), (-1, 60.5), (12, 63),
    (20, 64.5), (22, 58), (14, 52.5), (0, 53.5), (-14, 57), (-30, 62.5), (-42, 61), (-50, 54),
    (-60, 43),
)  # fmt: skip
_ILIUM_PROFILES = Profiles(
    depth=((-134, 12), (-112, 11), (-70, 14), (-42, 24), (-20, 28), (4, 22), (22, 1)),
    rounding=((-134, 6.5), (-112, 10), (-80, 20), (-58, 16), (-27, 5), (0, 7), (22, 5)),
    cortex=((-134, 0.9), (-112, 0.35), (-58, 0.35), (-36, 1.2), (-20, 1.3), (4, 0.7), (22, 0.3)),
    trabecular=((-134, 0.2), (-95, 0.2), (-40, 0.2), (-20, 0.24), (22, 0.16)),
)
# pubis and ischium around the obturator foramen; both fade where the ilium begins
_RING: Points = (
    (-16, 58.5), (0, 53.5), (9, 50), (17, 43), (24, 31), (28.5, 18), (29.5, 8), (34, 3.5), (47, 3),
    (57, 4.5), (66, 12), (77, 26), (86, 42), (92, 57), (91, 71), (81, 83), (66, 90), (50, 89),
    (38, 84), (29, 79), (22, 74), (10, 65), (-4, 62), (-18, 64),
)  # fmt: skip
_OBTURATOR: Points = (
    (29, 57), (29, 48), (34, 37.5), (41.5, 29), (49, 25.5), (56.5, 29), (62, 38), (64, 49),
    (60, 59), (51, 64), (40, 64), (33, 62),
)  # fmt: skip
_RING_PROFILES = Profiles(
    depth=((-20, 1), (0, 20), (22, 24), (45, 19), (92, 20)),
    rounding=((-20, 4), (5, 8), (92, 8)),
    cortex=((-20, 0.3), (2, 0.8), (30, 1.0), (92, 0.9)),
    trabecular=((-20, 0.14), (92, 0.14)),
)
_POSTERIOR_WALL: Points = (
    (-18, 109), (-6, 105), (7, 98), (19, 90), (28, 82), (23, 74), (9, 66), (-8, 64), (-20, 71),
    (-26, 88), (-24, 101),
)  # fmt: skip
_ANTERIOR_WALL: Points = (
    (-22, 103), (-13, 99), (-1, 89), (9, 79), (17, 69), (9, 63), (-6, 61), (-18, 67), (-26, 84),
)  # fmt: skip


_CREST: Points = (
    (-98, 49), (-114, 67), (-124, 86), (-126, 105), (-117, 119), (-102, 129), (-84, 132),
    (-66, 130),
)  # fmt: skip
_ARCUATE: Points = (
    (-66, 50), (-50, 60), (-35, 65.5), (-16, 62), (0, 57.5), (12, 58), (18, 61),
)  # fmt: skip
_SACROILIAC: Points = ((-103, 54), (-92, 52.5), (-80, 50), (-68, 47.5), (-58, 45), (-51, 42))


def _wing(points: Points, word: str, shape: tuple[float, float]) -> Points:
    """Adapt points of the left ilium of a typical adult to a side and a person's shape.

    `shape` is the relative height of the wing, and the additional flare of its outer edge at the
    crest in mm; the joints do not move.
    """
    tall, flare = shape
    moved = []
    for along, across in points:
        above = max(-30.0 - along, 0.0)
        out = flare * above / 100.0 * (across - 45.0) / 60.0
        moved.append((along - above * (tall - 1.0), side_sign(word) * (across + out)))
    return tuple(moved)


def _ilium(rng: np.random.Generator, pose: Pose, word: str, shape: tuple[float, float]) -> Bone:
    """Return an ilium; `pose` is at the middle between the hips.

    The middle of its wing is thin and dark, its crest and the rim of the inlet are thick, and the
    dark line of the sacroiliac joint crosses it.
    """
    bone = pose.draw(rng, f"ilium_{word}", _wing(_ILIUM, word, shape), _ILIUM_PROFILES,
                     jitter_mm=0.55, grain=0.4)  # fmt: skip
    side = side_sign(word)
    fossa = Rarefaction(-88.0 + float(rng.normal(0, 3)), side * (101.0 + float(rng.normal(0, 3))),
                        27.0, 25.0, float(rng.uniform(0.6, 0.85)))  # fmt: skip
    lines = (
        Groove(_wing(_CREST, word, shape), 5.0, -float(rng.uniform(0.2, 0.5))),
        Groove(_wing(_ARCUATE, word, shape), 2.2, -float(rng.uniform(0.5, 1.0))),
        _sacroiliac_gap(word),
    )
    return replace(bone, rarefactions=(fossa,), grooves=lines, grain_tilt_deg=12.0 * side)


def _sacroiliac_gap(word: str) -> Groove:
    """Return the dark line of a sacroiliac joint, seen through ilium and sacrum."""
    return Groove(flipped(_SACROILIAC, word), 1.3, 0.45, lips=0.25)


def _hip_bone(
    rng: np.random.Generator, pose: Pose, word: str, shape: tuple[float, float]
) -> tuple[Bone, ...]:
    """Return ilium, pubis with ischium, and the two walls of the hip joint.

    `pose` is at the middle between the hips; `shape` is that of the ilium (see `_wing`).
    """
    ring = pose.draw(
        rng,
        f"pubis_and_ischium_{word}",
        flipped(_RING, word),
        _RING_PROFILES,
        jitter_mm=0.6,
        grain=0.4,
    )
    foramen = place(flipped(_OBTURATOR, word), origin_mm=pose.at_mm, angle_deg=pose.tilt_deg,
                    scale=pose.person.size)  # fmt: skip
    foramen = foramen + 0.6 * rng.standard_normal(foramen.shape)
    back = pose.draw(rng, f"posterior_wall_{word}", flipped(_POSTERIOR_WALL, word),
                     even(12.0, 7.0, 0.45, 0.13))  # fmt: skip
    front = pose.draw(rng, f"anterior_wall_{word}", flipped(_ANTERIOR_WALL, word),
                      even(9.0, 8.0, 0.35, 0.13))  # fmt: skip
    ilium = _ilium(rng, pose, word, shape)
    return ilium, replace(ring, hole_mm=closed_curve(foramen)), back, front


_SACRUM: Points = (
    (-111, 4), (-112, 15), (-109.5, 24), (-107, 30), (-105, 42), (-99, 53), (-88, 55.5), (-73, 52),
    (-59, 46), (-50, 41), (-42, 33), (-32, 25), (-23, 18.5), (-16, 12), (-12, 4),
)  # fmt: skip
_SACRUM_PROFILES = Profiles(
    depth=((-112, 30), (-90, 38), (-60, 27), (-30, 15), (-11, 8)),
    rounding=((-112, 4), (-100, 18), (-60, 24), (-45, 12), (-11, 5)),
    cortex=((-112, 0.4), (-98, 0.15), (-60, 0.15), (-40, 0.4), (-11, 0.5)),
    trabecular=((-112, 0.15), (-90, 0.12), (-40, 0.13), (-11, 0.15)),
)
# (along, across) of the foramina of the left side
_FORAMINA: Points = ((-86.0, 20.0), (-69.0, 17.5), (-54.0, 15.0), (-41.0, 13.0))
# front of the coccyx below the sacrum
_COCCYX: Points = mirrored(((-10, 2), (-9.5, 8), (-3, 9), (4, 5), (14, 4), (20, 1.5)))


def _sacrum(rng: np.random.Generator, pose: Pose) -> tuple[Bone, ...]:
    """Return the sacrum, its crest and the coccyx.

    `pose` is at the middle between the hips. The foramina are dark below a fine bright arch.
    """
    sacrum = pose.draw(rng, "sacrum", mirrored(_SACRUM), _SACRUM_PROFILES, jitter_mm=0.7,
                       grain=0.45)  # fmt: skip
    holes: list[Rarefaction] = []
    lines = [_sacroiliac_gap("right"), _sacroiliac_gap("left")]
    for number, (down, out) in enumerate(_FORAMINA):
        for side in (-1.0, 1.0):
            along = down + float(rng.normal(0.0, 0.8))
            across = side * (out + float(rng.normal(0.0, 0.8)))
            wide = (6.8 - 0.9 * number) * float(rng.uniform(0.85, 1.15))
            holes.append(Rarefaction(along + 1.5, across, 0.75 * wide, wide, 0.72))
            roof = tuple((along - 1.2 * wide * float(np.cos(a)), across + 1.35 * wide
                          * float(np.sin(a))) for a in np.linspace(-1.5, 1.5, 9))  # fmt: skip
            lines.append(Groove(roof, 0.7, -float(rng.uniform(0.7, 1.4))))
    crest = tuple(
        pose.draw(
            rng, f"sacral_crest_{number}",
            mirrored(((at - 6, 0.6), (at - 3, 2.0), (at + 3, 2.6), (at + 6.5, 0.8))),
            even(9.0 - 1.5 * number, 2.2, 0.5, 0.1), jitter_mm=0.5,
        ) for number, at in ((1, -92.0), (2, -74.0), (3, -58.0)))  # fmt: skip
    coccyx = pose.draw(rng, "coccyx", _COCCYX, even(6.0, 4.0, 0.4, 0.12), jitter_mm=0.8)
    sacrum = replace(sacrum, rarefactions=tuple(holes), grooves=tuple(lines))
    return sacrum, *crest, coccyx


def _pelvic_gas(
    rng: np.random.Generator, at_mm: tuple[float, float], size: float
) -> tuple[SoftBody, ...]:
    """Return gas and stool of caecum, sigmoid and rectum about the middle between the hips."""

    def at(across: float, along: float) -> tuple[float, float]:
        """Convert textbook mm to image mm, with a random error of a few mm."""
        return (at_mm[0] + size * (across + float(rng.normal(0, 6))),
                at_mm[1] + size * (along + float(rng.normal(0, 6))))  # fmt: skip

    bodies: list[SoftBody] = []
    bodies.extend(gas_bubbles(rng, at(-98, -92), (15.0, 24.0), count=int(rng.integers(8, 26)),
                              radius_mm=(1.5, 8.0)))  # fmt: skip
    if rng.random() < 0.8:
        path = (at(112, -128), at(104, -96), at(92, -70), at(62, -52))
        bodies.append(gas_loop(rng, path, float(rng.uniform(7.0, 13.0))))
    if rng.random() < 0.7:
        path = (at(38, -30), at(14, -36), at(-6, -20), at(4, 0))
        bodies.append(gas_loop(rng, path, float(rng.uniform(7.0, 14.0))))
    bodies.extend(gas_bubbles(rng, at(0, -18), (22.0, 18.0), count=int(rng.integers(4, 22)),
                              radius_mm=(1.2, 6.0)))  # fmt: skip
    bodies.extend(gas_bubbles(rng, at(10, -130), (60.0, 20.0), count=int(rng.integers(2, 8)),
                              radius_mm=(4.0, 12.0)))  # fmt: skip
    return tuple(bodies)


def _flesh(
    rng: np.random.Generator, at_mm: tuple[float, float], size: float
) -> tuple[tuple[SoftBody, ...], SoftBody]:
    """Return the trunk with the bladder in it, and the air between the thighs."""
    hips = float(rng.uniform(174, 184))
    waist = hips - float(rng.uniform(6, 24))

    def around(points: Points) -> Points:
        """Convert textbook (across, along) to image (x, y)."""
        return tuple((at_mm[0] + size * x, at_mm[1] + size * y) for x, y in points)

    half = ((waist + 6, -260), (waist, -170), (waist + 3, -120), (hips - 6, -60), (hips, 10),
            (hips - 2, 60), (hips - 6, 220))  # fmt: skip
    trunk = draw_soft(
        rng, around((*half, *((-x, y) for x, y in reversed(half)))),
        depth_mm=float(rng.uniform(120, 155)), rounding_mm=42, fat_mm=float(rng.uniform(14, 30)),
    )  # fmt: skip
    wide, tall = float(rng.uniform(24, 44)), float(rng.uniform(16, 32))
    ring = tuple((wide * float(np.cos(a)), 14.0 + tall * float(np.sin(a)))
                 for a in np.arange(10) * np.pi / 5)  # fmt: skip
    bladder = draw_soft(rng, around(ring), depth_mm=4.5, rounding_mm=tall, fat_mm=0.0,
                        fade_mm=4.0)  # fmt: skip
    low = float(rng.uniform(74, 92))
    between = draw_soft(
        rng, around(((0, low), (9, low + 12), (16, low + 40), (20, 220), (-20, 220),
                     (-16, low + 40), (-9, low + 12))),
        depth_mm=float(rng.uniform(35, 60)), rounding_mm=22.0, fat_mm=0.0,
    )  # fmt: skip
    return (trunk, bladder), between


def pelvis(rng: np.random.Generator) -> Anatomy:
    """Return a pelvis from the front: hip bones, sacrum, both hips, the lowest lumbar spine, gas.

    Targets are the ilia, the sacrum and the femora.
    """
    person = draw_person(rng)
    size = person.size
    width, height = 382.0 * size, 288.0 * size
    at = (0.5 * width + float(rng.uniform(-4, 4)), (176.0 + float(rng.uniform(-6, 10))) * size)
    bones = [*lower_trunk(rng, person, at), *_lumbar_above(rng, person, at)]
    soft, between = _flesh(rng, at, size)
    return Anatomy(
        "PELVIS", "AP", (width, height), tuple(bones), soft,
        ("ilium_right", "ilium_left", "sacrum", "femur_right", "femur_left"),
        gas=(between, *_pelvic_gas(rng, at, size)), grain=(0.1, 0.99), planes=0.03, scatter=0.6,
    )  # fmt: skip


def lower_trunk(
    rng: np.random.Generator, person: Person, at_mm: tuple[float, float]
) -> tuple[Bone, ...]:
    """Return hip bones, proximal femora and sacrum; `at_mm` is the middle between the hips."""
    middle = Pose(person, at_mm)
    shape = (float(rng.uniform(0.92, 1.07)), float(rng.uniform(-8.0, 8.0)))
    bones: list[Bone] = []
    for word in ("right", "left"):
        head = (at_mm[0] + side_sign(word) * HEAD_OFFSET_MM * person.size, at_mm[1])
        hang = Pose(person, head, float(rng.uniform(-1, 5)) * side_sign(word))
        bones.extend((*_hip_bone(rng, middle, word, shape), proximal_femur(rng, hang, word)))
    return (*bones, *_sacrum(rng, middle))


def _lumbar_above(
    rng: np.random.Generator, person: Person, at_mm: tuple[float, float]
) -> tuple[Bone, ...]:
    """Return L1 to L5 above a sacrum; `at_mm` is the middle between the hips."""
    column = worn(rng, LUMBAR)
    bend = float(rng.uniform(-0.6, 0.6))
    tilts = tuple(bend * (4 - step) for step in range(5))
    top = (at_mm[0], at_mm[1] - person.size * lid_height(column[-1]))
    poses = stacked(person, column, tilts, 4, top)
    return tuple(
        bone for vertebra, pose in zip(column, poses, strict=True)
        for bone in vertebra_from_front(rng, vertebra, pose)
    )  # fmt: skip


def lid_height(last: Vertebra) -> float:
    """Return the height of the middle of the last lumbar vertebra above the hips, in mm."""
    return 111.0 + last.disc + 0.5 * last.height
