"""Zone of transition: how wide a region's margin is, from sigmoids fitted along its normals."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import FloatImage

_NORMALS = 48
"""Normals sampled around a contour."""
_WIDTHS = 14
"""Sigmoid widths tried between the narrowest and the widest that the profile can show."""
_TEN_TO_NINETY = 4.394
"""10 to 90 % rise of a logistic curve, in units of its width parameter: 2 ln 9."""


def margin_width(film: FloatImage, contour: NDArray[np.int32], *, reach: float) -> float | None:
    """Return the width of the transition from dark to bright across a contour.

    Along every normal a logistic curve is fitted by least squares (its place and width over a
    grid, its two levels in closed form); the answer is the median over the normals that rise.

    Parameters
    ----------
    film
        float32 (rows, cols).
    contour
        int32 (n, 2), pixels of the closed contour in order, as (row, col).
    reach
        Length of the profile on either side, in pixels.

    Returns
    -------
    float or None
        10 to 90 % width in pixels of `film`; None where fewer than a quarter of the normals rise.

    References
    ----------
    Xu J, Napel S, Greenspan H, et al. Quantifying the margin sharpness of lesions on radiological
    images for content-based image retrieval. Med Phys 2012;39:5405.
    """
    if len(contour) < 8:
        return None
    points, normals = _normals(contour)
    offsets = np.linspace(-reach, reach, 25)
    rows = points[:, :1] + normals[:, :1] * offsets
    cols = points[:, 1:] + normals[:, 1:] * offsets
    profiles = cv2.remap(
        film,
        cols.astype(np.float32),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
    widths = np.geomspace(0.15, max(0.4 * reach, 0.3), _WIDTHS)
    places = np.linspace(-0.5 * reach, 0.5 * reach, 11)
    shape = 1.0 / (
        1.0 + np.exp(-np.clip((offsets - places[:, None, None]) / widths[None, :, None], -40, 40))
    ).reshape(-1, offsets.size)
    shape -= shape.mean(axis=1, keepdims=True)
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    # not through BLAS, whose sums round otherwise with another number of threads
    product = (centred[:, None, :] * shape[None]).sum(axis=2)
    energy = (shape**2).sum(axis=1)
    # the residual falls by product^2 / energy; only rising fits (dark inside) count
    gain = np.where(product > 0, product**2 / energy, 0.0)
    best = gain.argmax(axis=1)
    rising = gain[np.arange(len(best)), best] > 0.3 * (centred**2).sum(axis=1)
    if rising.mean() < 0.25:
        return None
    return float(np.median(widths[best[rising] % _WIDTHS]) * _TEN_TO_NINETY)


def _normals(
    contour: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return evenly spaced points of a closed contour and their outward unit normals."""
    curve = contour.astype(np.float64)
    half = max(1, len(curve) // 32)
    wrapped = np.concatenate([curve[-half:], curve, curve[:half]])
    kernel = np.ones(2 * half + 1) / (2 * half + 1)
    smooth = np.stack([np.convolve(wrapped[:, i], kernel, mode="valid") for i in (0, 1)], axis=1)
    tangent = np.roll(smooth, -1, axis=0) - np.roll(smooth, 1, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    length = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    normal = normal / length
    if ((smooth - smooth.mean(axis=0)) * normal).sum() < 0:
        normal = -normal
    chosen = np.unique(np.linspace(0, len(curve), _NORMALS, endpoint=False).astype(int))
    return curve[chosen], normal[chosen]
