"""Shoulder, hand and wrist, in millimetres (see `anatomy` for the conventions)."""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Canal, Rarefaction, sparse_patch
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.soft_tissue import SoftBody

# local (along, across): 0 = top of the head, across > 0 towards the trunk
HUMERUS: Points = (
    (1, 3), (2.5, 12), (8, 21.5), (17, 27.5), (27, 28), (36, 25), (44, 18.5), (55, 14.5),
    (90, 12.5), (150, 11.3), (280, 11), (280, -11), (150, -11.5), (90, -12.8), (60, -15), (44, -19),
    (32, -23), (22, -24), (13, -21.5), (7.5, -16), (5, -10), (2.2, -4),
)  # fmt: skip
HUMERUS_PROFILES = Profiles(
    depth=((0, 30), (12, 44), (35, 40), (70, 27), (280, 23)),
    rounding=((0, 9), (12, 15), (30, 22), (60, 15), (120, 12), (280, 11)),
    cortex=((0, 0.8), (20, 0.45), (42, 0.7), (70, 2.2), (110, 4.0), (280, 4.6)),
    trabecular=((0, 0.2), (20, 0.15), (45, 0.09), (80, 0.04), (280, 0.015)),
)
GLENOID: Points = (
    (56, 103), (66, 99), (80, 98), (93, 100), (101, 105), (108, 118), (130, 128), (165, 138),
    (195, 146), (195, 152), (150, 172), (100, 182), (62, 176), (58, 150), (60, 128), (52, 114),
)  # fmt: skip
GLENOID_PROFILES = Profiles(
    depth=((40, 11), (80, 12), (115, 5), (200, 4)),
    rounding=((40, 6), (80, 6), (200, 4)),
    cortex=((40, 1.1), (80, 1.1), (115, 0.8), (200, 0.8)),
    trabecular=((40, 0.16), (200, 0.1)),
)
ACROMION: Points = (
    (45, 60), (38, 66), (34, 80), (31, 100), (31, 125), (37, 140), (43, 125), (43, 105),
    (45, 85), (50, 70),
)  # fmt: skip
STRIP_PROFILES = Profiles(
    depth=((0, 11), (300, 11)),
    rounding=((0, 5.5), (300, 5.5)),
    cortex=((0, 1.5), (300, 1.5)),
    trabecular=((0, 0.13), (300, 0.13)),
)
CORACOID: Points = ((58, 112), (54, 120), (50, 118), (52, 106), (60, 98), (68, 100), (66, 108))


CLAVICLE: Points = (
    (40, 108), (33, 112), (28, 130), (25, 155), (26, 185), (24, 230), (35, 230), (36, 185),
    (35, 155), (38, 130), (44, 114),
)  # fmt: skip


def shoulder_girdle(rng: np.random.Generator) -> tuple[Bone, ...]:
    """Return scapula, acromion, clavicle and coracoid in image coordinates (y, x)."""
    return tuple(
        draw_bone(rng, name, points, profiles, origin_mm=(0.0, 0.0), jitter_mm=0.7)
        for name, points, profiles in (
            ("scapula", GLENOID, GLENOID_PROFILES), ("acromion", ACROMION, STRIP_PROFILES),
            ("clavicle", CLAVICLE, STRIP_PROFILES), ("coracoid", CORACOID, STRIP_PROFILES))
    )  # fmt: skip


def ribs_beside(rng: np.random.Generator, numbers: range) -> tuple[Bone, ...]:
    """Return the sides of ribs at the trunk's edge beside a shoulder."""
    return tuple(
        draw_bone(
            rng, f"rib_{n}",
            tuple((70 + 34 * n + dy, dx) for dy, dx in (
                (34, 148), (18, 150), (6, 162), (0, 185), (0, 230), (11, 230), (11, 186),
                (17, 166), (26, 158), (38, 156))),
            replace(STRIP_PROFILES, depth=((0, 7),), cortex=((0, 0.5),)),
            origin_mm=(0.0, 0.0), jitter_mm=0.8,
        ) for n in numbers)  # fmt: skip


