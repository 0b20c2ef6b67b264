"""Lesions drawn at random: the kinds that are seen, at sizes that fit the bone."""

from collections.abc import Callable

import numpy as np

from lesionscan.simulation.anatomy import Anatomy
from lesionscan.simulation.bones import Bone
from lesionscan.simulation.lesions import Lesion

_STEPS = np.linspace(0.04, 0.96, 47)
# a lesion needs two tries on average, and ten where five others are
_TRIES = 20


def draw_lesions(rng: np.random.Generator, anatomy: Anatomy, *, count: int) -> tuple[Lesion, ...]:
    """Return up to `count` lesions that do not touch each other and lie in the picture.

    Sizes follow the bone: 0.3 to 1.9 of its half width inside it, more when expansile. Fewer come
    back where no place was found in `_TRIES` tries a lesion.

    Raises
    ------
    ValueError
        When `count` is negative.
    """
    if count < 0:
        raise ValueError(f"the number of lesions must be 0 or greater, got {count}")
    taken = [_circle(anatomy.bone(name)) for name in anatomy.covers]
    drawn: list[Lesion] = []
    for _ in range(_TRIES * count):
        if len(drawn) == count:
            break
        bone = anatomy.bone(anatomy.targets[int(rng.integers(len(anatomy.targets)))])
        kind = _KINDS[int(rng.integers(len(_KINDS)))]
        places = _places(bone, anatomy.field_mm)
        lesion = kind(rng, bone, float(places[int(rng.integers(places.size))]))
        x, y, _ = bone.point_mm(lesion.along, lesion.across)
        radius = 0.5 * lesion.diameter_mm * float(np.sqrt(lesion.elongation)) + lesion.margin_mm
        if all(np.hypot(x - a, y - b) >= radius + c + 2.0 for a, b, c in taken):
            taken.append((x, y, radius))
            drawn.append(lesion)
    return tuple(drawn)


def _circle(bone: Bone) -> tuple[float, float, float]:
    """Return the middle (x, y) of a bone and 0.6 of its greatest reach from there, in mm."""
    x, y = (float(v) for v in bone.outline_mm.mean(axis=0))
    far = np.hypot(bone.outline_mm[:, 0] - x, bone.outline_mm[:, 1] - y)
    return x, y, 0.6 * float(far.max())


def _places(
    bone: Bone, field_mm: tuple[float, float]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the fractions along a bone whose middle lies well inside the picture."""
    inset = 0.06 * max(field_mm)
    seen = [
        float(step)
        for step in _STEPS
        for x, y, _ in (bone.point_mm(float(step), 0.0),)
        if inset < x < field_mm[0] - inset and inset < y < field_mm[1] - inset
    ]
    return np.array(seen or [0.5], dtype=np.float64)


def _half_width(bone: Bone, along: float) -> float:
    """Return the bone's half width in mm, at most 26 (where two parts of a bone are crossed)."""
    return min(bone.point_mm(along, 0.0)[2], 26.0)


def _punched_out(rng: np.random.Generator, bone: Bone, along: float) -> Lesion:
    """Return a small sharp hole without a rim, as in multiple myeloma."""
    half = _half_width(bone, along)
    return Lesion(
        bone.name, along, float(rng.uniform(-0.6, 0.6)),
        diameter_mm=max(1.6, half * float(rng.uniform(0.3, 0.75))),
        elongation=float(rng.uniform(1.0, 1.35)), angle_deg=float(rng.uniform(-90, 90)),
        removed=float(rng.uniform(0.6, 0.95)), margin_mm=float(rng.uniform(0.3, 0.5)),
        wobble=float(rng.uniform(0.02, 0.06)), shell_mm=float(rng.uniform(0.0, 0.6)),
    )  # fmt: skip


def _geographic(rng: np.random.Generator, bone: Bone, along: float) -> Lesion:
    """Return a well outlined lesion of the canal or metaphysis, often with a rim."""
    half = _half_width(bone, along)
    return Lesion(
        bone.name, along, float(rng.uniform(-0.35, 0.35)),
        diameter_mm=half * float(rng.uniform(0.8, 1.7)),
        elongation=float(rng.uniform(1.0, 1.9)), angle_deg=float(rng.uniform(-20, 20)),
        removed=float(rng.uniform(0.45, 0.85)), margin_mm=float(rng.uniform(0.5, 1.3)),
        wobble=float(rng.uniform(0.04, 0.10)), rim_mm=float(max(0.0, rng.uniform(-1.5, 2.2))),
        septa=float(max(0.0, rng.uniform(-0.5, 0.5))), shell_mm=float(rng.uniform(0.4, 1.0)),
    )  # fmt: skip


def _permeative(rng: np.random.Generator, bone: Bone, along: float) -> Lesion:
    """Return an aggressive lesion with a wide moth-eaten margin."""
    half = _half_width(bone, along)
    return Lesion(
        bone.name, along, float(rng.uniform(-0.3, 0.3)),
        diameter_mm=half * float(rng.uniform(1.0, 1.9)),
        elongation=float(rng.uniform(1.2, 2.2)), angle_deg=float(rng.uniform(-15, 15)),
        removed=float(rng.uniform(0.5, 0.8)), margin_mm=half * float(rng.uniform(0.12, 0.22)),
        wobble=float(rng.uniform(0.06, 0.12)), moth_eaten=float(rng.uniform(0.5, 1.0)),
        shell_mm=float(rng.uniform(0.0, 0.4)),
    )  # fmt: skip


def _cortical(rng: np.random.Generator, bone: Bone, along: float) -> Lesion:
    """Return an eccentric lesion that scallops or breaches one cortex."""
    half = _half_width(bone, along)
    side = -1.0 if rng.random() < 0.5 else 1.0
    return Lesion(
        bone.name, along, side * float(rng.uniform(0.62, 0.85)),
        diameter_mm=half * float(rng.uniform(0.6, 1.2)),
        elongation=float(rng.uniform(1.3, 2.4)), angle_deg=float(rng.uniform(-12, 12)),
        removed=float(rng.uniform(0.6, 0.95)), margin_mm=float(rng.uniform(0.4, 0.9)),
        wobble=float(rng.uniform(0.05, 0.10)), rim_mm=float(max(0.0, rng.uniform(-0.5, 3.0))),
        shell_mm=float(rng.uniform(0.0, 0.9)),
    )  # fmt: skip


def _expansile(rng: np.random.Generator, bone: Bone, along: float) -> Lesion:
    """Return a balloon: in a thin bone wider than the bone, elsewhere as wide as it."""
    half = _half_width(bone, along)
    widening = float(rng.uniform(1.15, 1.7)) if half < 10.0 else float(rng.uniform(0.95, 1.15))
    elongation = float(rng.uniform(1.2, 1.8))
    return Lesion(
        bone.name, along, float(rng.uniform(-0.15, 0.15)),
        diameter_mm=2.0 * half * widening * float(np.sqrt(elongation)),
        elongation=elongation, angle_deg=float(rng.uniform(-8, 8)),
        removed=float(rng.uniform(0.5, 0.9)), margin_mm=float(rng.uniform(0.4, 0.9)),
        wobble=float(rng.uniform(0.02, 0.06)), septa=float(rng.uniform(0.0, 0.8)),
        shell_mm=float(rng.uniform(0.5, 0.9)), expansile=True,
    )  # fmt: skip


_KINDS: tuple[Callable[[np.random.Generator, Bone, float], Lesion], ...] = (
    _punched_out, _geographic, _permeative, _cortical, _expansile,
)  # fmt: skip
