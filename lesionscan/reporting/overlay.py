"""Pictures of a result: the film with numbered outlines, the label image, the bone mask.

To keep the film visible, outlines are thin and just outside the candidate, numbers are beside it,
and text is in a strip below the film.
"""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import NoticeCode
from lesionscan.detection.pipeline import Findings
from lesionscan.png import encode_png
from lesionscan.radiograph import BoolImage, FloatImage, Radiograph
from lesionscan.reporting.caption import add_caption
from lesionscan.reporting.drawing import AMBER, HALO, text_height
from lesionscan.reporting.tags import place_tags
from lesionscan.results.record import ResultRecord
from lesionscan.settings import Settings

Window: TypeAlias = tuple[float, float]
"""Values of the normalised image displayed as black and as white."""

MIN_LONG_SIDE_PX = 900
"""Smaller films are enlarged, so that numbers are legible beside a lesion of 10 pixels."""
_ENOUGH_PX = 250_000
"""Approximate number of pixels sampled for the range of grey values."""


def displayed(image: FloatImage, window: Window, *, at_most_px: int) -> NDArray[np.uint8]:
    """Return the film as displayed, grey, without annotations.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    window
        From `grey_window`.
    at_most_px
        Greatest long side of the picture, in pixels.

    Returns
    -------
    ndarray
        uint8 (rows, cols), reduced or enlarged, see `display_scale`.
    """
    rows, columns = image.shape
    scale = display_scale(rows, columns, at_most_px=at_most_px)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    # from half size on, linear interpolation uses every pixel
    reduce = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    shrink = reduce if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(to_grey(image, window), size, interpolation=shrink), np.uint8)


def overlay_png(record: ResultRecord, film: NDArray[np.uint8]) -> bytes:
    """Draw the film with the shown candidates outlined and numbered; return the PNG's bytes.

    Parameters
    ----------
    record
        Result of a film that was read. The picture has nothing that identifies the file.
    film
        uint8 (rows, cols), from `displayed`.

    Raises
    ------
    ValueError
        If the film failed.
    """
    if record.image is None:
        raise ValueError("a film that failed has no picture")
    scale = (film.shape[0] / record.image.rows, film.shape[1] / record.image.columns)
    canvas = np.asarray(cv2.cvtColor(film, cv2.COLOR_GRAY2BGR), np.uint8)
    shown = [candidate for candidate in record.candidates if candidate.shown]
    contours = [np.array(candidate.contour_px, np.int32) for candidate in shown]
    draw_candidates(canvas, contours, scale, [str(candidate.id) for candidate in shown])
    return encode_png(add_caption(canvas, record, scale[1]))


def may_be_drawn(radiograph: Radiograph, settings: Settings) -> bool:
    """Return whether a picture of a film may be made, since text may be burned into it.

    Parameters
    ----------
    radiograph
        The film.
    settings
        `allow_burned_in` is used.
    """
    codes = {notice.code for notice in radiograph.notices}
    return settings.allow_burned_in or NoticeCode.BURNED_IN_ANNOTATION not in codes


def labels_png(findings: Findings) -> bytes:
    """Return the label image as a 16-bit PNG: 0 background, value = candidate id.

    Parameters
    ----------
    findings
        The findings. Rows and columns are those of the stored matrix.
    """
    return encode_png(findings.labels.astype(">u2"))


def bone_png(findings: Findings) -> bytes:
    """Return the bone mask as an 8-bit PNG: 0 background, 255 bone.

    Parameters
    ----------
    findings
        The findings. Rows and columns are those of the stored matrix.
    """
    return encode_png(findings.bone.view(np.uint8) * np.uint8(255))


def display_scale(rows: int, columns: int, *, at_most_px: int) -> float:
    """Return display pixels per stored pixel for a film of `rows` x `columns` pixels.

    Parameters
    ----------
    rows, columns
        Of the stored matrix.
    at_most_px
        Long side of the largest picture, in pixels.
    """
    long_side = max(rows, columns)
    return min(max(long_side, MIN_LONG_SIDE_PX), at_most_px) / long_side


