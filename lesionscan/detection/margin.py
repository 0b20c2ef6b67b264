"""Measure a region's margin: width, sharpness, rim and raggedness of its transition to bone."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lesionscan.radiograph import BoolImage, FloatImage

MarginWord: TypeAlias = Literal["sharp_with_rim", "sharp", "ill_defined", "permeative"]

NORMALS = 32
"""Number of normals around a contour."""
OFFSETS = 25
"""Number of samples on a normal, from inside to outside."""
_WIDTHS = 14
"""Number of sigmoid widths tried."""
_PLACES = 11
_CENTRES = np.linspace(-0.5, 0.5, _PLACES)
"""Sigmoid centres tried, along the middle half of the profile, in reaches."""
_NARROWEST, _WIDEST, _LEAST_WIDEST = 0.15, 0.4, 0.3
"""Sigmoid width parameters: the narrowest in pixels, the widest in reaches, and its minimum in
pixels."""
_TEN_TO_NINETY = 4.394
"""10 to 90 % rise of a logistic curve, in units of its width parameter: 2 ln 9."""
_EXPLAINED = 0.3
"""Share of a profile's variance that the curve must explain."""
_LEAST_CONTOUR_PX = 8
"""Shorter contours are too short for normals."""
_OUTLINE = OFFSETS // 2
"""Index of the sample on the outline."""
_LEAST_OUTWARD = 4
"""Minimum number of samples outside the outline that lie in bone."""
_ENOUGH_NORMALS = 0.25
_FAR_INSIDE, _FAR_OUTSIDE = slice(0, 4), slice(OFFSETS - 3, OFFSETS)
_AT_RIM, _PAST_RIM = slice(_OUTLINE - 1, _OUTLINE + 5), slice(_OUTLINE + 6, _OUTLINE + 11)
"""Samples in which a rim is searched for (up to a third of the reach outside) and beyond it (from
half of the reach on). A broader bright zone belongs to the bone."""
_RIM_SHARE = 0.15
"""A rim is brighter than the bone beyond it by this share of the step from inside to outside."""
_LEAST_STEP = 0.02

SHARP = 0.3
"""A transition of at most this share of the region's radius is sharp."""
LEAST_DIAMETER_PX = 24.0
"""In smaller regions the film's blur of 3 pixels exceeds a quarter of the radius."""
COARSEST_MM = 0.5
"""Larger pixels do not resolve a rim or a hole of one millimetre."""
LEAST_TO_NOISE = 3.5
"""Minimum contrast-to-noise ratio for a margin class: in fainter regions, noise resembles a rim."""
HARDLY_SHARP, PARTLY_SHARP = 0.2, 0.45
"""A margin that is not ragged is ill-defined if its sharp share is at most the first; if it is less
than the second, it has no class, unless it has a rim."""
RAGGED, RAGGED_SHARP = 0.11, (0.3, 0.75)
"""Minimum raggedness of a permeative margin, and the range of its sharp share: part of its edge is
sharp, but the position of the edge varies. A ragged margin outside the range has no class."""
RIMMED, RIMLESS = 0.5, 0.25
"""Minimum share of the margin with a rim to be classed as having one, and maximum share to be
classed as having none."""
LEAST_SHARP_WITH_RIM = 0.4
"""Minimum sharp share of a margin with a rim."""


@dataclass(frozen=True, slots=True)
class Margin:
    """Measurements across a region's outline.

    Attributes
    ----------
    width_px
        Median 10 to 90 % width of the transition over the rising normals, in pixels of the sampled
        film; None if fewer than a quarter of the normals in bone rise.
    sharp, rim
        Shares of the normals in bone, 0 to 1, with a sharp transition (`SHARP`), and with a rim
        brighter than the bone beyond it.
    ragged
        Mean displacement of the transition between neighbouring normals, in radii of the region,
        weighted by the smaller of their two steps in brightness; None where `width_px` is.
    """

    width_px: float | None
    sharp: float
    rim: float
    ragged: float | None

    def enlarged(self, factor: int) -> "Margin":
        """Return the margin in pixels that are `factor` times as small."""
        width = self.width_px
        return replace(self, width_px=None if width is None else width * factor)