def shoulder(rng: np.random.Generator) -> Anatomy:
    """Return a shoulder from the front: humerus, scapula, clavicle, ribs over lung."""
    width, height = 185.0, 235.0
    size = float(rng.uniform(0.95, 1.05))
    arm_angle = float(rng.uniform(2, 10))
    humerus = draw_bone(
        rng, "humerus", HUMERUS, HUMERUS_PROFILES, origin_mm=(72, 50), angle_deg=arm_angle,
        scale=size, bow_mm=float(rng.uniform(-2, 2)), jitter_mm=0.22,
    )  # fmt: skip
    # the greater tubercle is sparse in most adults and mimics a lesion
    humerus = replace(
        humerus,
        rarefactions=(sparse_patch(rng, 22.0, -12.0, (13.0, 8.0)),),
        canals=(Canal(float(rng.uniform(130, 160)), 6.0, 22.0, 0.6, 10.0),),
    )

    ribs = ribs_beside(rng, range(-1, 5))
    trunk = draw_soft(
        rng, ((96, -40), (96, 25), (100, 90), (118, 140), (126, 200), (128, 320), (330, 320),
              (330, -40)),
        depth_mm=120, rounding_mm=50, fat_mm=10,
    )  # fmt: skip
    arm = draw_soft(
        rng, ((150, 0), (110, 6), (76, 16), (48, 30), (32, 55), (25, 95), (18, 150), (4, 250),
              (-8, 330), (82, 330), (92, 250), (104, 170), (126, 130), (160, 110)),
        depth_mm=104, rounding_mm=42, fat_mm=float(rng.uniform(6, 12)),
    )  # fmt: skip
    lung = draw_soft(
        rng, ((172, 46), (160, 70), (154, 110), (150, 160), (150, 320), (330, 320), (330, 30)),
        depth_mm=84, rounding_mm=30, fat_mm=0,
    )  # fmt: skip
    bones = (humerus, *shoulder_girdle(rng), *ribs)
    return Anatomy("SHOULDER", "AP", (width, height), bones, (trunk, arm), ("humerus",),
                   gas=(lung,), grain=(-0.15, 0.99), planes=0.09, scatter=0.35,
                   physes=(("humerus", 36.0, 2.2),), freedom=0.5, widest=0.85)  # fmt: skip


def tubular(length: float, base: float, shaft: float, head: float) -> Points:
    """Return the outline of a finger bone, base at 0; widths are half widths in mm."""
    side = (
        (0.0, base * 0.72), (length * 0.05, base), (length * 0.14, base * 0.93),
        (length * 0.28, shaft * 1.18), (length * 0.5, shaft), (length * 0.7, shaft * 1.05),
        (length * 0.82, head * 0.92), (length * 0.91, head), (length * 0.97, head * 0.8),
    )  # fmt: skip
    other = tuple((a, -b) for a, b in reversed(side))
    return ((length * 0.012, 0.0), *side, (length, 0.0), *other)


def tubular_head(rng: np.random.Generator, length: float, head: float) -> Rarefaction:
    """Draw the rarefaction in the head of a finger bone, which resembles a hole."""
    return sparse_patch(rng, length * 0.87, 0.0, (head * 0.9, head * 0.75))


def tubular_profiles(length: float, base: float, shaft: float, head: float) -> Profiles:
    """Return the profiles of a finger bone: nearly round, cortex thickest at mid shaft."""
    return Profiles(
        depth=((0, base * 1.7), (length * 0.5, shaft * 2.0), (length, head * 1.9)),
        rounding=((0, base * 0.5), (length * 0.12, base * 0.85), (length * 0.5, shaft),
                  (length * 0.9, head * 0.8), (length, head * 0.5)),
        cortex=((0, 0.75), (length * 0.15, 0.5), (length * 0.5, shaft * 0.42),
                (length * 0.85, 0.5), (length, 0.65)),
        trabecular=((0, 0.3), (length * 0.15, 0.22), (length * 0.35, 0.08), (length * 0.65, 0.07),
                    (length * 0.85, 0.22), (length, 0.28)),
    )  # fmt: skip


