"""Measure regions: location, size, shape, contrast, margin and flags.

Size and shape are measured at the resolution of the stored matrix, brightness in `surroundings`,
the location on the bone in `location`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.bone_loss import BoneLoss, bone_losses
from lesionscan.detection.cortex import Cortex, follow_cortex, scalloping_word
from lesionscan.detection.grid import Footprint
from lesionscan.detection.location import BoneMap, Placed
from lesionscan.detection.margin import margin_word
from lesionscan.detection.measurements import Flag, Measurements
from lesionscan.detection.mirels import mirels_width_band
from lesionscan.detection.place import FilmWords, Location
from lesionscan.detection.surroundings import ENOUGH_BONE, Surroundings, look_around
from lesionscan.radiograph import BoolImage, FloatImage, Spacing, read_only

_SMALL_RADIUS_PX = 5.0
"""Shape is unreliable below this equivalent radius: circularity scatters by 20 %."""
_NEAR = 0.01
"""Distance within which a border or metal is near, as a share of the long side."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Region(Measurements):
    """Measurements of one dark region.

    Coordinates are (row, col) in the stored matrix, pixel centres at integers, boxes half-open.
    The numbers are those of `Measurements`.

    Attributes
    ----------
    label
        Number of the region.
    centroid_px
        Mean (row, col) of its pixels.
    centroid_mm
        The same in mm from the centre of the top left pixel; None if the spacing is unknown.
    bbox_px
        (first row, first col, end row, end col), half-open.
    contour_px
        int32 (n, 2), the outer boundary's pixels in order, as (row, col).
    location
        Location on its bone; None outside the bone mask.
    flags
        Reasons to use the measurements with care.
    """

    label: int
    centroid_px: tuple[float, float]
    centroid_mm: tuple[float, float] | None
    bbox_px: tuple[int, int, int, int]
    contour_px: NDArray[np.int32]
    location: Location | None
    flags: tuple[Flag, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "contour_px", read_only(self.contour_px))


@dataclass(frozen=True, slots=True, eq=False)
class _Film:
    """Arrays of one film."""

    image: FloatImage
    bone: BoolImage
    exposed: BoolImage
    opaque: BoolImage
    lucency: FloatImage
    bone_map: BoneMap
    pixel_mm: tuple[float, float] | None
    pixel_aspect: float


def measure_regions(
    footprints: tuple[Footprint, ...],
    image: FloatImage,
    bone: BoolImage,
    *,
    exposed: BoolImage,
    opaque: BoolImage,
    lucency: FloatImage,
    spacing: Spacing | None,
    pixel_aspect: float,
    words: FilmWords | None = None,
    bone_likelihood: FloatImage | None = None,
) -> tuple[Region, ...]:
    """Measure regions.

    Parameters
    ----------
    footprints
        The regions' pixels.
    image
        float32 (rows, cols) in [0, 1], bone bright.
    bone
        bool (rows, cols); the bone mask.
    exposed, opaque
        bool (rows, cols); the exposed field, and markers and metal in it.
    lucency
        float32 (rows, cols) in [0, 1]; the scorer's lucency map.
    spacing
        Pixel spacing, or None.
    pixel_aspect
        Height of a pixel / its width; used for shapes if there is no spacing.
    words
        Body part and orientation from the header; None if unknown.
    bone_likelihood
        float32 in [0, 1], of any size; the scorer's bone map. If None, only the bone mask shows
        whether two bones touch.

    Returns
    -------
    tuple of Region
        In the order of the footprints.
    """
    pixel_mm = None if spacing is None else (spacing.row_mm, spacing.column_mm)
    bone_map = BoneMap.of(bone, exposed=exposed, words=words, likelihood=bone_likelihood)
    film = _Film(image, bone, exposed, opaque, lucency, bone_map, pixel_mm, pixel_aspect)
    contours = [_contour(footprint.mask) for footprint in footprints]
    surroundings = look_around(
        footprints, contours, image=image, bone=bone, exposed=exposed, lucency=lucency
    )
    losses = bone_losses(
        footprints, image=image, bone=bone, usable=exposed & ~opaque, bone_map=film.bone_map
    )
    return tuple(map(partial(_measure, film), footprints, contours, surroundings, losses))


