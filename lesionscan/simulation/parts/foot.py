"""Foot from above and from the side, in millimetres of the picture (see `anatomy`).

From above it is a right foot with the toes up, the great toe to the left; from the side the toes
point to the left.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, along_axis, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import sparse_patch
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.parts.lower_limb_lateral import (
    ANKLE_PHYSES,
    ANKLE_TARGETS,
    hind_foot,
    sparse_middle,
)
from lesionscan.simulation.parts.upper_limb import tubular, tubular_head, tubular_profiles

# base x, base y, degrees from straight up, and lengths; below, half widths of base, shaft and head
_RAYS: dict[int, tuple[float, float, float, tuple[float, ...]]] = {
    1: (51.0, 168.0, -5.0, (62.0, 32.0, 23.0)),
    2: (64.0, 160.0, 1.0, (73.0, 28.0, 14.0, 10.0)),
    3: (74.0, 163.0, 5.5, (69.0, 26.0, 12.0, 9.0)),
    4: (83.0, 168.0, 10.5, (67.0, 24.0, 10.0, 8.0)),
    5: (92.0, 176.0, 17.0, (66.0, 22.0, 8.5, 7.5)),
}
_GREAT = ((9.6, 6.4, 10.2), (9.2, 6.0, 7.2), (8.2, 4.4, 5.4))
_LESSER = ((7.0, 3.6, 5.6), (5.4, 2.7, 4.0), (4.2, 2.9, 3.6), (3.7, 1.9, 3.0))
_NAMES = ("metatarsal", "proximal_phalanx", "middle_phalanx", "distal_phalanx")
_TARSUS: tuple[tuple[str, float, Points], ...] = (
    ("medial_cuneiform", 26.0, (
        (43, 171), (52, 169), (60, 171), (60, 182), (57, 192), (46, 191), (42, 181))),
    ("intermediate_cuneiform", 24.0, (
        (58, 163), (66, 161.5), (70, 164), (69, 178), (64, 187), (60, 185), (59, 174))),
    ("lateral_cuneiform", 24.0, (
        (68, 166), (76, 164.5), (80, 168), (78, 182), (72, 193), (66, 188), (68, 176))),
    ("cuboid", 24.0, (
        (79, 171), (88, 170), (98, 178), (99, 190), (94, 205), (82, 206), (74, 198), (77, 184))),
    ("navicular", 30.0, (
        (42, 194), (48, 191), (58, 192), (68, 191), (74, 196), (74, 203), (66, 206), (57, 207),
        (47, 206), (41, 201))),
    ("talus", 42.0, (
        (46, 213), (50, 208), (60, 209), (70, 209), (76, 214), (76, 226), (80, 240), (82, 262),
        (76, 290), (46, 290), (46, 256), (48, 236), (44, 224))),
    ("calcaneus", 40.0, (
        (78, 209), (86, 207), (95, 210), (98, 226), (100, 250), (98, 300), (62, 300), (64, 260),
        (70, 236), (76, 222))),
)  # fmt: skip
_TARSUS_PROFILES = Profiles(
    depth=((0, 26),),
    rounding=((160, 6), (205, 8), (300, 12)),
    cortex=((160, 0.9), (300, 0.8)),
    trabecular=((160, 0.18), (300, 0.16)),
)


def _ray(rng: np.random.Generator, number: int, spread: float) -> tuple[list[Bone], SoftBody]:
    """Return the bones of one toe with its metatarsal, and the toe's soft tissue."""
    x, y, lean, lengths = _RAYS[number]
    names = _NAMES if number > 1 else (_NAMES[0], _NAMES[1], _NAMES[3])
    widths = _GREAT if number == 1 else _LESSER
    bones: list[Bone] = []
    spine: list[tuple[float, float]] = []
    # the great toe points outward (hallux valgus), the small ones inward
    bend = float(rng.uniform(4.0, 14.0)) if number == 1 else -0.9 * lean - float(rng.uniform(0, 5))
    for index, (name, length) in enumerate(zip(names, lengths, strict=True)):
        angle = spread * lean + (bend if index else 0.0) + float(rng.uniform(-2.0, 2.0))
        turn = np.deg2rad(angle)
        # small toes are bent and seen shortened
        shown = length * (float(rng.uniform(0.72, 0.95)) if index and number > 1 else 1.0)
        bones.append(draw_bone(
            rng, f"{name}_{number}", tubular(shown, *widths[index]),
            tubular_profiles(shown, *widths[index]), origin_mm=(x, y), angle_deg=180.0 + angle,
            jitter_mm=0.18, bow_mm=float(rng.uniform(-0.8, 0.8)), grain=0.55,
        ))  # fmt: skip
        bones[-1] = replace(bones[-1], rarefactions=(tubular_head(rng, shown, widths[index][2]),))
        if index:
            spine.append((x, y))
        reach = shown + (1.8 if index == 0 else 1.3)
        x, y = x + reach * float(np.sin(turn)), y - reach * float(np.cos(turn))
    half = 11.5 if number == 1 else 7.6
    first, tip = spine[0], (x, y)
    down = (first[0], first[1] + 14.0)
    toe: Points = (
        (down[0] - half, down[1]), (first[0] - half, first[1] - 6.0),
        (0.5 * (first[0] + tip[0]) - half, 0.5 * (first[1] + tip[1])),
        (tip[0] - 0.9 * half, tip[1] + 4.0), (tip[0] - 0.4 * half, tip[1] - 3.0),
        (tip[0] + 0.4 * half, tip[1] - 3.0), (tip[0] + 0.9 * half, tip[1] + 4.0),
        (0.5 * (first[0] + tip[0]) + half, 0.5 * (first[1] + tip[1])),
        (first[0] + half, first[1] - 6.0), (down[0] + half, down[1]))  # fmt: skip
    return bones, draw_soft(rng, toe, depth_mm=1.8 * half, rounding_mm=0.95 * half, fat_mm=1.5,
                            jitter_mm=0.3)  # fmt: skip


