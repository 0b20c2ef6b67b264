"""Refine the registration of two films by matching small blocks of bone, and assess its quality.

Each block of the first film is searched for on the second, near its predicted position. The share
of matched blocks and their residuals measure the quality without landmarks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison.geometry import (
    Matrix,
    Picture,
    composed,
    locally_normalised,
    warped_to_first,
)
from lesionscan.radiograph import BoolImage, FloatImage

_BLOCK_PX, _STEP_PX = 16, 14
"""Half the side of a block, and the distance between blocks, on the fine grid."""
_REACHES_PX = (14, 8, 5)
"""Search radius around the predicted position of a block, by iteration."""
_MIN_CORRELATION = 0.5
"""Correlation from which a block counts as matched."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Quality of a registration.

    Attributes
    ----------
    overlap
        Dice of the two bone masks where both films were exposed, 0 to 1.
    common_bone
        Share of the smaller bone mask that the other film shows too, 0 to 1.
    correlation
        Correlation of the locally normalised pictures in the common bone, -1 to 1.
    matched_blocks
        Share of the blocks of common bone that were found at their predicted position, 0 to 1.
    residual
        Median distance of these blocks from their predicted position, as a share of the first
        film's long side.
    magnification
        Length on the second film / length on the first, in pixels.
    magnification_error
        Standard error of the natural logarithm of `magnification`.
    turn_deg
        Rotation of the second film, clockwise.
    """

    overlap: float
    common_bone: float
    correlation: float
    matched_blocks: float
    residual: float
    magnification: float
    magnification_error: float
    turn_deg: float


def refine_by_blocks(
    before: Picture, after: Picture, matrix: Matrix
) -> tuple[float, Matrix, Fit] | None:
    """Refine a map by block matching; return its score, the map and its quality.

    None if there are too few blocks.
    """
    film, other = locally_normalised(before), locally_normalised(after)
    size = (film.shape[1], film.shape[0])
    for reach in _REACHES_PX:
        there = warped_to_first(other, matrix, size)
        seen = warped_to_first(after.field.astype(np.float32), matrix, size) > 0.99
        bone = before.bone & before.field & seen
        blocks = _blocks(film, there, bone, reach)
        if blocks is None:
            return None
        correction = _robust_similarity(blocks)
        if correction is None:
            break
        matrix = composed(matrix, correction)
    return _assessed(before, after, matrix)


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Blocks of bone and their best matches on the second film.

    Attributes
    ----------
    at, found
        float64 (blocks, 2), (column, row) of the block and of its match, both on the first film's
        grid.
    correlation
        float64 (blocks,).
    """

    at: NDArray[np.float64]
    found: NDArray[np.float64]
    correlation: NDArray[np.float64]


def _blocks(film: FloatImage, there: FloatImage, bone: BoolImage, reach: int) -> _Blocks | None:
    """Match every block of bone; None if there are too few."""
    margin = _BLOCK_PX + reach
    rows, cols = film.shape
    at, found, correlation = [], [], []
    for row in range(margin, rows - margin, _STEP_PX):
        for col in range(margin, cols - margin, _STEP_PX):
            inner = np.s_[
                row - _BLOCK_PX : row + _BLOCK_PX + 1, col - _BLOCK_PX : col + _BLOCK_PX + 1
            ]
            if np.count_nonzero(bone[inner]) < 0.5 * (2 * _BLOCK_PX + 1) ** 2:
                continue
            outer = there[row - margin : row + margin + 1, col - margin : col + margin + 1]
            block = film[inner]
            if float(block.std()) < 0.05 or float(outer.std()) < 0.05:
                continue
            scores = np.asarray(cv2.matchTemplate(outer, block, cv2.TM_CCOEFF_NORMED), np.float32)
            _, best, _, (x, y) = cv2.minMaxLoc(scores)
            at.append((col, row))
            found.append(
                (
                    col + x - reach + _peak_offset(scores[y], x),
                    row + y - reach + _peak_offset(scores[:, x], y),
                )
            )
            correlation.append(best)
    if len(at) < 12:
        return None
    return _Blocks(np.array(at, np.float64), np.array(found), np.array(correlation))


