"""Soft tissue around bones: muscle in a coat of fat, fat planes, gas."""

from dataclasses import dataclass, replace

import numpy as np

from lesionscan.simulation.body.outlines import distance_beyond_mm
from lesionscan.simulation.fields import Field, Grid, Window, gaussian, random_field, smooth_step


@dataclass(frozen=True, slots=True, eq=False)
class SoftBody:
    """A limb, a finger or a trunk: an outline with elliptic sides.

    Attributes
    ----------
    outline_mm
        Closed polygon (n, 2: x, y), in mm.
    depth_mm
        Full thickness along the beam, in mm.
    rounding_mm
        Distance from the outline at which the full thickness is reached, in mm.
    fat_mm
        Thickness of the layer of fat under the skin, in mm.
    fade_mm
        Standard deviation of a blur, for a muscle belly without a visible edge.
    fold
        Whether it is a fold of the skin of the previous bodies, and clipped to them.
    beyond_mm
        How far outside the picture its surface is taken into account (see `distance_beyond_mm`).
    grow_mm
        Distance of the surface outside the outline, positive for a stout person.
    """

    outline_mm: Field
    depth_mm: float
    rounding_mm: float
    fat_mm: float
    fade_mm: float = 0.0
    beyond_mm: float = 0.0
    grow_mm: float = 0.0
    fold: bool = False

    def turned(self, angle_deg: float, centre_mm: tuple[float, float]) -> "SoftBody":
        """Return the body rotated about a point, clockwise on the screen."""
        angle = np.deg2rad(angle_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = np.array(centre_mm)
        return replace(self, outline_mm=(self.outline_mm - centre) @ turn + centre)

    def moved(self, step_mm: tuple[float, float]) -> "SoftBody":
        """Return the body shifted by (x, y) millimetres."""
        return replace(self, outline_mm=self.outline_mm + np.array(step_mm))


def soft_tissue_mm(
    rng: np.random.Generator,
    bodies: tuple[SoftBody, ...],
    gas: tuple[SoftBody, ...],
    grid: Grid,
    *,
    grain: tuple[float, float],
    planes: float,
) -> tuple[Field, Field]:
    """Compute the thickness of muscle and of fat, in mm, without subtracting bones.

    `grain` is the direction of the muscles; `planes` the strength of fat planes between them.
    """
    total, lean = np.zeros(grid.shape), np.zeros(grid.shape)
    for body in bodies:
        window, distance = _distance(body, grid)
        fade = body.fade_mm / grid.spacing_mm
        outer = gaussian(_chord(distance, body.depth_mm, body.rounding_mm), sigma_px=fade)
        part = total[window.slices]
        if body.fold:
            outer = outer * smooth_step(part / 20.0 - 1.0)
        # a blurred belly is added to its limb; other bodies merge
        np.copyto(part, part + outer if fade else np.maximum(part, outer))
        inner = _chord(
            distance - body.fat_mm,
            body.depth_mm - 2 * body.fat_mm,
            max(body.rounding_mm - body.fat_mm, 1.0),
        )
        inner = gaussian(inner, sigma_px=fade)
        part = lean[window.slices]
        np.copyto(part, part + inner if fade else np.maximum(part, inner))
    # creases between merged bodies are filled over about 1.5 mm
    total = gaussian(total, sigma_px=0.7 / grid.spacing_mm)
    lean = gaussian(lean, sigma_px=1.6 / grid.spacing_mm)
    whole = Window(grid, 0, grid.rows, 0, grid.cols)
    sheets = random_field(
        rng, whole, wavelengths_mm=(4.0, 60.0), exponent=3.0, stretch=5.0, direction=grain
    )
    clouds = random_field(rng, whole, wavelengths_mm=(5.0, 80.0), exponent=3.0)
    lean = lean * (1.0 - planes * (0.9 * np.exp(-((sheets / 0.35) ** 2)) + 0.10 * sheets))
    lean = np.minimum(lean * (1.0 + 0.35 * planes * clouds), total)
    for bubble in gas:
        window, distance = _distance(bubble, grid)
        hole = _chord(distance, bubble.depth_mm, bubble.rounding_mm)
        for tissue in (total, lean):
            part = tissue[window.slices]
            np.maximum(part - hole, 0.0, out=part)
    # skin is as dense as muscle, 1.3 mm thick along the silhouette
    skin = 2.2 * smooth_step(total / 3.0)
    lean = np.minimum(lean + skin, total)
    return lean, np.maximum(total - lean, 0.0)


def _distance(body: SoftBody, grid: Grid) -> tuple[Window, Field]:
    """Return the window of a body and the signed distance to its surface, in mm."""
    margin = 2.0 + 3.0 * body.fade_mm + max(body.grow_mm, 0.0)
    window = Window.around(grid, body.outline_mm, margin_mm=margin)
    distance = distance_beyond_mm(window, body.outline_mm, beyond_mm=body.beyond_mm)
    return window, distance + body.grow_mm if body.grow_mm else distance


def _chord(distance: Field, depth_mm: float, rounding_mm: float) -> Field:
    """Return the thickness of a body with elliptic sides at a distance inside its outline."""
    t = np.clip(distance / rounding_mm, 0.0, 1.0)
    return max(depth_mm, 0.0) * np.sqrt(t * (2.0 - t))