def _tarsus(rng: np.random.Generator) -> tuple[Bone, ...]:
    """Return the seven bones of the tarsus, which overlap in the hind foot."""
    bones = [
        draw_bone(rng, name, along_axis(points, origin_mm=(0.0, 0.0)),
                  replace(_TARSUS_PROFILES, depth=((0, depth),)), origin_mm=(0.0, 0.0),
                  jitter_mm=0.6, grain=0.7)
        for name, depth, points in _TARSUS
    ]  # fmt: skip
    patches = [sparse_middle(rng, bone, (9.0, 8.0), most=0.7) for bone in bones[:-1]]
    patches.append(sparse_patch(rng, 222.0, 88.0, (10.0, 7.0), most=0.7))
    return tuple(
        replace(bone, rarefactions=(patch,)) for bone, patch in zip(bones, patches, strict=True)
    )


def foot(rng: np.random.Generator) -> Anatomy:
    """Return a foot from above: five rays, sesamoids, tarsus."""
    spread = float(rng.uniform(0.8, 1.15))
    bones: list[Bone] = list(_tarsus(rng))
    soft: list[SoftBody] = []
    for number in _RAYS:
        ray, toe = _ray(rng, number, spread)
        bones.extend(ray)
        soft.append(toe)
    great = next(bone for bone in bones if bone.name == "metatarsal_1")
    for name, across in (("sesamoid_medial", -0.55), ("sesamoid_lateral", 0.6)):
        x, y, _ = great.point_mm(float(rng.uniform(0.86, 0.92)), across)
        ring: Points = tuple((5.4 * float(np.cos(a)), 4.2 * float(np.sin(a)))
                             for a in np.arange(8) * np.pi / 4)  # fmt: skip
        bones.append(draw_bone(
            rng, name, ring, Profiles(((0, 8.0),), ((0, 3.6),), ((0, 0.5),), ((0, 0.25),)),
            origin_mm=(x, y), jitter_mm=0.35, grain=0.5,
        ))  # fmt: skip
    sole = draw_soft(
        rng,
        ((32, 112), (40, 88), (62, 80), (88, 88), (110, 104), (117, 128), (116, 160), (113, 195),
         (110, 225), (112, 262), (112, 360), (34, 360), (36, 262), (36, 230), (35, 205), (33, 180),
         (31, 145)),
        depth_mm=26, rounding_mm=20, fat_mm=2.5, beyond_mm=20.0,
    )  # fmt: skip
    # towards the heel the foot is three times as thick, with the leg over it
    arch, heel = (
        draw_soft(
            rng, ((50, top), (72, top - 8), (94, top), (99, top + 40), (98, 380), (48, 380),
                  (46, top + 40)),
            depth_mm=depth, rounding_mm=24, fat_mm=0.0, fade_mm=9.0, jitter_mm=2.0,
        ) for top, depth in ((150.0, 22.0), (205.0, 40.0)))  # fmt: skip
    tubes = tuple(b.name for b in bones if b.name.startswith(("metatarsal", "proximal")))
    return Anatomy(
        "FOOT", "AP", (144.0, 264.0), tuple(bones), (*soft, sole, arch, heel),
        (*tubes, "calcaneus", "cuboid", "navicular"), planes=0.04, scatter=0.14, freedom=1.0,
        widest=0.9,
    ).moved(-2.0, 18.0)  # fmt: skip