def _peak_offset(values: NDArray[np.float32], place: int) -> float:
    """Return the offset of a maximum from its sample, by a parabola through three values."""
    if not 0 < place < len(values) - 1:
        return 0.0
    low, top, high = (float(value) for value in values[place - 1 : place + 2])
    bend = low - 2 * top + high
    return 0.0 if bend >= -1e-6 else float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5))


def _robust_similarity(blocks: _Blocks) -> Matrix | None:
    """Fit a similarity from `at` to `found`, ignoring outliers; None for too few blocks."""
    weight = np.where(blocks.correlation >= _MIN_CORRELATION, blocks.correlation, 0.0)
    if np.count_nonzero(weight) < 8:
        return None
    own = weight
    matrix = _similarity(blocks, own)
    for _ in range(8):
        away = _residuals(blocks, matrix)
        scale = max(1.4826 * float(np.median(away[weight > 0])), 0.25)
        # Tukey's biweight: outliers get no weight
        own = weight * np.clip(1.0 - (away / (4.0 * scale)) ** 2, 0.0, None) ** 2
        if np.count_nonzero(own) < 8:
            return None
        matrix = _similarity(blocks, own)
    return matrix


def _similarity(blocks: _Blocks, weight: NDArray[np.float64]) -> Matrix:
    """Return the least-squares similarity from `at` to `found`."""
    total = weight.sum()
    first, second = (
        (weight[:, None] * points).sum(axis=0) / total for points in (blocks.at, blocks.found)
    )
    a, b = (blocks.at - first).T, (blocks.found - second).T
    energy = (weight * (a[0] ** 2 + a[1] ** 2)).sum()
    cosine = (weight * (a[0] * b[0] + a[1] * b[1])).sum() / energy
    sine = (weight * (a[0] * b[1] - a[1] * b[0])).sum() / energy
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([turn, (second - turn @ first)[:, None]])


def _residuals(blocks: _Blocks, matrix: Matrix) -> NDArray[np.float64]:
    at = blocks.at @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(np.hypot(*(at - blocks.found).T))


def _assessed(before: Picture, after: Picture, matrix: Matrix) -> tuple[float, Matrix, Fit] | None:
    """Assess a map by matching the blocks once more; return score, map and quality."""
    rows, cols = before.grey.shape
    size = (cols, rows)
    seen = warped_to_first(after.field.astype(np.float32), matrix, size) > 0.99
    there = warped_to_first(locally_normalised(after), matrix, size)
    bone_there = warped_to_first(after.bone.astype(np.float32), matrix, size) >= 0.5
    both = before.field & seen
    ours, theirs = before.bone & both, bone_there & both
    film = locally_normalised(before)
    last = _blocks(film, there, ours, _REACHES_PX[-1])
    if last is None:
        return None
    away = np.hypot(*(last.found - last.at).T)
    good = (last.correlation >= _MIN_CORRELATION) & (away <= 0.75 * _REACHES_PX[-1])
    common = ours & theirs
    if not good.any() or np.count_nonzero(common) < 100:
        return None
    spread = float(np.sqrt(((last.at[good] - last.at[good].mean(axis=0)) ** 2).sum(axis=1).mean()))
    # blocks overlap: about one in four is independent
    error = float(np.sqrt((away[good] ** 2).mean() / 2)) / max(spread, 1.0)
    error /= float(np.sqrt(max(np.count_nonzero(good) / 4.0, 1.0)))
    area = abs(float(np.linalg.det(matrix[:, :2])))
    bones = [float(np.count_nonzero(mask)) for mask in (ours, theirs, ours | theirs)]
    smaller = min(float(np.count_nonzero(before.bone)), float(np.count_nonzero(after.bone)) / area)
    a, b = film[common], there[common]
    if not (a.std() > 0 and b.std() > 0):
        return None
    fit = Fit(
        overlap=2.0 * float(np.count_nonzero(common)) / (bones[0] + bones[1]),
        common_bone=min(1.0, bones[2] / max(smaller, 1.0)),
        correlation=float(np.corrcoef(a, b)[0, 1]),
        matched_blocks=float(good.mean()),
        residual=float(np.median(away[good])) / max(rows, cols),
        magnification=1.0,
        magnification_error=error,
        turn_deg=0.0,
    )
    return fit.matched_blocks * float(good.size) ** 0.25, matrix, fit
