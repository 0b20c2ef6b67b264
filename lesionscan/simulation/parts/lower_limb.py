"""Knee, femur, ankle and hip, in millimetres (see `anatomy` for the conventions)."""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Canal, Rarefaction, sparse_patch
from lesionscan.simulation.body.outlines import Points, closed_curve

# local (along, across): 0 = 205 mm above the joint line, condyles at 205; across > 0 is medial
DISTAL_FEMUR: Points = (
    (-220, -13.5), (-120, -13.5), (-40, -13.8), (40, -14.2), (85, -15.5), (115, -19), (140, -26.5),
    (157, -35), (168, -40), (180, -42), (191, -41), (200, -36.5), (205, -27), (204.5, -16),
    (199.5, -7), (196.5, 0), (199, 8), (205, 16), (207.5, 27), (203, 37), (193, 41.5), (180, 43.5),
    (169, 44), (157, 38), (140, 27.5), (115, 19), (85, 15.5), (40, 14), (-40, 13.6), (-120, 13.2),
    (-220, 13.2),
)  # fmt: skip
FEMUR_PROFILES = Profiles(
    depth=((-220, 29), (90, 29), (140, 38), (175, 60), (207, 62)),
    rounding=((-220, 14), (80, 15), (130, 20), (165, 24), (190, 15), (202, 7), (208, 5)),
    cortex=((-220, 6.5), (40, 5.6), (90, 3.6), (130, 1.4), (155, 0.6), (195, 0.5), (207, 1.0)),
    trabecular=((-220, 0.015), (60, 0.03), (110, 0.07), (150, 0.12), (185, 0.17), (207, 0.2)),
)
# 0 = the joint line, growing downwards
PROXIMAL_TIBIA: Points = (
    (4, -38), (0.5, -34), (0.5, -24), (0.5, -13), (-5, -5.5), (-3, 0), (-6, 5), (0.5, 13), (1, 25),
    (1.5, 34), (5, 39), (14, 40), (26, 36), (42, 27), (62, 19), (90, 15), (140, 13), (260, 12),
    (260, -12), (140, -13), (90, -15), (62, -19), (42, -27), (26, -35), (14, -39),
)  # fmt: skip
TIBIA_PROFILES = Profiles(
    depth=((-6, 18), (4, 44), (25, 46), (60, 36), (110, 28), (260, 26)),
    rounding=((-6, 4), (3, 5), (12, 13), (35, 20), (80, 16), (130, 13), (260, 12)),
    cortex=((-6, 0.9), (4, 1.5), (12, 0.5), (35, 0.7), (65, 2.0), (110, 4.6), (260, 5.6)),
    trabecular=((-6, 0.22), (6, 0.24), (20, 0.16), (60, 0.09), (100, 0.04), (260, 0.015)),
)
FIBULA_HEAD: Points = (
    (-4, 1), (-2, 6), (6, 8.5), (15, 7.5), (28, 5), (60, 5.2), (110, 6), (240, 6.3),
    (240, -6.3), (110, -6), (60, -5), (28, -5), (15, -7.5), (6, -8), (-1, -4),
)  # fmt: skip
FIBULA_PROFILES = Profiles(
    depth=((-4, 14), (10, 17), (40, 11.5), (240, 13)),
    rounding=((-4, 5), (10, 7.5), (40, 5.2), (240, 6.2)),
    cortex=((-4, 0.6), (10, 0.6), (30, 1.4), (60, 2.4), (240, 3.0)),
    trabecular=((-4, 0.16), (12, 0.15), (35, 0.07), (80, 0.03), (240, 0.02)),
)
PATELLA: Points = ((-21, 1), (-18, 13), (-9, 20.5), (3, 20), (13, 12), (21, 2), (15, -9), (4, -20),
                   (-9, -19), (-19, -11))  # fmt: skip
PATELLA_PROFILES = Profiles(
    depth=((-22, 12), (0, 19), (21, 9)),
    rounding=((-22, 19), (21, 19)),
    cortex=((-22, 0.22), (21, 0.22)),
    trabecular=((-22, 0.16), (21, 0.16)),
)

_KNEE_PHYSES = (("femur", 183.0, 2.3), ("tibia", 17.0, 2.1), ("fibula", 14.0, 1.5))
_BEHIND_KNEE = (("fibula", 16.0), ("patella", -38.0))


