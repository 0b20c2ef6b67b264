"""Decoys added to a part: foramina, folds of skin, gas in soft tissue."""

from dataclasses import replace

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.lucencies import Foramen
from lesionscan.simulation.body.outlines import closed_curve
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.fields import Field, profile


def with_decoys(
    rng: np.random.Generator, anatomy: Anatomy, *, foramina: int, skin_folds: int, soft_gas: int
) -> Anatomy:
    """Return a part with given numbers of nutrient foramina, folds of skin and bubbles of gas.

    Foramina are placed in shafts of target bones; a part without a shaft gets none.
    """
    shafts = [name for name in anatomy.targets if _spongiest(anatomy.bone(name)) < 0.06]
    bones = {bone.name: bone for bone in anatomy.bones}
    for _ in range(foramina if shafts else 0):
        name = shafts[int(rng.integers(len(shafts)))]
        hole = _foramen(rng, bones[name], anatomy.field_mm)
        bones[name] = replace(bones[name], foramina=(*bones[name].foramina, hole))
    width, height = anatomy.field_mm
    folds = tuple(
        _skin_fold(rng, (float(rng.uniform(0.2, 0.8)) * width, float(rng.uniform(0.1, 0.9))
                         * height), 0.6 * width)
        for _ in range(skin_folds)
    )  # fmt: skip
    # gas is placed in soft tissue beside a bone
    bone = bones[anatomy.targets[int(rng.integers(len(anatomy.targets)))]]
    x, y, half = bone.point_mm(float(rng.uniform(0.1, 0.9)), 0.0)
    at = (
        min(max(x + half + 8.0, 0.1 * width), 0.9 * width),
        min(max(y, 0.1 * height), 0.9 * height),
    )
    bubbles = tuple(_bubble(rng, at) for _ in range(soft_gas))
    return replace(
        anatomy,
        bones=tuple(bones.values()),
        soft=(*anatomy.soft, *folds),
        gas=(*anatomy.gas, *bubbles),
    )


def _spongiest(bone: Bone) -> float:
    """Return the least trabecular fraction along a bone; a bone with a shaft has less than 0.06."""
    return min(value for _, value in bone.trabecular)


def _foramen(rng: np.random.Generator, bone: Bone, field_mm: tuple[float, float]) -> Foramen:
    """Draw a nutrient foramen of 1.5 to 2 mm in the visible shaft of a bone."""
    steps = np.linspace(0.05, 0.95, 37)
    low, high = bone.reach()
    sparse = profile(bone.trabecular, low + steps * (high - low)) < 0.08
    seen = [
        float(step)
        for step in steps[sparse]
        for x, y, _ in (bone.point_mm(float(step), 0.0),)
        if 0 < x < field_mm[0] and 0 < y < field_mm[1]
    ]
    step = seen[int(rng.integers(len(seen)))] if seen else 0.5
    x, y, half = bone.point_mm(step, float(rng.uniform(-0.45, 0.45)))
    along, across = bone.local(np.array(x), np.array(y))
    radius = min(float(rng.uniform(0.75, 1.0)), 0.25 * half) / bone.scale
    return Foramen(float(along), float(across), radius, float(rng.uniform(0.2, 0.4)))


def _skin_fold(rng: np.random.Generator, at: tuple[float, float], length: float) -> SoftBody:
    """Draw a fold of skin: a long band 3 to 8 mm wide that adds a few mm of tissue."""
    angle = float(rng.uniform(-0.5, 0.5))
    half, bend = float(rng.uniform(1.5, 4.0)), float(rng.normal(0.0, 0.08))
    axis, side = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    t = np.linspace(-0.5, 0.5, 7)[:, None]
    middle = np.array(at) + length * (t * axis + bend * (1.0 - 4.0 * t**2) * side)
    width = half * np.sqrt(np.maximum(1.0 - 3.6 * t**2, 0.1))
    ring: Field = np.vstack([middle + width * side, (middle - width * side)[::-1]])
    depth = float(rng.uniform(1.5, 4.5))
    return SoftBody(closed_curve(ring), depth, half, 0.0, fade_mm=0.5, fold=True)


def _bubble(rng: np.random.Generator, at: tuple[float, float]) -> SoftBody:
    """Draw a small bubble of gas near a place, as from an open wound or an infection."""
    half = float(rng.uniform(0.8, 3.0))
    x, y = at[0] + 6.0 * rng.standard_normal(), at[1] + 14.0 * rng.standard_normal()
    angle = np.arange(6) * np.pi / 3
    swing = 1.0 + 0.15 * rng.standard_normal(6)
    ring = np.column_stack(
        [x + half * swing * np.cos(angle), y + 1.5 * half * swing * np.sin(angle)]
    )
    return SoftBody(closed_curve(ring), float(rng.uniform(1.5, 5.0)), half, 0.0)