# from the side: base x, base y, degrees clockwise from straight down, length of the metatarsal
_SIDE_RAYS: dict[int, tuple[float, float, float, float]] = {
    5: (34.0, 137.0, 79.0, 68.0),
    4: (30.0, 123.0, 69.0, 69.0),
    3: (26.0, 111.0, 64.0, 71.0),
    2: (22.0, 105.0, 62.0, 74.0),
    1: (19.0, 111.0, 60.0, 64.0),
}


def _side_ray(rng: np.random.Generator, number: int) -> list[Bone]:
    """Return a metatarsal and its toe from the side."""
    x, y, angle, length = _SIDE_RAYS[number]
    widths = _GREAT if number == 1 else _LESSER
    names = _NAMES if number > 1 else (_NAMES[0], _NAMES[1], _NAMES[3])
    lengths = (length, *_RAYS[number][3][1:])
    # the toes lie on the ground, the small ones bent
    turns = (angle, 84.0, 90.0) if number == 1 else (angle, 74.0, 96.0, 104.0)
    bones = []
    for index, (name, long, usual) in enumerate(zip(names, lengths, turns, strict=True)):
        turn = usual + float(rng.uniform(-4.0, 4.0))
        tall = tuple(0.82 * w for w in widths[index])
        bones.append(draw_bone(
            rng, f"{name}_{number}", tubular(long, *tall), tubular_profiles(long, *tall),
            origin_mm=(x, y), angle_deg=turn, jitter_mm=0.2, bow_mm=float(rng.uniform(0, 2)),
            grain=0.5,
        ))  # fmt: skip
        reach, lean = long + 1.6, np.deg2rad(turn)
        x, y = x - reach * float(np.sin(lean)), y + reach * float(np.cos(lean))
    return bones


def foot_lateral(rng: np.random.Generator) -> Anatomy:
    """Return a whole foot from the side, standing on a board in most films."""
    bones = [bone for bone in hind_foot(rng) if not bone.name.startswith("metatarsal")]
    for number in _SIDE_RAYS:
        bones.extend(_side_ray(rng, number))
    leg = draw_soft(
        rng,
        ((60, -160), (63, -60), (65, 20), (63, 60), (54, 78), (36, 85), (12, 93), (-22, 112),
         (-56, 134), (-84, 142), (-102, 146), (-107, 156), (-100, 165), (-70, 167), (-30, 166),
         (0, 165), (44, 163), (90, 165), (124, 169), (148, 169), (161, 160), (165, 142),
         (158, 122), (140, 104), (129, 88), (126, 66), (128, 20), (134, -60), (142, -160)),
        depth_mm=64, rounding_mm=27, fat_mm=float(rng.uniform(3, 6)), beyond_mm=25.0,
    )  # fmt: skip
    soft = [leg]
    if rng.random() < 0.6:
        top = 168.0 + float(rng.uniform(0.5, 2.0))
        board = np.array([[-400.0, top], [500.0, top], [500.0, 420.0], [-400.0, 420.0]])
        soft.append(SoftBody(board, float(rng.uniform(30.0, 110.0)), 1.5, 0.0))
    part = Anatomy(
        "FOOT", "LL", (300.0, 232.0), tuple(bones), tuple(soft),
        (*ANKLE_TARGETS, "metatarsal_1", "metatarsal_5"), scatter=0.18, planes=0.06,
        freedom=0.6, widest=0.9, physes=ANKLE_PHYSES,
    )  # fmt: skip
    return part.moved(float(rng.uniform(114.0, 126.0)), float(rng.uniform(34.0, 44.0)))
