"""Bowel gas and stool over the bones of the trunk: dark shapes that are not lesions."""

import numpy as np

from lesionscan.simulation.body.anatomy import draw_soft
from lesionscan.simulation.body.soft_tissue import SoftBody
from lesionscan.simulation.fields import Field


def gas_loop(
    rng: np.random.Generator, path_mm: tuple[tuple[float, float], ...], half_mm: float
) -> SoftBody:
    """Draw a piece of bowel filled with gas along a path (x, y), bulging between its folds.

    Folds are one to three half widths apart, like the haustra of a colon.
    """
    middle, normal, length = _even_steps(path_mm, 0.55 * half_mm)
    steps = len(middle)
    ends = np.minimum(np.arange(steps), np.arange(steps)[::-1]) * length / max(steps - 1, 1)
    taper = np.sqrt(np.clip(0.15 + ends / half_mm, 0.0, 1.0))
    sides = []
    for sign in (1.0, -1.0):
        # folds alternate between the sides and have different depths
        folds = 0.5 + 0.5 * np.cos(np.cumsum(rng.uniform(0.7, 2.0, steps)) + np.pi * (sign > 0))
        width = half_mm * (1.1 - rng.uniform(0.15, 0.6, steps) * folds) * taper
        sides.append(middle + sign * width[:, None] * normal)
    ring = np.vstack([sides[0], sides[1][::-1]])
    return draw_soft(
        rng, tuple((float(x), float(y)) for x, y in ring),
        depth_mm=float(rng.uniform(0.3, 0.8)) * half_mm, rounding_mm=0.9 * half_mm, fat_mm=0.0,
        jitter_mm=0.03 * half_mm,
    )  # fmt: skip


def _even_steps(
    path_mm: tuple[tuple[float, float], ...], step_mm: float
) -> tuple[Field, Field, float]:
    """Return points along a path at equal steps, their normals, and the length of the path."""
    path = np.array(path_mm, dtype=np.float64)
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(int(run[-1] / step_mm), 3)
    at = np.linspace(0.0, run[-1], count)
    points = np.column_stack([np.interp(at, run, path[:, 0]), np.interp(at, run, path[:, 1])])
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    return points, np.column_stack([-tangent[:, 1], tangent[:, 0]]), float(run[-1])


def gas_bubbles(
    rng: np.random.Generator,
    centre_mm: tuple[float, float],
    spread_mm: tuple[float, float],
    *,
    count: int,
    radius_mm: tuple[float, float],
) -> tuple[SoftBody, ...]:
    """Draw round bubbles scattered about a point, like gas in small bowel or stool.

    `radius_mm` is the least and the largest radius; small ones are most frequent.
    """
    bodies = []
    for _ in range(count):
        x = centre_mm[0] + spread_mm[0] * float(rng.normal())
        y = centre_mm[1] + spread_mm[1] * float(rng.normal())
        low, high = radius_mm
        radius = low + (high - low) * float(rng.random()) ** 2
        stretch, turn = float(rng.uniform(1.0, 1.9)), float(rng.uniform(0.0, np.pi))
        ring = []
        for a in np.arange(7) * 2 * np.pi / 7:
            u, v = radius * stretch * float(np.cos(a)), radius * float(np.sin(a))
            ring.append((x + u * float(np.cos(turn)) - v * float(np.sin(turn)),
                         y + u * float(np.sin(turn)) + v * float(np.cos(turn))))  # fmt: skip
        bodies.append(draw_soft(
            rng, tuple(ring), depth_mm=float(rng.uniform(0.5, 1.1)) * radius,
            rounding_mm=0.95 * radius, fat_mm=0.0, jitter_mm=0.1 * radius,
        ))  # fmt: skip
    return tuple(bodies)
