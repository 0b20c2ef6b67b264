"""Register two films of the same bones.

First an exhaustive search over all rotations and a range of scales on a coarse grid (masked
normalised correlation by FFT), then refinement of the best few (enhanced correlation coefficient),
then a robust fit to many independently matched blocks of bone. The share of matched blocks and
their residuals measure the quality; no landmarks are needed.

Grey values are normalised locally, since exposures differ.

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

from lesionscan.comparison.fit import Fit, refine_by_blocks
from lesionscan.comparison.geometry import (
    Matrix,
    Picture,
    composed,
    inverse,
    locally_normalised,
    moved,
    warped_to_first,
)
from lesionscan.radiograph import FloatImage

_COARSE_PX, _MIDDLE_PX, _FINE_PX = 56, (96, 192), 640
"""Long sides of the grids, coarse to fine."""
_TURNS_DEG = np.arange(0.0, 360.0, 10.0)
_SCALES = (0.75, 0.83, 0.91, 1.0, 1.1, 1.21, 1.33)
"""Scales from the first film to the second, both resized to the same long side."""
_MIN_COMMON = 0.35
"""Share of the smaller bone mask that both films must show."""
_COARSE_KEPT, _MIDDLE_KEPT, _FINE_KEPT = 8, 4, 2
"""Number of best maps refined on the first middle grid, on the second, and on the fine grid."""
_SHAPE = 1.5
"""Weight of the bone mask relative to the grey values in the coarse search."""
_MAX_STRETCH = 1.2
"""Maximum change of a length by one refinement: bones are rigid."""
_ECC_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
"""When a refinement by enhanced correlation ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """Map from the first picture to the second, and its quality."""

    matrix: Matrix
    fit: Fit


def register(before: Picture, after: Picture) -> Registration | None:
    """Register two pictures.

    Parameters
    ----------
    before, after
        The pictures, of any size.

    Returns
    -------
    Registration or None
        The best map, whatever its quality; None if there is too little bone.
    """
    small, *middle, fine = (
        (before.at(side), after.at(side)) for side in (_COARSE_PX, *_MIDDLE_PX, _FINE_PX)
    )
    tried = []
    for matrix in _coarse(small[0][0], small[1][0]):
        refined = _refined(middle[0], _rescaled(matrix, small, middle[0]))
        if refined is not None:
            tried.append(refined)
    closer = []
    for _, matrix in sorted(tried, key=lambda one: -one[0])[:_MIDDLE_KEPT]:
        refined = _refined(middle[1], _rescaled(matrix, middle[0], middle[1]))
        if refined is not None:
            closer.append(refined)
    best: tuple[float, Matrix, Fit] | None = None
    for _, matrix in sorted(closer, key=lambda one: -one[0])[:_FINE_KEPT]:
        found = refine_by_blocks(fine[0][0], fine[1][0], _rescaled(matrix, middle[1], fine))
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        return None
    _, matrix, fit = best
    whole = composed(fine[1][1], composed(matrix, inverse(fine[0][1])))
    turn = np.arctan2(whole[1, 0] - whole[0, 1], whole[0, 0] + whole[1, 1])
    magnification = float(np.sqrt(np.linalg.det(whole[:, :2])))
    fit = replace(fit, magnification=magnification, turn_deg=float(np.degrees(turn)))
    return Registration(whole, fit)


_Resized = tuple[tuple[Picture, Matrix], tuple[Picture, Matrix]]
"""Both pictures at one size, each with the map to its original."""


def _rescaled(matrix: Matrix, old: _Resized, new: _Resized) -> Matrix:
    """Convert a map between pictures of one size to another size."""
    there = composed(inverse(new[1][1]), old[1][1])
    back = composed(inverse(old[0][1]), new[0][1])
    return composed(there, composed(matrix, back))


