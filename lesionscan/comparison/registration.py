"""Two films of the same bones -> where a point of the first lies on the second, and how surely.

First a search over all turns and a range of sizes on a coarse grid (normalised correlation of
masked pictures by FFT), then a refinement of the best few (enhanced correlation coefficient), then
a robust fit to what many small blocks of bone say, each for itself. What the blocks disagree with
the fit, and how many of them find their like at all, tells how far it can be believed: no landmark
is needed.

All pictures are compared after their local mean and spread were taken out, since exposures differ.

References
----------
Padfield D. Masked object registration in the Fourier domain. IEEE Trans Image Process 2012;21:2706.
Evangelidis GD, Psarakis EZ. Parametric image alignment using enhanced correlation coefficient
maximization. IEEE Trans Pattern Anal Mach Intell 2008;30:1858.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lesionscan.comparison.fit import Fit, fitted
from lesionscan.comparison.geometry import (
    Matrix,
    Picture,
    chained,
    flattened,
    inverse,
    moved,
)
from lesionscan.radiograph import FloatImage

_COARSE_PX, _MIDDLE_PX, FINE_PX = 72, 192, 640
"""Long sides of the three grids."""
_TURNS_DEG = np.arange(0.0, 360.0, 12.0)
_SCALES = (0.76, 0.87, 1.0, 1.15, 1.32)
"""Sizes on the second film over those on the first, both at one long side."""
_LEAST_COMMON = 0.35
"""Share of the smaller bone mask that both films must show."""
_FOLLOWED = 6
"""Best places of the coarse search that are refined."""
_MOST_STRETCH = 1.25
"""Most that a refined map may stretch one direction over the other: bones are stiff."""


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """Where a pixel of the first picture lies on the second, and how well the two fit."""

    matrix: Matrix
    fit: Fit


def register(before: Picture, after: Picture) -> Registration | None:
    """Find where the first picture lies on the second.

    Parameters
    ----------
    before, after
        The pictures, of any size.

    Returns
    -------
    Registration or None
        The best fit, be it good or bad; None where there is too little bone to look at.
    """
    small, middle, fine = (
        (before.at(side), after.at(side)) for side in (_COARSE_PX, _MIDDLE_PX, FINE_PX)
    )
    tried = [
        refined
        for matrix in _coarse(small[0][0], small[1][0])
        if (refined := _refined(middle, _rescaled(matrix, small, middle))) is not None
    ]
    best: tuple[float, Matrix, Fit] | None = None
    for _, matrix in sorted(tried, key=lambda one: -one[0])[:2]:
        found = fitted(fine[0][0], fine[1][0], _rescaled(matrix, middle, fine))
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        return None
    _, matrix, fit = best
    whole = chained(fine[1][1], chained(matrix, inverse(fine[0][1])))
    turn = np.arctan2(whole[1, 0] - whole[0, 1], whole[0, 0] + whole[1, 1])
    magnification = float(np.sqrt(np.linalg.det(whole[:, :2])))
    fit = replace(fit, magnification=magnification, turn_deg=float(np.degrees(turn)))
    return Registration(whole, fit)


_Sized = tuple[tuple[Picture, Matrix], tuple[Picture, Matrix]]
"""Both pictures at one size, each with where its pixels lie on the original."""


def _rescaled(matrix: Matrix, old: _Sized, new: _Sized) -> Matrix:
    """Return a map between pictures of one size as one between those of another."""
    there = chained(inverse(new[1][1]), old[1][1])
    back = chained(inverse(old[0][1]), new[0][1])
    return chained(there, chained(matrix, back))


def _near_bone(picture: Picture) -> FloatImage:
    """Return 1 in and beside bone, else 0, float32."""
    reach = max(1, round(0.03 * max(picture.bone.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(picture.bone.view(np.uint8), disk)
    return np.asarray(near * picture.field, np.float32)


def _coarse(before: Picture, after: Picture) -> list[Matrix]:
    """Return the most promising similarities of two small pictures, the best first."""
    shape = before.grey.shape
    mask = _near_bone(before)
    film = flattened(before, share=0.08) * mask
    other_mask = _near_bone(after)
    other = flattened(after, share=0.08) * other_mask
    canvas = int(np.ceil(np.hypot(*after.grey.shape) * max(_SCALES))) + 2
    side = fft.next_fast_len(canvas + max(shape), real=True)
    fixed = [fft.rfft2(part, (side, side)) for part in (film, film * film, mask)]
    middle = ((after.grey.shape[1] - 1) / 2, (after.grey.shape[0] - 1) / 2)
    found: list[tuple[float, Matrix]] = []
    for scale in _SCALES:
        for turn in _TURNS_DEG:
            # of the second film, onto the canvas: its size and turn taken back
            back = np.array(cv2.getRotationMatrix2D(middle, float(turn), 1.0 / scale), np.float64)
            back[:, 2] += (canvas - 1) / 2 - np.array(middle)
            picture, seen = (
                cv2.warpAffine(part, back, (canvas, canvas), flags=cv2.INTER_LINEAR)
                for part in (other, other_mask)
            )
            if seen.sum() < 16:
                continue
            score = _scores(fixed, picture, seen, side, least=_least(mask, seen))
            place = int(score.argmax())
            row, col = divmod(place, side)
            # circular: beyond the middle the shift is negative
            shift = [at - side if at >= canvas else at for at in (side - row, side - col)]
            onto = np.array([[1.0, 0.0, shift[1] % side], [0.0, 1.0, shift[0] % side]])
            onto[:, 2] -= np.where(onto[:, 2] >= canvas, side, 0)
            found.append((float(score.flat[place]), chained(inverse(back), onto)))
    found.sort(key=lambda one: -one[0])
    return _distinct([matrix for _, matrix in found], shape)


def _least(mask: FloatImage, seen: FloatImage) -> float:
    return _LEAST_COMMON * min(float(mask.sum()), float(seen.sum()))


def _scores(
    fixed: list[NDArray[np.complex64]],
    picture: FloatImage,
    seen: FloatImage,
    side: int,
    *,
    least: float,
) -> FloatImage:
    """Return the correlation at every shift of the canvas, -1 where too little is in common."""
    film, squares, mask = fixed
    moving = [np.conj(fft.rfft2(part, (side, side))) for part in (picture, picture * picture, seen)]
    product, ours, theirs, common = (
        fft.irfft2(pair, (side, side))
        for pair in (film * moving[0], squares * moving[2], mask * moving[1], mask * moving[2])
    )
    energy = np.sqrt(np.maximum(ours, 0.0) * np.maximum(theirs, 0.0))
    whole = energy > 0.02 * float(energy.max())
    score = np.where(whole & (common >= least), product / np.maximum(energy, 1e-6), -1.0)
    return np.asarray(score, np.float32)


def _distinct(matrices: list[Matrix], shape: tuple[int, ...]) -> list[Matrix]:
    """Return the first few that put the corners of a picture at clearly other places."""
    rows, cols = shape
    corners = np.array([[0.0, 0.0], [0.0, cols], [rows, 0.0], [rows, cols]])
    kept: list[Matrix] = []
    for matrix in matrices:
        at = moved(matrix, corners)
        apart = (np.abs(at - moved(one, corners)).max() > 0.15 * max(shape) for one in kept)
        if all(apart):
            kept.append(matrix)
        if len(kept) == _FOLLOWED:
            break
    return kept


def _refined(pictures: _Sized, coarse: Matrix) -> tuple[float, Matrix] | None:
    """Refine an affine map between two pictures; return it with its correlation."""
    before, after = pictures[0][0], pictures[1][0]
    mask = (_near_bone(before) > 0).astype(np.uint8)
    rules = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
    try:
        score, found = cv2.findTransformECC(
            flattened(before),
            flattened(after),
            coarse.astype(np.float32),
            cv2.MOTION_AFFINE,
            rules,
            mask,
            5,
        )
    except cv2.error:  # it diverges where the two have nothing in common
        return None
    matrix = np.asarray(found, np.float64)
    large, little = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if little < 0.5 or large > 2.0 or large > _MOST_STRETCH * little:
        return None
    return float(score), matrix