def fibular_head(rng: np.random.Generator) -> Rarefaction:
    """Draw the rarefaction of the fibula's head, in local mm of `FIBULA_HEAD`."""
    return sparse_patch(rng, 10.0, 0.0, (11.0, 7.0))


def _knee_bones(rng: np.random.Generator, middle_x: float, joint_y: float) -> tuple[Bone, ...]:
    """Return femur, tibia, fibula and patella around a knee joint."""
    size = float(rng.uniform(0.95, 1.05))
    valgus = float(rng.uniform(3.0, 7.0))  # the femur leans outward by about 6 degrees
    lean = np.deg2rad(valgus)
    reach = 207.0 * size
    femur = draw_bone(
        rng, "femur", DISTAL_FEMUR, FEMUR_PROFILES,
        origin_mm=(middle_x - reach * float(np.sin(lean)),
                   joint_y - 1.5 - reach * float(np.cos(lean))),
        angle_deg=-valgus, scale=size, bow_mm=float(rng.uniform(-3, 1)),
    )  # fmt: skip
    gap = float(rng.uniform(3.5, 5.5))
    tibia = draw_bone(
        rng, "tibia", PROXIMAL_TIBIA, TIBIA_PROFILES,
        origin_mm=(middle_x, joint_y + gap), scale=size, bow_mm=float(rng.uniform(-2, 2)),
    )  # fmt: skip
    fibula = draw_bone(
        rng, "fibula", FIBULA_HEAD, FIBULA_PROFILES,
        origin_mm=(middle_x - 36 * size, joint_y + gap + 17 * size),
        angle_deg=float(rng.uniform(-3, 0)), scale=size, jitter_mm=0.25,
    )  # fmt: skip
    patella = draw_bone(
        rng, "patella", PATELLA, PATELLA_PROFILES,
        origin_mm=(middle_x + float(rng.uniform(-7, 3)), joint_y - float(rng.uniform(26, 36))),
        angle_deg=float(rng.uniform(-6, 6)), scale=size, jitter_mm=0.6, grain=0.6,
    )  # fmt: skip
    # the roof of the intercondylar notch is thin: a lucent arch between the condyles
    notch = sparse_patch(rng, 191.0, 0.0, (15.0, 10.0), most=0.75)
    canal = Canal(float(rng.uniform(90, 125)), -9.0, 26.0, 0.7, float(rng.uniform(8, 14)))
    return (
        replace(femur, rarefactions=(notch,), scars=(181.0,)),
        replace(tibia, canals=(canal,), scars=(15.0,)),
        replace(fibula, rarefactions=(fibular_head(rng),)),
        patella,
    )


def knee(rng: np.random.Generator) -> Anatomy:
    """Return a knee from the front: distal femur, proximal tibia, fibula, patella."""
    width, height = 165.0, 220.0
    x, y = width / 2 + float(rng.uniform(-5, 5)), height * float(rng.uniform(0.50, 0.56))
    bulk = float(rng.uniform(0.92, 1.12))
    leg = draw_soft(
        rng,
        tuple((x + dx * bulk, y + dy) for dx, dy in (
            (-78, -190), (-71, -100), (-63, -50), (-58, -15), (-56, 12), (-61, 45), (-66, 90),
            (-66, 190), (64, 190), (66, 90), (60, 45), (55, 12), (57, -15), (63, -50), (71, -100),
            (79, -190))),
        depth_mm=118 * bulk, rounding_mm=52, fat_mm=float(rng.uniform(6, 11)),
    )  # fmt: skip
    bones = _knee_bones(rng, x, y)
    return Anatomy("KNEE", "AP", (width, height), bones, (leg,), ("femur", "tibia", "fibula"),
                   scatter=0.3, planes=0.07, physes=_KNEE_PHYSES, covers=("patella",),
                   freedom=1.0, widest=0.72, beyond_joint=("tibia", "fibula"),
                   behind=_BEHIND_KNEE)  # fmt: skip


