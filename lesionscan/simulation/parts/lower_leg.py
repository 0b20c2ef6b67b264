"""Lower leg from knee to ankle, in millimetres (see `anatomy` for the conventions)."""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy, Profiles, draw_bone, draw_soft
from lesionscan.simulation.body.lucencies import Canal
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.fields import Knots
from lesionscan.simulation.parts import lower_limb as limb

_SHIFT = 181.0
"""Offset from local mm of the ankle's tibia to those of the knee's, for a tibia of 365 mm."""


def _spliced(upper: Points, lower: Points, *, at: float, shift: float) -> Points:
    """Join the outlines of the upper and the lower end of a bone.

    As in `lower_limb`, the upper outline runs from the top down its medial side, the lower one from
    the top of its lateral side down and up the medial side. The upper one is used up to `at` mm,
    the lower one, shifted by `shift`, from 40 mm further on.
    """
    fore = [p for p in upper[: len(upper) - 4] if p[0] <= at]
    medial = [p for p in fore if p[1] > 0 or p[0] < 5]
    under = [(a + shift, c) for a, c in reversed(lower) if a + shift > at + 40.0]
    lateral = [p for p in upper if p[1] < 0 and 5 <= p[0] <= at]
    return (*medial, *under, *lateral)


def _joined(upper: Profiles, lower: Profiles, *, at: float, shift: float) -> Profiles:
    """Join the profiles of the upper end above `at` mm and of the lower end below."""

    def both(first: Knots, second: Knots) -> Knots:
        moved = tuple((a + shift, value) for a, value in second if a + shift > at)
        return (*(knot for knot in first if knot[0] <= at), *moved)

    return Profiles(
        both(upper.depth, lower.depth), both(upper.rounding, lower.rounding),
        both(upper.cortex, lower.cortex), both(upper.trabecular, lower.trabecular),
    )  # fmt: skip


def lower_leg(rng: np.random.Generator) -> Anatomy:
    """Return a lower leg from the front: whole tibia and fibula, condyles of the femur, talus."""
    width, height = 236.0, 430.0
    size = float(rng.uniform(0.95, 1.03))
    x, y = 0.5 * width + float(rng.uniform(-6, 10)), float(rng.uniform(26.0, 36.0))
    bow = float(rng.uniform(-4.0, 3.0))
    tibia = draw_bone(
        rng, "tibia",
        _spliced(limb.PROXIMAL_TIBIA, limb.DISTAL_TIBIA, at=140.0, shift=_SHIFT),
        _joined(limb.TIBIA_PROFILES, limb.ANKLE_TIBIA_PROFILES, at=120.0, shift=_SHIFT),
        origin_mm=(x, y), scale=size, bow_mm=bow, jitter_mm=0.3,
    )  # fmt: skip
    canal = Canal(float(rng.uniform(95, 125)), -8.0, 28.0, 0.7, float(rng.uniform(8, 14)))
    tibia = replace(tibia, canals=(canal,), scars=(15.0, _SHIFT + 173.0))
    fibula = draw_bone(
        rng, "fibula",
        _spliced(limb.FIBULA_HEAD, limb.DISTAL_FIBULA, at=110.0, shift=_SHIFT - 19.0),
        _joined(limb.FIBULA_PROFILES, limb.ANKLE_FIBULA_PROFILES, at=100.0, shift=_SHIFT - 19.0),
        origin_mm=(x - 37.0 * size, y + 19.0 * size), scale=size,
        angle_deg=float(rng.uniform(-1.2, -0.6)), bow_mm=bow + float(rng.uniform(-1, 2)),
        jitter_mm=0.25,
    )  # fmt: skip
    fibula = replace(
        fibula, rarefactions=(limb.fibular_head(rng),),
        canals=(Canal(float(rng.uniform(120, 170)), 1.0, 14.0, 0.5, 9.0),),
    )  # fmt: skip
    lean = np.deg2rad(float(rng.uniform(3.0, 7.0)))
    reach = 207.0 * size
    femur = draw_bone(
        rng, "femur", limb.DISTAL_FEMUR, limb.FEMUR_PROFILES,
        origin_mm=(x - reach * float(np.sin(lean)),
                   y - float(rng.uniform(5.0, 7.0)) - reach * float(np.cos(lean))),
        angle_deg=-float(np.rad2deg(lean)), scale=size,
    )  # fmt: skip
    ankle = y + (184.0 + _SHIFT) * size + float(rng.uniform(3, 4))
    foot = tuple(
        draw_bone(rng, name, points, limb.TARSUS_PROFILES, origin_mm=(x + dx, ankle), scale=size,
                  jitter_mm=0.7)
        for name, points, dx in (("talus", limb.TALUS, -3.0), ("calcaneus", limb.CALCANEUS, -4.0),
                                 ("midfoot", limb.MIDFOOT, -1.0))
    )  # fmt: skip
    calf, belly = _soft_parts(rng, x, y, size=size)
    return Anatomy(
        "LOWERLEG", "AP", (width, height), (tibia, fibula, femur, *foot), (calf, belly),
        ("tibia", "fibula", "tibia"), scatter=0.26, planes=0.07, freedom=1.0, widest=0.92,
        physes=(("femur", 183.0, 2.3), ("tibia", 17.0, 2.1), ("fibula", 14.0, 1.5)),
        beyond_joint=("talus", "calcaneus", "midfoot"),
        behind=(("fibula", 16.0), ("calcaneus", 22.0), ("midfoot", -30.0)),
    )  # fmt: skip


def _soft_parts(
    rng: np.random.Generator, x: float, y: float, *, size: float
) -> tuple[SoftBody, SoftBody]:
    """Return the calf and its belly, given the middle of the knee."""
    bulk = float(rng.uniform(0.9, 1.12))
    calf = draw_soft(
        rng,
        tuple((x - 6 + bulk * dx, y + size * dy) for dx, dy in (
            (-66, -120), (-58, -40), (-54, 5), (-58, 40), (-66, 90), (-65, 140), (-55, 200),
            (-45, 260), (-40, 320), (-43, 360), (-46, 400), (-52, 560), (60, 560), (52, 400),
            (46, 365), (43, 320), (46, 260), (57, 200), (67, 130), (68, 80), (63, 40), (60, 5),
            (64, -40), (72, -120))),
        depth_mm=92 * bulk, rounding_mm=46, fat_mm=float(rng.uniform(4, 9)),
        beyond_mm=25.0,
    )  # fmt: skip
    # towards the ankle the leg is thinner and has hardly a belly
    belly = draw_soft(
        rng,
        tuple((x - 4 + bulk * dx, y + size * dy) for dx, dy in (
            (-50, 40), (-52, 110), (-38, 180), (-16, 230), (20, 225), (44, 170), (54, 110),
            (48, 40), (0, 20))),
        depth_mm=22 * bulk, rounding_mm=38, fat_mm=0.0, fade_mm=16.0,
    )  # fmt: skip
    return calf, belly