def grey_window(image: FloatImage, exposed: BoolImage) -> Window:
    """Compute the values of the normalised image displayed as black and as white.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    exposed
        bool (rows, cols); only these pixels are used, on a large film a sample of them, so that a
        white marker or a black collimator does not reduce the contrast.
    """
    # on a large film, every n-th row and column is enough
    step = max(1, int((image.size / _ENOUGH_PX) ** 0.5))
    sample, looked_at = image[::step, ::step], exposed[::step, ::step]
    inside = sample[looked_at] if looked_at.any() else sample.ravel()
    low, high = (float(value) for value in np.percentile(inside, (0.5, 99.8)))
    if high - low < 1e-6:  # show a blank film as mid-grey instead of amplified noise
        return low - 0.5, high + 0.5
    return low, high


def to_grey(image: FloatImage, window: Window) -> NDArray[np.uint8]:
    """Stretch the normalised image to 8-bit grey.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    window
        From `grey_window`.
    """
    low, high = window
    factor = 255 / (high - low)
    # scale, shift, round and clip in one call
    stretched = cv2.addWeighted(image, factor, image, 0.0, -low * factor, dtype=cv2.CV_8U)
    return np.asarray(stretched, np.uint8)


def draw_candidates(
    canvas: NDArray[np.uint8],
    contours: Sequence[NDArray[np.int32]],
    scale: tuple[float, float],
    texts: Sequence[str],
    colour: tuple[int, int, int] = AMBER,
) -> None:
    """Outline candidates and write a tag beside each, in place.

    Parameters
    ----------
    canvas
        uint8 (rows, cols, 3): the film.
    contours
        int32 (n, 2) each: the candidates' boundaries, as (row, col) in the stored matrix.
    scale
        Display pixels per stored pixel, (down the rows, along a row).
    texts
        Text of each candidate's tag; ASCII.
    colour
        Colour of the outlines, (blue, green, red).
    """
    rows, columns = canvas.shape[:2]
    # half a stored pixel to its border, and four display pixels to keep the lesion's edge visible
    gap = 4 + round(max(scale) / 2)
    taken = np.zeros((rows, columns), np.uint8)
    outlines = []
    for contour in contours:
        points = (contour + 0.5) * np.array(scale) - 0.5
        mask = _ring_mask(points, (rows, columns), gap)
        outlines.append(_outer_contours(mask))
        cv2.bitwise_or(taken, mask, dst=taken)
    for lines in outlines:
        _draw_lines(canvas, lines, HALO, 3)
    for lines in outlines:  # after all halos, which must not cover lines of neighbours
        _draw_lines(canvas, lines, colour, 1)
    place_tags(
        canvas,
        taken=taken,
        outlines=[np.concatenate(lines)[:, 0, :] for lines in outlines],
        texts=texts,
        height_px=text_height(rows, columns),
    )


def _ring_mask(points: NDArray[np.float64], shape: tuple[int, int], gap: int) -> NDArray[np.uint8]:
    """Fill the polygon of (row, column) points and widen it by `gap` display pixels."""
    mask = np.zeros(shape, np.uint8)
    corners = np.rint(points[:, ::-1]).astype(np.int32)
    cv2.fillPoly(mask, [corners.reshape(-1, 1, 2)], 255)
    # fillPoly leaves a polygon of one point or line empty; its boundary is never empty.
    cv2.polylines(mask, [corners.reshape(-1, 1, 2)], isClosed=True, color=255, thickness=1)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap + 1, 2 * gap + 1))
    return np.asarray(cv2.dilate(mask, disk), np.uint8)


def _draw_lines(
    canvas: NDArray[np.uint8],
    contours: list[NDArray[np.int32]],
    colour: tuple[int, int, int],
    width: int,
) -> None:
    cv2.polylines(
        canvas, contours, isClosed=True, color=colour, thickness=width, lineType=cv2.LINE_AA
    )


def _outer_contours(mask: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(contour, np.int32) for contour in contours]
