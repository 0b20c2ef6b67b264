"""Measure the change of each lesion on two registered films."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from lesionscan.codes import State
from lesionscan.comparison.change import Change, Size, change_of, size_of
from lesionscan.comparison.difference import Profiles
from lesionscan.comparison.film import ComparedFilm, image_of
from lesionscan.comparison.geometry import (
    Matrix,
    area_ratio,
    composed,
    inverse,
    moved,
    resize_matrix,
    warped_to_first,
)
from lesionscan.comparison.matching import Group
from lesionscan.comparison.outlines import Outlines, is_gone, outlined
from lesionscan.comparison.rays import Radii, Rays
from lesionscan.comparison.record import NUMBERS, Contour, LesionChange
from lesionscan.comparison.registration import Registration
from lesionscan.detection.measurements import Flag
from lesionscan.reporting.conversion import rounded
from lesionscan.results.record import CandidateRecord

_MIN_VISIBLE = 0.97
"""Share of a lesion that the other film must show."""
_MIN_MARGIN = 0.08
"""Minimum distance of a lesion from the border of the film, in diameters: the outline of a lesion
that the border cuts often ends this far before it."""
_VAGUE = math.log(1.5)
"""Uncertainty (natural logarithm of a ratio of diameters) above which a lesion is not called
stable: it may have grown by half."""
_WEAK = 0.65
"""Score of a candidate, as a share of the score on the other film, below which it may be something
else in the place of a lesion that is gone."""
_MIN_PART = 0.1
"""Smallest part of a merged or split lesion, as a share of the area of the largest part."""


class RegisteredPair:
    """Two registered films, to measure lesion by lesion."""

    def __init__(
        self, before: ComparedFilm, after: ComparedFilm, registration: Registration
    ) -> None:
        self._films = before, after
        self._matrix, self._fit = registration.matrix, registration.fit
        self._length = registration.fit.magnification
        rows, cols = before.labels.shape
        labels = after.labels.astype(np.float32)
        moved_labels = warped_to_first(labels, self._matrix, (cols, rows), cv2.INTER_NEAREST)
        self.labels_on_first: NDArray[np.uint16] = moved_labels.astype(np.uint16)
        # the common grid is that of the first film, with square pixels of the stored width
        square = np.array([[1.0, 0.0, 0.0], [0.0, 1.0 / before.pixel_aspect, 0.0]])
        self._stored = square, composed(self._matrix, square)
        pictures = tuple(
            composed(resize_matrix(film.labels.shape, film.picture.shape), onto)
            for film, onto in zip(self._films, self._stored, strict=True)
        )
        self._pictures = [
            (film.picture.astype(np.float32), onto)
            for film, onto in zip(self._films, pictures, strict=True)
        ]
        self._pixel = max(1.0 / math.sqrt(area_ratio(onto)) for onto in pictures)

    def separated(self, group: Group) -> tuple[Group, ...]:
        """Separate a lesion that is new or gone from a weak candidate in its place."""
        if len(group.before) != 1 or len(group.after) != 1:
            return (group,)
        found = self._found(group)
        before, after = found[0][0], found[1][0]
        if min(before.score, after.score) >= _WEAK * max(before.score, after.score):
            return (group,)
        is_new = after.score > before.score
        _, profiles, (first, second) = self._sampled(found, group)
        if first is None or second is None:
            return (group,)
        if not is_gone(profiles, (first, second), from_first=is_new):
            return (group,)
        parts = Group(group.before, (), covered=is_new), Group((), group.after, covered=not is_new)
        lesion, other = parts[::-1] if is_new else parts
        return (lesion, other) if (before if is_new else after).shown else (lesion,)

    def change(self, number: int, group: Group) -> LesionChange:
        """Return the change of a lesion."""
        films, ids, found = self._films, (group.before, group.after), self._found(group)
        reason = self._not_comparable(found)
        if group.covered:
            reason = "another lesion covers its place on the other film"
        rays, profiles, known = self._sampled(found, group)
        outlines = outlined(profiles, known, pixel=0.5 * self._pixel / rays.radius)
        on_both = outlines.both_show_it and (reason is None or all(ids))
        sizes: list[Size | None] = [
            size_of(some, image_of(film)) if some else None
            for some, film in zip(found, films, strict=True)
        ]
        contours: tuple[Contour | None, Contour | None] = None, None
        change = None
        if on_both:
            error = max(size.error for size in sizes if size is not None)
            before, contour_before = self._on_film(0, rays, outlines.before, sizes[0], error)
            after, contour_after = self._on_film(1, rays, outlines.after, sizes[1], error)
            sizes, contours = [before, after], (contour_before, contour_after)
            change = change_of(before, after, self._fit, outlines)
        places = self._places(found)
        state = _state(found, change, outlines, reason)
        if state is State.STABLE and change is not None and change.uncertainty > _VAGUE:
            state, reason = State.NOT_COMPARABLE, "its change is uncertain by more than 50 %"
        shown = {one.shown for some in found for one in some}
        return LesionChange(
            number=number,
            state=state.value,
            reason=reason,
            before_ids=group.before,
            after_ids=group.after,
            looked_up=(outlines.is_partial and reason is None)
            or (on_both and (not all(ids) or len(shown) > 1)),
            borne_out=None if outlines.borne_out is None else rounded(outlines.borne_out),
            centroid_before_px=places[0],
            centroid_after_px=places[1],
            contour_before_px=contours[0],
            contour_after_px=contours[1],
            **self._numbers(sizes[0], sizes[1], change),
        )

    def _found(self, group: Group) -> list[list[CandidateRecord]]:
        """Return the candidates of a group on both films."""
        ids = group.before, group.after
        return [_candidates(film, own) for film, own in zip(self._films, ids, strict=True)]

    def _sampled(
        self, found: Sequence[Sequence[CandidateRecord]], group: Group
    ) -> tuple[Rays, Profiles, tuple[Radii | None, Radii | None]]:
        """Sample both films, and the outlines of the candidates, along rays from their centre."""
        centres, areas = [], []
        for some, onto in zip(found, self._stored, strict=True):
            if some:
                centres.append(moved(inverse(onto), _centroid(some)[None])[0])
                areas.append(sum(one.area_px for one in some) / area_ratio(onto))
        radius = math.sqrt(math.exp(float(np.mean(np.log(areas)))) / math.pi)
        rays = Rays(np.mean(centres, axis=0), max(radius, 1.0))
        first, second = (
            rays.profile(picture, film.field, onto, pixel=self._pixel)
            for film, (picture, onto) in zip(self._films, self._pictures, strict=True)
        )
        before, after = (
            rays.outline_of(film.labels, own, onto) if own else None
            for film, own, onto in zip(
                self._films, (group.before, group.after), self._stored, strict=True
            )
        )
        return rays, (first, second), (before, after)

    def _on_film(
        self, film: int, rays: Rays, outline: Radii, own: Size | None, error: float
    ) -> tuple[Size, Contour]:
        """Return the size and the corners of an outline on one of the films.

        Parameters
        ----------
        film
            0 for the first, 1 for the second.
        rays, outline
            The outline.
        own
            Size of the film's candidates; None without candidates.
        error
            Error of the size, used without candidates.
        """
        onto, spacing = self._stored[film], image_of(self._films[film]).spacing_mm
        ratio, corners = area_ratio(onto), rays.corners(outline)
        area = rays.area(outline) * ratio
        size = Size(
            area_px=area,
            area_mm2=None if spacing is None else area * math.prod(spacing),
            feret_px=float(pdist(corners).max()) * math.sqrt(ratio),
            error=error if own is None else own.error,
        )
        return size, tuple((rounded(row), rounded(col)) for row, col in moved(onto, corners))

    def _not_comparable(self, found: Sequence[Sequence[CandidateRecord]]) -> str | None:
        """Return why a lesion cannot be compared, or None."""
        if any(
            _reaches_border(one, film)
            for some, film in zip(found, self._films, strict=True)
            for one in some
        ):
            return "it reaches the border of a film"
        for some, other, matrix in (
            (found[0], self._films[1], self._matrix),
            (found[1], self._films[0], inverse(self._matrix)),
        ):
            if any(_visible(one, other, matrix) < _MIN_VISIBLE for one in some):
                return "the other film does not show all of its place"
        return None

    def _places(
        self, found: Sequence[Sequence[CandidateRecord]]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return a lesion's centroid, or the corresponding point, on both films."""
        centres = [_centroid(some) if some else None for some in found]
        if centres[0] is None and centres[1] is not None:
            centres[0] = moved(inverse(self._matrix), centres[1][None])[0]
        if centres[1] is None and centres[0] is not None:
            centres[1] = moved(self._matrix, centres[0][None])[0]
        first, second = (np.zeros(2) if at is None else at for at in centres)
        return (
            (rounded(first[0]), rounded(first[1])),
            (rounded(second[0]), rounded(second[1])),
        )

    def _numbers(
        self, before: Size | None, after: Size | None, change: Change | None
    ) -> dict[str, float | None]:
        """Return sizes and changes by field name; None if unknown."""
        known: dict[str, float | None] = dict.fromkeys(NUMBERS)
        spacing, other = (image_of(film).spacing_mm for film in self._films)
        mm = None if spacing is None or other is None else math.sqrt(math.prod(spacing))
        if before is not None:
            known |= {
                "area_before_px": before.area_px,
                "area_before_mm2": before.area_mm2,
                "diameter_before_px": before.diameter_px,
                "diameter_before_mm": before.diameter_mm,
                "feret_before_px": before.feret_px,
            }
        if after is not None:
            length = self._length
            diameter, feret = after.diameter_px / length, after.feret_px
            known |= {
                "area_after_px": after.area_px,
                "area_after_mm2": after.area_mm2,
                "diameter_after_px": diameter,
                "diameter_after_mm": None if mm is None else diameter * mm,
                "feret_after_px": None if feret is None else feret / length,
            }
        if before is not None and after is not None and change is not None:
            known |= _changes(before, after, change, self._length, mm)
        return {name: None if value is None else rounded(value) for name, value in known.items()}


