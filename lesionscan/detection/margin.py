"""Zone of transition: how wide a region's margin is, from sigmoids fitted along its normals."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lesionscan.radiograph import FloatImage

NORMALS = 32
"""Normals sampled around a contour."""
OFFSETS = 25
"""Places on a normal, from the innermost to the outermost."""
_WIDTHS = 14
"""Sigmoid widths tried between the narrowest and the widest that the profile can show."""
_PLACES = 11
"""Places tried along the middle half of the profile."""
_NARROWEST, _WIDEST, _LEAST_WIDEST = 0.15, 0.4, 0.3
"""Width parameters: the narrowest in pixels, the widest in reaches and at least in pixels."""
_TEN_TO_NINETY = 4.394
"""10 to 90 % rise of a logistic curve, in units of its width parameter: 2 ln 9."""
_LEAST_CONTOUR_PX = 8
"""Shorter contours have no normals to speak of."""


def profiles_across(
    film: FloatImage, contour: NDArray[np.float64], *, reach: float
) -> NDArray[np.float32]:
    """Return the film along normals of a closed contour, from inside to outside.

    Parameters
    ----------
    film
        float32 (rows, cols).
    contour
        float64 (n, 2), points of the closed contour in order, as (row, col) of the film.
    reach
        Length of a profile on either side, in pixels.

    Returns
    -------
    ndarray
        float32 (NORMALS, OFFSETS); all 0, which rises nowhere, for a contour of a few points.
    """
    if len(contour) < _LEAST_CONTOUR_PX:
        return np.zeros((NORMALS, OFFSETS), np.float32)
    chosen = np.linspace(0, len(contour), NORMALS, endpoint=False).astype(int)
    # a tangent along a sixteenth of the contour: steps of pixels have no say
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


def margin_widths(
    profiles: NDArray[np.float32], reaches: NDArray[np.float64]
) -> tuple[float | None, ...]:
    """Return the widths of the transitions from dark to bright across contours.

    Along every normal a logistic curve is fitted by least squares (its place and width over a
    grid, its two levels in closed form); the answer is the median over the normals that rise.

    Parameters
    ----------
    profiles
        float32 (regions, NORMALS, OFFSETS), from `profiles_across`.
    reaches
        float64 (regions,), with which each was sampled.

    Returns
    -------
    tuple of float or None
        For each region its 10 to 90 % width in pixels of its film; None where fewer than a
        quarter of the normals rise.

    References
    ----------
    Xu J, Napel S, Greenspan H, et al. Quantifying the margin sharpness of lesions on radiological
    images for content-based image retrieval. Med Phys 2012;39:5405.
    """
    widest = np.maximum(_WIDEST * reaches, _LEAST_WIDEST)
    widths = np.geomspace(_NARROWEST, widest, _WIDTHS, axis=1) if reaches.size else reaches[:, None]
    curves = _curves(widths / reaches[:, None])
    centred = profiles - profiles.mean(axis=2, keepdims=True)
    # not through BLAS, whose sums round otherwise with another number of threads
    product = np.zeros((*profiles.shape[:2], curves.shape[1]), np.float32)
    for offset in range(OFFSETS):
        product += centred[:, :, None, offset] * curves[:, None, :, offset]
    energy = (curves**2).sum(axis=2)
    # the residual falls by product^2 / energy; only rising fits (dark inside) count
    np.maximum(product, 0, out=product)
    gain = product**2 / energy[:, None, :]
    best = gain.argmax(axis=2)
    gained = np.take_along_axis(gain, best[:, :, None], axis=2)[:, :, 0]
    rising = gained > 0.3 * (centred**2).sum(axis=2)
    found = np.take_along_axis(widths, best % _WIDTHS, axis=1)
    return tuple(
        float(np.median(width[rises]) * _TEN_TO_NINETY) if rises.mean() >= 0.25 else None
        for width, rises in zip(found, rising, strict=True)
    )


def _curves(widths: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return float32 (regions, _PLACES * _WIDTHS, OFFSETS): centred logistic curves, in reaches."""
    offsets, places = np.linspace(-1, 1, OFFSETS), np.linspace(-0.5, 0.5, _PLACES)
    away = offsets - places[:, None, None]
    curves = expit((away / widths[:, None, :, None]).astype(np.float32))
    curves = curves.reshape(len(widths), _PLACES * _WIDTHS, OFFSETS)
    return np.asarray(curves - curves.mean(axis=2, keepdims=True), np.float32)
