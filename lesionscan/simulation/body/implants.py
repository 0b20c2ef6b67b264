"""Implants: plates, nails, screws, wires, hip and knee prostheses, clips.

They are placed relative to the bones of the posed part, so that they follow size, pose and view.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

import numpy as np

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.metal import STEEL, Bar, Block, Metal, disc, screw
from lesionscan.simulation.body.outlines import closed_curve
from lesionscan.simulation.body.prostheses import (
    HEADS,
    hip_prosthesis,
    hip_screw,
    knee_prosthesis,
    pedicle_screws,
)
from lesionscan.simulation.fields import Field, profile

ImplantKind: TypeAlias = Literal[
    "plate", "nail", "wires", "cerclage", "skin_clips", "hip_screw", "hip_prosthesis",
    "knee_prosthesis", "pedicle_screws",
]  # fmt: skip
KINDS: tuple[ImplantKind, ...] = get_args(ImplantKind)

SHARE = 0.08
"""Fraction of random phantoms with an implant."""

_SMALL = 12.0
"""Half width in mm below which a bone gets the small plates and screws of hand and forearm."""


def kinds_for(anatomy: Anatomy) -> tuple[ImplantKind, ...]:
    """Return the kinds of implant that fit the bones of a part."""
    kinds: list[ImplantKind] = ["skin_clips"]
    if anatomy.body_part in HEADS:
        kinds += ["hip_screw", "hip_prosthesis", "hip_prosthesis"]
    elif any(_shaft(anatomy, bone) is not None for bone in _targets(anatomy)):
        kinds += ["plate", "plate", "nail", "cerclage", "wires"]
    if anatomy.body_part == "KNEE":
        kinds.append("knee_prosthesis")
    if anatomy.body_part == "LSPINE":
        kinds.append("pedicle_screws")
    return tuple(kinds)


def draw_kind(rng: np.random.Generator, anatomy: Anatomy) -> ImplantKind | None:
    """Draw a kind for `SHARE` of the phantoms, and None for the others."""
    chance, kinds = rng.random(), kinds_for(anatomy)
    kind = kinds[int(rng.integers(len(kinds)))]
    return kind if chance < SHARE else None


def implanted(rng: np.random.Generator, anatomy: Anatomy, kind: ImplantKind) -> Anatomy:
    """Return the posed part with an implant.

    Raises
    ------
    ValueError
        If there is no such kind, or it fits no bone of the part.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown implant {kind!r}; known: {', '.join(KINDS)}")
    if kind not in kinds_for(anatomy):
        fitting = ", ".join(dict.fromkeys(kinds_for(anatomy)))
        raise ValueError(f"no {kind} fits {anatomy.body_part}; what fits: {fitting}")
    return _BUILDERS[kind](rng, anatomy)


def _targets(anatomy: Anatomy) -> tuple[Bone, ...]:
    """Return the target bones, each once."""
    return tuple(anatomy.bone(name) for name in dict.fromkeys(anatomy.targets))


def _shaft(anatomy: Anatomy, bone: Bone, most: float = 0.12) -> tuple[float, float] | None:
    """Return the fractions between which a bone has a visible shaft, or None.

    `most` is the largest trabecular fraction of a shaft.
    """
    low, high = bone.reach()
    if high - low < 25.0 or min(value for _, value in bone.trabecular) > 0.08:
        return None
    steps = np.linspace(0.04, 0.96, 47)
    sparse = profile(bone.trabecular, low + steps * (high - low)) < most
    width, height = anatomy.field_mm
    seen = [
        float(step)
        for step in steps[sparse]
        for x, y, _ in (bone.point_mm(float(step), 0.0),)
        if -15 < x < width + 15 and -15 < y < height + 15
    ]
    return (seen[0], seen[-1]) if len(seen) > 4 else None


def _choose(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Bone, tuple[float, float]]:
    """Draw a bone with a visible shaft, and return it with the fractions of the shaft."""
    found = [(bone, span) for bone in _targets(anatomy)
             for span in (_shaft(anatomy, bone),) if span is not None]  # fmt: skip
    return found[int(rng.integers(len(found)))]


def _line(bone: Bone, fractions: Field, across: float, aside_mm: float = 0.0) -> Field:
    """Return points (n, 2) along a bone at a position across it, moved aside by some mm."""
    out = []
    for step in fractions:
        x, y, half = bone.point_mm(float(step), 0.0)
        x, y, half = bone.point_mm(float(step), across + aside_mm / max(half, 1.0))
        out.append((x, y))
    return np.array(out)