def _changes(
    before: Size, after: Size, change: Change, length: float, mm: float | None
) -> dict[str, float | None]:
    """Return the changes by field name.

    Parameters
    ----------
    before, after, change
        Sizes on the two films, and the change of the diameter.
    length
        Magnification, in pixels.
    mm
        Pixel size of the first film in mm; None if either spacing is missing.
    """
    area = after.area_px / length**2 - before.area_px
    diameter = after.diameter_px / length - before.diameter_px
    feret = None
    if before.feret_px is not None and after.feret_px is not None:
        feret = 100.0 * (after.feret_px / length / before.feret_px - 1.0)
    return {
        "area_change_px": area,
        "area_change_mm2": None if mm is None else area * mm**2,
        "area_change_percent": 100.0 * area / before.area_px,
        "diameter_change_px": diameter,
        "diameter_change_mm": None if mm is None else diameter * mm,
        "diameter_change_percent": 100.0 * math.expm1(change.ratio),
        "feret_change_percent": feret,
        "diameter_uncertainty_percent": 100.0 * math.expm1(change.uncertainty),
        "outline_uncertainty_percent": 100.0 * math.expm1(change.outline),
        "registration_uncertainty_percent": 100.0 * math.expm1(change.registration),
    }


def _state(
    found: Sequence[Sequence[CandidateRecord]],
    change: Change | None,
    outlines: Outlines,
    reason: str | None,
) -> State:
    if reason is not None:
        return State.NOT_COMPARABLE
    if change is None and outlines.is_partial:
        return State.SHRUNK if found[0] else State.GROWN
    if change is None:
        return State.GONE if found[0] else State.NEW
    if outlines.borne_out:  # otherwise both films show the same edges: no merging, no splitting
        if _parts(found[0]) > 1:
            return State.MERGED
        if _parts(found[1]) > 1:
            return State.SPLIT
    return change.state


