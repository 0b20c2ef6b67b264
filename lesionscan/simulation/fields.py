"""Grids in millimetres, random fields and smooth profiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.interpolate import PchipInterpolator

Field: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Knots: TypeAlias = tuple[tuple[float, float], ...]
"""(position, value) pairs of a profile along a bone, positions rising from 0 to 1."""

MIN_SIDE_PX = 64
"""With fewer pixels, a cortex of 1 mm is far thinner than a pixel and bones are unrecognisable."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A pixel grid in millimetres; x = y = 0 is the outer corner of the pixel (0, 0).

    Attributes
    ----------
    rows, cols
        Size in pixels.
    spacing_mm
        Side of a square pixel, in mm.

    Raises
    ------
    ValueError
        If a side is under `MIN_SIDE_PX` or the spacing is not positive.
    """

    rows: int
    cols: int
    spacing_mm: float

    def __post_init__(self) -> None:
        if min(self.rows, self.cols) < MIN_SIDE_PX:
            raise ValueError(
                f"a phantom needs at least {MIN_SIDE_PX} px per side, got {self.rows} x {self.cols}"
            )
        if not (np.isfinite(self.spacing_mm) and self.spacing_mm > 0):
            raise ValueError(f"spacing_mm must be over 0, got {self.spacing_mm!r}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a grid (half-open, in pixels), to save time on small bones."""

    grid: Grid
    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, grid: Grid, points_mm: Field, *, margin_mm: float) -> "Window":
        """Return the part of `grid` that covers `points_mm` (n, 2: x, y) and a margin in mm."""
        low = np.floor((points_mm.min(axis=0) - margin_mm) / grid.spacing_mm).astype(int)
        high = np.ceil((points_mm.max(axis=0) + margin_mm) / grid.spacing_mm).astype(int)
        left, right = (int(np.clip(v, 0, grid.cols)) for v in (low[0], high[0]))
        top, bottom = (int(np.clip(v, 0, grid.rows)) for v in (low[1], high[1]))
        return cls(grid, top, bottom, left, right)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the rectangle."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array of the whole grid."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def coordinates_mm(self) -> tuple[Field, Field]:
        """Return x (1, cols) and y (rows, 1) of the pixel centres, in mm."""
        spacing = float(self.grid.spacing_mm)
        x = np.arange(self.left, self.right, dtype=np.float64) * spacing + 0.5 * spacing
        y = np.arange(self.top, self.bottom, dtype=np.float64) * spacing + 0.5 * spacing
        return x[None, :], y[:, None]


def check_ranges(of: str, ranges: Mapping[str, tuple[float, float, float]]) -> None:
    """Check that the numbers of a recipe are in their ranges.

    Parameters
    ----------
    of
        Name of the recipe, for the message.
    ranges
        Value, least and greatest allowed value by name.

    Raises
    ------
    ValueError
        If one is out of its range, or not a number.
    """
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ValueError(f"{name} of {of} must be in {low}..{high}, got {value!r}")


def profile(knots: Knots, position: Field) -> Field:
    """Interpolate `knots` monotonically and smoothly (PCHIP) at `position`, flat past both ends."""
    where, value = np.array(knots, dtype=np.float64).T
    if where.size == 1:
        return np.full(position.shape, value[0])
    # a table of 512 steps, since PCHIP on a whole image is slow
    table_x = np.linspace(where[0], where[-1], 512)
    table_y = PchipInterpolator(where, value)(table_x)
    return np.asarray(np.interp(position, table_x, table_y), dtype=np.float64)


def smooth_step(value: Field) -> Field:
    """Return a step from 0 (value <= -1) over 1/2 (value = 0) to 1 (value >= 1), as 3t^2 - 2t^3."""
    t = np.clip(0.5 * (value + 1.0), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float64)


def gaussian(field: Field, *, sigma_px: float) -> Field:
    """Blur with a Gaussian; wide ones are computed on block means, which is faster."""
    if sigma_px <= 0:
        return field
    step = int(min(sigma_px / 3.0, min(field.shape) / 4))
    if step < 2:
        out = ndimage.gaussian_filter(field, sigma_px, mode="nearest", truncate=3.5)
        return np.asarray(out, dtype=np.float64)
    rows, cols = field.shape
    padded = np.pad(field, ((0, -rows % step), (0, -cols % step)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    small = ndimage.gaussian_filter(blocks.mean(axis=(1, 3)), sigma_px / step, mode="nearest")
    row_at = np.clip((np.arange(rows) + 0.5) / step - 0.5, 0, small.shape[0] - 1)
    col_at = np.clip((np.arange(cols) + 0.5) / step - 0.5, 0, small.shape[1] - 1)
    return _bilinear(small, row_at, col_at)


def _bilinear(small: Field, row_at: Field, col_at: Field) -> Field:
    """Interpolate `small` at the outer product of fractional rows and columns."""
    r0 = np.minimum(row_at.astype(int), small.shape[0] - 2)
    c0 = np.minimum(col_at.astype(int), small.shape[1] - 2)
    fr, fc = (row_at - r0)[:, None], (col_at - c0)[None, :]
    down = small[r0] * (1 - fr) + small[r0 + 1] * fr
    return np.asarray(down[:, c0] * (1 - fc) + down[:, c0 + 1] * fc, dtype=np.float64)


def generator(*key: int) -> np.random.Generator:
    """Return a PCG64 generator, whose raw output NumPy keeps stable, seeded by a key."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def fft_length(size: int) -> int:
    """Return the smallest length of at least `size` without prime factors over 5.

    `scipy.fft.next_fast_len` is not used, since its result may change between releases, and noise
    is drawn with this length.
    """
    length = size
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def random_field(
    rng: np.random.Generator,
    window: Window,
    *,
    wavelengths_mm: tuple[float, float],
    exponent: float,
    stretch: float = 1.0,
    direction: tuple[float, float] = (0.0, 1.0),
) -> Field:
    """Draw a Gaussian field with a power-law spectrum: mean 0, standard deviation about 1.

    Parameters
    ----------
    rng
        Source of the white noise that is filtered.
    window
        The window that the field covers.
    wavelengths_mm
        Shortest and longest wavelength kept, in mm (rolled off smoothly).
    exponent
        Power falls as frequency to minus this; projected trabecular bone has 2 to 3.5.
    stretch
        How many times longer the grain is along `direction` than across it.
    direction
        Unit vector (x, y) of the grain.
    """
    rows, cols = (fft_length(side) for side in window.shape)
    fy = fft.fftfreq(rows, window.grid.spacing_mm)[:, None]
    fx = fft.rfftfreq(cols, window.grid.spacing_mm)[None, :]
    along = (fx * direction[0] + fy * direction[1]) * stretch
    across = fx * direction[1] - fy * direction[0]
    squared = along**2 + across**2
    shortest, longest = wavelengths_mm
    gain = (squared + longest**-2) ** (-exponent / 4) * np.exp(-squared * shortest**2)
    gain = gain * (1.0 - np.exp(-squared * longest**2))
    weights = np.full(cols // 2 + 1, 2.0)
    weights[0] = 1.0
    if cols % 2 == 0:
        weights[-1] = 1.0
    power = float((gain**2 * weights).sum()) / (rows * cols)
    white = rng.standard_normal((rows, cols))
    field = fft.irfft2(fft.rfft2(white) * gain, s=(rows, cols)) / np.sqrt(max(power, 1e-30))
    return np.asarray(field[: window.shape[0], : window.shape[1]], dtype=np.float64)