def margin_word(
    margin: Margin,
    *,
    diameter_px: float,
    contrast_to_noise: float,
    pixel_mm: float | None,
) -> MarginWord | None:
    """Classify a margin by the classes of Madewell.

    Sharp with a sclerotic rim, sharp, ill-defined and permeative correspond to IA, IB, IC and III.
    The limits were set on lesions planted in films, whose margins are known, not on the judgement
    of readers. Margins between two classes are not classified.

    Parameters
    ----------
    margin
        From `measure_margins`.
    diameter_px
        Equivalent diameter of the region, in pixels of the film.
    contrast_to_noise
        Its contrast-to-noise.
    pixel_mm
        Longer side of a pixel of the film; None if unknown.

    Returns
    -------
    str or None
        None if the film is too coarse (`LEAST_DIAMETER_PX`, `COARSEST_MM`), the region too faint,
        or the margin between two classes.

    References
    ----------
    Madewell JE, Ragsdale BD, Sweet DE. Radiologic and pathologic analysis of solitary bone lesions.
    Part I: internal margins. Radiol Clin North Am 1981;19:715.
    """
    coarse = diameter_px < LEAST_DIAMETER_PX or (pixel_mm is not None and pixel_mm > COARSEST_MM)
    if coarse or contrast_to_noise < LEAST_TO_NOISE or margin.ragged is None:
        return None
    if margin.ragged >= RAGGED:
        return "permeative" if RAGGED_SHARP[0] <= margin.sharp <= RAGGED_SHARP[1] else None
    if margin.sharp <= HARDLY_SHARP:
        return "ill_defined"
    if margin.rim >= RIMMED and margin.sharp >= LEAST_SHARP_WITH_RIM:
        return "sharp_with_rim"
    return "sharp" if margin.rim <= RIMLESS and margin.sharp >= PARTLY_SHARP else None


