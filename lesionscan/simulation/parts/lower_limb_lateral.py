"""Knee and ankle from the side, in millimetres (see `anatomy` for the conventions).

The front of the body lies to the left.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, along_axis, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Canal, Groove, Rarefaction, sparse_patch
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.parts.lower_limb import FIBULA_HEAD, FIBULA_PROFILES, fibular_head

# local (along, across): 0 = 207 mm above the joint; across > 0 is posterior
FEMUR: Points = (
    (-220, -14), (60, -15), (100, -16.5), (130, -19.5), (147, -23), (160, -28), (172, -32),
    (184, -33.5), (195, -30.5), (203, -23.5), (208, -13), (210, -2), (209, 9), (205, 20), (198, 29),
    (188, 35), (177, 37.5), (166, 36), (157, 31), (150, 24.5), (142, 19.5), (128, 17.3),
    (100, 15.5), (60, 14.5), (-220, 14),
)  # fmt: skip
FEMUR_PROFILES = Profiles(
    depth=((-220, 28), (90, 30), (140, 40), (175, 42), (210, 38)),
    rounding=((-220, 14), (90, 15), (130, 17), (160, 15), (190, 9), (210, 5)),
    cortex=((-220, 6.2), (60, 5.0), (100, 3.2), (135, 1.5), (155, 0.7), (195, 0.6), (210, 1.0)),
    trabecular=((-220, 0.015), (60, 0.03), (110, 0.07), (150, 0.12), (185, 0.18), (210, 0.22)),
)
# the condyle of the other side, slightly shifted against the first
CONDYLE: Points = (
    (160, -22), (172, -27), (184, -28.5), (195, -26), (203, -20), (208, -10), (209, 1), (207, 12),
    (202, 22), (194, 30), (184, 35), (173, 36.5), (162, 33), (154, 26), (150, 16), (150, 2),
    (153, -12),
)  # fmt: skip
CONDYLE_PROFILES = Profiles(
    depth=((150, 0.3), (170, 1.2), (188, 15), (209, 26)),
    rounding=((150, 18), (185, 10), (209, 5)),
    cortex=((150, 0.2), (175, 0.5), (209, 0.9)),
    trabecular=((150, 0.12), (209, 0.2)),
)
# 0 = the joint line
TIBIA: Points = (
    (6, -29.5), (1.5, -27), (0, -20), (-0.5, -8), (-6.5, -1), (-4, 4), (0.5, 12), (3, 22),
    (7, 28), (14, 28.5), (24, 25), (40, 17.5), (60, 14), (90, 13), (150, 12.5), (300, 12.5),
    (300, -13.5), (150, -14), (90, -17), (64, -21.5), (50, -26), (41, -28.5), (31, -26.5),
    (20, -28), (12, -30),
)  # fmt: skip
TIBIA_PROFILES = Profiles(
    depth=((-7, 10), (2, 58), (18, 62), (45, 40), (80, 29), (300, 26)),
    rounding=((-7, 4), (2, 5), (10, 12), (40, 16), (80, 14.5), (300, 13)),
    cortex=((-7, 0.9), (3, 1.6), (12, 0.6), (35, 1.0), (65, 2.6), (110, 4.8), (300, 5.6)),
    trabecular=((-7, 0.22), (6, 0.24), (20, 0.16), (60, 0.09), (100, 0.04), (300, 0.015)),
)
PATELLA: Points = (
    (-21, -4), (-18, 4), (-12, 9.5), (-2, 11), (7, 9), (14, 4), (20, -3), (21, -6.5), (15, -9.5),
    (5, -11), (-6, -11), (-15, -9),
)  # fmt: skip
PATELLA_PROFILES = Profiles(
    depth=((-21, 22), (-4, 38), (21, 12)),
    rounding=((-21, 6), (21, 6)),
    cortex=((-21, 1.0), (21, 1.3)),
    trabecular=((-21, 0.2), (21, 0.2)),
)


def _knee_bones(
    rng: np.random.Generator, joint_mm: tuple[float, float], flexed_deg: tuple[float, float]
) -> tuple[Bone, ...]:
    """Return the bones of a knee whose femur and tibia lean by `flexed_deg` from the vertical."""
    x, y = joint_mm
    size = float(rng.uniform(0.95, 1.05))
    thigh, shank = flexed_deg
    lean = np.deg2rad(thigh)
    start = (x + 207.0 * size * float(np.sin(lean)), y - 207.0 * size * float(np.cos(lean)))
    femur = draw_bone(
        rng, "femur", FEMUR, FEMUR_PROFILES, origin_mm=start, angle_deg=thigh, scale=size,
        bow_mm=-float(rng.uniform(2, 6)),
    )  # fmt: skip
    # the roof of the intercondylar fossa seen edge-on (Blumensaat), and the floor of the trochlea
    roof = Groove(((157, 22), (170, 10), (181, -3), (189, -14)), 0.7, -0.30)
    trochlea = Groove(((150, -17), (166, -22), (180, -24), (190, -20)), 0.6, -0.20)
    femur = replace(femur, grooves=(roof, trochlea), scars=(169.0,))
    slip = rng.uniform((-3.5, -2.5), (3.5, 3.5))
    other = draw_bone(
        rng, "femoral_condyle", CONDYLE, CONDYLE_PROFILES, scale=size * float(rng.uniform(0.94, 1)),
        origin_mm=(start[0] + float(slip[0]), start[1] + float(slip[1])), angle_deg=thigh,
    )  # fmt: skip
    gap = float(rng.uniform(5.5, 7.0))
    tibia = draw_bone(
        rng, "tibia", TIBIA, TIBIA_PROFILES, origin_mm=(x + 3.0, y + gap), angle_deg=shank,
        scale=size, bow_mm=float(rng.uniform(-2, 2)),
    )  # fmt: skip
    tuberosity = sparse_patch(rng, 46.0, -17.0, (13.0, 6.0))
    plateau = Groove(((7, -26), (4, -14), (5, 2), (8, 16), (11, 26)), 0.7, -0.22)
    canal = Canal(float(rng.uniform(95, 125)), 9.0, 26.0, 0.7, float(rng.uniform(-14, -8)))
    tibia = replace(
        tibia, rarefactions=(tuberosity,), grooves=(plateau,), canals=(canal,), scars=(16.0,)
    )
    down = np.deg2rad(shank)
    head = (
        x + size * (21.0 * float(np.cos(down)) - 19.0 * float(np.sin(down))),
        y + gap + size * (21.0 * float(np.sin(down)) + 19.0 * float(np.cos(down))),
    )
    fibula = draw_bone(
        rng, "fibula", FIBULA_HEAD, FIBULA_PROFILES, origin_mm=head,
        angle_deg=shank + float(rng.uniform(-4, 0)), scale=size, jitter_mm=0.25,
    )  # fmt: skip
    fibula = replace(fibula, rarefactions=(fibular_head(rng),))
    along, across = float(rng.uniform(-24, -12)) * size, -52.0 * size
    patella = draw_bone(
        rng, "patella", PATELLA, PATELLA_PROFILES, scale=size, jitter_mm=0.5, grain=0.7,
        origin_mm=(x - along * float(np.sin(lean)) + across * float(np.cos(lean)),
                   y + along * float(np.cos(lean)) + across * float(np.sin(lean))),
        angle_deg=0.55 * thigh + float(rng.uniform(-12, -4)),
    )  # fmt: skip
    return femur, other, tibia, fibula, patella


def knee_lateral(rng: np.random.Generator) -> Anatomy:
    """Return a slightly flexed knee from the side, with the kneecap to the left."""
    width, height = 150.0, 215.0
    x, y = float(rng.uniform(64, 76)), float(rng.uniform(100, 114))
    flexed = float(rng.uniform(10, 28)), -float(rng.uniform(6, 22))
    bones = _knee_bones(rng, (x, y), flexed)
    bulk = float(rng.uniform(0.92, 1.12))
    turns = [float(np.deg2rad(angle)) for angle in flexed]
    (lean, up_thigh), (fall, down_shank) = ((float(np.sin(a)), float(np.cos(a))) for a in turns)

    def thigh(up: float, across: float) -> tuple[float, float]:
        """Return a point above the joint and behind the axis of the femur."""
        return x + up * lean + across * up_thigh, y - up * up_thigh + across * lean

    def shank(down: float, across: float) -> tuple[float, float]:
        """Return a point below the joint and behind the axis of the tibia."""
        return x - down * fall + across * down_shank, y + down * down_shank + across * fall

    leg = draw_soft(
        rng,
        (thigh(280, -70 * bulk), thigh(120, -52 * bulk), thigh(78, -51), thigh(50, -65),
         thigh(18, -75), thigh(-8, -68), shank(24, -49), shank(45, -39), shank(70, -32),
         shank(120, -26), shank(280, -24), shank(280, 66 * bulk), shank(120, 64 * bulk),
         shank(60, 60 * bulk), (x + 57 * bulk, y + 3), thigh(60, 56 * bulk),
         thigh(120, 60 * bulk), thigh(280, 76 * bulk)),
        depth_mm=112 * bulk, rounding_mm=46, fat_mm=float(rng.uniform(5, 10)),
        beyond_mm=25.0,
    )  # fmt: skip
    return Anatomy(
        "KNEE", "LL", (width, height), bones, (leg,), ("femur", "tibia", "fibula", "patella"),
        scatter=0.3, planes=0.09, grain=(-0.1, 0.99), freedom=1.0, widest=0.75,
        physes=(("femur", 171.0, 2.2), ("tibia", 17.0, 2.0), ("fibula", 14.0, 1.5)),
        beyond_joint=("tibia", "fibula"),
    )  # fmt: skip


# of the ankle and the hind foot: (x, y) in mm, top of the talus at (92, 86)
_TIBIA: Points = (
    (78, -120), (78, 0), (76.5, 30), (73, 60), (70, 75), (70, 83), (74, 86.5), (82, 83),
    (92, 81.6), (102, 83), (109, 87.5), (112.5, 87), (114, 80), (112, 68), (108, 54), (105, 30),
    (104, 0), (104, -120),
)  # fmt: skip
_TIBIA_PROFILES = Profiles(
    depth=((-120, 26), (30, 26), (60, 34), (78, 42), (88, 34)),
    rounding=((-120, 12.5), (30, 13.5), (60, 15), (76, 9), (88, 4)),
    cortex=((-120, 5.6), (0, 4.4), (40, 2.4), (64, 0.8), (80, 1.1), (88, 1.2)),
    trabecular=((-120, 0.015), (0, 0.03), (40, 0.08), (70, 0.16), (88, 0.24)),
)
_FIBULA: Points = (
    (98, -120), (99, 20), (97, 60), (92, 78), (88.5, 92), (90, 103), (97, 109), (104, 104),
    (107.5, 92), (109, 74), (108, 50), (108, 20), (107, -120),
)  # fmt: skip
_FIBULA_PROFILES = Profiles(
    depth=((-120, 12), (50, 11), (85, 16), (109, 12)),
    rounding=((-120, 4.5), (50, 5.5), (85, 8), (109, 5)),
    cortex=((-120, 2.4), (30, 1.9), (65, 0.9), (109, 0.6)),
    trabecular=((-120, 0.02), (30, 0.05), (80, 0.15), (109, 0.18)),
)
_FOOT: tuple[tuple[str, float, Points], ...] = (
    ("talus", 40.0, (
        (73, 93), (82, 87.8), (92, 86), (102, 87.8), (110, 93), (117.5, 101), (113, 106.5),
        (104, 103.5), (94, 107.5), (86, 113.5), (80, 110.5), (72, 114), (63, 116), (55.5, 112),
        (52.5, 104), (54, 96.5), (61, 93.5), (67, 95.5))),
    ("calcaneus", 38.0, (
        (58, 117), (66, 119), (75, 115.5), (83, 117), (93, 112), (104, 107.6), (112, 110.5),
        (122, 115.5), (136, 118.5), (148, 121), (154, 128), (156, 140), (153, 153), (145, 160),
        (137, 159), (126, 152), (108, 146.5), (90, 141.5), (72, 138), (60, 137), (55.5, 128))),
    ("navicular", 34.0, (
        (44, 96), (50.3, 95), (49.2, 104), (52, 113), (45, 116), (40, 106))),
    ("cuboid", 26.0, (
        (53.5, 119), (52.5, 129), (52, 137), (38, 139), (27, 134), (30, 122), (42, 118))),
    ("cuneiforms", 36.0, (
        (39.5, 98), (37.4, 107), (41.5, 116), (30, 119), (21, 113), (20, 103), (29, 97.5))),
    ("metatarsal_1", 13.0, (
        (18, 104), (19, 116), (8, 120), (-12, 128), (-34, 140), (-48, 148), (-54, 138), (-40, 128),
        (-14, 114), (4, 105))),
    ("metatarsal_3", 10.0, (
        (20, 102), (21, 113), (8, 115), (-14, 124), (-40, 138), (-44, 130), (-14, 112), (4, 103))),
    ("metatarsal_5", 10.0, (
        (34, 139), (25, 134), (8, 134), (-16, 139), (-42, 147), (-42, 156), (-14, 149), (10, 144),
        (28, 143.5))),
)  # fmt: skip
_FOOT_PROFILES = Profiles(
    depth=((86, 38), (158, 38)),
    rounding=((86, 7), (110, 9), (158, 11)),
    cortex=((86, 1.1), (100, 0.8), (158, 0.8)),
    trabecular=((86, 0.17), (158, 0.14)),
)


def sparse_middle(
    rng: np.random.Generator, bone: Bone, radii: tuple[float, float], *, most: float
) -> Rarefaction:
    """Draw a sparse patch in the middle of a bone given in image coordinates."""
    x, y = bone.outline_mm.mean(axis=0)
    return sparse_patch(rng, float(y), float(x), radii, most=most)


def hind_foot(rng: np.random.Generator) -> tuple[Bone, ...]:
    """Return lower leg and foot from the side, toes to the left, as far as half the metatarsals."""
    lean = float(rng.uniform(-1.5, 3.0))

    def still(name: str, points: Points, profiles: Profiles, jitter_mm: float = 0.5) -> Bone:
        """Create a bone from image coordinates, with its axis pointing down."""
        return draw_bone(rng, name, along_axis(points, origin_mm=(0.0, 0.0)), profiles,
                         origin_mm=(0.0, 0.0), jitter_mm=jitter_mm)  # fmt: skip

    tibia = replace(still("tibia", _TIBIA, _TIBIA_PROFILES, 0.35), scars=(74.0,))
    tibia = tibia.turned(lean, (92.0, 86.0))
    fibula = still("fibula", _FIBULA, _FIBULA_PROFILES, 0.35)
    shift = (float(rng.uniform(-4.0, 3.0)), float(rng.uniform(-1.5, 2.0)))
    fibula = fibula.moved(shift).turned(lean, (92.0, 86.0))
    foot = {
        name: still(name, points, replace(_FOOT_PROFILES, depth=((0.0, depth),)), 0.6)
        for name, depth, points in _FOOT
    }
    # the neutral triangle of the calcaneus has few trabeculae: a lucency without disease
    triangle = sparse_patch(rng, 127.5, 86.0, (8.0, 12.0), most=0.95)
    # bones of the midfoot overlap, and sparse parts look like holes
    for name in ("navicular", "cuboid", "cuneiforms"):
        patch = sparse_middle(rng, foot[name], (8.0, 9.0), most=0.8)
        foot[name] = replace(foot[name], rarefactions=(patch,))
    thalamus = Groove(((110, 112), (115, 104), (119, 95), (118, 86)), 2.2, -0.25)
    foot["calcaneus"] = replace(
        foot["calcaneus"], rarefactions=(triangle,), grooves=(thalamus,), grain=1.3,
        grain_tilt_deg=float(rng.uniform(-60, -35)),
    )  # fmt: skip
    return tibia, fibula, *foot.values()


ANKLE_TARGETS = ("tibia", "fibula", "calcaneus", "calcaneus", "talus")
ANKLE_PHYSES = (("tibia", 74.0, 1.9), ("fibula", 86.0, 1.5))


def ankle_lateral(rng: np.random.Generator) -> Anatomy:
    """Return an ankle and hind foot from the side, with the toes to the left."""
    bones = hind_foot(rng)
    leg = draw_soft(
        rng,
        ((60, -160), (63, -60), (65, 20), (63, 62), (55, 80), (38, 86), (12, 92), (-24, 108),
         (-70, 128), (-110, 140), (-110, 172), (-60, 168), (0, 164), (40, 160), (84, 160),
         (124, 170), (148, 171), (162, 160), (165, 142), (158, 122), (140, 104), (129, 88),
         (126, 66), (128, 20), (134, -60), (142, -160)),
        depth_mm=66, rounding_mm=30, fat_mm=float(rng.uniform(3, 6)),
        beyond_mm=25.0,
    )  # fmt: skip
    part = Anatomy(
        "ANKLE", "LL", (160.0, 214.0), bones, (leg,), ANKLE_TARGETS, scatter=0.2, planes=0.07,
        freedom=1.0, widest=0.85, physes=ANKLE_PHYSES,
    )  # fmt: skip
    return part.moved(-float(rng.uniform(4.0, 16.0)), float(rng.uniform(30.0, 40.0)))
