"""Ribs over one lung, in millimetres (see `anatomy` for the conventions).

The thorax is the right half of a person seen from the front, with the spine near the right edge of
the picture. Textbook coordinates (u, v) are mm to the side of the midline and mm below the top of
the first thoracic vertebra.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Groove
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.person import Pose, draw_person, even
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.body.strips import Strip, smooth_path, strip_bone
from lesionscan.simulation.fields import Field
from lesionscan.simulation.parts.vertebra_views import vertebra_from_front
from lesionscan.simulation.parts.vertebrae import LUMBAR, THORACIC, Vertebra, stacked

# rib: half width of the chest where the rib turns, descent from its head to there and from there to
# its front end, and distance of that end from the midline
_RIBS: dict[int, tuple[float, float, float, float]] = {
    1: (48.0, 20.0, 16.0, 27.0), 2: (74.0, 33.0, 34.0, 38.0), 3: (91.0, 43.0, 45.0, 46.0),
    4: (103.0, 51.0, 52.0, 53.0), 5: (112.0, 57.0, 57.0, 61.0), 6: (119.0, 62.0, 60.0, 71.0),
    7: (124.0, 66.0, 60.0, 82.0), 8: (127.0, 68.0, 54.0, 94.0), 9: (127.0, 68.0, 44.0, 106.0),
    10: (124.0, 67.0, 34.0, 113.0), 11: (114.0, 72.0, 0.0, 0.0), 12: (84.0, 58.0, 0.0, 0.0),
}  # fmt: skip
_POSTERIOR = Strip(
    half=((0.0, 3.6), (0.12, 5.0), (0.3, 6.2), (1.0, 6.2)),
    depth=((0.0, 7.0), (0.4, 8.0), (1.0, 9.0)),
    cortex=((0.0, 0.5), (0.2, 0.75), (1.0, 0.8)),
    joined=(False, True),
)
# where a rib turns at the side of the chest, it is seen edge-on
_LATERAL = Strip(
    half=((0.0, 6.2), (0.5, 4.6), (1.0, 5.4)),
    depth=((0.0, 9.0), (0.5, 13.0), (1.0, 9.0)),
    cortex=((0.0, 0.8), (0.5, 0.75), (1.0, 0.75)),
    joined=(True, True),
)
_ANTERIOR = Strip(
    half=((0.0, 5.4), (0.7, 6.4), (1.0, 7.2)),
    depth=((0.0, 9.0), (0.6, 7.5), (1.0, 5.0)),
    cortex=((0.0, 0.75), (0.6, 0.6), (1.0, 0.25)),
    joined=(True, False),
)
_FLOATING = Strip(
    half=((0.0, 3.6), (0.3, 5.2), (0.7, 5.0), (1.0, 2.6)),
    depth=((0.0, 7.0), (0.4, 8.0), (1.0, 6.0)),
    cortex=((0.0, 0.5), (0.5, 0.7), (1.0, 0.4)),
)


def rib_from_front(
    rng: np.random.Generator, number: int, pose: Pose, side: float, steepness: float
) -> tuple[Bone, ...]:
    """Draw a rib from the front, as its posterior, lateral and anterior parts.

    Parameters
    ----------
    rng
        Source of its course.
    number
        1 to 12; 11 and 12 are floating ribs and have only the posterior part.
    pose
        At the midline, at the upper edge of the rib's vertebra.
    side
        1 if the rib points to the right of the picture, -1 to the left.
    steepness
        Descent relative to quiet breathing.
    """
    wide, fall, front, end = _RIBS[number]
    fall, front = fall * steepness, front * steepness
    wide = wide * float(rng.uniform(0.985, 1.015))
    back: Points = (
        (13.0, 1.5), (24.0, -1.5), (0.26 * wide + 12.0, -1.0), (0.58 * wide + 2.0, 0.14 * fall),
        (0.8 * wide, 0.42 * fall), (0.94 * wide, 0.73 * fall), (wide, fall),
    )  # fmt: skip
    mirror = np.array([side, 1.0])
    if not front:
        return (strip_bone(rng, f"rib_{number}_posterior", smooth_path(back) * mirror, _FLOATING,
                           pose),)  # fmt: skip
    reach = wide - end
    belly: Points = tuple(
        (wide - reach * inward, fall + front * down)
        for inward, down in ((0.03, 0.2), (0.16, 0.44), (0.42, 0.68), (0.74, 0.87), (1.0, 1.0))
    )
    path = smooth_path((*back, *belly)) * mirror
    # the rib is split where it runs diagonally, so that no part turns far from its own axis
    steep = np.arctan2(np.diff(path[:, 1]), side * np.diff(path[:, 0]))
    lap = 3  # points 2 mm apart on both sides of a joint
    first = int(np.clip((steep < 0.25 * np.pi).sum(), 8, len(path) - 24))
    second = int(np.clip((steep < 0.68 * np.pi).sum(), first + 8, len(path) - 8))
    parts = (
        ("posterior", path[: first + lap], _POSTERIOR),
        ("lateral", path[first - lap : second + lap], _LATERAL),
        ("anterior", path[second - lap :], _ANTERIOR),
    )
    rear, *fore = (
        strip_bone(rng, f"rib_{number}_{word}", piece, strip, pose) for word, piece, strip in parts
    )
    low, high = int(0.3 * first), int(0.8 * first)
    return replace(rear, grooves=(_costal_groove(rear, path[low:high], pose),)), *fore


def _costal_groove(rib: Bone, path: Field, pose: Pose) -> Groove:
    """Return the groove of a rib along its lower edge, 3 mm below a path in textbook mm."""
    line = np.array(pose.at_mm) + pose.person.size * (path + np.array([0.0, 3.0]))
    along, across = rib.local(line[:, 0], line[:, 1])
    points = tuple((float(a), float(b)) for a, b in zip(along, across, strict=True))
    return Groove(points, 1.5, 0.3)


def _lung(rng: np.random.Generator, at: tuple[float, float], size: float, base: float) -> SoftBody:
    """Return the air of the right lung."""
    outline = (
        (22, 4), (36, -8), (54, 2), (74, 26), (92, 56), (106, 92), (114, 130), (119, 170),
        (119, base + 22), (112, base + 26), (100, base + 8), (82, base - 5), (62, base - 9),
        (42, base - 4), (30, base + 2), (33, base - 20), (37, base - 42), (32, base - 66),
        (27, 100), (25, 78), (20, 50),
    )  # fmt: skip
    return draw_soft(
        rng, tuple((at[0] - u * size, at[1] + v * size) for u, v in outline),
        depth_mm=float(rng.uniform(22, 32)), rounding_mm=34.0, fat_mm=0.0, jitter_mm=1.5,
    )  # fmt: skip


def _vessels(
    rng: np.random.Generator, at: tuple[float, float], size: float, base: float
) -> tuple[SoftBody, ...]:
    """Return the vessels that fan out from the hilum into the lung, thinning as they go."""
    bodies = []
    for turn in np.linspace(-68.0, 82.0, 15):
        angle = np.deg2rad(turn + float(rng.normal(0.0, 5.0)))
        away = float(rng.uniform(8.0, 22.0))
        u, v = 28.0 + away * float(np.cos(angle)), 98.0 + 1.6 * away * float(np.sin(angle))
        length = float(rng.uniform(30.0, 58.0))
        half = float(rng.uniform(1.3, 2.8))
        left, right = [], []
        for step in range(6):
            thin = half * (1.0 - 0.15 * step)
            left.append((u + thin * float(np.sin(angle)), v - thin * float(np.cos(angle))))
            right.append((u - thin * float(np.sin(angle)), v + thin * float(np.cos(angle))))
            u, v = u + length / 6 * float(np.cos(angle)), v + length / 6 * float(np.sin(angle))
            angle += float(rng.normal(0.0, 0.10))
        ring = tuple((at[0] - a * size, at[1] + min(b, base - 4.0) * size)
                     for a, b in (*left, *reversed(right)))  # fmt: skip
        bodies.append(draw_soft(rng, ring, depth_mm=2.2 * half, rounding_mm=1.2 * half, fat_mm=0.0,
                                jitter_mm=0.3, fade_mm=1.1))  # fmt: skip
    return tuple(bodies)


def _girdle(rng: np.random.Generator, pose: Pose) -> tuple[Bone, ...]:
    """Return clavicle and scapula: its thin blade, its thick side border, its spine."""
    drop = float(rng.uniform(-6.0, 8.0))
    clavicle = strip_bone(
        rng, "clavicle",
        smooth_path(((-15, 26), (-34, 21), (-66, 12 + drop), (-98, 4 + drop), (-150, 2 + drop))),
        Strip(((0.0, 9.0), (0.25, 6.5), (0.7, 5.5), (1.0, 6.5)), ((0.0, 13.0), (1.0, 11.0)),
              ((0.0, 0.9), (0.4, 1.7), (1.0, 1.3))), pose,
    )  # fmt: skip
    out = float(rng.uniform(-4.0, 6.0))
    blade = pose.draw(
        rng, "scapula",
        tuple((v + drop, u - out) for u, v in (
            (-150, 14), (-132, 8), (-112, 8), (-98, 20), (-96, 50), (-99, 90), (-105, 122),
            (-112, 136), (-120, 128), (-130, 100), (-142, 68), (-150, 46))),
        even(4.2, 3.4, 0.75, 0.1), jitter_mm=0.9,
    )  # fmt: skip
    border = strip_bone(
        rng, "scapula_border",
        smooth_path(tuple((u - out, v + drop) for u, v in (
            (-150, 30), (-141, 60), (-128, 96), (-112, 136)))),
        Strip(((0.0, 9.0), (0.25, 5.5), (1.0, 3.6)), ((0.0, 9.0), (1.0, 4.5)),
              ((0.0, 0.5), (0.3, 0.8), (1.0, 0.4)), joined=(False, True)), pose,
    )  # fmt: skip
    ridge = strip_bone(
        rng, "scapula_spine",
        smooth_path(tuple((u - out, v + drop) for u, v in ((-98, 30), (-120, 18), (-158, -4)))),
        Strip(((0.0, 4.0), (1.0, 7.0)), ((0.0, 5.0), (1.0, 10.0)), ((0.0, 0.8), (1.0, 1.0))), pose,
    )  # fmt: skip
    return clavicle, blade, border, ridge


# two vertebrae above the first thoracic one, about as large
_NECK: tuple[Vertebra, ...] = tuple(
    replace(THORACIC[0], name=name, spread=52.0) for name in ("C6", "C7")
)


def ribs(rng: np.random.Generator) -> Anatomy:
    """Return the ribs of one side from the front over lung and liver, beside the spine."""
    person = replace(draw_person(rng), size=1.06 * float(rng.uniform(0.94, 1.05)))
    size = person.size
    # the field reaches from the skin of the side to the spine
    width, height = 183.0 * size, 224.0 * size
    at = ((165.0 + float(rng.uniform(0, 7))) * size, -float(rng.uniform(14, 30)))
    # neck and loins are outside the usual field, but visible in small people
    spine = (*_NECK, *THORACIC, *LUMBAR[:2])
    column = stacked(person, spine, (float(rng.uniform(-1.5, 1.5)),) * len(spine), len(_NECK), at)
    steepness = float(rng.uniform(0.88, 1.18))
    bones: list[Bone] = []
    cage: list[Bone] = []
    far: list[Bone] = []
    for vertebra, pose in zip(spine, column, strict=True):
        bones.extend(vertebra_from_front(rng, vertebra, pose))
        if vertebra in THORACIC:
            number = THORACIC.index(vertebra) + 1
            root = Pose(person, (pose.at_mm[0], pose.at_mm[1] - 0.5 * size * vertebra.height))
            cage.extend(rib_from_front(rng, number, root, -1.0, steepness))
            far.append(rib_from_front(rng, number, root, 1.0, steepness)[0])
    bones.extend(replace(bone, name=f"left_{bone.name}") for bone in far)
    bones.extend(cage)
    bones.extend(_girdle(rng, Pose(person, at)))
    wall = tuple((at[0] - u * size, at[1] + v * size) for u, v in (
        (-152, -170), (40, -170), (36, -110), (40, -62), (66, -42), (104, -24), (138, 0), (156, 34),
        (160, 72), (161, 110), (160, 170), (158, 240), (156, 420), (-130, 420)))  # fmt: skip
    trunk = draw_soft(rng, wall, depth_mm=float(rng.uniform(88, 106)), rounding_mm=78,
                      fat_mm=float(rng.uniform(7, 16)))  # fmt: skip
    base = float(rng.uniform(222, 242))
    other = draw_soft(
        rng, tuple((at[0] + u * size, at[1] + v * size) for u, v in (
            (22, 4), (36, -8), (60, 4), (120, 60), (130, 160), (90, 190), (42, 196), (34, 150),
            (30, 96), (24, 60))),
        depth_mm=30, rounding_mm=34, fat_mm=0.0, jitter_mm=1.5,
    )  # fmt: skip
    targets = tuple(bone.name for bone in cage if _visible(bone, (width, height)) > 0.65)
    return Anatomy(
        "RIB", "AP", (width, height), tuple(bones), (trunk, *_vessels(rng, at, size, base)),
        targets, gas=(_lung(rng, at, size, base), other), grain=(0.55, 0.83), planes=0.06,
        scatter=0.4,
    )  # fmt: skip


def _visible(bone: Bone, field_mm: tuple[float, float]) -> float:
    """Return the fraction of a bone's outline inside the picture."""
    inside = (bone.outline_mm > 0.0) & (bone.outline_mm < np.array(field_mm))
    return float(inside.all(axis=1).mean())