def _plate(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return the part with a plate and screws along a shaft, seen edge-on or from the front."""
    bone, (first, last) = _choose(rng, anatomy)
    share = float(rng.uniform(0.35, 0.8)) * (last - first)
    start = float(rng.uniform(first, last - share))
    steps = np.linspace(start, start + share, 9)
    half_bone = bone.point_mm(float(steps[4]), 0.0)[2]
    small = half_bone < _SMALL
    density = STEEL if rng.random() < 0.5 else 1.0
    half_screw = (0.9 if small else 1.9) * float(rng.uniform(0.9, 1.15))
    line = _line(bone, steps, 0.0)
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    count = max(int(length / (4.2 * half_screw + 7.0)), 3)
    places = np.linspace(start + 0.05 * share, start + 0.95 * share, count)
    used = rng.random(count) < 0.8
    if rng.random() < 0.5:
        return anatomy.with_metal(*_plate_from_side(
            bone, steps, places[used], side=float(rng.choice([-1.0, 1.0])), half=half_screw,
            density=density))  # fmt: skip
    # from the front: a strip with holes, screws seen end-on
    across = float(rng.uniform(-0.25, 0.25))
    half = min(2.3 * half_screw + 1.0, 0.75 * half_bone)
    strip = _line(bone, steps, across)
    normal = _normals(strip)
    ring = np.vstack([strip + half * normal, (strip - half * normal)[::-1]])
    centres = _line(bone, places, across)
    holes = tuple((float(x), float(y), 1.05 * half_screw)
                  for (x, y), taken in zip(centres, used, strict=True) if not taken)  # fmt: skip
    pieces: list[Metal] = [Block(closed_curve(ring), (2.0 if small else 3.6) * density, 0.8, holes)]
    depth = 1.8 * half_bone * density
    for centre in centres[used]:
        pieces.append(Block(disc(centre, half_screw), depth, 0.5 * half_screw))
        pieces.append(Block(disc(centre, 1.7 * half_screw), 2.0 * density, 0.6))
    return anatomy.with_metal(*pieces)


def _plate_from_side(
    bone: Bone, steps: Field, places: Field, *, side: float, half: float, density: float
) -> tuple[Metal, ...]:
    """Return a plate seen edge-on at one side of a bone, its screws crossing the bone."""
    thick = 0.55 * half + 0.4
    plate = Bar(_line(bone, steps, side, side * thick), thick, 4.0 * half * density, is_round=False)
    pieces: list[Metal] = [plate]
    for head, tip in zip(
        _line(bone, places, side, side * 2.0 * thick),
        _line(bone, places, -1.12 * side),
        strict=True,
    ):
        pieces.extend(screw(head, tip, half, density=density))
    return tuple(pieces)


def _normals(line: Field) -> Field:
    """Return unit vectors (n, 2) across a line."""
    tangent = np.gradient(line, axis=0)
    tangent = tangent / np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    return np.column_stack([-tangent[:, 1], tangent[:, 0]])


def _nail(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return the part with an intramedullary nail and locking screws."""
    bone, (first, last) = _choose(rng, anatomy)
    steps = np.linspace(max(first - 0.05, 0.03), min(last + 0.05, 0.97), 7)
    halves = [bone.point_mm(float(step), 0.0)[2] for step in steps]
    half = float(np.clip(0.36 * min(halves), 0.9, 6.0))
    line = _line(bone, steps, 0.0)
    density = 1.0 if rng.random() < 0.7 else STEEL
    # titanium nails are hollow: less metal in the middle
    pieces: list[Metal] = [Bar(line, half, 1.5 * half * density)]
    lock = max(0.42 * half, 0.7)
    for place in (steps[0] + 0.02, steps[0] + 0.06, steps[-1] - 0.06, steps[-1] - 0.02):
        if rng.random() < 0.75:
            head = _line(bone, np.array([place]), -0.95)[0]
            tip = _line(bone, np.array([place + 0.002]), 0.95)[0]
            pieces.extend(screw(head, tip, lock, density=density))
    return anatomy.with_metal(*pieces)


def _wires(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return the part with two to four Kirschner wires crossing in one bone."""
    bone, (first, last) = _choose(rng, anatomy)
    half = float(rng.uniform(0.6, 1.0))
    pieces: list[Metal] = []
    for _ in range(int(rng.integers(2, 5))):
        middle = float(rng.uniform(first, last))
        width = bone.point_mm(middle, 0.0)[2]
        low, high = bone.reach()
        reach = float(rng.uniform(1.0, 2.2)) * width / ((high - low) * bone.scale)
        side = float(rng.choice([-1.0, 1.0]))
        ends = np.clip([middle - reach, middle + reach], 0.02, 0.98)
        start = _line(bone, ends[:1], -1.5 * side)[0]
        stop = _line(bone, ends[1:], 0.9 * side)[0]
        # the end outside the bone is bent over
        hook = start + 4.0 * half * np.array([0.6 * side, -1.0])
        pieces.append(Bar(np.array([hook, start, stop]), half, 2 * half * STEEL))
    return anatomy.with_metal(*pieces)


def _cerclage(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return the part with wire loops round a shaft, each with its twisted end."""
    bone, (first, last) = _choose(rng, anatomy)
    pieces: list[Metal] = []
    middle = float(rng.uniform(first, last))
    low, high = bone.reach()
    for number in range(int(rng.integers(1, 4))):
        place = middle + number * float(rng.uniform(14, 24)) / ((high - low) * bone.scale)
        if not first <= place <= last:
            continue
        tilt = float(rng.normal(0.0, 2.0)) / ((high - low) * bone.scale)
        across = np.linspace(-1.04, 1.04, 9)
        for bulge in (1.0, -1.0):
            sag = bulge * 0.04 * bone.point_mm(place, 0.0)[2] / ((high - low) * bone.scale)
            loop = np.array([
                bone.point_mm(float(np.clip(place + tilt * c + sag * (1 - c * c), 0, 1)), float(c))
                for c in across])[:, :2]  # fmt: skip
            pieces.append(Bar(loop, 0.5, STEEL))
        end = _line(bone, np.array([place]), 1.04)[0]
        twist = end + np.array([[0.0, 0.0], [1.5, -3.0], [2.5, -7.0]])
        pieces.append(Bar(twist, 0.8, 1.6 * STEEL, pitch_mm=1.2))
    return anatomy.with_metal(*pieces)


def _skin_clips(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Return the part with a row of steel skin clips over a bone."""
    bone = _targets(anatomy)[int(rng.integers(len(_targets(anatomy))))]
    width, height = anatomy.field_mm
    at = np.array([bone.point_mm(s, 0.0)[:2] for s in np.linspace(0.05, 0.95, 19)])
    inside = (at[:, 0] > 0) & (at[:, 0] < width) & (at[:, 1] > 0) & (at[:, 1] < height)
    x, y = at[inside][int(rng.integers(inside.sum()))] if inside.any() else (width / 2, height / 2)
    axis = np.array(bone.direction)
    side = np.array([axis[1], -axis[0]])
    start = np.array([x, y]) + float(rng.uniform(-25, 25)) * side
    pieces: list[Metal] = []
    for number in range(int(rng.integers(5, 16))):
        middle = start + number * 7.5 * axis + float(rng.normal(0, 0.8)) * side
        turn = float(rng.normal(0, 0.25))
        along = np.array([side[0] * np.cos(turn) - side[1] * np.sin(turn),
                          side[0] * np.sin(turn) + side[1] * np.cos(turn)])  # fmt: skip
        legs = float(rng.uniform(0.3, 1.0)) * np.array([-along[1], along[0]])
        ends = np.array([middle - 1.6 * along + 2.2 * legs, middle - 3.0 * along,
                         middle + 3.0 * along, middle + 1.6 * along + 2.2 * legs])  # fmt: skip
        pieces.append(Bar(ends, 0.28, 0.55 * STEEL))
    return anatomy.with_metal(*pieces)


_BUILDERS: Mapping[ImplantKind, Callable[[np.random.Generator, Anatomy], Anatomy]] = (
    MappingProxyType({
        "plate": _plate, "nail": _nail, "wires": _wires, "cerclage": _cerclage,
        "skin_clips": _skin_clips, "hip_screw": hip_screw, "hip_prosthesis": hip_prosthesis,
        "knee_prosthesis": knee_prosthesis, "pedicle_screws": pedicle_screws,
    })
)  # fmt: skip
