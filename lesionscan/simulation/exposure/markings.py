"""Letters on a film: lead markers, and text burned in by software."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from lesionscan.simulation.fields import Field, Grid, Mask, smooth_step

Stroke: TypeAlias = tuple[tuple[float, float], ...]

# strokes of characters 8 wide and 12 high, as polylines (x, y), origin top left
_CHARACTERS: Mapping[str, tuple[Stroke, ...]] = MappingProxyType({
    "L": (((0, 0), (0, 12), (7, 12)),),
    "R": (
        ((0, 12), (0, 0), (4.4, 0), (6.6, 0.8), (7.4, 3.2), (6.6, 5.6), (4.4, 6.4), (0, 6.4)),
        ((3.6, 6.4), (7.6, 12)),
    ),
    "A": (((0, 12), (3.8, 0), (7.6, 12)), ((1.4, 7.6), (6.2, 7.6))),
    "P": (((0, 12), (0, 0), (4.4, 0), (6.6, 0.8), (7.4, 3.2), (6.6, 5.6), (4.4, 6.4), (0, 6.4)),),
    "T": (((0, 0), (7.6, 0)), ((3.8, 0), (3.8, 12))),
    "^": (((3.8, 12), (3.8, 0)), ((0.6, 4.4), (3.8, 0), (7.0, 4.4))),
    "0": (((2, 0), (5.6, 0), (7.4, 3), (7.4, 9), (5.6, 12), (2, 12), (0.2, 9), (0.2, 3), (2, 0)),),
    "1": (((1, 2.4), (4, 0), (4, 12)),),
    "2": (((0.4, 2.6), (2, 0), (5.6, 0), (7.2, 2.6), (6.4, 5.6), (0.2, 12), (7.4, 12)),),
    "3": (((0.4, 0), (7, 0), (3.4, 4.8), (6.2, 5.6), (7.4, 8.6), (5.6, 12), (1.8, 12), (0, 10)),),
    "4": (((5.6, 12), (5.6, 0), (0, 8.4), (7.6, 8.4)),),
    "5": (((6.8, 0), (1, 0), (0.4, 5), (5, 5), (7.4, 8.4), (5.4, 12), (1.6, 12), (0, 10.4)),),
    "6": (((6, 0), (2, 3.6), (0.2, 8.4), (2.4, 12), (5.6, 12), (7.4, 8.6), (5.4, 6), (1, 7)),),
    "7": (((0.2, 0), (7.4, 0), (3, 12)),),
    "8": (
        ((3.8, 5.6), (0.8, 3.2), (2.4, 0), (5.2, 0), (6.8, 3.2), (3.8, 5.6), (7.4, 8.8)),
        ((7.4, 8.8), (5.4, 12), (2.2, 12), (0.2, 8.8), (3.8, 5.6)),
    ),
    "9": (((1.8, 12), (5.6, 8.6), (7.4, 3.6), (5.4, 0), (2, 0), (0.2, 3.4), (2.2, 6), (6.6, 5)),),
})  # fmt: skip
CHARACTERS = frozenset(_CHARACTERS)
"""The characters there are strokes for: a few letters, an arrow (^) and digits."""
_RING: Stroke = tuple(
    (float(3.8 + 10.5 * np.cos(a)), float(6.0 + 10.5 * np.sin(a)))
    for a in np.linspace(0.0, 2.0 * np.pi, 49)
)
_MIDDLE = (3.8, 6.0)
# positions of the letter, as fractions of width and height
_CORNERS = ((0.11, 0.12), (0.89, 0.12), (0.11, 0.88), (0.89, 0.88), (0.10, 0.5), (0.90, 0.5))


def lead_marker(
    rng: np.random.Generator, grid: Grid, strokes: tuple[Stroke, ...], *, body: Field, beam: Field
) -> Field:
    """Draw a lead marker where the body is thinnest; return its coverage of each pixel.

    Parameters
    ----------
    rng
        Source of size, rotation and position of the marker.
    grid
        The pixel grid.
    strokes
        From `marker_strokes`; empty if the film has no marker.
    body
        Attenuation of the body, to find a free corner.
    beam
        The exposed field, which contains the marker.
    """
    size = float(rng.uniform(0.7, 1.0)) * 0.0045 * max(grid.shape) * grid.spacing_mm
    turn = float(rng.uniform(-0.25, 0.25))
    drift = rng.uniform(-0.02, 0.02, 2)
    if not strokes:
        return np.zeros(grid.shape)
    reach = int(13.0 * size / grid.spacing_mm)
    # costs are rounded, so that the choice does not depend on the last bit; ties: the first
    row, col = min(
        _corners(grid, drift, reach),
        key=lambda at: round(
            float(_around(body, at, reach).mean() + 8.0 * (1.0 - _around(beam, at, reach).mean())),
            3,
        ),
    )
    return draw_strokes(grid, strokes, at=(row, col), size_mm=size, turn=turn)


def _corners(grid: Grid, drift: Field, reach: int) -> Iterator[tuple[int, int]]:
    """Yield the possible positions (row, column) of a marker."""
    for fx, fy in _CORNERS:
        col = int(np.clip((fx + drift[0]) * grid.cols, reach, max(grid.cols - 1 - reach, reach)))
        row = int(np.clip((fy + drift[1]) * grid.rows, reach, max(grid.rows - 1 - reach, reach)))
        yield row, col


def _around(picture: Field, at: tuple[int, int], reach: int) -> Field:
    row, col = at
    return picture[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]


def marker_strokes(letter: str, *, ring: bool, text: str = "") -> tuple[Stroke, ...]:
    """Return the strokes of a letter, optionally in a ring, and of smaller text below it."""
    strokes = list(_CHARACTERS[letter])
    if ring:
        strokes.append(_RING)
    return (*strokes, *_line(text, size=0.62, top=18.5 if ring else 14.5))


def _line(text: str, *, size: float, top: float) -> Iterator[Stroke]:
    """Yield the strokes of a line of characters, centred below the middle of the first letter."""
    left = _MIDDLE[0] - 0.5 * size * (11.0 * len(text) - 3.4)
    for number, character in enumerate(text):
        for stroke in _CHARACTERS[character]:
            yield tuple((left + size * (11.0 * number + x), top + size * y) for x, y in stroke)


def burnt_in_text(rng: np.random.Generator, grid: Grid, *, free: Mask) -> Field:
    """Draw small characters into free corners; return a mask in 0..1.

    Parameters
    ----------
    rng
        Source of the characters, their size and the corners.
    grid
        The pixel grid.
    free
        True where text may be: air, or the border of the picture.
    """
    size = float(rng.uniform(0.0011, 0.0019)) * max(grid.shape) * grid.spacing_mm
    room = free.astype(np.float64)
    picture = np.zeros(grid.shape)
    for fx, fy in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        count, wanted = int(rng.integers(2, 9)), rng.random() < 0.6
        digits = [str(int(digit)) for digit in rng.integers(0, 10, 2 * 8)]
        lines = ("".join(digits[:count]), "".join(digits[8 : 8 + (count + 3) // 2]))
        half = 0.5 * size * 11.0 * count + 4.0 * size
        x = half + fx * (grid.cols * grid.spacing_mm - 2.0 * half)
        y = 12.0 * size + fy * (grid.rows * grid.spacing_mm - 44.0 * size)
        at = (round(y / grid.spacing_mm), round(x / grid.spacing_mm))
        part = _around(room, at, round(half / grid.spacing_mm))
        if not wanted or part.size == 0 or float(part.mean()) < 0.9:
            continue
        strokes = (
            stroke for n, line in enumerate(lines) for stroke in _line(line, size=1.0, top=18.0 * n)
        )
        picture = np.maximum(picture, draw_strokes(grid, strokes, at=at, size_mm=size, turn=0.0))
    return picture


def draw_strokes(
    grid: Grid,
    strokes: Iterable[Stroke],
    *,
    at: tuple[int, int],
    size_mm: float,
    turn: float,
) -> Field:
    """Return strokes 1.5 units wide as a soft-edged mask in 0..1.

    The middle of the first character is at row and column `at`; a unit is `size_mm` long, and the
    text is rotated by `turn` radians.
    """
    drawn = tuple(strokes)
    picture = np.zeros(grid.shape)
    corners = np.array([point for stroke in drawn for point in stroke]) - np.array(_MIDDLE)
    reach = int(np.ceil((float(np.hypot(*corners.T).max()) + 2.5) * size_mm / grid.spacing_mm)) + 2
    rows = slice(max(at[0] - reach, 0), max(min(at[0] + reach + 1, grid.rows), 0))
    cols = slice(max(at[1] - reach, 0), max(min(at[1] + reach + 1, grid.cols), 0))
    y = (np.arange(rows.start, rows.stop) - at[0])[:, None] * grid.spacing_mm / size_mm
    x = (np.arange(cols.start, cols.stop) - at[1])[None, :] * grid.spacing_mm / size_mm
    u = x * np.cos(turn) + y * np.sin(turn) + _MIDDLE[0]
    v = y * np.cos(turn) - x * np.sin(turn) + _MIDDLE[1]
    nearest = np.full(u.shape, 1e9)
    for stroke in drawn:
        for (x0, y0), (x1, y1) in pairwise(stroke):
            dx, dy = x1 - x0, y1 - y0
            t = np.clip(((u - x0) * dx + (v - y0) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
            nearest = np.minimum(nearest, np.hypot(u - x0 - t * dx, v - y0 - t * dy))
    # at least one pixel wide, so that a letter is visible in a small picture
    half = max(0.75, 0.6 * grid.spacing_mm / size_mm)
    picture[rows, cols] = smooth_step((half - nearest) / 0.3)
    return picture
