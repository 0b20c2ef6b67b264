"""Single vertebrae from the front and from the side, in millimetres (see `anatomy`).

Local (along, across) points are drawn about the middle of the body, growing downwards; from the
front across > 0 is the right of the picture, from the side it is the back of the person.
"""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Profiles, mirrored
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Canal
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.person import Pose, even, side_sign
from lesionscan.simulation.parts.vertebrae import Vertebra


def _body(
    rng: np.random.Generator, vertebra: Vertebra, pose: Pose, outline: Points, profiles: Profiles
) -> Bone:
    """Create a vertebral body from (down, right) points, with its axis across.

    Lesions are fitted to the width of a bone across its axis, and a body is wider than high. Its
    trabeculae are vertical nevertheless.
    """
    lying = Pose(pose.person, pose.at_mm, pose.tilt_deg - 90.0)
    points = tuple((right, -down) for down, right in outline)
    bone = lying.draw(rng, vertebra.name, points, profiles, jitter_mm=0.3, grain=0.6)
    return replace(bone, grain_tilt_deg=90.0)


def _body_from_front(rng: np.random.Generator, vertebra: Vertebra, pose: Pose) -> Bone:
    """Return the body alone, seen from the front; `pose` is at its middle."""
    half, dip = 0.5 * vertebra.height, vertebra.height * float(rng.uniform(0.02, 0.06))
    upper, lower = 0.48 * vertebra.width, 0.51 * vertebra.width
    waist = 0.45 * (upper + lower)
    drum = mirrored((
        (-half + dip, 0.2 * upper), (-half + 0.3 * dip, 0.6 * upper), (-half, 0.88 * upper),
        (-half + 2.0, upper), (-half + 7.0, 0.95 * upper), (-0.2 * half, waist),
        (0.2 * half, waist), (half - 7.0, 0.95 * lower), (half - 2.0, lower),
        (half, 0.88 * lower), (half - 0.3 * dip, 0.6 * lower), (half - dip, 0.2 * lower),
    ))  # fmt: skip
    # a drum: round at its sides, while its endplates are seen edge-on
    deep, wide = vertebra.depth, 0.5 * vertebra.width
    profiles = Profiles(
        depth=((-wide, 0.85 * deep), (-0.6 * wide, 0.97 * deep), (0.0, 0.92 * deep),
               (0.6 * wide, 0.97 * deep), (wide, 0.85 * deep)),
        rounding=((-wide, 9.0), (-0.85 * wide, 6.0), (-0.6 * wide, 3.6), (0.6 * wide, 3.6),
                  (0.85 * wide, 6.0), (wide, 9.0)),
        cortex=((-wide, 0.3), (-0.6 * wide, 0.36), (0.6 * wide, 0.36), (wide, 0.3)),
        trabecular=((0.0, 0.125),),
    )  # fmt: skip
    return _body(rng, vertebra, pose, drum, profiles)


# half of lamina, articular processes and the isthmus between them, for a height of 27 mm
_ARCH: Points = (
    (-3.0, 0.5), (-4.5, 5.0), (-8.0, 9.5), (-15.0, 13.0), (-20.5, 16.0), (-22.5, 20.0),
    (-19.0, 23.5), (-9.0, 23.0), (0.0, 18.0), (7.0, 15.5), (14.0, 16.5), (22.0, 17.5),
    (28.0, 15.5), (29.5, 12.0), (26.0, 8.5), (19.0, 6.0), (14.0, 3.5), (12.5, 0.5),
)  # fmt: skip
_ARCH_PROFILES = Profiles(
    depth=((-23.0, 7.0), (-10.0, 10.0), (12.0, 9.0), (30.0, 7.0)),
    rounding=((-23.0, 4.0), (30.0, 4.0)),
    cortex=((-23.0, 0.75), (0.0, 0.6), (30.0, 0.75)),
    trabecular=((-23.0, 0.13), (30.0, 0.13)),
)


def vertebra_from_front(
    rng: np.random.Generator, vertebra: Vertebra, pose: Pose
) -> tuple[Bone, ...]:
    """Return body, arch, pedicles, spinous and transverse processes, seen from the front.

    `pose` is at the middle of the body.
    """
    sway = pose.person.sway_mm
    wide, tall = vertebra.width / 46.0, vertebra.height / 27.0
    arch = pose.draw(
        rng, f"{vertebra.name}_arch",
        tuple((a * tall, b * wide + sway) for a, b in mirrored(_ARCH)), _ARCH_PROFILES,
        jitter_mm=0.6,
    )  # fmt: skip
    return (
        _body_from_front(rng, vertebra, pose), arch, *_processes_from_front(rng, vertebra, pose),
        _spinous_from_front(rng, vertebra, pose),
    )  # fmt: skip