# base x, base y, degrees from straight up, lengths, and half widths of base, shaft and head
_RAYS = {
    1: (108.0, 179.0, 38.0, (44.0, 30.0, 21.0)),
    2: (94.0, 173.0, 11.0, (65.0, 39.5, 23.0, 16.0)),
    3: (82.5, 171.0, 1.5, (63.0, 44.0, 28.0, 17.0)),
    4: (71.5, 173.5, -7.0, (56.0, 41.0, 26.0, 17.0)),
    5: (61.5, 178.0, -17.0, (52.0, 32.0, 18.5, 15.5)),
}
_WIDTHS = ((7.6, 4.1, 7.2), (7.4, 4.6, 5.4), (6.2, 3.7, 4.6), (5.2, 2.6, 3.6))
_NAMES = ("metacarpal", "proximal_phalanx", "middle_phalanx", "distal_phalanx")
# x, y of the middle, half height, half width, turn in degrees
_CARPALS = {
    "scaphoid": (98.0, 196.0, 11.0, 5.9, 36.0), "lunate": (85.0, 201.5, 7.2, 7.0, 6.0),
    "triquetrum": (72.5, 196.0, 7.0, 6.0, -35.0), "pisiform": (69.0, 198.0, 5.0, 4.4, 0.0),
    "trapezium": (105.0, 183.5, 6.8, 6.6, 40.0), "trapezoid": (95.0, 179.5, 5.8, 5.0, 8.0),
    "capitate": (84.0, 184.0, 11.4, 6.0, 4.0), "hamate": (72.5, 184.0, 8.8, 6.2, -16.0),
}  # fmt: skip
RADIUS: Points = (
    (1.5, -14), (2.8, -6), (2.6, 2), (1, 8), (-2.6, 13), (-4.8, 16), (-1.5, 18), (6, 17.6),
    (24, 12), (40, 9), (70, 8), (200, 8), (200, -6.5), (70, -6.5), (40, -7.5), (24, -11),
    (12, -14.5), (5, -15.5),
)  # fmt: skip
RADIUS_PROFILES = Profiles(
    depth=((-6, 14), (5, 22), (25, 17), (60, 13), (200, 13)),
    rounding=((-6, 4), (4, 6), (15, 11), (50, 7.6), (200, 7.2)),
    cortex=((-6, 0.8), (3, 1.1), (14, 0.6), (28, 1.0), (50, 2.2), (200, 3.0)),
    trabecular=((-6, 0.26), (6, 0.24), (25, 0.13), (50, 0.05), (200, 0.02)),
)
ULNA: Points = (
    (-3.6, -7.4), (-3.8, -5.8), (-0.4, -4), (-1, 3), (1, 7.5), (6, 9), (13, 7.5), (26, 5.6),
    (60, 5.4), (200, 6.5), (200, -6), (60, -5.4), (26, -6), (13, -8), (4, -8.8),
)  # fmt: skip
ULNA_PROFILES = Profiles(
    depth=((-7, 7), (4, 15), (30, 11), (200, 13)),
    rounding=((-7, 3), (4, 5), (12, 7.5), (40, 5.5), (200, 6)),
    cortex=((-7, 0.7), (3, 0.8), (14, 0.6), (28, 1.2), (60, 2.2), (200, 2.8)),
    trabecular=((-7, 0.24), (6, 0.22), (25, 0.12), (60, 0.04), (200, 0.02)),
)


def _ray(rng: np.random.Generator, number: int, spread: float) -> tuple[list[Bone], SoftBody]:
    """Return the bones of one finger and its soft tissue."""
    x, y, lean, lengths = _RAYS[number]
    lean = lean * spread
    stout = {1: 1.12, 5: 0.9}.get(number, 1.0)
    bones: list[Bone] = []
    spine: list[tuple[float, float]] = []
    names = _NAMES if number > 1 else (_NAMES[0], _NAMES[1], _NAMES[3])
    for index, (name, length) in enumerate(zip(names, lengths, strict=True)):
        widths = tuple(w * stout for w in _WIDTHS[_NAMES.index(name)])
        angle = lean + float(rng.uniform(-1.5, 1.5)) + (-9.0 if number == 1 else 0.6) * index
        turn = np.deg2rad(angle)
        bones.append(draw_bone(
            rng, f"{name}_{number}", tubular(length, *widths), tubular_profiles(length, *widths),
            origin_mm=(x, y), angle_deg=180.0 + angle, jitter_mm=0.16,
            bow_mm=float(rng.uniform(-0.6, 0.6)), grain=0.55,
        ))  # fmt: skip
        bones[-1] = replace(bones[-1], rarefactions=(tubular_head(rng, length, widths[2]),))
        spine.append((x, y))
        reach = length + (1.3 if index else 1.6)
        x, y = x + reach * float(np.sin(turn)), y - reach * float(np.cos(turn))
    tip = (x + 2.5 * float(np.sin(turn)), y - 2.5 * float(np.cos(turn)))
    widths_mm = np.linspace(11.5, 8.6, len(spine)) * stout
    left, right = [], []
    for (px, py), half in zip(spine, widths_mm, strict=True):
        left.append((px - half * float(np.cos(turn)), py - half * float(np.sin(turn))))
        right.append((px + half * float(np.cos(turn)), py + half * float(np.sin(turn))))
    half = 7.6 * stout
    cap = [(tip[0] + half * float(np.sin(turn + b) * 0.9), tip[1] - half * float(np.cos(turn + b)))
           for b in (-1.1, -0.4, 0.4, 1.1)]  # fmt: skip
    finger = draw_soft(rng, (*left, *cap, *reversed(right)), depth_mm=17 * stout,
                       rounding_mm=8.5 * stout, fat_mm=2.0, jitter_mm=0.3)  # fmt: skip
    return bones, finger