def _parts(candidates: Sequence[CandidateRecord]) -> int:
    """Return the number of a lesion's candidates that are not specks."""
    largest = max((one.area_px for one in candidates), default=0)
    return sum(one.area_px >= _MIN_PART * largest for one in candidates)


def _candidates(film: ComparedFilm, ids: Sequence[int]) -> list[CandidateRecord]:
    by_id = {one.id: one for one in film.record.candidates}
    return [by_id[number] for number in ids]


def _centroid(candidates: Sequence[CandidateRecord]) -> NDArray[np.float64]:
    """Return the mean (row, column) of candidates, weighted by their areas."""
    areas = np.array([one.area_px for one in candidates])
    places = np.array([one.centroid_px for one in candidates])
    return np.asarray((places * areas[:, None]).sum(axis=0) / areas.sum())


def _reaches_border(candidate: CandidateRecord, film: ComparedFilm) -> bool:
    """Return whether a candidate reaches the border of its film, or may continue beyond it."""
    image = image_of(film)
    outline = np.array(candidate.contour_px, np.float64)
    away = min(outline.min(), (np.array([image.rows, image.columns]) - 1 - outline).min())
    near = bool(away < _MIN_MARGIN * candidate.equivalent_diameter_px)
    return near or Flag.TOUCHES_IMAGE_BORDER in candidate.flags


def _visible(candidate: CandidateRecord, other: ComparedFilm, matrix: Matrix) -> float:
    """Return the share of a candidate's outline that lies in the other film's exposed field."""
    at = moved(matrix, np.array(candidate.contour_px, np.float64))
    image = image_of(other)
    scale = np.array(other.field.shape) / np.array([image.rows, image.columns])
    places = np.rint((at + 0.5) * scale - 0.5).astype(int)
    inside = ((places >= 0) & (places < other.field.shape)).all(axis=1)
    rows, cols = places[inside].T
    return float(np.count_nonzero(other.field[rows, cols]) / len(places))