def _measure(
    film: _Film,
    footprint: Footprint,
    contour: NDArray[np.int32],
    around: Surroundings,
    loss: BoneLoss | None,
) -> Region:
    """Measure one region, given its boundary, surroundings and bone loss."""
    mask, box = footprint.mask, footprint.box
    corner = np.array([box[0].start, box[1].start])
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    area = moments["m00"]
    radius = float(np.sqrt(area / np.pi))
    centroid = np.array([moments["m01"], moments["m10"]]) / area + corner
    lucency = film.lucency[box]
    mean_lucency = cv2.mean(lucency, mask.view(np.uint8))[0]
    placed = film.bone_map.locate(mask, box, reach_px=radius)
    perimeter_px, feret_px = _perimeter_and_feret(mask, contour, (1.0, 1.0))
    mm = _Millimetres.none()
    if film.pixel_mm is not None:
        row_mm, col_mm = film.pixel_mm
        mm = _Millimetres.of(
            film.pixel_mm,
            centroid,
            area,
            (perimeter_px * row_mm, feret_px * row_mm)
            if row_mm == col_mm
            else _perimeter_and_feret(mask, contour, film.pixel_mm),
            around,
        )
    # shape ratios are physical where pixels are not square
    pixel = film.pixel_mm or (film.pixel_aspect, 1.0)
    shape_area, shape_perimeter = area * pixel[0] * pixel[1], mm.perimeter
    if shape_perimeter is None:
        square = film.pixel_aspect == 1.0
        shape_perimeter = perimeter_px if square else _perimeter_and_feret(mask, contour, pixel)[0]
    return Region(
        label=footprint.label,
        centroid_px=(float(centroid[0]), float(centroid[1])),
        centroid_mm=mm.centroid,
        bbox_px=(box[0].start, box[1].start, box[0].stop, box[1].stop),
        contour_px=(contour + corner).astype(np.int32),
        area_px=area,
        area_mm2=mm.area,
        equivalent_diameter_px=2.0 * radius,
        equivalent_diameter_mm=mm.equivalent_diameter,
        perimeter_px=perimeter_px,
        perimeter_mm=mm.perimeter,
        feret_max_px=feret_px,
        feret_max_mm=mm.feret,
        size=2.0 * radius / max(film.image.shape),
        circularity=min(1.0, 4 * np.pi * shape_area / max(shape_perimeter, 1e-9) ** 2),
        eccentricity=_eccentricity(moments, pixel),
        solidity=min(1.0, area / _hull_area(contour)),
        **_against_surroundings(film, around, loss, diameter_px=2.0 * radius),
        lucency=mean_lucency,
        lucency_peak=cv2.minMaxLoc(lucency, mask.view(np.uint8))[1],
        lucency_contrast=(
            0.0 if around.lucency_around is None else mean_lucency - around.lucency_around
        ),
        margin_width_mm=mm.margin_width,
        lesion_to_bone_width=placed.lesion_to_bone_width,
        mirels_width_band=mirels_width_band(placed.lesion_to_bone_width),
        **_cortex(film, footprint, placed),
        location=placed.location,
        flags=_flags(film, box, mask, around, loss),
    )


def _cortex(film: _Film, footprint: Footprint, placed: Placed) -> dict[str, Any]:
    """Return the cortex measurements of a region by name."""
    if placed.frame is None or placed.location is None or not placed.location.long_bone:
        cortex = Cortex(unknown="no_long_bone")
    else:
        cortex = follow_cortex(film.image, film.bone, footprint, placed.frame)
    return {
        "endosteal_scalloping": cortex.scalloping,
        "scalloping_band": scalloping_word(cortex.scalloping),
        "cortex_break_px": cortex.break_px,
        "cortex_break_mm": _along_bone_mm(film, placed, cortex.break_px),
        "bone_expansion": cortex.expansion,
        "cortex_unknown": cortex.unknown,
    }


def _along_bone_mm(film: _Film, placed: Placed, length_px: float | None) -> float | None:
    """Convert a length along a region's bone from pixels to mm."""
    if length_px is None or film.pixel_mm is None or placed.frame is None:
        return None
    axis = placed.frame.axis
    return length_px * float(np.hypot(axis[0] * film.pixel_mm[0], axis[1] * film.pixel_mm[1]))


def _against_surroundings(
    film: _Film, around: Surroundings, loss: BoneLoss | None, *, diameter_px: float
) -> dict[str, Any]:
    """Return the measurements against a region's surroundings by name."""
    return {
        **around.measured,
        "bone_loss": None if loss is None else loss.share,
        "bone_loss_error": None if loss is None else loss.error,
        "margin_width_px": around.margin.width_px,
        "margin_sharp": around.margin.sharp,
        "margin_rim": around.margin.rim,
        "margin_raggedness": around.margin.ragged,
        "margin": margin_word(
            around.margin,
            diameter_px=diameter_px,
            contrast_to_noise=around.measured["contrast_to_noise"],
            pixel_mm=None if film.pixel_mm is None else max(film.pixel_mm),
        ),
    }


@dataclass(frozen=True, slots=True)
class _Millimetres:
    centroid: tuple[float, float] | None
    area: float | None
    equivalent_diameter: float | None
    perimeter: float | None
    feret: float | None
    margin_width: float | None

    @classmethod
    def none(cls) -> Self:
        return cls(None, None, None, None, None, None)

    @classmethod
    def of(
        cls,
        pixel: tuple[float, float],
        centroid: NDArray[np.float64],
        area_px: float,
        perimeter_and_feret: tuple[float, float],
        around: Surroundings,
    ) -> Self:
        area = area_px * pixel[0] * pixel[1]
        margin = around.margin.width_px
        return cls(
            centroid=(float(centroid[0] * pixel[0]), float(centroid[1] * pixel[1])),
            area=area,
            equivalent_diameter=2.0 * float(np.sqrt(area / np.pi)),
            perimeter=perimeter_and_feret[0],
            feret=perimeter_and_feret[1],
            # the normals point in all directions, so use the mean pixel side
            margin_width=None if margin is None else margin * 0.5 * (pixel[0] + pixel[1]),
        )