def profiles_across(
    film: FloatImage, contour: NDArray[np.float64], *, reach: float
) -> NDArray[np.float32]:
    """Sample a film along normals of a closed contour, from inside to outside.

    Parameters
    ----------
    film
        float32 (rows, cols), or (rows, cols, films).
    contour
        float64 (n, 2), points of the closed contour in order, as (row, col) of the film.
    reach
        Length of a profile on either side, in pixels.

    Returns
    -------
    ndarray
        float32 (NORMALS, OFFSETS), or (NORMALS, OFFSETS, films); all 0 for too short contours.
    """
    if len(contour) < _LEAST_CONTOUR_PX:
        return np.zeros((NORMALS, OFFSETS, *film.shape[2:]), np.float32)
    chosen = np.linspace(0, len(contour), NORMALS, endpoint=False).astype(int)
    # tangent along a sixteenth of the contour, to smooth pixel steps
    half = max(1, len(contour) // 32)
    ahead, behind = (contour[(chosen + way) % len(contour)] for way in (half, -half))
    along = ahead - behind
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
    normals /= np.maximum(np.hypot(normals[:, :1], normals[:, 1:]), 1e-9)
    points = contour[chosen]
    if ((points - points.mean(axis=0)) * normals).sum() < 0:
        normals = -normals
    offsets = np.linspace(-reach, reach, OFFSETS)
    rows, cols = ((points[:, i, None] + normals[:, i, None] * offsets) for i in (0, 1))
    profiles = cv2.remap(
        film,
        cols.astype(np.float32),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(profiles, np.float32)


def measure_margins(
    profiles: NDArray[np.float32],
    in_bone: BoolImage,
    *,
    reaches: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> tuple[Margin, ...]:
    """Measure the transitions from dark to bright across contours.

    A logistic curve is fitted to every normal by least squares (centre and width on a grid, both
    levels in closed form). Where a normal leaves the bone, its last value in bone is repeated.
    Normals that leave the bone at once are ignored, unless nearly all do.

    Parameters
    ----------
    profiles
        float32 (regions, NORMALS, OFFSETS), from `profiles_across`.
    in_bone
        bool, same shape; whether a sample lies in bone.
    reaches, radii
        float64 (regions,), `reach` of the profiles and equivalent radius of the regions, in pixels.

    Returns
    -------
    tuple of Margin
        One per region.

    References
    ----------
    Xu J, Napel S, Greenspan H, et al. Quantifying the margin sharpness of lesions on radiological
    images for content-based image retrieval. Med Phys 2012;39:5405.
    """
    ends = _OUTLINE + np.cumprod(in_bone[:, :, _OUTLINE + 1 :], axis=2, dtype=np.int64).sum(axis=2)
    counted = ends >= _OUTLINE + _LEAST_OUTWARD
    few = counted.mean(axis=1) < _ENOUGH_NORMALS
    counted[few], ends[few] = True, OFFSETS - 1
    held = np.minimum(np.arange(OFFSETS), ends[:, :, None])
    profiles = np.take_along_axis(profiles, held, axis=2)
    fits = _fitted(profiles, reaches)
    widths, rising = fits.width, fits.rises & counted
    sharp = rising & (widths <= SHARP * radii[:, None])
    levels = [profiles[:, :, side].mean(axis=2) for side in (_FAR_INSIDE, _FAR_OUTSIDE)]
    step = _medians(levels[1] - levels[0], counted)
    above = profiles[:, :, _AT_RIM].max(axis=2) - profiles[:, :, _PAST_RIM].mean(axis=2)
    bright = above > _RIM_SHARE * np.maximum(step, _LEAST_STEP)[:, None]
    # a normal that leaves the bone crosses the cortex, which is not a rim
    whole = counted & (ends == OFFSETS - 1)
    numbers = counted.sum(axis=1)
    rims = (bright & whole).sum(axis=1) / np.maximum(
        whole.sum(axis=1), round(_ENOUGH_NORMALS * NORMALS)
    )
    middle = _medians(widths, rising)
    ragged = _raggedness(fits, rising) / radii
    followed = rising.sum(axis=1) >= _ENOUGH_NORMALS * numbers
    return tuple(
        Margin(
            width_px=float(width) if known else None,
            sharp=float(share),
            rim=float(rim),
            ragged=float(uneven) if known else None,
        )
        for width, known, share, rim, uneven in zip(
            middle, followed, sharp.sum(axis=1) / numbers, rims, ragged, strict=True
        )
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Fits:
    """Best logistic curve of every normal, all (regions, NORMALS).

    Attributes
    ----------
    rises
        Whether brightness rises outwards and the curve explains enough of the variance.
    width, place
        10 to 90 % width, and position of half height (outwards positive), in pixels.
    step
        Brightness outside minus inside.
    """

    rises: BoolImage
    width: NDArray[np.float64]
    place: NDArray[np.float64]
    step: NDArray[np.float32]


def _fitted(profiles: NDArray[np.float32], reaches: NDArray[np.float64]) -> _Fits:
    """Fit a logistic curve to every normal."""
    widest = np.maximum(_WIDEST * reaches, _LEAST_WIDEST)
    widths = np.geomspace(_NARROWEST, widest, _WIDTHS, axis=1) if reaches.size else reaches[:, None]
    curves = _curves(widths / reaches[:, None])
    centred = profiles - profiles.mean(axis=2, keepdims=True)
    # not by BLAS, whose rounding depends on the number of threads
    product = np.zeros((*profiles.shape[:2], curves.shape[1]), np.float32)
    for offset in range(OFFSETS):
        product += centred[:, :, None, offset] * curves[:, None, :, offset]
    energy = (curves**2).sum(axis=2)
    # the residual falls by product^2 / energy; only rising fits (dark inside) count
    np.maximum(product, 0, out=product)
    gain = product**2 / energy[:, None, :]
    best = gain.argmax(axis=2)
    gained, height = (
        np.take_along_axis(one, best[:, :, None], axis=2)[:, :, 0] for one in (gain, product)
    )
    return _Fits(
        rises=np.asarray(gained > _EXPLAINED * (centred**2).sum(axis=2), np.bool_),
        width=np.take_along_axis(widths, best % _WIDTHS, axis=1) * _TEN_TO_NINETY,
        place=_CENTRES[best // _WIDTHS] * reaches[:, None],
        step=height / np.take_along_axis(energy, best, axis=1),
    )


def _raggedness(fits: _Fits, rising: BoolImage) -> NDArray[np.float64]:
    """Return each region's mean displacement between neighbouring normals, in pixels."""
    step = np.where(rising, fits.step, np.float32(0))
    weight = np.minimum(step, np.roll(step, 1, axis=1)).astype(np.float64)
    moved = np.abs(fits.place - np.roll(fits.place, 1, axis=1))
    total = weight.sum(axis=1)
    return np.asarray((weight * moved).sum(axis=1) / np.where(total > 0, total, 1.0), np.float64)


def _medians(values: NDArray[np.floating], kept: BoolImage) -> NDArray[np.float64]:
    """Return the median of the kept values of each row; infinite if there are none."""
    ordered = np.sort(np.where(kept, values, np.inf), axis=1)
    last = np.maximum(kept.sum(axis=1) - 1, 0)
    both = np.stack([last // 2, (last + 1) // 2], axis=1)
    return np.asarray(np.take_along_axis(ordered, both, axis=1).mean(axis=1), np.float64)


def _curves(widths: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return float32 (regions, _PLACES * _WIDTHS, OFFSETS): centred logistic curves, in reaches."""
    away = np.linspace(-1, 1, OFFSETS) - _CENTRES[:, None, None]
    curves = expit((away / widths[:, None, :, None]).astype(np.float32))
    curves = curves.reshape(len(widths), _PLACES * _WIDTHS, OFFSETS)
    return np.asarray(curves - curves.mean(axis=2, keepdims=True), np.float32)
