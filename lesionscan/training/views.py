"""Random views of a film (data augmentation): geometry, grey scale, borders, letters.

Everything that differs between archives, other than anatomy, is drawn at random, so that the
network cannot rely on it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.radiograph import FloatImage
from lesionscan.training.films import FAINT, LESION, TrainingFilm

_LETTERS = ("R", "L", "R", "L", "AP", "RL 12", "LAT", "1234", "PORTABLE", "L-2")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN)
_CLOSE = 1.15
"""From this zoom on, a view shows a part of the film."""
_SPECK_PX = 9
"""A lesion of fewer pixels in a view is ignored: it cannot be distinguished from noise."""
_NEAR_BONE = 9
"""Width, in pixels, of the neighbourhood of an outlined bone in which the bone mask is valid."""


@dataclass(slots=True, eq=False)
class View:
    """A view of a film; all arrays float32 (side, side), 0 to 1.

    Attributes
    ----------
    image
        The grey values, bone bright.
    lesion, faint
        Fraction of each pixel covered by lesions that are targets, and by lesions to be ignored.
    bone
        Fraction covered by bone.
    known
        1 where `bone` is valid.
    inside
        Fraction inside the film.
    """

    image: FloatImage
    lesion: FloatImage
    faint: FloatImage
    bone: FloatImage
    known: FloatImage
    inside: FloatImage


def random_view(
    film: TrainingFilm, rng: np.random.Generator, *, side_px: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw a random view of a film.

    Parameters
    ----------
    film
        The film.
    rng
        Random number generator.
    side_px
        Rows and columns of the view, a multiple of 32.

    Returns
    -------
    channels
        float32 (3, side, side), the network's input.
    targets
        float32 (4, side, side): lesion, faint, bone, known, as in `View`.
    """
    view = _placed(film, rng, side_px)
    if film.bone_outline == "whole" and rng.random() < 0.35:  # decoys must not cover bones
        _add_decoys(view, rng)
    view.image = _toned(view, rng)
    if rng.random() < 0.35:
        _add_frame(view, rng)
    if rng.random() < 0.35:
        _add_letters(view, rng)
    if rng.random() < 0.3:
        _compress(view, rng)
    targets = np.stack([view.lesion, view.faint, view.bone, view.known])
    return Preprocessing().channels(view.image.astype(np.float32)), targets


def _placed(film: TrainingFilm, rng: np.random.Generator, side: int) -> View:
    """Rotate, mirror, stretch, zoom and shift."""
    zoom = _zoom(rng)
    image, scale = _detailed(film.image.astype(np.float32) / np.float32(255), rng, zoom), np.ones(2)
    rows, cols = film.image.shape
    shrunk = np.array([image.shape[1] / cols, image.shape[0] / rows])  # x, y
    if rng.random() < 0.4:  # stretched to a square, as many public sets are
        scale = np.array([side / cols, side / rows])
    else:
        stretch = np.exp(rng.normal(0, 0.12))
        scale = side / max(rows, cols) * np.array([1 / stretch, stretch])
    scale = scale * zoom
    angle = np.deg2rad(rng.normal(0, 8) if rng.random() < 0.8 else rng.uniform(-180, 180))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.15:
        turn = turn @ np.array([[0.0, -1.0], [1.0, 0.0]])
    mirror = np.diag([-1.0 if rng.random() < 0.5 else 1.0, -1.0 if rng.random() < 0.1 else 1.0])
    matrix = turn @ mirror @ np.diag(scale)
    centre, shift = np.array([cols / 2, rows / 2]), rng.normal(0, 0.06 * side, 2)
    if zoom > _CLOSE:
        centre, shift = _close_view_centre(film, rng, side / scale), np.zeros(2)
    shift = shift + side / 2
    whole = np.hstack([matrix, (shift - matrix @ centre)[:, None]])
    # with pixel centres at integers, for the image at its reduced resolution
    of_image = np.hstack([matrix / shrunk, whole[:, 2:] + matrix @ (0.5 / shrunk - 0.5)[:, None]])
    least = float((scale / shrunk).min())
    if least < 0.75:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / least), np.float32)
    luck = rng.random()
    outside = 0.0 if luck < 0.75 else float(rng.random()) if luck < 0.85 else 1.0

    def placed(
        array: NDArray[np.generic], border: float = 0.0, matrix: NDArray[np.float64] = whole
    ) -> FloatImage:
        return np.asarray(
            cv2.warpAffine(array.astype(np.float32), matrix, (side, side), borderValue=border),
            np.float32,
        )

    lesion = placed(film.lesions == LESION)
    faint = placed(film.lesions == FAINT)
    _ignore_specks(lesion, faint)
    bone = placed(film.bone) / np.float32(255)
    known = np.full((side, side), 0.0 if film.bone_outline == "none" else 1.0, np.float32)
    if film.bone_outline == "near":
        near = cv2.dilate((bone > 0.5).astype(np.uint8), np.ones((_NEAR_BONE, _NEAR_BONE)))
        known = near.astype(np.float32)
    return View(
        image=placed(image, outside, of_image),
        lesion=lesion,
        faint=faint,
        bone=bone,
        known=known,
        inside=placed(np.ones((rows, cols))),
    )


