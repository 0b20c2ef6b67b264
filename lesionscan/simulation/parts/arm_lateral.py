"""Elbow from the side, bent to a right angle, in millimetres of the picture (see `anatomy`).

The upper arm points up and the forearm to the left.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, along_axis, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Groove, Rarefaction, sparse_patch
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.parts.arm import fossa_plate

HUMERUS: Points = (
    (102, -140), (102, 60), (101.5, 88), (103, 106), (99, 121), (95, 131), (95.5, 141), (100, 148),
    (108, 151), (116, 148.5), (120.5, 142), (122.5, 132), (121.5, 120), (119, 105), (121, 86),
    (122, 60), (122, -140),
)  # fmt: skip
HUMERUS_PROFILES = Profiles(
    depth=((-140, 22), (70, 22), (100, 34), (122, 48), (140, 44), (151, 36)),
    rounding=((-140, 10), (80, 10), (110, 8), (130, 9), (151, 5)),
    cortex=((-140, 4.2), (50, 3.8), (85, 2.6), (112, 1.1), (135, 0.6), (151, 1.0)),
    trabecular=((-140, 0.015), (60, 0.03), (95, 0.06), (118, 0.10), (135, 0.17), (151, 0.2)),
)
ULNA: Points = (
    (126, 121), (133, 128), (137, 142), (134, 156), (125, 164), (108, 167), (80, 168), (40, 166.5),
    (-40, 164), (-140, 161), (-140, 149), (-40, 150), (40, 151.5), (70, 152), (80, 150),
    (86, 144.5), (89.5, 141), (92.5, 144.5), (97, 150.5), (104, 154.5), (111, 155), (118, 152),
    (123, 145), (125, 136), (123.5, 127), (122.5, 122.5),
)  # fmt: skip
# along from the olecranon to the wrist
ULNA_PROFILES = Profiles(
    depth=((0, 15), (14, 22), (44, 24), (62, 15), (100, 13), (280, 12)),
    rounding=((0, 6), (14, 6), (30, 8), (48, 7), (65, 7), (100, 6.5), (280, 6)),
    cortex=((0, 1.2), (20, 1.0), (45, 1.2), (65, 2.2), (110, 3.2), (280, 3.2)),
    trabecular=((0, 0.18), (30, 0.18), (55, 0.10), (85, 0.04), (130, 0.02), (280, 0.02)),
)
RADIUS: Points = (
    (91, 127.5), (92, 132), (91.4, 138), (92, 144), (91, 148.5), (84.5, 149), (80, 145.2),
    (72, 144.5), (62, 149), (52, 147), (30, 143.5), (-40, 141), (-140, 140), (-140, 127),
    (-40, 128), (30, 130.5), (60, 131), (74, 131.2), (80, 130.4), (84.5, 127),
)  # fmt: skip
RADIUS_PROFILES = Profiles(
    depth=((0, 18), (6, 21), (16, 13), (30, 16), (60, 13), (240, 13)),
    rounding=((0, 3.5), (6, 6), (16, 6.8), (30, 8), (60, 7), (240, 6.5)),
    cortex=((0, 1.0), (8, 0.8), (20, 1.3), (40, 2.2), (90, 3.1), (240, 3.1)),
    trabecular=((0, 0.24), (10, 0.17), (24, 0.09), (50, 0.04), (90, 0.02), (240, 0.02)),
)


def _bones(rng: np.random.Generator) -> tuple[Bone, ...]:
    """Return humerus, ulna and radius."""
    humerus = draw_bone(
        rng, "humerus", along_axis(HUMERUS, origin_mm=(0.0, 0.0)), HUMERUS_PROFILES,
        origin_mm=(0.0, 0.0), jitter_mm=0.35, grain=0.75,
    )  # fmt: skip
    # the plate between the two fossae is thin; their edges cross like a teardrop
    fossa = Rarefaction(112.0, 111.0, 8.0, 4.5, float(rng.uniform(0.5, 0.85)))
    teardrop = (
        Groove(((92, 104), (104, 108), (116, 112), (124, 108), (128, 101)), 0.8, -0.35),
        Groove(((90, 119), (102, 116), (114, 112.5), (122, 115)), 0.8, -0.35),
        # the trochlea's groove, a smaller circle within the capitulum
        Groove(((128, 109), (131, 101.5), (138, 99.5), (145, 103), (147, 109), (144, 115.5),
                (137, 117.5), (130, 115)), 0.8, -0.25),
    )  # fmt: skip
    holes, plate = fossa_plate(rng, (110.0, 110.5), half_width_mm=1.0)
    # the trochlea is seen end-on: a ring, sparse inside
    trochlea = sparse_patch(rng, 137.5, 108.5, (7.0, 7.0))
    humerus = replace(
        humerus, rarefactions=(fossa, trochlea), grooves=(*teardrop, plate), foramina=holes
    )
    start = (137.0, 150.0)
    ulna = draw_bone(
        rng, "ulna", along_axis(ULNA, origin_mm=start, angle_deg=90.0), ULNA_PROFILES,
        origin_mm=start, angle_deg=90.0, jitter_mm=0.3, grain=0.6,
    )  # fmt: skip
    head = (92.0, 138.0)
    radius = draw_bone(
        rng, "radius", along_axis(RADIUS, origin_mm=head, angle_deg=90.0), RADIUS_PROFILES,
        origin_mm=head, angle_deg=90.0, jitter_mm=0.3, grain=0.6,
    )  # fmt: skip
    # seen end-on, the sparse tuberosity is a round lucency
    tuberosity = sparse_patch(rng, 33.0, 4.0, (9.0, 4.0))
    return humerus, ulna, replace(radius, rarefactions=(tuberosity,))


def elbow_lateral(rng: np.random.Generator) -> Anatomy:
    """Return an elbow from the side: humerus, ulna, radius."""
    bones = _bones(rng)
    # the forearm is bent a bit more or less than a right angle
    bend = float(rng.uniform(-9.0, 9.0))
    centre = (108.0, 138.0)
    bones = (bones[0], *(bone.turned(bend, centre) for bone in bones[1:]))
    bulk = float(rng.uniform(0.92, 1.1))
    depth = 74.0 * bulk
    upper = draw_soft(
        rng,
        ((106 - 36 * bulk, -180), (106 - 35 * bulk, 20), (106 - 37 * bulk, 84), (74, 112),
         (80, 140), (96, 150), (118, 164), (138, 160), (146, 144), (144, 118),
         (112 + 34 * bulk, 70), (112 + 38 * bulk, 0), (112 + 40 * bulk, -180)),
        depth_mm=depth, rounding_mm=38, fat_mm=float(rng.uniform(3, 7)), beyond_mm=25.0,
    )  # fmt: skip
    fore = draw_soft(
        rng,
        ((112, 110), (84, 106), (50, 104 - 4 * bulk), (0, 106 - 4 * bulk), (-80, 112),
         (-200, 118), (-200, 178), (-80, 182), (0, 186), (60, 184), (110, 180), (136, 172),
         (146, 152), (138, 124)),
        depth_mm=depth, rounding_mm=36, fat_mm=float(rng.uniform(3, 6)), beyond_mm=25.0,
    ).turned(bend, centre)  # fmt: skip
    part = Anatomy(
        "ELBOW", "LL", (160.0, 190.0), bones, (upper, fore), ("humerus", "radius", "ulna"),
        scatter=0.16, planes=0.06, grain=(0.3, 0.95), freedom=1.0, widest=0.8,
        physes=(("humerus", 134.0, 1.5), ("radius", 8.5, 1.3)),
    )  # fmt: skip
    return part.moved(float(rng.uniform(-2.0, 10.0)), float(rng.uniform(-10.0, 6.0)))
