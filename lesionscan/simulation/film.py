"""What lies on a film besides anatomy: collimation, lead markers, the maker's tone curve."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from lesionscan.simulation.fields import Field, Grid, smooth_step

Photometric: TypeAlias = Literal["MONOCHROME1", "MONOCHROME2"]
Laterality: TypeAlias = Literal["L", "R"]
Collimation: TypeAlias = Literal["none", "shutter", "bright"]
Marker: TypeAlias = Literal["none", "plain", "ring"]

LEAD_ATTENUATION = 5.5
"""A lead letter of 1 mm passes even less; scatter fills its shadow."""


@dataclass(frozen=True, slots=True)
class Film:
    """How a phantom is exposed, marked and stored.

    Attributes
    ----------
    photometric
        PhotometricInterpretation; MONOCHROME1 stores bone dark.
    bits
        BitsStored, 8 to 16.
    laterality
        ImageLaterality, and the letter of the marker.
    collimation
        "none": the field fills the picture; "shutter": black outside the field; "bright": the
        unexposed border as the detector saw it, white where bone is bright.
    border_mm
        How far the collimated field's edges lie from the picture's, in mm.
    tilt_deg
        Turn of the collimated field, in degrees.
    marker
        Lead letter: none, plain, or in a ring.
    dose
        Detector dose over the usual 2.5 uGy.
    detail, compression
        Of the maker's processing (see `physics.ToneCurve`).

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    photometric: Photometric = "MONOCHROME2"
    bits: int = 12
    laterality: Laterality = "R"
    collimation: Collimation = "none"
    border_mm: float = 8.0
    tilt_deg: float = 0.0
    marker: Marker = "plain"
    dose: float = 1.0
    detail: float = 0.35
    compression: float = 0.35

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 16:
            raise ValueError(f"bits must be 8 to 16, got {self.bits}")
        if not 0 <= self.border_mm <= 60:
            raise ValueError(f"border_mm must be 0 to 60, got {self.border_mm!r}")
        if not abs(self.tilt_deg) <= 20:
            raise ValueError(f"tilt_deg must be -20 to 20, got {self.tilt_deg!r}")
        if not 0.02 <= self.dose <= 50:
            raise ValueError(f"dose must be 0.02 to 50, got {self.dose!r}")


def draw_film(rng: np.random.Generator) -> Film:
    """Return a film as archives hold them: every polarity, depth, border and marker."""
    photometric: Photometric = "MONOCHROME1" if rng.random() < 0.35 else "MONOCHROME2"
    laterality: Laterality = "L" if rng.random() < 0.5 else "R"
    collimations: tuple[Collimation, ...] = ("none", "none", "shutter", "bright")
    markers: tuple[Marker, ...] = ("none", "plain", "plain", "ring")
    return Film(
        photometric=photometric,
        bits=int(rng.integers(10, 15)),
        laterality=laterality,
        collimation=collimations[int(rng.integers(4))],
        border_mm=float(rng.uniform(3.0, 14.0)),
        tilt_deg=float(rng.uniform(-4.0, 4.0)),
        marker=markers[int(rng.integers(4))],
        dose=float(rng.uniform(0.4, 2.0)),
        detail=float(rng.uniform(0.1, 0.7)),
        compression=float(rng.uniform(0.2, 0.5)),
    )


def exposed_field(grid: Grid, film: Film) -> Field:
    """Return the exposure, 1 inside the collimated field and 0 outside, with a 0.8 mm penumbra."""
    if film.collimation == "none":
        return np.ones(grid.shape)
    x = (np.arange(grid.cols) + 0.5)[None, :] * grid.spacing_mm
    y = (np.arange(grid.rows) + 0.5)[:, None] * grid.spacing_mm
    half_x, half_y = 0.5 * grid.cols * grid.spacing_mm, 0.5 * grid.rows * grid.spacing_mm
    turn = np.deg2rad(film.tilt_deg)
    u = (x - half_x) * np.cos(turn) + (y - half_y) * np.sin(turn)
    v = (y - half_y) * np.cos(turn) - (x - half_x) * np.sin(turn)
    # the border is not the same on all sides
    sides = (
        half_x - film.border_mm - u,
        half_x - 0.6 * film.border_mm + u,
        half_y - 0.8 * film.border_mm - v,
        half_y - 1.1 * film.border_mm + v,
    )
    field = np.ones(grid.shape)
    for side in sides:
        field = field * smooth_step(side / 0.8)
    return field


