"""Pieces of metal as thickness maps: bars, and blocks with an outline."""

from dataclasses import dataclass

import numpy as np

from lesionscan.simulation.body.outlines import signed_distance_mm
from lesionscan.simulation.body.strokes import stroke_distance_mm
from lesionscan.simulation.fields import Field, Grid, Window, smooth_step

STEEL = 2.7
"""Thickness of titanium alloy that attenuates as much as steel 316L of thickness 1: at 60 keV, 9.5
and 3.5 per cm (NIST XCOM, iron at 7.9 and titanium at 4.5 g/cm3)."""
COBALT_CHROME = 3.1
"""The same for cobalt-chrome, the material of heads of hips and of knees."""


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """A wire, screw, nail or a plate seen edge-on: a line with a width.

    Attributes
    ----------
    line_mm
        (n, 2), x and y of its corners in image mm.
    half_mm
        Half of its width in the picture, in mm.
    depth_mm
        Full thickness along the beam, as titanium, in mm.
    is_round
        Whether it is a cylinder (thickest in the middle) or a strip.
    pitch_mm
        Pitch of a screw's thread, or 0; the width varies by a tenth of it.
    """

    line_mm: Field
    half_mm: float
    depth_mm: float
    is_round: bool = True
    pitch_mm: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A plate seen from the front, a ball, a stem: an outline with elliptic sides.

    Attributes
    ----------
    outline_mm
        Closed polygon (n, 2: x, y), in image mm.
    depth_mm, rounding_mm
        Full thickness along the beam as titanium, and the distance from the outline at which it is
        reached, in mm.
    holes
        x, y and radius of round holes, in mm.
    """

    outline_mm: Field
    depth_mm: float
    rounding_mm: float
    holes: tuple[tuple[float, float, float], ...] = ()


Metal = Bar | Block


def disc(centre_mm: Field, radius: float) -> Field:
    """Return a circle about a point (x, y) as a polygon (n, 2)."""
    angle = np.arange(32) * np.pi / 16
    return centre_mm + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def screw(start: Field, stop: Field, half: float, *, density: float) -> tuple[Metal, ...]:
    """Return a screw from its head to its tip, in image mm."""
    axis = (stop - start) / max(float(np.hypot(*(stop - start))), 1e-9)
    body = Bar(np.array([start, stop]), half, 2 * half * density, pitch_mm=1.1 * half)
    head = Bar(np.array([start - 0.4 * half * axis, start + 0.8 * half * axis]), 1.9 * half,
               3.4 * half * density)  # fmt: skip
    return body, head


def metal_mm(pieces: tuple[Metal, ...], grid: Grid) -> Field:
    """Return the thickness of metal along the beam, as titanium, in mm."""
    total = np.zeros(grid.shape)
    for piece in pieces:
        if isinstance(piece, Bar):
            _add_bar(piece, grid, total)
        else:
            _add_block(piece, grid, total)
    return total


def _add_bar(bar: Bar, grid: Grid, total: Field) -> None:
    """Add a bar; one narrower than a pixel is drawn a pixel wide with reduced thickness."""
    half = max(bar.half_mm, 0.6 * grid.spacing_mm)
    reach = half + 2.0 * grid.spacing_mm + 1.0
    window = Window.around(grid, bar.line_mm, margin_mm=reach)
    if min(window.shape) < 1:
        return
    away = stroke_distance_mm(window, bar.line_mm, reach_mm=reach)
    width: Field | float = half
    if bar.pitch_mm > 2.5 * grid.spacing_mm:
        x, y = window.coordinates_mm()
        axis = bar.line_mm[-1] - bar.line_mm[0]
        axis = axis / max(float(np.hypot(axis[0], axis[1])), 1e-9)
        turns = (x * axis[0] + y * axis[1]) / bar.pitch_mm
        width = half * (1.0 + 0.1 * np.sin(2.0 * np.pi * turns))
    full = bar.depth_mm * bar.half_mm / half
    edge = smooth_step((width - away) / max(0.6 * grid.spacing_mm, 0.05))
    bulge = np.sqrt(np.clip(1.0 - (away / (1.02 * np.asarray(width))) ** 2, 0.0, 1.0))
    total[window.slices] += full * edge * (bulge if bar.is_round else 1.0)


def _add_block(block: Block, grid: Grid, total: Field) -> None:
    """Add a block with its holes."""
    window = Window.around(grid, block.outline_mm, margin_mm=2.0 + 2.0 * grid.spacing_mm)
    if min(window.shape) < 4:
        return
    distance = signed_distance_mm(window, block.outline_mm)
    x, y = window.coordinates_mm()
    for hole_x, hole_y, radius in block.holes:
        distance = np.minimum(distance, np.hypot(x - hole_x, y - hole_y) - radius)
    t = np.clip(distance / block.rounding_mm, 0.0, 1.0)
    edge = smooth_step(distance / max(0.6 * grid.spacing_mm, 0.05))
    total[window.slices] += block.depth_mm * np.sqrt(t * (2.0 - t)) * edge