def _zoom(rng: np.random.Generator) -> float:
    """Draw a zoom factor: 1 shows the whole film; the search uses 1 to about 4."""
    luck = rng.random()
    if luck < 0.3:
        return float(np.exp(rng.uniform(-0.1, 0.1)))
    if luck < 0.5:
        return float(np.exp(rng.uniform(np.log(0.6), np.log(1.5))))
    return float(np.exp(rng.uniform(np.log(1.3), np.log(4.0))))


def _detailed(image: FloatImage, rng: np.random.Generator, zoom: float) -> FloatImage:
    """Reduce, at random, a film to the resolution of a smaller file."""
    if rng.random() < 0.65:
        return image
    least = 200 * min(zoom, 2.0)
    factor = rng.uniform(least, max(2 * least, 500)) / max(image.shape)
    if factor >= 1.0:
        return image
    return np.asarray(
        cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32
    )


def _close_view_centre(
    film: TrainingFilm, rng: np.random.Generator, extent: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the centre (x, y) of a close view of `extent` (x, y) pixels of a film.

    It shows a false alarm, a lesion, bone, or any place, and little beyond the film's border.
    """
    rows, cols = film.image.shape
    size = np.array([cols, rows], np.float64)
    point = rng.uniform(0, 1, 2) * size
    lesion = np.argwhere(film.lesions == LESION)
    luck = rng.random()
    if film.alarms:
        point = np.array(film.alarms[rng.integers(len(film.alarms))][::-1], np.float64)
    elif len(lesion) and luck < 0.75:
        point = lesion[rng.integers(len(lesion))][::-1].astype(np.float64)
    elif luck < 0.9:
        places = (rng.uniform(0, 1, (64, 2)) * (rows, cols)).astype(int)
        bony = np.flatnonzero(film.bone[places[:, 0], places[:, 1]] > 127)
        if bony.size:
            point = places[bony[0]][::-1].astype(np.float64)
    point = point + rng.uniform(-0.3, 0.3, 2) * extent
    low = np.minimum(0.45 * extent, size / 2)
    return np.asarray(np.clip(point, low, size - low), np.float64)


def _ignore_specks(lesion: FloatImage, faint: FloatImage) -> None:
    """Mark lesions of which a view shows only a few pixels as faint."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((lesion > 0.1).astype(np.uint8))
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] < _SPECK_PX:
            mask = pieces == piece
            faint[mask] = np.maximum(faint[mask], 1.0)
            lesion[mask] = 0.0


