"""Draw how a film was searched: the steps side by side, and the signs of the best candidates.

The steps are those of `lesionscan.detection.pipeline`, on the grid on which they ran. Colours are
from a colour-blind-safe palette and named where they are used. Nothing in the picture identifies
the file.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.detection.normalise import rescale
from lesionscan.detection.pipeline import Findings, Steps
from lesionscan.detection.score import Candidate
from lesionscan.png import encode_png
from lesionscan.radiograph import BoolImage, FloatImage
from lesionscan.reporting.caption import caption_words, reasons_of
from lesionscan.reporting.drawing import (
    AMBER,
    BLUE,
    HALO,
    INK,
    LEFT_OUT,
    STRIP,
    broken,
    tinted,
    titled,
    write_text,
)
from lesionscan.reporting.overlay import draw_candidates, grey_window, to_grey

Picture = NDArray[np.uint8]

_LONG_SIDE_PX = 640
"""Long side of a tile; three side by side fill a screen."""
_NARROWEST_PX = 330
"""Least width of a tile, for its title to fit; narrower films get black margins."""
_ASPECT = 1.7
"""Desired width / height of the whole picture, as of screens."""
_LETTER_PX = 13
"""Height of a capital: a panel of 1900 px is legible on a screen of 1300 px too."""
_DESCRIBED = 3
"""Number of candidates whose signs are listed, best first."""
_SIGNS = 12
"""Most signs listed per candidate: all of them."""
_NOT_SEARCHED = "not searched: no bone was outlined with confidence"


@dataclass(frozen=True, slots=True)
class _Grid:
    """Resize pictures of a film on any grid to the size of a tile."""

    rows: int
    columns: int

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> "_Grid":
        factor = _LONG_SIDE_PX / max(shape)
        return cls(max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor)))

    def grey(self, picture: Picture) -> Picture:
        """Resize a grey picture, and convert it to blue-green-red."""
        how = cv2.INTER_CUBIC if picture.shape[0] < self.rows else cv2.INTER_AREA
        fitted = cv2.resize(picture, (self.columns, self.rows), interpolation=how)
        return np.asarray(cv2.cvtColor(fitted, cv2.COLOR_GRAY2BGR), np.uint8)

    def map(self, values: FloatImage) -> FloatImage:
        """Resize a map by linear interpolation."""
        fitted = cv2.resize(values, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR)
        return np.asarray(fitted, np.float32)

    def mask(self, mask: BoolImage) -> BoolImage:
        """Resize a mask, with smooth edges."""
        return np.asarray(self.map(mask.astype(np.float32)) >= 0.5)


def explanation_png(steps: Steps, findings: Findings, viewed: Picture | None) -> bytes:
    """Draw each step of a search side by side.

    Parameters
    ----------
    steps, findings
        From `lesionscan.detection.pipeline.find_in_steps`.
    viewed
        uint8 (rows, cols), as viewers show the film; None if the file does not say.

    Returns
    -------
    bytes
        A PNG: six titled tiles, and below them counts, warnings, signs and the disclaimer.
    """
    small = steps.film.small
    grid = _Grid.of(small.shape)
    whole = grid.grey(to_grey(small, grey_window(small, steps.field.exposed)))
    left_out = grid.mask(~steps.field.usable)
    # white borders would dazzle
    film = tinted(whole, left_out, STRIP, 0.7)
    tiles = [
        _film_tile(grid, findings, viewed),
        _field_tile(whole, left_out),
        _bone_tile(grid, steps, film),
        _network_tile(grid, steps, film),
        _regions_tile(grid, steps, film),
        _candidates_tile(findings, film),
    ]
    return encode_png(_with_words(_arranged(tiles), list(_words(findings))))


def _film_tile(grid: _Grid, findings: Findings, viewed: Picture | None) -> Picture:
    if viewed is not None:
        return _tile(grid.grey(viewed), "1  The film", "as viewers show it")
    pixels = findings.radiograph.pixels
    whole = rescale(pixels, (float(pixels.min()), float(pixels.max())))
    grey = np.rint(255 * np.clip(whole, 0, 1)).astype(np.uint8)
    return _tile(grid.grey(grey), "1  The film", "all its grey values, bone bright")


def _field_tile(film: Picture, left_out: BoolImage) -> Picture:
    line = "blue: left out (collimator, markers, metal)" if left_out.any() else "nothing left out"
    picture = tinted(film, left_out, LEFT_OUT, 0.5)
    return _tile(picture, "2  Exposed field, contrast adjusted", line)


def _bone_tile(grid: _Grid, steps: Steps, film: Picture) -> Picture:
    bone = grid.mask(steps.bone.mask)
    picture = tinted(film, bone, BLUE, 0.15)
    _outline(picture, bone, BLUE)
    line = f"blue: bone; confidence {steps.bone.confidence:.2f}"
    if not steps.assessed:
        line += ", too little to search"
    return _tile(picture, "3  Bone", line)


def _network_tile(grid: _Grid, steps: Steps, film: Picture) -> Picture:
    lucency = grid.map(steps.maps.lucency)[..., None]
    picture = ((1 - lucency) * 0.6 * film + lucency * np.array(AMBER)).astype(np.uint8)
    line = f"amber: looks lucent; highest {float(steps.maps.lucency.max()):.2f}"
    return _tile(picture, "4  What the network sees", line)


def _regions_tile(grid: _Grid, steps: Steps, film: Picture) -> Picture:
    if not steps.assessed:
        return _tile(film, "5  Dark regions in bone", _NOT_SEARCHED)
    picture = film.copy()
    scale = np.array([grid.columns, grid.rows]) / np.array(steps.labels.shape[::-1])
    for number, box in reversed(list(enumerate(ndimage.find_objects(steps.labels), start=1))):
        region = np.pad((steps.labels[box] == number).astype(np.uint8), 1)
        contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        corner = np.array([box[1].start - 1, box[0].start - 1])
        lines = [np.rint((c + corner + 0.5) * scale - 0.5).astype(np.int32) for c in contours]
        colour = AMBER if number <= steps.network_regions else BLUE
        cv2.polylines(picture, lines, isClosed=True, color=colour, thickness=1)
    others = int(steps.labels.max()) - steps.network_regions
    line = f"amber: the network's ({steps.network_regions}); blue: other dark spots ({others})"
    return _tile(picture, "5  Dark regions in bone", line)


def _candidates_tile(findings: Findings, film: Picture) -> Picture:
    picture, title = film.copy(), "6  Candidates"
    if not findings.assessed:
        return _tile(picture, title, _NOT_SEARCHED)
    if not findings.candidates:
        return _tile(picture, title, "none found")
    rows, columns = findings.radiograph.shape
    scale = (picture.shape[0] / rows, picture.shape[1] / columns)
    shown = [candidate for candidate in findings.candidates if candidate.shown]
    line = f"amber: shown, with number and score (from {findings.settings.shown_score:.2f} on)"
    scores = [f"{one.id}: {one.score:.2f}" for one in shown]
    draw_candidates(picture, [one.region.contour_px for one in shown], scale, scores)
    if not shown:
        best = findings.candidates[:_DESCRIBED]
        line = f"none reaches {findings.settings.shown_score:.2f}; grey: the best below it"
        texts = [f"{one.id}: {one.score:.2f}, not shown" for one in best]
        draw_candidates(picture, [one.region.contour_px for one in best], scale, texts, INK)
    return _tile(picture, title, line)


def _outline(picture: Picture, mask: BoolImage, colour: tuple[int, int, int]) -> None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, HALO, 3, cv2.LINE_AA)
    cv2.drawContours(picture, contours, -1, colour, 1, cv2.LINE_AA)


def _tile(picture: Picture, title: str, line: str) -> Picture:
    missing = max(0, _NARROWEST_PX - picture.shape[1])
    sides = (missing // 2, missing - missing // 2)
    return titled(np.pad(picture, ((0, 0), sides, (0, 0))), [title, line], _LETTER_PX)


def _arranged(tiles: Sequence[Picture]) -> Picture:
    """Arrange six tiles of equal size in the grid that fits a screen best."""
    rows, columns = tiles[0].shape[:2]

    def misfit(beside: int) -> float:
        width, height = beside * columns, len(tiles) // beside * rows
        return abs(math.log(width / height / _ASPECT))

    beside = min((2, 3, 6), key=misfit)
    lines = [np.hstack(tiles[first : first + beside]) for first in range(0, len(tiles), beside)]
    return np.vstack(lines)


def _words(findings: Findings) -> Iterator[str]:
    """Yield the paragraphs below the tiles."""
    yield "   |   ".join(caption_words(findings.candidates, assessed=findings.assessed))
    for notice in findings.notices:
        yield f"! {notice.message}"
    best = findings.candidates[:_DESCRIBED]
    if best:
        yield "Signs of the best candidates (+ for a lesion, - against):"
    for candidate in best:
        yield _described(candidate)


def _described(candidate: Candidate) -> str:
    listed = "" if candidate.shown else ", not shown"
    words = reasons_of(candidate, most=_SIGNS)
    words = f"{candidate.id}  (score {candidate.score:.2f}{listed}):   {words}"
    doubts = ", ".join(flag.replace("_", " ") for flag in candidate.region.flags)
    return f"{words}   doubts: {doubts}" if doubts else words


def _with_words(panel: Picture, paragraphs: Sequence[str]) -> Picture:
    """Add a strip of text below the tiles."""
    width, letter = panel.shape[1], _LETTER_PX
    lines = [line for text in paragraphs for line in broken(text, width - 2 * letter, letter)]
    strip = np.full(((2 * len(lines) + 1) * letter, width, 3), STRIP, np.uint8)
    for number, line in enumerate(lines, start=1):
        write_text(strip, line, (letter, 2 * number * letter), letter, INK)
    return np.vstack([panel, strip])