def _contour(mask: BoolImage) -> NDArray[np.int32]:
    """Return the outer boundary's pixels in order, int32 (n, 2) as (row, col) in the mask."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(contours, key=len)
    return np.asarray(longest[:, 0, ::-1], np.int32)


def _perimeter_and_feret(
    mask: BoolImage, contour: NDArray[np.int32], pixel: tuple[float, float]
) -> tuple[float, float]:
    """Return the Crofton perimeter and the largest distance across, in the unit of `pixel`."""
    side = min(pixel)
    square = cv2.copyMakeBorder(mask.view(np.uint8), *(3, 3, 3, 3), cv2.BORDER_CONSTANT, value=0)
    if max(pixel) / side > 1.001:  # the estimator holds for square pixels only
        size = (
            max(1, round(square.shape[1] * pixel[1] / side)),
            max(1, round(square.shape[0] * pixel[0] / side)),
        )
        # smoothed: the steps of oblong pixels would lengthen the boundary by a tenth
        soft = cv2.resize(square.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        soft = cv2.GaussianBlur(soft, (0, 0), 0.6 * max(pixel) / side)
        square = np.asarray(soft >= 0.5, np.uint8)
    perimeter = _crofton_perimeter(square) * side
    hull = cv2.convexHull(contour.astype(np.float32))[:, 0].astype(np.float64) * pixel
    distance = np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2))
    # pixels have a width: from centre to centre one pixel is missing
    return perimeter, float(distance.max()) + 0.5 * (pixel[0] + pixel[1])


def _crofton_perimeter(square: NDArray[Any]) -> float:
    """Return the Crofton perimeter of a padded mask of 0 and 1, from crossings in 4 directions.

    Same result as scikit-image's `perimeter_crofton` in a fifth of the time: the numbers of
    crossings of rows, columns and both diagonals, each times the distance between such lines
    (Legland et al., Image Anal Stereol 2007;26:83).
    """
    across = np.count_nonzero(square[:, 1:] != square[:, :-1])
    down = np.count_nonzero(square[1:] != square[:-1])
    diagonal = np.count_nonzero(square[1:, 1:] != square[:-1, :-1])
    diagonal += np.count_nonzero(square[1:, :-1] != square[:-1, 1:])
    return float(np.pi / 8 * (across + down + diagonal / np.sqrt(2)))


def _eccentricity(moments: Mapping[str, float], pixel: tuple[float, float]) -> float:
    """Return the eccentricity of the ellipse of the same second moments."""
    rows, mixed, cols = (moments[name] / moments["m00"] for name in ("mu02", "mu11", "mu20"))
    # a pixel's own second moment keeps small and thin regions finite
    spread = np.array(
        [
            [(rows + 1 / 12) * pixel[0] ** 2, mixed * pixel[0] * pixel[1]],
            [mixed * pixel[0] * pixel[1], (cols + 1 / 12) * pixel[1] ** 2],
        ]
    )
    small, large = np.linalg.eigvalsh(spread)
    return float(np.sqrt(max(0.0, 1.0 - small / large)))


def _hull_area(contour: NDArray[np.int32]) -> float:
    """Return the number of pixel centres in the convex hull of a contour, by Pick's theorem."""
    hull = cv2.convexHull(contour)
    sides = np.abs(hull - np.roll(hull, -1, axis=0))[:, 0]
    on_sides = float(np.gcd(sides[:, 0], sides[:, 1]).sum())
    return cv2.contourArea(hull) + on_sides / 2.0 + 1.0


def _flags(
    film: _Film,
    box: tuple[slice, slice],
    mask: BoolImage,
    around: Surroundings,
    loss: BoneLoss | None,
) -> tuple[Flag, ...]:
    """Return the flags of one region, in the order of the enumeration."""
    rows, cols = film.image.shape
    area = np.count_nonzero(mask)
    reach = max(1, round(_NEAR * max(rows, cols)))
    near = np.s_[
        max(box[0].start - reach, 0) : box[0].stop + reach,
        max(box[1].start - reach, 0) : box[1].stop + reach,
    ]
    doubts = {
        Flag.TOUCHES_IMAGE_BORDER: box[0].start == 0
        or box[1].start == 0
        or box[0].stop == rows
        or box[1].stop == cols,
        Flag.TOUCHES_FIELD_BORDER: not film.exposed[near].all(),
        Flag.TOUCHES_BONE_EDGE: around.rim_in_bone < 0.95,
        Flag.TOO_SMALL_TO_SHAPE: np.sqrt(area / np.pi) < _SMALL_RADIUS_PX,
        Flag.SATURATED: np.count_nonzero((film.image[box] <= 0.0) & mask) > 0.2 * area,
        Flag.NEAR_METAL: bool(film.opaque[near].any()),
        Flag.LITTLE_BONE_AROUND: around.measured["ring_in_bone"] < ENOUGH_BONE,
        Flag.BONE_LOSS_UNKNOWN: loss is None,
    }
    return tuple(flag for flag, doubted in doubts.items() if doubted)
