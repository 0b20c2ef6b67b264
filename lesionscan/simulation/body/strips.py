"""Long curved bones (ribs, a clavicle): a path, a width and profiles along it, in millimetres."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from lesionscan.simulation.body.anatomy import Profiles
from lesionscan.simulation.body.bones import Bone
from lesionscan.simulation.body.outlines import Points
from lesionscan.simulation.body.person import Pose
from lesionscan.simulation.fields import Field, Knots


@dataclass(frozen=True, slots=True)
class Strip:
    """Half width and profiles of a long curved bone, as functions of the fraction of its length.

    Attributes
    ----------
    half
        Half of the width seen in the picture, in mm.
    depth, cortex
        As of a `Bone`, in mm.
    rounding
        Fraction of the half width at which the full depth is reached.
    joined
        Whether it is continued by another strip at its start and at its end: there it fades out
        over `_JOINT_MM`, while the other one fades in.
    """

    half: Knots
    depth: Knots
    cortex: Knots
    rounding: float = 0.9
    joined: tuple[bool, bool] = (False, False)


_JOINT_MM = 10.0


def strip_bone(rng: np.random.Generator, name: str, path: Field, strip: Strip, pose: Pose) -> Bone:
    """Create a bone along a path (n, 2: x, y in textbook mm from the origin of `pose`).

    Its axis runs from the first to the last point, so that fractions give places on it.
    """
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.linspace(0.0, 1.0, max(int(run[-1] / 13.0), 4) + 1)
    middle = np.column_stack([np.interp(at * run[-1], run, path[:, k]) for k in (0, 1)])
    tangent = np.gradient(middle, axis=0)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    half = np.interp(at, *np.array(strip.half).T)
    half = half * (1.0 + 0.05 * rng.standard_normal(at.size))
    cap = 0.55 * half[:, None] * tangent
    ring = np.vstack([
        middle[:1] - cap[:1], middle + half[:, None] * normal, middle[-1:] + cap[-1:],
        (middle - half[:, None] * normal)[::-1],
    ])  # fmt: skip
    start, step = path[0], path[-1] - path[0]
    length = float(np.hypot(*step))
    axis = step / length
    along = (ring - start) @ axis
    across = (ring - start) @ np.array([axis[1], -axis[0]])
    tilt = float(np.rad2deg(np.arctan2(-axis[0], axis[1])))

    # the joints need additional knots
    edge = min(_JOINT_MM / length, 0.4)
    places = np.array([0.0, 0.5 * edge, edge, 0.5, 1.0 - edge, 1.0 - 0.5 * edge, 1.0])
    first = places / edge if strip.joined[0] else np.ones(7)
    last = (1.0 - places) / edge if strip.joined[1] else np.ones(7)
    fade = np.clip(np.minimum(first, last), 0.03, 1.0)

    def knots(values: Knots, factor: Field) -> Knots:
        """Return a profile over mm of the axis."""
        value = factor * np.interp(places, *np.array(values).T)
        return tuple((float(a), float(b)) for a, b in zip(places * length, value, strict=True))

    profiles = Profiles(
        depth=knots(strip.depth, fade), cortex=knots(strip.cortex, fade),
        rounding=knots(strip.half, np.full(7, strip.rounding)), trabecular=((0.0, 0.12),),
    )  # fmt: skip
    size = pose.person.size
    at_mm = (pose.at_mm[0] + size * float(start[0]), pose.at_mm[1] + size * float(start[1]))
    return Pose(pose.person, at_mm, tilt).draw(
        rng, name, tuple((float(a), float(b)) for a, b in zip(along, across, strict=True)),
        profiles, jitter_mm=0.25, grain=0.6,
    )  # fmt: skip


def smooth_path(points: Points, step_mm: float = 2.0) -> Field:
    """Return a smooth monotone curve through points (x, y), at equal steps of its chord length."""
    place = np.array(points, dtype=np.float64)
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(place, axis=0).T))])
    at = np.linspace(0.0, run[-1], max(int(run[-1] / step_mm), 4))
    return np.column_stack([PchipInterpolator(run, place[:, k])(at) for k in (0, 1)])