def _add_decoys(view: View, rng: np.random.Generator) -> None:
    """Draw dark and bright patches beside the bones, like gas, folds and fat."""
    soft = (view.bone < 0.2) & (view.image > 0.08) & (view.inside > 0.5)
    places = np.argwhere(soft)
    if not len(places):
        return
    side = len(soft)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    allowed = cv2.GaussianBlur(soft.astype(np.float32), (0, 0), 1.0)
    for _ in range(rng.integers(1, 4)):
        row, col = places[rng.integers(len(places))]
        radius = side * np.exp(rng.uniform(np.log(0.01), np.log(0.06)))
        stretch, angle = np.exp(rng.normal(0, 0.3)), rng.uniform(0, np.pi)
        along = ((x - col) * np.cos(angle) + (y - row) * np.sin(angle)) / (radius * stretch)
        across = ((y - row) * np.cos(angle) - (x - col) * np.sin(angle)) / (radius / stretch)
        beyond = np.minimum(np.hypot(along, across) - 1, 4.0)
        share = allowed * rng.uniform(0.05, 0.6) / (1 + np.exp(beyond * rng.uniform(4, 15)))
        dark = rng.random() < 0.8
        view.image = (
            view.image * (1 - share) if dark else view.image + 0.5 * share * (1 - view.image)
        )


def _toned(view: View, rng: np.random.Generator) -> FloatImage:
    """Change grey scale, shading, sharpness and noise."""
    image = np.clip(view.image, 0, 1) ** np.exp(rng.normal(0, 0.28))
    side = len(image)
    if rng.random() < 0.4:  # heel effect and uneven plates
        y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
        slope = x * rng.normal(0, 0.3) + y * rng.normal(0, 0.3)
        image = image * (1 + slope) if rng.random() < 0.5 else image + 0.5 * slope * view.inside
    if rng.random() < 0.25:  # the S of a film's characteristic curve
        steep, middle = rng.uniform(3, 8), rng.uniform(0.35, 0.6)
        low, high = (1 / (1 + np.exp(-steep * (end - middle))) for end in (0.0, 1.0))
        image = (1 / (1 + np.exp(-steep * (image - middle))) - low) / (high - low)
    image = image * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 0.05)
    luck = rng.random()
    if luck < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
    elif luck < 0.55:  # edge enhancement
        smooth = cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 6))
        image = image + rng.uniform(0.2, 1.0) * (image - smooth)
    if rng.random() < 0.5:
        noise = rng.normal(0, 1, image.shape).astype(np.float32)
        if rng.random() < 0.5:
            noise = 1.8 * cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 1.2))
        image = image + noise * rng.uniform(0, 0.03)
    return np.asarray(np.clip(image, 0, 1), np.float32)


def _add_frame(view: View, rng: np.random.Generator) -> None:
    """Cover the borders, white or dark, like collimators and screenshots."""
    side = len(view.image)
    grey = 1.0 if rng.random() < 0.5 else float(rng.choice([0, 0, 0.1, 0.9]))
    top, bottom, left, right = (int(max(0.0, rng.normal(0.03, 0.05)) * side) for _ in range(4))
    frame = np.ones((side, side), np.bool_)
    frame[top : side - bottom, left : side - right] = False
    view.image[frame] = grey
    for array in (view.lesion, view.faint, view.bone):
        array[frame] = 0.0


def _add_letters(view: View, rng: np.random.Generator) -> None:
    """Write side marks and burned-in text."""
    side = len(view.image)
    for _ in range(rng.integers(1, 3)):
        ink = np.zeros((side, side), np.uint8)
        text = str(rng.choice(_LETTERS))
        place = int(rng.uniform(0, 0.9) * side), int(rng.uniform(0.05, 0.98) * side)
        cv2.putText(
            ink, text, place, _FONTS[rng.integers(3)],
            float(rng.uniform(0.3, 1.2)), 255, int(rng.integers(1, 3)), cv2.LINE_AA,
        )  # fmt: skip
        share = ink.astype(np.float32) / np.float32(255) * np.float32(rng.uniform(0.6, 1))
        white = np.float32(1.0 if rng.random() < 0.85 else 0.0)
        view.image = view.image * (1 - share) + share * white


def _compress(view: View, rng: np.random.Generator) -> None:
    """Pass the image through JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
    _, data = cv2.imencode(".jpg", (view.image * 255).astype(np.uint8), quality)
    grey = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
    view.image = grey / np.float32(255)
