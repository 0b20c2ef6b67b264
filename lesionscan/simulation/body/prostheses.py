"""Hip screw, hip and knee prostheses, and pedicle screws."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.metal import COBALT_CHROME, STEEL, Bar, Block, Metal, disc, screw
from lesionscan.simulation.body.outlines import closed_curve
from lesionscan.simulation.fields import Field

# femur, centre of its head (along, across) in local mm
HEADS: Mapping[str, tuple[tuple[str, tuple[float, float]], ...]] = MappingProxyType({
    "HIP": (("femur", (43.5, 91.0)),),
    "PELVIS": (("femur_right", (0.0, 0.0)), ("femur_left", (0.0, 0.0))),
})  # fmt: skip
_HEAD_MM = 23.0


def _hip_places(
    rng: np.random.Generator, anatomy: Anatomy
) -> tuple[Bone, Field, Field, Callable[[float, float], Field]]:
    """Return a femur, the centre of its head, its unit vector to the midline, and its shaft.

    The last is a function of the distance below the head in mm and of the position across.
    """
    heads = HEADS[anatomy.body_part]
    name, local = heads[int(rng.integers(len(heads)))]
    bone = anatomy.bone(name)
    head = bone.placed((local,))[0]
    low, high = bone.reach()

    def shaft(below_mm: float, across: float) -> Field:
        """Return a point on the shaft, (2,)."""
        fraction = (local[0] + below_mm / bone.scale - low) / (high - low)
        return np.array(bone.point_mm(float(np.clip(fraction, 0.02, 0.98)), across)[:2])

    inward = head - shaft(110.0, 0.0)
    normal = np.array([bone.direction[1], -bone.direction[0]])
    return bone, head, normal * np.sign(float(inward @ normal)), shaft


def hip_screw(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return a hip with a dynamic hip screw: lag screw in neck and head, plate along the shaft."""
    bone, head, inward, shaft = _hip_places(rng, anatomy)
    outer = -1.0 if float((shaft(110.0, 1.0) - shaft(110.0, 0.0)) @ inward) > 0 else 1.0
    size = bone.scale
    entry = shaft(68.0 * size, outer)
    neck = (head - entry) / float(np.hypot(*(head - entry)))
    tip = head + 9.0 * size * neck
    barrel = Bar(np.array([entry - 2.0 * neck, entry + 36.0 * size * neck]), 6.2, 7.0 * STEEL)
    lag = Bar(np.array([entry, tip]), 3.9, 7.8 * STEEL)
    thread = Bar(np.array([tip - 22.0 * size * neck, tip]), 6.2, 5.0 * STEEL, pitch_mm=3.0)
    low = float(rng.uniform(125.0, 165.0))
    line = np.array([shaft(at * size, outer) for at in np.linspace(62.0, low, 6)]) - 3.0 * inward
    pieces: list[Metal] = [barrel, lag, thread, Bar(line, 2.9, 14.0 * STEEL, is_round=False)]
    for at in np.arange(88.0, low - 4.0, 16.0):
        pieces.extend(screw(shaft(at * size, outer) - 4.0 * inward,
                             shaft(at * size, -1.1 * outer), 2.2, density=STEEL))  # fmt: skip
    return anatomy.with_metal(*pieces)


