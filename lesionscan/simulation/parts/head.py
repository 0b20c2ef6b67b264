"""Skull from the side, in millimetres of the picture (see `anatomy` for the conventions).

The face looks to the left. Outlines are (x, y) in a picture of 230 x 250 mm.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, along_axis, draw_bone, draw_soft
from lesionscan.simulation.body.bones import Bone, Wall
from lesionscan.simulation.body.lucencies import Foramen, Groove
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.person import even
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.parts.skull_face import FACE
from lesionscan.simulation.parts.skull_lines import base_lines, smooth, still_line, sutures, vessels

VAULT: Points = (
    (30, 105), (29.5, 96), (32, 84), (38, 66), (51, 44), (74, 25), (104, 15), (136, 15), (164, 25),
    (189, 46), (204, 73), (208.5, 100), (206, 119), (196, 138), (182, 147), (166, 151), (150, 153),
    (134, 152), (122, 142), (108, 131), (88, 124), (64, 117), (44, 112), (34, 110),
)  # fmt: skip
VAULT_PROFILES = Profiles(
    # the head is 145 mm wide; the beam meets the vault edge-on along its whole outline
    depth=((0, 138), (160, 138)),
    rounding=((0, 68), (160, 68)),
    cortex=((0, 5.0), (160, 5.0)),
    trabecular=((0, 0.36), (160, 0.36)),
)
MANDIBLE: Points = (
    (37, 182), (33, 190), (31, 199), (32, 208), (38, 213), (52, 213), (72, 208), (92, 201),
    (107, 193), (113, 180), (117, 162), (120, 148), (123, 139), (120, 134), (114, 136), (111, 144),
    (105, 149), (101, 144), (99, 138), (96, 144), (96, 158), (91, 170), (84, 178), (68, 180),
    (50, 181),
)  # fmt: skip
MANDIBLE_PROFILES = Profiles(
    depth=((130, 7), (160, 9), (180, 13), (215, 14)),
    rounding=((130, 4), (180, 5), (215, 5)),
    cortex=((130, 1.0), (165, 1.7), (215, 3.2)),
    trabecular=((130, 0.24), (165, 0.2), (215, 0.24)),
)
_TEETH = 8


def _still(
    rng: np.random.Generator, name: str, points: Points, profiles: Profiles, jitter_mm: float = 0.5
) -> Bone:
    """Create a bone from image coordinates, with its axis pointing down."""
    return draw_bone(rng, name, along_axis(points, origin_mm=(0.0, 0.0)), profiles,
                     origin_mm=(0.0, 0.0), jitter_mm=jitter_mm)  # fmt: skip


def _tooth(rng: np.random.Generator, name: str, at: tuple[float, float], up: float) -> Bone:
    """Return the overlapping teeth of both sides: crown at `at`, root pointing up or down."""
    x, y = at
    wide = float(rng.uniform(2.6, 3.4)) + (1.3 if x > 56 else 0.0)
    root = float(rng.uniform(11, 15))
    points = tuple(
        (x + dx * wide + 0.12 * (x - 60) * along / 12.0, y - up * along)
        for dx, along in ((-1, 0.5), (-1.05, 4), (-0.75, 8), (-0.3, 8 + root), (0.3, 8 + root),
                          (0.75, 8), (1.05, 4), (1, 0.5), (0, -0.6)))  # fmt: skip
    return _still(rng, name, points, even(13.0, 2.4, 1.4, 0.55), jitter_mm=0.25)


def _teeth(rng: np.random.Generator, drop: float) -> tuple[Bone, ...]:
    """Return upper and lower teeth, some of them missing."""
    places = np.linspace(37.0, 80.0, _TEETH) + rng.normal(0.0, 0.5, _TEETH)
    gone = rng.random(2 * _TEETH) < float(rng.choice([0.0, 0.1, 0.4]))
    upper = [_tooth(rng, f"tooth_upper_{n + 1}", (float(x), 175.0 + 0.04 * (60 - x)), 1.0)
             for n, x in enumerate(places) if not gone[n]]  # fmt: skip
    lower = [_tooth(rng, f"tooth_lower_{n + 1}", (float(x) - 1.0, 176.5 + drop), -1.0)
             for n, x in enumerate(places) if not gone[_TEETH + n]]  # fmt: skip
    return (*upper, *lower)


def _vault(rng: np.random.Generator) -> Bone:
    """Return the vault: two tables, the diploe between them, sutures and grooves."""
    thick = float(rng.uniform(0.85, 1.2))
    vault = _still(rng, "vault", VAULT, VAULT_PROFILES, jitter_mm=0.6)
    grooves = vessels(rng)
    return replace(
        vault,
        wall=Wall(1.7 * thick, 3.2 * thick, 1.3 * thick),
        grain=0.42,
        beyond_mm=40.0,
        grooves=(*sutures(rng), *grooves, *base_lines(rng)),
    )


def _air(rng: np.random.Generator, drop: float) -> tuple[SoftBody, ...]:
    """Return the air in sinuses, nose, mouth, throat and mastoid cells."""
    rooms: tuple[tuple[Points, float, float], ...] = (
        (((42, 122), (60, 122), (78, 130), (80, 146), (66, 154), (46, 154), (38, 140)), 40, 10),
        (((40, 108), (62, 110), (82, 116), (84, 122), (64, 120), (42, 116)), 11, 5),
        (((86, 121), (98, 121), (104, 129), (106, 136), (96, 136), (87, 132)), 22, 5),
        (((32, 90), (36, 86), (38, 98), (37, 109), (33, 108)), 16, 3),
        (((90, 136), (104, 144), (110, 160), (108, 185), (110, 215), (112, 260), (98, 260),
          (97, 220), (98, 190), (98, 165), (92, 150)), 22, 6),
    )  # fmt: skip
    air = [draw_soft(rng, points, depth_mm=depth * float(rng.uniform(0.8, 1.1)),
                     rounding_mm=rounding, fat_mm=0.0, jitter_mm=0.9)
           for points, depth, rounding in rooms]  # fmt: skip
    mouth = ((38, 174.5), (60, 174), (84, 172), (92, 176), (84, 178 + drop), (60, 177 + drop),
             (38, 177 + drop))  # fmt: skip
    air.append(draw_soft(rng, mouth, depth_mm=14, rounding_mm=3, fat_mm=0.0, jitter_mm=0.4))
    for _ in range(26):
        x, y = float(rng.normal(156, 5.0)), float(rng.normal(140, 8.0))
        half = float(rng.uniform(1.0, 2.6))
        ring = tuple((x + half * float(np.cos(a)), y + half * float(np.sin(a)))
                     for a in np.arange(6) * np.pi / 3)  # fmt: skip
        air.append(draw_soft(rng, ring, depth_mm=float(rng.uniform(5, 11)), rounding_mm=half,
                             fat_mm=0.0, jitter_mm=0.2 * half))  # fmt: skip
    return tuple(air)


def skull_lateral(rng: np.random.Generator) -> Anatomy:
    """Return a skull from the side: vault, base, face, jaw with teeth, upper cervical spine."""
    drop = float(rng.uniform(0.0, 5.0))
    face = tuple(
        replace(
            _still(rng, part.name, part.points,
                   even(part.depth, part.rounding, part.cortex, part.trabecular),
                   jitter_mm=1.4 if "petrous" in part.name else 0.6), grain=part.grain,
        ) for part in FACE)  # fmt: skip
    ear = Foramen(133.0 + float(rng.normal(0, 1)), 141.0 + float(rng.normal(0, 1)),
                  float(rng.uniform(3.6, 4.8)), float(rng.uniform(0.3, 0.5)))  # fmt: skip
    face = tuple(
        replace(bone, foramina=(ear,)) if bone.name == "petrous" else bone for bone in face
    )
    far = (float(rng.uniform(-3, 6)), float(rng.uniform(-3, 4)) + drop)
    jaws = tuple(
        _still(rng, name, tuple((x + dx, y + dy) for x, y in MANDIBLE), MANDIBLE_PROFILES)
        for name, dx, dy in (("mandible", 0.0, drop), ("mandible_far", *far))
    )
    canal = ((107, 158), (104, 172), (96, 186), (80, 196), (60, 201))
    lowered = smooth(tuple((x, y + drop) for x, y in canal))
    near = replace(jaws[0], grooves=(Groove(still_line(lowered), 1.3, 0.14, lips=0.06),))
    head = draw_soft(
        rng,
        ((22, 108), (24, 84), (34, 58), (50, 34), (76, 14), (106, 5), (138, 6), (168, 16),
         (196, 40), (212, 70), (217, 102), (213, 128), (206, 148), (200, 176), (198, 215),
         (204, 300), (66, 300), (74, 250), (66, 232), (40, 224), (24, 216), (22, 200),
         (19, 190), (13, 182), (16, 174), (11, 168), (16, 160), (6, 154), (4, 149), (12, 138),
         (21, 122)),
        depth_mm=142, rounding_mm=66, fat_mm=float(rng.uniform(3, 6)), jitter_mm=0.6,
        beyond_mm=25.0,
    )  # fmt: skip
    return Anatomy(
        "SKULL", "LL", (230.0, 250.0),
        (_vault(rng), *face, near, jaws[1], *_teeth(rng, drop)), (head,),
        ("vault", "vault", "vault", "mandible"), gas=_air(rng, drop), planes=0.03, scatter=0.4,
        covers=("petrous",), freedom=0.4,
    )  # fmt: skip