def femur(rng: np.random.Generator) -> Anatomy:
    """Return a thigh from the front: most of the femur, down to the joint line."""
    width, height = 190.0, 320.0
    x, y = width / 2 + float(rng.uniform(5, 14)), height - float(rng.uniform(22, 38))
    bulk = float(rng.uniform(0.9, 1.1))
    leg = draw_soft(
        rng,
        tuple((x - 1 + 0.95 * dx * bulk, y + dy) for dx, dy in (
            (-88, -380), (-90, -280), (-86, -180), (-74, -100), (-64, -40), (-61, 0), (-64, 80),
            (62, 80), (60, 0), (63, -40), (71, -100), (84, -180), (93, -280), (98, -380))),
        depth_mm=140 * bulk, rounding_mm=66, fat_mm=float(rng.uniform(9, 17)),
    )  # fmt: skip
    bones = _knee_bones(rng, x, y)
    return Anatomy("FEMUR", "AP", (width, height), bones, (leg,), ("femur",),
                   scatter=0.4, planes=0.09, physes=_KNEE_PHYSES, covers=("patella",),
                   freedom=1.0, widest=0.9, beyond_joint=("tibia", "fibula"),
                   behind=_BEHIND_KNEE)  # fmt: skip


# 0 = 185 mm above the ankle joint
DISTAL_TIBIA: Points = (
    (-60, -12.5), (40, -12), (95, -12.5), (125, -15), (150, -20), (168, -24), (180, -25),
    (185.5, -22), (184.5, -10), (184, 0), (185, 11), (188, 16.5), (196, 19), (203, 21.5),
    (207, 26), (203, 31), (192, 32), (178, 29), (162, 23), (140, 17), (110, 13.5), (60, 12),
    (-60, 12.5),
)  # fmt: skip
ANKLE_TIBIA_PROFILES = Profiles(
    depth=((-60, 27), (90, 25), (140, 30), (180, 40), (190, 30), (207, 18)),
    rounding=((-60, 12.3), (100, 12.5), (150, 18), (172, 16), (184, 6), (207, 6)),
    cortex=((-60, 5.8), (60, 5.0), (110, 3.0), (145, 1.1), (168, 0.5), (182, 1.3), (207, 0.6)),
    trabecular=((-60, 0.015), (70, 0.03), (120, 0.07), (160, 0.14), (184, 0.24), (207, 0.2)),
)
DISTAL_FIBULA: Points = (
    (-60, -6.5), (60, -6), (120, -5.5), (150, -6), (172, -8.5), (190, -9.5), (203, -8), (211, -3),
    (209, 3), (200, 7.5), (185, 8), (165, 7), (145, 5.5), (100, 5.5), (-60, 6.2),
)  # fmt: skip
ANKLE_FIBULA_PROFILES = Profiles(
    depth=((-60, 13), (130, 12), (170, 17), (211, 16)),
    rounding=((-60, 6.2), (140, 5.6), (185, 8), (211, 6)),
    cortex=((-60, 3.0), (100, 2.7), (140, 1.6), (168, 0.6), (211, 0.45)),
    trabecular=((-60, 0.02), (110, 0.04), (150, 0.1), (185, 0.18), (211, 0.18)),
)
TALUS: Points = (
    (0, -17), (-1, -8), (-0.5, 0), (-1, 9), (1, 16), (9, 18), (20, 20), (30, 22), (38, 14),
    (40, 0), (38, -14), (30, -22), (20, -22), (9, -20),
)  # fmt: skip
CALCANEUS: Points = (
    (22, -24), (20, -10), (23, 4), (28, 16), (44, 22), (62, 20), (80, 14), (84, 0), (80, -16),
    (62, -24), (40, -27),
)  # fmt: skip
MIDFOOT: Points = (
    (36, 2), (37, 14), (44, 24), (58, 28), (90, 30), (140, 30), (140, -34), (90, -33), (62, -29),
    (48, -18), (40, -6),
)  # fmt: skip
TARSUS_PROFILES = Profiles(
    depth=((-1, 34), (40, 42), (84, 40)),
    rounding=((-1, 6), (12, 12), (84, 13)),
    cortex=((-1, 1.1), (8, 0.5), (84, 0.5)),
    trabecular=((-1, 0.22), (20, 0.16), (84, 0.13)),
)