def hip_prosthesis(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return a hip with a prosthesis (stem, neck, head, cup) and without the femoral head."""
    bone, head, inward, shaft = _hip_places(rng, anatomy)
    size = bone.scale
    down = np.array(bone.direction)
    density = 1.0 if rng.random() < 0.6 else COBALT_CHROME
    shoulder = shaft(62.0 * size, 0.0) + 6.0 * inward
    tip = shaft(float(rng.uniform(165.0, 195.0)) * size, 0.0)
    calcar = shaft(78.0 * size, 0.0) + 14.0 * inward
    middle = shaft(120.0 * size, 0.0)
    half = 0.34 * float(np.hypot(*(shaft(150.0 * size, 1.0) - shaft(150.0 * size, -1.0)))) / 2.0
    stem = np.array([
        shoulder - 13.0 * inward, middle - 1.35 * half * inward, tip - 0.9 * half * inward,
        tip + 0.6 * half * down, tip + 0.9 * half * inward, middle + 1.5 * half * inward,
        calcar, shoulder + 9.0 * inward - 10.0 * down,
    ])  # fmt: skip
    ball = float(rng.uniform(14.0, 18.0)) * size
    cup = _HEAD_MM * size * float(rng.uniform(1.06, 1.16))
    axis = 0.72 * inward - 0.69 * down
    facing = float(np.arctan2(axis[1], axis[0]))
    angle = facing + np.linspace(-0.5 * np.pi, 0.5 * np.pi, 17)
    shell = np.column_stack([np.cos(angle), np.sin(angle)])
    cover = Block(np.vstack([head + cup * shell, (head + (cup - 4.5) * shell)[::-1]]),
                  14.0 * density, 2.4)  # fmt: skip
    pieces: tuple[Metal, ...] = (
        cover,
        Block(disc(head, cup - 0.5), 2.5 * density, 6.0),
        Block(disc(head, ball), 1.7 * ball * COBALT_CHROME, ball),
        Bar(np.array([shoulder, head]), 6.0, 10.0 * density),
        Block(closed_curve(stem), 1.6 * half * density, half),
    )
    # the neck is cut obliquely above the lesser trochanter
    cut = 20.0 * inward - 16.0 * down
    edge = shaft(66.0 * size, 0.0)
    gone = np.array([
        edge - 2.0 * inward - 8.0 * down, calcar + 8.0 * inward, calcar + 55.0 * inward,
        head + 34.0 * inward - 34.0 * down, head - 30.0 * down - 30.0 * inward, edge + cut * 0.6,
    ])  # fmt: skip
    bones = tuple(
        replace(other, hole_mm=closed_curve(gone)) if other.name == bone.name else other
        for other in anatomy.bones
    )
    return replace(anatomy, bones=bones).with_metal(*pieces)


def knee_prosthesis(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return a knee with a prosthesis: shield over the condyles, tray and keel in the tibia."""
    femur, tibia = anatomy.bone("femur"), anatomy.bone("tibia")
    lateral = anatomy.view != "AP"
    along, across = femur.local(femur.outline_mm[:, 0], femur.outline_mm[:, 1])
    end = float(along.max())
    low = along > end - (40.0 if lateral else 26.0)
    middle = float(across[low].mean())
    # from one side of the condyles round their end to the other
    rim = np.argsort(np.arctan2(across[low] - middle, along[low] - end + 40.0))
    edge = femur.outline_mm[low][rim]
    shield: Metal
    if lateral:
        shield = Bar(edge, 4.0, 55.0, is_round=False)
    else:
        wide = float(np.ptp(across[low]))
        inner = [(end - 15.0, middle + 0.46 * wide), (end - 12.0, middle + 0.2 * wide),
                 (end - 12.0, middle - 0.2 * wide), (end - 15.0, middle - 0.46 * wide)]  # fmt: skip
        ring = np.vstack([edge, femur.placed(tuple(inner))])
        shield = Block(ring, 12.0 * COBALT_CHROME, 4.0)
    top = tibia.reach()[0]
    s, t = tibia.local(tibia.outline_mm[:, 0], tibia.outline_mm[:, 1])
    lid = t[s < top + 16.0]
    left, right = float(lid.min()) + 1.0, float(lid.max()) - 1.0
    centre = 0.5 * (left + right)
    down = float(rng.uniform(34.0, 52.0))
    tray = Bar(tibia.placed(((top + 9.0, left), (top + 9.0, right))), 2.2, 24.0, is_round=False)
    keel = Bar(tibia.placed(((top + 9.0, centre), (top + down, centre))), 5.5, 9.0)
    if lateral:
        return anatomy.with_metal(shield, tray, keel)
    fins = Bar(tibia.placed(((top + 12.0, centre - 16.0), (top + 28.0, centre),
                             (top + 12.0, centre + 16.0))), 1.6, 6.0, is_round=False)  # fmt: skip
    return anatomy.with_metal(shield, tray, keel, fins)


def pedicle_screws(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return a lumbar spine with pedicle screws in two to four vertebrae and rods beside it."""
    count = int(rng.integers(2, 5))
    first = int(rng.integers(1, 7 - count))
    levels = [f"L{number}" for number in range(first, first + count)]
    pieces: list[Metal] = []
    if anatomy.view == "AP":
        for side in ("right", "left"):
            heads = []
            for level in levels:
                pedicle = anatomy.bone(f"{level}_pedicle_{side}").outline_mm.mean(axis=0)
                middle = anatomy.bone(level).outline_mm.mean(axis=0)
                inward = (middle - pedicle) * np.array([1.0, 0.2])
                inward = inward / float(np.hypot(*inward))
                head = pedicle - 5.0 * inward
                heads.append(head)
                pieces.append(Bar(np.array([head, pedicle + 11.0 * inward]), 2.7, 24.0,
                                  pitch_mm=2.6))  # fmt: skip
                pieces.append(Block(disc(head, 6.0), 14.0, 2.0))
            pieces.append(_rod(heads))
        return anatomy.with_metal(*pieces)
    heads = []
    for level in levels:
        body = anatomy.bone(level)
        start, tip, behind = body.placed(((40.0, -5.0), (-11.0, -4.0), (46.0, -5.0)))
        pieces.append(Bar(np.array([start, tip]), 2.9, 9.0, pitch_mm=2.8))
        pieces.append(Bar(np.array([start, behind]), 6.0, 20.0, is_round=False))
        heads.append(behind)
    pieces.append(_rod(heads))
    return anatomy.with_metal(*pieces)


def _rod(heads: list[Field]) -> Bar:
    """Return the rod that joins screw heads and extends a little beyond them."""
    line = np.array(heads)
    first, last = line[0] - line[1], line[-1] - line[-2]
    ends = (line[0] + 8.0 * first / np.hypot(*first), line[-1] + 8.0 * last / np.hypot(*last))
    return Bar(np.vstack([ends[0], line[1:-1], ends[1]]), 2.75, 5.5)
