"""Pictures: the film with numbered outlines, the label image and the bone mask.

The film is the hero: outlines are thin and run just outside the candidate, numbers stand beside
it, words stand in a strip under the film.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.pipeline import Findings
from lesionscan.detection.score import Candidate
from lesionscan.radiograph import BoolImage, FloatImage, Radiograph
from lesionscan.reading.codes import NoticeCode
from lesionscan.reporting.caption import add_caption
from lesionscan.reporting.drawing import AMBER, HALO, text_height
from lesionscan.reporting.tags import place_tags
from lesionscan.settings import Settings

MIN_LONG_SIDE_PX = 900
"""Smaller films are enlarged, so that the numbers are legible beside a lesion of 10 pixels."""


def displayed(findings: Findings) -> NDArray[np.uint8]:
    """Return the film as it is displayed, grey, without anything drawn on it.

    Parameters
    ----------
    findings
        What was found. `overlay_max_px` of its settings limits the picture's size.

    Returns
    -------
    ndarray
        uint8 (rows, cols), reduced or enlarged, see `display_scale`.
    """
    rows, columns = findings.image.shape
    scale = display_scale(rows, columns, at_most_px=findings.settings.overlay_max_px)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    film = cv2.resize(findings.image, size, interpolation=shrink)
    exposed = cv2.resize(findings.exposed.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return to_grey(np.asarray(film, np.float32), np.asarray(exposed, np.bool_))


def overlay_png(findings: Findings, film: NDArray[np.uint8]) -> bytes:
    """Draw the film with the shown candidates outlined and numbered; return the PNG's bytes.

    Parameters
    ----------
    findings
        What was found. The picture holds nothing that identifies the file.
    film
        uint8 (rows, cols), from `displayed`.
    """
    rows, columns = findings.image.shape
    scale = (film.shape[0] / rows, film.shape[1] / columns)
    canvas = np.asarray(cv2.cvtColor(film, cv2.COLOR_GRAY2BGR), np.uint8)
    shown = [candidate for candidate in findings.candidates if candidate.shown]
    draw_candidates(canvas, shown, scale, [str(candidate.id) for candidate in shown])
    return encode_png(add_caption(canvas, findings, scale[1]))


def may_be_drawn(radiograph: Radiograph, settings: Settings) -> bool:
    """Say whether a picture of a film may be made: identifying text may be burned into it.

    Parameters
    ----------
    radiograph
        The film.
    settings
        `allow_burned_in` is used.
    """
    said = {notice.code for notice in radiograph.notices}
    return settings.allow_burned_in or NoticeCode.BURNED_IN_ANNOTATION not in said


def labels_png(findings: Findings) -> bytes:
    """Return the label image as a 16-bit PNG: 0 background, value = candidate id.

    Parameters
    ----------
    findings
        What was found. Rows and columns are those of the stored matrix.
    """
    return encode_png(findings.labels.astype(np.uint16))


def bone_png(findings: Findings) -> bytes:
    """Return the bone mask as an 8-bit PNG: 0 background, 255 bone.

    Parameters
    ----------
    findings
        What was found. Rows and columns are those of the stored matrix.
    """
    return encode_png(np.where(findings.bone, 255, 0).astype(np.uint8))


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


def to_grey(image: FloatImage, exposed: BoolImage) -> NDArray[np.uint8]:
    """Stretch the normalised image to 8-bit grey.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    exposed
        bool (rows, cols); the stretch looks at these pixels only, so that a white marker or a
        black collimator does not flatten the film.
    """
    inside = image[exposed] if exposed.any() else image.ravel()
    low, high = (float(value) for value in np.percentile(inside, (0.5, 99.8)))
    if high - low < 1e-6:  # a blank film stays mid-grey rather than turning into amplified noise
        low, high = low - 0.5, high + 0.5
    stretched = np.clip((image - low) / (high - low), 0, 1)
    return np.asarray(np.rint(stretched * 255), np.uint8)


def encode_png(picture: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return the PNG bytes of a grey or blue-green-red picture; the same picture, same bytes."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise ValueError(f"no PNG can be made of an array {picture.dtype} {picture.shape}")
    return data.tobytes()


def draw_candidates(
    canvas: NDArray[np.uint8],
    candidates: Sequence[Candidate],
    scale: tuple[float, float],
    texts: Sequence[str],
    colour: tuple[int, int, int] = AMBER,
) -> None:
    """Outline candidates and write a tag beside each, in place.

    Parameters
    ----------
    canvas
        uint8 (rows, cols, 3): the film.
    candidates
        Which ones.
    scale
        Display pixels per stored pixel, (down the rows, along a row).
    texts
        For each candidate, what its tag says; ASCII.
    colour
        Of the outlines, (blue, green, red).
    """
    rows, columns = canvas.shape[:2]
    # Half a stored pixel lies outside its centre; four more keep the lesion's edge visible.
    gap = 4 + round(max(scale) / 2)
    taken = np.zeros((rows, columns), np.uint8)
    outlines = []
    for candidate in candidates:
        points = (candidate.region.contour_px + 0.5) * np.array(scale) - 0.5
        mask = _ring_mask(points, (rows, columns), gap)
        outlines.append(_outer_contours(mask))
        cv2.bitwise_or(taken, mask, dst=taken)
    for contours in outlines:
        _draw_lines(canvas, contours, HALO, 3)
    for contours in outlines:  # all colour over all halos, where two candidates touch
        _draw_lines(canvas, contours, colour, 1)
    place_tags(
        canvas,
        taken=taken,
        outlines=[np.concatenate(contours)[:, 0, :] for contours in outlines],
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