# strokes of letters 8 wide and 12 high, as polylines (x, y), origin top left
_LETTERS: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "L": (((0, 0), (0, 12), (7, 12)),),
    "R": (
        ((0, 12), (0, 0), (4.4, 0), (6.6, 0.8), (7.4, 3.2), (6.6, 5.6), (4.4, 6.4), (0, 6.4)),
        ((3.6, 6.4), (7.6, 12)),
    ),
}
_RING: tuple[tuple[float, float], ...] = tuple(
    (float(3.8 + 10.5 * np.cos(a)), float(6.0 + 10.5 * np.sin(a)))
    for a in np.linspace(0.0, 2.0 * np.pi, 49)
)
# where a technologist puts the letter, as fractions of width and height
_CORNERS = ((0.11, 0.12), (0.89, 0.12), (0.11, 0.88), (0.89, 0.88), (0.10, 0.5), (0.90, 0.5))


def marker_attenuation(
    rng: np.random.Generator, grid: Grid, film: Film, *, body: Field, exposure: Field
) -> Field:
    """Return the attenuation of the lead letter, put where the body is thinnest.

    Parameters
    ----------
    rng
        Draws size and turn of the letter.
    grid
        The picture.
    film
        Says which letter, and whether in a ring.
    body
        Attenuation of the body, to find a free corner.
    exposure
        The exposed field; no letter lies outside it.
    """
    size = float(rng.uniform(0.7, 1.0)) * 0.0045 * max(grid.shape) * grid.spacing_mm
    turn = float(rng.uniform(-0.25, 0.25))
    drift = rng.uniform(-0.02, 0.02, 2)
    if film.marker == "none":
        return np.zeros(grid.shape)
    reach = int(13.0 * size / grid.spacing_mm)
    best: tuple[float, int, int] | None = None
    for fx, fy in _CORNERS:
        col = int(np.clip((fx + drift[0]) * grid.cols, reach, grid.cols - 1 - reach))
        row = int(np.clip((fy + drift[1]) * grid.rows, reach, grid.rows - 1 - reach))
        part = (
            slice(max(row - reach, 0), row + reach + 1),
            slice(max(col - reach, 0), col + reach + 1),
        )
        # rounded, so that the choice does not hang on the last bit
        cost = round(float(body[part].mean() + 8.0 * (1.0 - exposure[part].mean())), 3)
        if best is None or cost < best[0]:
            best = (cost, row, col)
    if best is None:
        return np.zeros(grid.shape)
    strokes = list(_LETTERS[film.laterality])
    if film.marker == "ring":
        strokes.append(_RING)
    return LEAD_ATTENUATION * _draw(grid, strokes, at=best[1:], size=size, turn=turn)


def _draw(
    grid: Grid,
    strokes: list[tuple[tuple[float, float], ...]],
    *,
    at: tuple[int, int],
    size: float,
    turn: float,
) -> Field:
    """Return strokes 1.5 units wide as a soft-edged mask in 0..1; `size` is mm per unit."""
    picture = np.zeros(grid.shape)
    reach = int(np.ceil(13.0 * size / grid.spacing_mm)) + 2
    rows = slice(max(at[0] - reach, 0), min(at[0] + reach + 1, grid.rows))
    cols = slice(max(at[1] - reach, 0), min(at[1] + reach + 1, grid.cols))
    y = (np.arange(rows.start, rows.stop) - at[0])[:, None] * grid.spacing_mm / size
    x = (np.arange(cols.start, cols.stop) - at[1])[None, :] * grid.spacing_mm / size
    u = x * np.cos(turn) + y * np.sin(turn) + 3.8
    v = y * np.cos(turn) - x * np.sin(turn) + 6.0
    nearest = np.full(u.shape, 1e9)
    for stroke in strokes:
        for (x0, y0), (x1, y1) in pairwise(stroke):
            dx, dy = x1 - x0, y1 - y0
            t = np.clip(((u - x0) * dx + (v - y0) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
            nearest = np.minimum(nearest, np.hypot(u - x0 - t * dx, v - y0 - t * dy))
    # at least one pixel wide, so that a letter survives in a small picture
    half = max(0.75, 0.6 * grid.spacing_mm / size)
    picture[rows, cols] = smooth_step((half - nearest) / 0.3)
    return picture