def _processes_from_front(
    rng: np.random.Generator, vertebra: Vertebra, pose: Pose
) -> tuple[Bone, ...]:
    """Return pedicles and transverse processes, seen from the front."""
    return (
        *_pedicles(rng, vertebra, pose),
        _transverse(rng, vertebra, pose, "right"), _transverse(rng, vertebra, pose, "left"),
    )  # fmt: skip


def _pedicles(rng: np.random.Generator, vertebra: Vertebra, pose: Pose) -> tuple[Bone, ...]:
    """Return two pedicles, tubes seen end-on from the front: their cortex is a ring."""
    tall, wide = 0.5 * vertebra.pedicle_height, 0.5 * vertebra.pedicle
    middle, sway = 0.5 * vertebra.canal + wide, 0.8 * pose.person.sway_mm
    angles = np.arange(10) * np.pi / 5
    return tuple(
        pose.draw(
            rng, f"{vertebra.name}_pedicle_{word}",
            tuple((-0.16 * vertebra.height + tall * float(np.cos(a)),
                   side * (middle - 0.12 * wide * float(np.cos(a))) + wide * float(np.sin(a)) + sway
                   ) for a in angles),
            even(9.0, 1.6, 0.85, 0.12), jitter_mm=0.2,
        ) for word, side in (("right", -1.0), ("left", 1.0)))  # fmt: skip


def _spinous_from_front(rng: np.random.Generator, vertebra: Vertebra, pose: Pose) -> Bone:
    """Return the spinous process, a plate seen edge-on: a teardrop with a bright rim."""
    tall = vertebra.height / 27.0
    lean = 1.25 * pose.person.sway_mm + float(rng.normal(0.0, 0.6))
    drop = mirrored((
        (-1.5, 0.6), (0.5, 1.7), (7.0, 2.3), (14.0, 3.2), (19.5, 4.0), (23.5, 3.2), (25.0, 1.0),
    ))  # fmt: skip
    profiles = Profiles(
        depth=((-2.0, 9.0 * tall), (12.0, 20.0 * tall), (25.0, 18.0 * tall)),
        rounding=((-2.0, 2.0), (25.0, 2.6)),
        cortex=((-2.0, 0.35), (25.0, 0.5)), trabecular=((-2.0, 0.1), (25.0, 0.12)),
    )  # fmt: skip
    shape = tuple((a * tall, b + lean) for a, b in drop)
    return pose.draw(rng, f"{vertebra.name}_spinous", shape, profiles, jitter_mm=0.35)


def _transverse(rng: np.random.Generator, vertebra: Vertebra, pose: Pose, word: str) -> Bone:
    """Return the transverse process of one side, a thin blade that points outward."""
    root = 0.5 * vertebra.canal + vertebra.pedicle - 3.0
    tip = max(0.5 * vertebra.spread * float(rng.uniform(0.92, 1.06)), root + 7.0)
    rise, middle = float(rng.uniform(-3.0, 1.0)), 0.5 * (root + tip)
    blade = (
        (-6.0, root), (-3.8 + 0.5 * rise, middle), (-4.6 + rise, tip - 4.0), (-2.4 + rise, tip),
        (2.0 + rise, tip - 0.6), (3.8 + 0.7 * rise, tip - 6.0), (4.2 + 0.3 * rise, middle),
        (6.5, root),
    )  # fmt: skip
    side = side_sign(word)
    shape = tuple((a - 1.5, side * b + 0.9 * pose.person.sway_mm) for a, b in blade)
    return pose.draw(
        rng, f"{vertebra.name}_transverse_{word}", shape, even(5.5, 3.2, 0.55, 0.12), jitter_mm=0.6
    )


