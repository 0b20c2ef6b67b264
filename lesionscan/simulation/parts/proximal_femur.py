"""The upper end of a femur from the front, in millimetres (see `anatomy` for the conventions)."""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Profiles
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Groove, sparse_patch
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.person import Pose, flipped, side_sign

# 0 = the middle of the head; across > 0 points to the side of the body
_FEMUR: Points = (
    (0, -24), (-12, -20.8), (-20.8, -12), (-24, 0), (-20.8, 12), (-9, 22.2), (-2.5, 25), (3, 28.5),
    (7.5, 34.5), (10.5, 41), (7, 47), (0, 51), (-4, 55), (-3, 60), (4, 65), (16, 69), (32, 68.5),
    (48, 64.5), (70, 61), (110, 58.5), (165, 57.5), (250, 57), (250, 30), (165, 29),
    (120, 29.5), (100, 28.5),
    (90, 25.5), (82, 21), (75, 19.5), (68, 21.5), (61, 23.5), (52, 22), (42, 18.5), (33, 13),
    (27, 7), (23.8, 0), (22.5, -8), (17, -17), (9, -22.3),
)  # fmt: skip
_FEMUR_PROFILES = Profiles(
    depth=((-24, 26), (-8, 42), (10, 38), (30, 34), (60, 36), (95, 30), (165, 28)),
    rounding=((-24, 8), (0, 20), (30, 16), (80, 15), (165, 14.5)),
    cortex=((-24, 0.5), (20, 0.5), (48, 1.1), (75, 2.6), (105, 4.2), (165, 5.0)),
    trabecular=((-24, 0.2), (0, 0.19), (30, 0.14), (60, 0.1), (85, 0.05), (165, 0.02)),
)
# the ridge between the trochanters
_TROCHANTER: Points = ((0, 50), (8, 52.5), (18, 51.5), (28, 46), (37, 38))


def proximal_femur(rng: np.random.Generator, pose: Pose, word: str) -> Bone:
    """Return a proximal femur.

    `pose` is at the centre of the head. Ward's triangle in the neck and the sparse trochanter are
    normal lucencies.
    """
    side = side_sign(word)
    femur = pose.draw(rng, f"femur_{word}", flipped(_FEMUR, word), _FEMUR_PROFILES, jitter_mm=0.4,
                      grain=0.45)  # fmt: skip
    ward = sparse_patch(rng, 25.0, side * 26.0, (11.0, 8.0))
    tubercle = sparse_patch(rng, 22.0, side * 56.0, (14.0, 8.0))
    ridge = Groove(flipped(_TROCHANTER, word), 1.4, -float(rng.uniform(0.3, 0.8)))
    return replace(femur, rarefactions=(ward, tubercle), grooves=(ridge,),
                   grain_tilt_deg=-18.0 * side)  # fmt: skip
