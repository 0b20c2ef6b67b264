"""Upper arm, elbow and forearm, in millimetres (see `anatomy` for the conventions).

The forearm is a right one from the front with the hand up, so that the wrist of `upper_limb` (a
left one from the back) can be used: the radius and the thumb are on the right.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Canal, Foramen, Groove, Rarefaction, sparse_patch
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.fields import Knots
from lesionscan.simulation.parts.upper_limb import (
    HUMERUS,
    HUMERUS_PROFILES,
    hand_and_wrist,
    ribs_beside,
    shoulder_girdle,
)

# local (along, across): 0 = the joint line of the wrist, growing to the elbow; across > 0 lateral
WHOLE_RADIUS: Points = (
    (1.5, -14), (2.8, -6), (2.6, 2), (1, 8), (-2.6, 13), (-4.8, 16), (-1.5, 18), (6, 17.6),
    (24, 12), (40, 9), (70, 8), (120, 7.6), (170, 7), (200, 6.8), (215, 6.7), (221, 8.8),
    (226, 10.8), (232, 10.6), (235, 8), (234.3, 0), (235, -8), (232, -10.6), (226, -10.8),
    (220, -8.4), (214, -7), (206, -9.8), (198, -11), (188, -8.6), (170, -7), (120, -7.5),
    (70, -6.5), (40, -7.5), (24, -11), (12, -14.5), (5, -15.5),
)  # fmt: skip
WHOLE_RADIUS_PROFILES = Profiles(
    depth=((-6, 14), (5, 22), (25, 17), (60, 13), (170, 13.5), (202, 16), (216, 13), (227, 21),
           (235, 20)),
    rounding=((-6, 4), (4, 6), (15, 11), (50, 7.6), (170, 7.2), (200, 9), (216, 6.6), (225, 8),
              (232, 4.5), (235, 3)),
    cortex=((-6, 0.8), (3, 1.1), (14, 0.6), (28, 1.0), (50, 2.2), (110, 3.2), (170, 3.0),
            (200, 1.7), (220, 0.7), (235, 1.0)),
    trabecular=((-6, 0.26), (6, 0.24), (25, 0.13), (50, 0.05), (120, 0.02), (180, 0.025),
                (204, 0.08), (221, 0.17), (235, 0.24)),
)  # fmt: skip
WHOLE_ULNA: Points = (
    (-3.6, -7.4), (-3.8, -5.8), (-0.4, -4), (-1, 3), (1, 7.5), (6, 9), (13, 7.5), (26, 5.6),
    (60, 5.4), (130, 6), (188, 7.2), (211, 9), (222, 11.6), (229, 13), (232, 10.5), (231.2, 5),
    (233, 0), (230.6, -5), (231.6, -9), (229, -12.6), (217, -10.5), (203, -8.6), (178, -7.2),
    (130, -6.4), (60, -5.4), (26, -6), (13, -8), (4, -8.8),
)  # fmt: skip
WHOLE_ULNA_PROFILES = Profiles(
    depth=((-7, 7), (4, 15), (30, 11), (120, 13), (195, 16), (225, 25), (233, 18)),
    rounding=((-7, 3), (4, 5), (12, 7.5), (40, 5.5), (130, 6.2), (200, 8.4), (223, 11), (229, 6),
              (233, 3)),
    cortex=((-7, 0.7), (3, 0.8), (14, 0.6), (28, 1.2), (60, 2.2), (140, 3.2), (195, 2.7),
            (225, 0.9), (233, 1.3)),
    trabecular=((-7, 0.24), (6, 0.22), (25, 0.12), (60, 0.04), (140, 0.02), (200, 0.05),
                (227, 0.16), (233, 0.24)),
)  # fmt: skip
# the part of the ulna behind the humerus, in the local mm of the ulna
OLECRANON: Points = (
    (216, -10), (226, -11.5), (238, -11), (248, -11), (255, -8.5), (258, -2), (257.5, 4), (253, 9),
    (245, 9.5), (234, 8), (226, 8), (216, 7),
)  # fmt: skip
OLECRANON_PROFILES = Profiles(
    depth=((216, 2), (226, 11), (250, 14), (258, 12)),
    rounding=((216, 9), (258, 6)),
    cortex=((216, 0.3), (235, 0.5), (258, 0.9)),
    trabecular=((216, 0.10), (258, 0.15)),
)
# 0 = the joint line of the elbow, growing to the shoulder; across > 0 lateral
DISTAL_HUMERUS: Points = (
    (2, -23), (-2.4, -20.5), (-3.6, -15), (0.2, -9), (-0.4, -3), (1.4, 1), (0.2, 7), (1.6, 13),
    (6.4, 19), (11, 22), (17, 25), (24, 26.5), (32, 23), (45, 18), (65, 13.6), (95, 11.6),
    (300, 11), (300, -11), (95, -11.5), (65, -13), (50, -16.5), (40, -22), (34, -30), (28, -34.5),
    (21, -34), (15, -28), (10, -24),
)  # fmt: skip
DISTAL_HUMERUS_PROFILES = Profiles(
    depth=((-2, 18), (10, 23), (22, 17), (40, 17), (70, 20), (300, 22)),
    rounding=((-2, 6), (10, 9), (25, 9), (60, 11), (100, 11.5), (300, 11)),
    cortex=((-2, 1.0), (8, 0.6), (25, 0.9), (45, 1.8), (75, 3.6), (300, 4.4)),
    trabecular=((-2, 0.24), (12, 0.18), (30, 0.12), (60, 0.05), (100, 0.02), (300, 0.015)),
)


def with_fossae(rng: np.random.Generator, humerus: Bone, *, from_shoulder: bool) -> Bone:
    """Add the fossae of the elbow, which resemble holes, to a humerus seen from the front.

    Its local mm run up from the elbow, or down from the shoulder.
    """
    end, way = (_LENGTH, -1.0) if from_shoulder else (0.0, 1.0)
    spots = (
        Rarefaction(24.0, -5.0, 8.0, 10.0, float(rng.uniform(0.8, 0.95))),
        sparse_patch(rng, 21.0, 11.0, (5.0, 7.0)),
    )
    holes, plate = fossa_plate(rng, (end + way * 24.0, -way * 5.0), half_width_mm=5.0)
    turned = tuple(replace(s, along=end + way * s.along, across=way * s.across) for s in spots)
    return replace(
        humerus, rarefactions=(*humerus.rarefactions, *turned),
        foramina=(*humerus.foramina, *holes), grooves=(*humerus.grooves, plate),
    )  # fmt: skip


def fossa_plate(
    rng: np.random.Generator, at: tuple[float, float], *, half_width_mm: float
) -> tuple[tuple[Foramen, ...], Groove]:
    """Draw the thin plate between the elbow's fossae, around (along, across) in local mm.

    Both walls are thin and its rim is dense; some people have a hole in it.
    """
    along, across = at
    plate = Groove(
        ((along, across - half_width_mm), (along, across + half_width_mm)),
        float(rng.uniform(3.2, 4.8)), float(rng.uniform(0.1, 0.6)), float(rng.uniform(0.0, 0.3)),
    )  # fmt: skip
    away, radius = rng.normal(0.0, 1.2, 2), float(rng.uniform(2.0, 4.5))
    hole = Foramen(
        along + float(away[0]), across + float(away[1]), radius, float(rng.uniform(0.25, 0.8))
    )
    return ((hole,) if rng.random() < 0.35 else ()), plate


def _arm_bones(rng: np.random.Generator) -> tuple[tuple[Bone, ...], tuple[SoftBody, ...]]:
    """Return all bones from fingertips to upper arm, and the soft bodies of the hand."""
    bones, soft = hand_and_wrist(rng)
    hand = tuple(bone for bone in bones if bone.name not in {"radius", "ulna"})
    radius = draw_bone(
        rng, "radius", WHOLE_RADIUS, WHOLE_RADIUS_PROFILES, origin_mm=(92.5, 207.6),
        angle_deg=float(rng.uniform(-0.4, 0.6)), bow_mm=float(rng.uniform(4.5, 8.0)),
        jitter_mm=0.3, grain=0.6,
    )  # fmt: skip
    lift = float(rng.uniform(-1.5, 2.0))
    lean = float(rng.uniform(-2.0, -1.2))
    ulna = draw_bone(
        rng, "ulna", WHOLE_ULNA, WHOLE_ULNA_PROFILES, origin_mm=(66.5, 209.0 + lift),
        angle_deg=lean, bow_mm=float(rng.uniform(-4.0, -1.0)), jitter_mm=0.3, grain=0.6,
    )  # fmt: skip
    olecranon = draw_bone(
        rng, "olecranon", OLECRANON, OLECRANON_PROFILES, origin_mm=(66.5, 209.0 + lift),
        angle_deg=lean, jitter_mm=0.4, grain=0.5,
    )  # fmt: skip
    gap = float(rng.uniform(1.8, 3.0))
    humerus = draw_bone(
        rng, "humerus", DISTAL_HUMERUS, DISTAL_HUMERUS_PROFILES,
        origin_mm=(80.0, 207.6 + 235.0 + gap), angle_deg=-float(rng.uniform(4.0, 12.0)),
        jitter_mm=0.35, grain=0.75,
    )  # fmt: skip
    # the tuberosity is sparse and, seen from the front, a round lucency in most adults
    tuberosity = Rarefaction(199.0, -3.5, 10.0, 4.5, float(rng.uniform(0.4, 0.75)))
    radius = replace(
        radius, rarefactions=(tuberosity,),
        canals=(Canal(float(rng.uniform(140, 165)), -2.0, 16.0, 0.5, -8.0),),
    )  # fmt: skip
    ulna = replace(ulna, canals=(Canal(float(rng.uniform(150, 175)), 1.5, 16.0, 0.5, 8.0),))
    humerus = with_fossae(rng, humerus, from_shoulder=False)
    return (humerus, ulna, olecranon, radius, *hand), soft


def _flesh(rng: np.random.Generator) -> tuple[SoftBody, ...]:
    """Return forearm and upper arm; the forearm is thick near the elbow."""
    stout = float(rng.uniform(0.92, 1.08))
    arm = draw_soft(
        rng,
        tuple((81 + stout * dx, y) for dx, y in (
            (-29, 186), (-27, 208), (-29, 240), (-34, 290), (-41, 350), (-45, 395), (-45, 430),
            (-46, 460), (-50, 520), (-56, 600), (-60, 720), (46, 720), (42, 600), (40, 520),
            (41, 470), (46, 430), (50, 390), (49, 350), (43, 290), (36, 240), (32, 208),
            (33, 186))),
        depth_mm=66 * stout, rounding_mm=40, fat_mm=float(rng.uniform(3, 6)),
        beyond_mm=25.0,
    )  # fmt: skip
    # towards the wrist the forearm is only half as thick
    return (replace(arm, depth_mm=38 * stout), draw_soft(
        rng,
        tuple((81 + stout * dx, y) for dx, y in (
            (-26, 330), (-30, 420), (-34, 560), (-40, 720), (34, 720), (30, 560), (32, 430),
            (32, 350), (0, 310))),
        depth_mm=27 * stout, rounding_mm=34, fat_mm=0.0, fade_mm=20.0,
    ))  # fmt: skip


def forearm(rng: np.random.Generator) -> Anatomy:
    """Return a forearm from the front, from the wrist to the elbow."""
    bones, soft = _arm_bones(rng)
    part = Anatomy(
        "FOREARM", "AP", (165.0, 300.0), bones, (*soft[:-1], *_flesh(rng)),
        ("radius", "ulna", "radius", "ulna", "humerus"), grain=(0.1, 0.99), planes=0.06,
        scatter=0.14, freedom=1.0, widest=0.85,
        physes=(("radius", 9.5, 1.7), ("ulna", 7.5, 1.4), ("humerus", 14.0, 1.5)),
        behind=(("radius", -9.0),),
    )  # fmt: skip
    part = part.moved(0.0, -float(rng.uniform(165.0, 182.0)))
    # hands point up or down the film, as it was put on the table
    return part.turned(180.0) if rng.random() < 0.5 else part


def elbow(rng: np.random.Generator) -> Anatomy:
    """Return an elbow from the front: humerus, ulna, radius."""
    bones, _ = _arm_bones(rng)
    part = Anatomy(
        "ELBOW", "AP", (125.0, 180.0), bones[:4], _flesh(rng),
        ("radius", "ulna", "humerus"), grain=(0.1, 0.99), planes=0.06, scatter=0.15,
        freedom=1.0, widest=0.8, behind=(("radius", -9.0), ("ulna", 5.0), ("olecranon", 12.0)),
        physes=(("humerus", 14.0, 1.5), ("radius", 224.0, 1.4)), beyond_joint=("humerus",),
    )  # fmt: skip
    part = part.moved(-19.0, -445.0 + float(rng.uniform(80.0, 98.0)))
    # the usual orientation: the upper arm above the forearm
    return part.turned(180.0)


_LENGTH = 322.0
"""From the top of the head of the humerus to the joint line of the elbow, in mm."""


def _whole_humerus() -> tuple[Points, Profiles]:
    """Return the humerus of the shoulder down to that of the elbow: 0 = top of the head."""
    # the elbow's lateral side is across > 0, the shoulder's across < 0
    lower = tuple((_LENGTH - along, -across) for along, across in DISTAL_HUMERUS)
    medial = lower[DISTAL_HUMERUS.index((95, -11.5)) :]
    lateral = lower[: DISTAL_HUMERUS.index((95, 11.6)) + 1]
    cut = HUMERUS.index((150, 11.3)) + 1
    points = (*HUMERUS[:cut], *medial, *lateral, *HUMERUS[cut + 2 :])

    def joined(upper: Knots, under: Knots) -> Knots:
        """Return a profile from the shoulder's above 140 mm and the elbow's below."""
        turned = tuple((_LENGTH - at, value) for at, value in reversed(under) if at < 120.0)
        return (*(knot for knot in upper if knot[0] < 140.0), *turned)

    up, low = HUMERUS_PROFILES, DISTAL_HUMERUS_PROFILES
    return points, Profiles(
        joined(up.depth, low.depth), joined(up.rounding, low.rounding),
        joined(up.cortex, low.cortex), joined(up.trabecular, low.trabecular),
    )  # fmt: skip


def humerus(rng: np.random.Generator) -> Anatomy:
    """Return an upper arm from the front, from the shoulder to the elbow."""
    points, profiles = _whole_humerus()
    lean = float(rng.uniform(4.0, 11.0))
    size = float(rng.uniform(0.95, 1.03))
    bone = draw_bone(
        rng, "humerus", points, profiles, origin_mm=(72.0, 50.0), angle_deg=lean, scale=size,
        bow_mm=float(rng.uniform(-3.0, 3.0)), jitter_mm=0.25,
    )  # fmt: skip
    tubercle = sparse_patch(rng, 22.0, -12.0, (13.0, 8.0))
    # the deltoid's rough insertion half way down is a blurred lucency in some
    deltoid = Rarefaction(140.0, -8.0, 18.0, 4.0, float(rng.uniform(0.1, 0.5)))
    bone = replace(
        with_fossae(rng, bone, from_shoulder=True),
        canals=(Canal(float(rng.uniform(150, 190)), 5.0, 24.0, 0.6, 9.0),),
    )
    bone = replace(bone, rarefactions=(tubercle, deltoid, *bone.rarefactions))
    x, y, _ = bone.point_mm(0.995, 0.0)
    ulna = draw_bone(
        rng, "ulna", WHOLE_ULNA, WHOLE_ULNA_PROFILES, angle_deg=180.0 + lean - 6.0,
        origin_mm=_end_at((x + 8.0, y + 4.0), 233.0, lean - 6.0), jitter_mm=0.3, grain=0.6,
    )  # fmt: skip
    radius = draw_bone(
        rng, "radius", WHOLE_RADIUS, WHOLE_RADIUS_PROFILES, angle_deg=180.0 + lean - 7.0,
        origin_mm=_end_at((x - 11.0, y + 2.0), 235.0, lean - 7.0), jitter_mm=0.3, grain=0.6,
    )  # fmt: skip
    bulk = float(rng.uniform(0.9, 1.12))
    limb = draw_soft(
        rng,
        ((150, 0), (110, 6), (76, 16), (48, 30), (30, 58), (22 - 8 * bulk, 110),
         (10 - 10 * bulk, 200), (-2 - 10 * bulk, 300), (-14 - 8 * bulk, 380), (-20, 520),
         (62, 520), (52 + 8 * bulk, 380), (66 + 10 * bulk, 300), (88 + 8 * bulk, 200),
         (104, 160), (126, 130), (160, 110)),
        depth_mm=92 * bulk, rounding_mm=42, fat_mm=float(rng.uniform(6, 12)),
        beyond_mm=25.0,
    )  # fmt: skip
    trunk = draw_soft(
        rng, ((96, -40), (96, 25), (100, 90), (118, 140), (128, 200), (132, 300), (130, 520),
              (330, 520), (330, -40)),
        depth_mm=120, rounding_mm=50, fat_mm=10,
        beyond_mm=25.0,
    )  # fmt: skip
    lung = draw_soft(
        rng, ((172, 46), (160, 70), (154, 110), (152, 180), (152, 300), (170, 330), (330, 340),
              (330, 30)),
        depth_mm=84, rounding_mm=30, fat_mm=0,
    )  # fmt: skip
    part = Anatomy(
        "HUMERUS", "AP", (222.0, 395.0),
        (bone, ulna, radius, *shoulder_girdle(rng), *ribs_beside(rng, range(-1, 9))),
        (trunk, limb), ("humerus",), gas=(lung,), grain=(-0.1, 0.99), planes=0.08, scatter=0.3,
        physes=(("humerus", 36.0, 2.2),), freedom=0.6, widest=0.95,
    )  # fmt: skip
    return part.moved(44.0, -float(rng.uniform(5.0, 16.0)))


def _end_at(end_mm: tuple[float, float], length_mm: float, lean_deg: float) -> tuple[float, float]:
    """Return the wrist end of a forearm bone whose elbow end is at `end_mm`."""
    lean = np.deg2rad(lean_deg)
    return (end_mm[0] - length_mm * float(np.sin(lean)),
            end_mm[1] + length_mm * float(np.cos(lean)))  # fmt: skip