def hand_and_wrist(rng: np.random.Generator) -> tuple[tuple[Bone, ...], tuple[SoftBody, ...]]:
    """Return all bones and soft bodies of a hand and forearm in a 165 mm wide field."""
    spread = float(rng.uniform(0.85, 1.12))
    bones: list[Bone] = []
    soft: list[SoftBody] = []
    for number in _RAYS:
        ray, finger = _ray(rng, number, spread)
        bones.extend(ray)
        soft.append(finger)
    for name, (x, y, tall, wide, turn) in _CARPALS.items():
        ring: Points = tuple(
            (1.12 * tall * float(np.cos(a)) * bulge, 1.1 * wide * float(np.sin(a)) * bulge)
            for a in np.arange(10) * np.pi / 5 + 0.3
            for bulge in (1.0 - 0.07 * float(np.cos(4 * a)),)
        )
        bones.append(draw_bone(
            rng, name, ring,
            Profiles(((0, 14.0),), ((0, 5.2),), ((0, 0.5),), ((0, 0.27),)),
            origin_mm=(x, y), angle_deg=turn, jitter_mm=0.55, grain=0.55,
        ))  # fmt: skip
    bones.append(draw_bone(rng, "radius", RADIUS, RADIUS_PROFILES, origin_mm=(92.5, 207.6),
                           angle_deg=float(rng.uniform(-1, 3)), bow_mm=float(rng.uniform(0, 3)),
                           grain=0.6))  # fmt: skip
    bones.append(draw_bone(
        rng, "ulna", ULNA, ULNA_PROFILES, origin_mm=(66.5, 209.0 + float(rng.uniform(-1.5, 2.0))),
        angle_deg=float(rng.uniform(-3, 1)), jitter_mm=0.25, grain=0.6,
    ))  # fmt: skip
    palm = draw_soft(
        rng, ((50, 128), (62, 112), (85, 106), (108, 112), (117, 128), (122, 150), (124, 172),
              (117, 192), (113, 208), (115, 240), (122, 400), (44, 400), (50, 240), (53, 208),
              (47, 190), (43, 165), (45, 145)),
        depth_mm=31, rounding_mm=24, fat_mm=2.5,
    )  # fmt: skip
    forearm = draw_soft(
        rng, ((58, 225), (84, 215), (110, 225), (118, 300), (126, 420), (42, 420), (50, 300)),
        depth_mm=14, rounding_mm=26, fat_mm=1.0, fade_mm=6.0,
    )  # fmt: skip
    return tuple(bones), (*soft, palm, forearm)


def hand(rng: np.random.Generator) -> Anatomy:
    """Return a hand from the back: five rays, wrist bones, ends of radius and ulna."""
    bones, soft = hand_and_wrist(rng)
    tubes = tuple(b.name for b in bones if b.name.startswith(("metacarpal", "proximal", "middle")))
    return Anatomy("HAND", "PA", (176.0, 246.0), bones, soft, tubes, planes=0.05, drawn_side="L",
                   scatter=0.08, freedom=1.0, widest=0.7)  # fmt: skip


def wrist(rng: np.random.Generator) -> Anatomy:
    """Return a wrist from the back: lower forearm, wrist bones, bases of the metacarpals."""
    bones, soft = hand_and_wrist(rng)
    low = Anatomy("WRIST", "PA", (118.0, 165.0), bones, soft, ("radius", "ulna"),
                  planes=0.06, scatter=0.1, drawn_side="L",
                  physes=(("radius", 9.5, 1.7), ("ulna", 7.5, 1.4)), freedom=1.0,
                  widest=0.7)  # fmt: skip
    return low.moved(-26.0, -137.0)