def body_from_side(rng: np.random.Generator, vertebra: Vertebra, pose: Pose) -> Bone:
    """Return the body alone, seen from the side, its front to the left."""
    half, front, back = 0.5 * vertebra.depth, 0.5 * vertebra.front, 0.5 * vertebra.back
    dip, waist = float(rng.uniform(0.4, 1.5)), float(rng.uniform(1.6, 3.0))
    middle = 0.5 * (front + back) - dip
    outline: Points = (
        (-front + 2.0, -half), (-front, -0.86 * half), (-middle - 0.5 * dip, -0.4 * half),
        (-middle, 0.25 * half), (-back, 0.88 * half), (-back + 1.8, half),
        (-0.4 * back, half - 0.5 * waist), (0.1 * back, half - 0.6 * waist), (back - 1.8, half),
        (back, 0.88 * half), (middle, 0.25 * half), (middle + 0.5 * dip, -0.4 * half),
        (front, -0.86 * half), (front - 2.0, -half), (0.45 * front, -half + 0.85 * waist),
        (0.0, -half + waist), (-0.45 * front, -half + 0.85 * waist),
    )  # fmt: skip
    # round in front, flat behind
    deep = 0.92 * vertebra.width
    profiles = Profiles(
        depth=((-half, 0.7 * deep), (-0.5 * half, 0.97 * deep), (half, 0.95 * deep)),
        rounding=((-half, 9.0), (-0.85 * half, 6.0), (-0.6 * half, 3.6), (0.75 * half, 3.6),
                  (half, 6.0)),
        cortex=((-half, 0.3), (-0.6 * half, 0.36), (half, 0.34)), trabecular=((0.0, 0.12),),
    )  # fmt: skip
    body = _body(rng, vertebra, pose, outline, profiles)
    # the basivertebral vein enters at the middle of the back: a faint notch
    vein = Canal(0.45 * half, 0.0, 9.0, 1.6, float(rng.uniform(-10, 10)))
    return replace(body, canals=(vein,))


def vertebra_from_side(
    rng: np.random.Generator, vertebra: Vertebra, pose: Pose
) -> tuple[Bone, ...]:
    """Return body, two arches and spinous process, seen from the side, the front to the left.

    `pose` is at the middle of the body. The gap between arches behind a body is the neural foramen,
    a normal lucency.
    """
    half, tall = 0.5 * vertebra.depth, vertebra.height / 27.0
    arch = (
        (-9.5, -4.0), (-8.5, 3.0), (-12.0, 8.0), (-20.0, 11.0), (-23.0, 14.5), (-20.0, 17.5),
        (-10.0, 19.0), (2.0, 19.5), (13.0, 21.0), (22.0, 23.0), (27.0, 21.5), (27.0, 18.0),
        (20.0, 15.0), (10.0, 12.5), (5.0, 9.0), (2.5, 4.0), (2.5, -4.0),
    )  # fmt: skip
    profiles = Profiles(
        depth=((-24.0, 6.0), (-4.0, 8.5), (27.0, 6.0)), rounding=((-24.0, 4.0), (27.0, 4.0)),
        cortex=((0.0, 0.45),), trabecular=((0.0, 0.14),),
    )  # fmt: skip
    arches = tuple(
        pose.draw(
            rng, f"{vertebra.name}_arch_{word}",
            tuple((a * tall + lift, half + b) for a, b in arch), profiles, jitter_mm=0.7,
        ) for word, lift in (("near", 0.0), ("far", 0.8 * pose.person.sway_mm)))  # fmt: skip
    return (
        body_from_side(rng, vertebra, pose), *arches, _spinous_from_side(rng, vertebra, pose),
    )  # fmt: skip


def _spinous_from_side(rng: np.random.Generator, vertebra: Vertebra, pose: Pose) -> Bone:
    """Return the spinous process, hatchet-shaped, behind the arch."""
    half, tall = 0.5 * vertebra.depth, vertebra.height / 27.0
    # that of L5 is the shortest
    reach = float(rng.uniform(0.9, 1.1)) * (0.8 if vertebra.name == "L5" else 1.0)
    hatchet = (
        (1.0, 0.0), (2.5, 8.0), (2.5, 18.0), (3.0, 28.0), (6.5, 32.5), (14.0, 33.0),
        (21.0, 31.0), (22.5, 27.0), (19.0, 20.0), (16.5, 12.0), (14.0, 5.0), (11.0, 0.0),
    )  # fmt: skip
    shape = tuple((a * tall, half + 16.0 + b * reach) for a, b in hatchet)
    return pose.draw(
        rng, f"{vertebra.name}_spinous", shape, even(7.0, 3.5, 0.55, 0.13), jitter_mm=0.7
    )