def _near_bone(picture: Picture) -> FloatImage:
    """Return the dilated bone mask inside the exposed field, float32 0 or 1."""
    reach = max(1, round(0.03 * max(picture.bone.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(picture.bone.view(np.uint8), disk)
    return np.asarray(near * picture.field, np.float32)


def _coarse(before: Picture, after: Picture) -> list[Matrix]:
    """Return the best similarities between two small pictures, best first."""
    shape = before.grey.shape
    mask, film = _near_bone(before), _features(before)
    other_mask, other = _near_bone(after), _features(after)
    canvas = int(np.ceil(np.hypot(*after.grey.shape) * max(_SCALES))) + 2
    side = fft.next_fast_len(canvas + max(shape), real=True)
    fixed = [fft.rfft2(part, (side, side)) for part in (film, film * film, mask)]
    middle = ((after.grey.shape[1] - 1) / 2, (after.grey.shape[0] - 1) / 2)
    found: list[tuple[float, Matrix]] = []
    for scale in _SCALES:
        for turn in _TURNS_DEG:
            # from the second film to the canvas, undoing its scale and rotation
            back = np.array(cv2.getRotationMatrix2D(middle, float(turn), 1.0 / scale), np.float64)
            back[:, 2] += (canvas - 1) / 2 - np.array(middle)
            picture, seen = (
                np.asarray(
                    cv2.warpAffine(part, back, (canvas, canvas), flags=cv2.INTER_LINEAR), np.float32
                )
                for part in (other, other_mask)
            )
            if seen.sum() < 16:
                continue
            score = _scores(fixed, picture, seen, side, smaller=min(mask.sum(), seen.sum()))
            place = int(score.argmax())
            # the correlation is circular: shifts beyond the canvas are negative
            shift = -np.array(divmod(place, side)[::-1], np.float64) % side
            shift -= np.where(shift >= canvas, side, 0)
            onto = np.hstack([np.eye(2), shift[:, None]])
            found.append((float(score.flat[place]), composed(inverse(back), onto)))
    found.sort(key=lambda one: -one[0])
    return _distinct([matrix for _, matrix in found], shape)


def _features(picture: Picture) -> FloatImage:
    """Return the weighted sum of grey values and bone mask for the coarse search, float32."""
    near = _near_bone(picture)
    grey = cv2.GaussianBlur(locally_normalised(picture, share=0.08), (0, 0), 1.0)
    shape = cv2.GaussianBlur(picture.bone.astype(np.float32), (0, 0), 1.5)
    level = float((shape * near).sum() / max(float(near.sum()), 1.0))
    return np.asarray((grey + _SHAPE * (shape - level)) * near, np.float32)


def _scores(
    fixed: list[NDArray[np.complex64]],
    picture: FloatImage,
    seen: FloatImage,
    side: int,
    *,
    smaller: float,
) -> FloatImage:
    """Return the correlation at every shift of the canvas; -1 if the overlap is too small."""
    film, squares, mask = fixed
    moving = [np.conj(fft.rfft2(part, (side, side))) for part in (picture, picture * picture, seen)]
    product, ours, theirs, common = (
        fft.irfft2(pair, (side, side))
        for pair in (film * moving[0], squares * moving[2], mask * moving[1], mask * moving[2])
    )
    energy = np.sqrt(np.maximum(ours, 0.0) * np.maximum(theirs, 0.0))
    share = common / max(smaller, 1.0)
    enough = (energy > 0.02 * float(energy.max())) & (share >= _MIN_COMMON)
    # small overlaps fit well by chance: a piece of a shaft fits any other
    alike = product / np.maximum(energy, 1e-6) * np.sqrt(np.clip(share, 0.0, 1.0))
    return np.asarray(np.where(enough, alike, -1.0), np.float32)


def _distinct(matrices: list[Matrix], shape: tuple[int, ...]) -> list[Matrix]:
    """Return the first few maps that move the corners to clearly different positions."""
    rows, cols = shape
    corners = np.array([[0.0, 0.0], [0.0, cols], [rows, 0.0], [rows, cols]])
    kept: list[Matrix] = []
    for matrix in matrices:
        at = moved(matrix, corners)
        apart = (np.abs(at - moved(one, corners)).max() > 0.15 * max(shape) for one in kept)
        if all(apart):
            kept.append(matrix)
        if len(kept) == _COARSE_KEPT:
            break
    return kept


def _refined(pictures: _Resized, coarse: Matrix) -> tuple[float, Matrix] | None:
    """Refine a map between two pictures; return its correlation and the map."""
    before, after = pictures[0][0], pictures[1][0]
    size = (before.grey.shape[1], before.grey.shape[0])
    film, there = (
        locally_normalised(before),
        warped_to_first(locally_normalised(after), coarse, size),
    )
    seen = warped_to_first(_near_bone(after), coarse, size) > 0
    mask = ((_near_bone(before) > 0) & seen).astype(np.uint8)
    best: tuple[float, Matrix] | None = None
    start = np.eye(2, 3, dtype=np.float32)
    # rigid first: an affine refinement from a distant start diverges
    for motion in (cv2.MOTION_EUCLIDEAN, cv2.MOTION_AFFINE):
        try:
            score, found = cv2.findTransformECC(
                film, there, start.copy(), motion, _ECC_CRITERIA, mask, 5
            )
        except cv2.error:  # raised if it diverges, when the two have nothing in common
            break
        matrix = np.asarray(found, np.float64)
        large, little = np.linalg.svd(matrix[:, :2], compute_uv=False)
        if large > _MAX_STRETCH or little < 1.0 / _MAX_STRETCH:
            break
        best, start = (float(score), composed(coarse, matrix)), np.asarray(found, np.float32)
    return best