def ankle(rng: np.random.Generator) -> Anatomy:
    """Return a lower leg and ankle from the front (mortise): tibia, fibula, talus, calcaneus."""
    width, height = 135.0, 250.0
    size, x = float(rng.uniform(0.95, 1.05)), width / 2 + float(rng.uniform(-2, 4))
    y = height * float(rng.uniform(0.70, 0.75))
    top = y - 185 * size
    tibia = draw_bone(
        rng, "tibia", DISTAL_TIBIA, ANKLE_TIBIA_PROFILES, origin_mm=(x, top), scale=size,
        bow_mm=float(rng.uniform(-2, 2)),
    )  # fmt: skip
    fibula = draw_bone(
        rng, "fibula", DISTAL_FIBULA, ANKLE_FIBULA_PROFILES, origin_mm=(x - 33 * size, top),
        scale=size, bow_mm=float(rng.uniform(0, 3)), jitter_mm=0.25,
    )  # fmt: skip
    tibia = replace(tibia, scars=(173.0,))
    gap = float(rng.uniform(3, 4.2))
    talus = draw_bone(rng, "talus", TALUS, TARSUS_PROFILES,
                      origin_mm=(x - 3, y + gap), scale=size, jitter_mm=0.6)  # fmt: skip
    heel = draw_bone(rng, "calcaneus", CALCANEUS, TARSUS_PROFILES,
                     origin_mm=(x - 4, y + gap), scale=size, jitter_mm=0.8)  # fmt: skip
    midfoot = draw_bone(rng, "midfoot", MIDFOOT, replace(TARSUS_PROFILES, depth=((30, 34),)),
                        origin_mm=(x - 1, y + gap), scale=size, jitter_mm=1.0)  # fmt: skip
    leg = draw_soft(
        rng,
        tuple((x - 8 + dx, y + dy) for dx, dy in (
            (-56, -300), (-52, -190), (-44, -110), (-38, -60), (-40, -20), (-43, 10), (-46, 40),
            (-52, 90), (-54, 160), (60, 160), (56, 90), (48, 40), (45, 12), (46, -12), (45, -40),
            (46, -80), (52, -150), (60, -220), (66, -300))),
        depth_mm=78, rounding_mm=38, fat_mm=float(rng.uniform(4, 7)),
    )  # fmt: skip
    foot = draw_soft(
        rng,
        tuple((x - 6 + dx, y + dy) for dx, dy in (
            (-46, 34), (-30, 22), (0, 18), (30, 22), (46, 36), (52, 90), (56, 180), (-56, 180),
            (-52, 90))),
        depth_mm=44, rounding_mm=40, fat_mm=2, fade_mm=9.0,
    )  # fmt: skip
    return Anatomy("ANKLE", "AP", (width, height), (tibia, fibula, talus, heel, midfoot),
                   (leg, foot), ("tibia", "fibula", "calcaneus"), scatter=0.22,
                   physes=(("tibia", 174.0, 2.0), ("fibula", 188.0, 1.6)), freedom=1.0,
                   widest=0.9, beyond_joint=("talus", "calcaneus", "midfoot"),
                   behind=(("fibula", 12.0), ("calcaneus", 22.0), ("midfoot", -30.0)))  # fmt: skip


# image mm of a 180 x 200 field: head of the femur at (92, 44)
PROXIMAL_FEMUR: Points = (
    (36, 38), (42, 43), (52, 51), (62, 49), (69, 42), (71, 31), (79, 23), (91, 19), (103, 23),
    (111, 33), (113, 45), (108, 57), (98, 64), (89, 67), (81, 76), (75, 88), (75, 98), (79, 108),
    (76, 118), (67, 127), (61, 140), (58, 170), (57, 260), (25, 260), (26, 170), (27, 130),
    (24, 104), (19, 86), (16, 72), (19, 58), (26, 48),
)  # fmt: skip
PROXIMAL_FEMUR_PROFILES = Profiles(
    depth=((18, 26), (30, 42), (60, 38), (110, 32), (260, 29)),
    rounding=((18, 12), (45, 14), (100, 16), (150, 16), (260, 16)),
    cortex=((18, 0.6), (50, 0.6), (85, 1.2), (110, 3.0), (140, 5.4), (260, 6.5)),
    trabecular=((18, 0.24), (50, 0.18), (90, 0.12), (120, 0.06), (260, 0.02)),
)
HIP_BONE: Points = (
    (66, -40), (64, -10), (62, 6), (66, 15), (78, 12), (92, 11), (104, 17), (112, 28), (114, 42),
    (110, 58), (107, 74), (108, 90), (113, 104), (126, 112), (140, 114), (156, 104), (170, 96),
    (186, 92), (200, 92), (200, 64), (186, 62), (168, 58), (150, 48), (138, 34), (128, 16),
    (122, -4), (118, -40),
)  # fmt: skip
OBTURATOR: Points = ((124, 66), (131, 60), (142, 62), (154, 70), (158, 78), (152, 88), (142, 95),
                     (132, 97), (126, 88), (123, 76))  # fmt: skip
HIP_BONE_PROFILES = Profiles(
    depth=((-40, 16), (10, 30), (50, 28), (75, 20), (120, 18)),
    rounding=((-40, 10), (8, 8), (40, 11), (120, 8)),
    cortex=((-40, 1.6), (8, 2.0), (20, 1.6), (120, 1.3)),
    trabecular=((-40, 0.14), (12, 0.22), (50, 0.13), (120, 0.12)),
)
WALL: Points = ((80, 20), (96, 15), (109, 24), (116, 40), (112, 62), (104, 70), (95, 60), (98, 44),
                (90, 30))  # fmt: skip


def hip(rng: np.random.Generator) -> Anatomy:
    """Return a hip from the front: proximal femur, hip bone with its obturator foramen, gas."""
    width, height = 180.0, 200.0
    shift = (float(rng.uniform(-2, 6)), float(rng.uniform(6, 14)))

    def moved(points: Points) -> Points:
        """Convert image points to local ones of a bone that points straight down at `shift`."""
        return tuple((y, x) for x, y in points)

    upper = draw_bone(rng, "femur", moved(PROXIMAL_FEMUR), PROXIMAL_FEMUR_PROFILES,
                      origin_mm=shift, jitter_mm=0.5, grain=0.8)  # fmt: skip
    # Ward's triangle in the neck and the sparse greater trochanter: normal lucencies
    upper = replace(upper, grain_tilt_deg=-18.0, rarefactions=(
        sparse_patch(rng, 74.0, 66.0, (13.0, 9.0)),
        sparse_patch(rng, 70.0, 30.0, (16.0, 8.0))))  # fmt: skip
    pelvis = draw_bone(rng, "hip_bone", moved(HIP_BONE), HIP_BONE_PROFILES,
                       origin_mm=shift, jitter_mm=0.7)  # fmt: skip
    pelvis = replace(pelvis, hole_mm=closed_curve(np.array(OBTURATOR) + np.array(shift)))
    wall = draw_bone(rng, "acetabulum", moved(WALL),
                     replace(HIP_BONE_PROFILES, depth=((0, 11),), cortex=((0, 1.0),)),
                     origin_mm=shift, jitter_mm=0.7)  # fmt: skip
    body = draw_soft(
        rng, ((-40, -90), (-25, 20), (-22, 100), (-16, 300), (330, 300), (330, -90)),
        depth_mm=165, rounding_mm=70, fat_mm=float(rng.uniform(18, 30)),
    )  # fmt: skip
    perineum = draw_soft(
        rng, ((178, 118), (150, 135), (128, 165), (112, 215), (118, 260), (240, 260), (240, 118)),
        depth_mm=60, rounding_mm=34, fat_mm=0,
    )  # fmt: skip
    bowel = tuple(
        draw_soft(
            rng,
            tuple((px + r * 1.4 * float(np.cos(a)), py + r * float(np.sin(a)))
                  for a in np.arange(6) * np.pi / 3),
            depth_mm=float(rng.uniform(9, 26)), rounding_mm=0.8 * r, fat_mm=0, jitter_mm=0.18 * r,
        )
        for px, py, r in zip(rng.uniform(142, 182, 5), rng.uniform(-4, 44, 5),
                             rng.uniform(3, 9, 5), strict=True)
    )  # fmt: skip
    return Anatomy("HIP", "AP", (width, height), (upper, pelvis, wall), (body,),
                   ("femur", "hip_bone"), gas=(perineum, *bowel), grain=(0.35, 0.94), planes=0.10,
                   scatter=0.5)  # fmt: skip
