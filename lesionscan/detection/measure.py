"""Labels -> facts: place, size, shape, contrast, margin and doubts of every dark region.

Sizes and shapes come from the label at the stored matrix's resolution, brightness from
`surroundings`, the place on the bone from `location`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import perimeter_crofton

from lesionscan.detection.location import BoneMap, Location, second_moments
from lesionscan.detection.lucency_facts import look_at_lucency
from lesionscan.detection.mirels import MirelsBand, mirels_width_band
from lesionscan.detection.surroundings import Surroundings, look_around
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Spacing, read_only

_SMALL_RADIUS_PX = 5.0
"""Below this equivalent radius digital shapes say little: circularity scatters by 20 %."""
_NEAR = 0.01
"""Distance, as a share of the long side, at which a border or metal is near."""


class Flag(StrEnum):
    """Doubts that travel with a region's numbers."""

    TOUCHES_IMAGE_BORDER = "touches_image_border"
    TOUCHES_FIELD_BORDER = "touches_field_border"
    TOUCHES_BONE_EDGE = "touches_bone_edge"
    TOO_SMALL_TO_SHAPE = "too_small_to_shape"
    SATURATED = "saturated"
    NEAR_METAL = "near_metal"


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """What is measured on one dark region: facts, no opinion.

    Coordinates are (row, col) in the stored matrix, pixel centres at integers, boxes half-open.
    Millimetres are None where the spacing is unknown.

    Attributes
    ----------
    label
        The region's value in the label image that was measured.
    centroid_px
        Mean (row, col) of its pixels.
    centroid_mm
        The same in mm from the centre of the top left pixel.
    bbox_px
        (first row, first col, end row, end col), half-open.
    contour_px
        int32 (n, 2), the outer boundary's pixels in order, as (row, col).
    area_px, area_mm2
        Number of pixels, and its area.
    equivalent_diameter_px, equivalent_diameter_mm
        Diameter of the disk of the same area.
    perimeter_px, perimeter_mm
        Crofton estimate on square pixels.
    feret_max_px, feret_max_mm
        Largest distance across.
    size
        Equivalent diameter / long side of the picture (dimensionless).
    circularity
        4 pi area / perimeter^2, at most 1 (dimensionless).
    eccentricity
        Of the ellipse with the same second moments, 0 (circle) to 1.
    solidity
        Area / area of the convex hull, 0 to 1.
    contrast
        Mean of the surrounding ring minus mean inside, in units of the normalised image (0 to 1).
    contrast_to_noise
        The same in units of the local noise (dimensionless).
    weakest_side_contrast
        The contrast on the fifth of the directions where the surroundings are least bright: near
        0 or below for canals, gaps and notches that are open somewhere.
    weakest_edge_step
        Brightness just outside the outline minus just inside it, on the fifth of the directions
        where this step is least.
    rim_contrast
        Mean just outside the outline minus mean of the whole ring: positive for a sclerotic rim
        or a cortex around it, in units of the normalised image.
    inside_spread, ring_spread
        Standard deviation inside and in the ring, in the same units.
    enclosure
        Share of directions, 0 to 1, in which the surroundings are clearly brighter.
    edge_alignment
        Mean cosine between the grey-level gradient and the outward normal, -1 to 1.
    bone_fraction
        Share of the region and its ring that lies in the bone mask, 0 to 1.
    lucency, lucency_peak
        Mean and maximum inside of the scorer's lucency map, 0 to 1 (dimensionless).
    lucency_contrast
        Mean of that map inside minus its mean in the surrounding ring, -1 to 1; 0 where there is
        no exposed surrounding.
    margin_width_px, margin_width_mm
        Width of the zone of transition, 10 to 90 % of a sigmoid fitted along the normals (Xu and
        Napel, Med Phys 2012;39:5405); None where no edge can be fitted.
    lesion_to_bone_width
        Width across the bone's axis / local width of the bone; None where no axis exists.
    location
        Place on its bone, or None outside the bone mask.
    flags
        Doubts about these numbers.
    """

    label: int
    centroid_px: tuple[float, float]
    centroid_mm: tuple[float, float] | None
    bbox_px: tuple[int, int, int, int]
    contour_px: NDArray[np.int32]
    area_px: float
    area_mm2: float | None
    equivalent_diameter_px: float
    equivalent_diameter_mm: float | None
    perimeter_px: float
    perimeter_mm: float | None
    feret_max_px: float
    feret_max_mm: float | None
    size: float
    circularity: float
    eccentricity: float
    solidity: float
    contrast: float
    contrast_to_noise: float
    weakest_side_contrast: float
    weakest_edge_step: float
    rim_contrast: float
    inside_spread: float
    ring_spread: float
    enclosure: float
    edge_alignment: float
    bone_fraction: float
    lucency: float
    lucency_peak: float
    lucency_contrast: float
    margin_width_px: float | None
    margin_width_mm: float | None
    lesion_to_bone_width: float | None
    location: Location | None
    flags: tuple[Flag, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "contour_px", read_only(self.contour_px))

    @property
    def mirels_width_band(self) -> MirelsBand | None:
        """The ratio of the widths in the bands of Mirels; None where there is no ratio."""
        return mirels_width_band(self.lesion_to_bone_width)


@dataclass(frozen=True, slots=True, eq=False)
class _Film:
    """The arrays that one picture's regions are measured on."""

    labels: LabelImage
    image: FloatImage
    bone: BoolImage
    exposed: BoolImage
    opaque: BoolImage
    lucency: FloatImage
    bone_map: BoneMap
    pixel_mm: tuple[float, float] | None


def measure_regions(
    labels: LabelImage,
    image: FloatImage,
    bone: BoolImage,
    *,
    exposed: BoolImage,
    opaque: BoolImage,
    lucency: FloatImage,
    spacing: Spacing | None,
) -> tuple[Region, ...]:
    """Measure every labelled region.

    Parameters
    ----------
    labels
        int32 (rows, cols) of the stored matrix; 0 = background.
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

    Returns
    -------
    tuple of Region
        In the order of their labels; empty where there are none.
    """
    pixel_mm = None if spacing is None else (spacing.row_mm, spacing.column_mm)
    film = _Film(labels, image, bone, exposed, opaque, lucency, BoneMap.of(bone), pixel_mm)
    return tuple(
        _measure(film, label, (box[0], box[1]))
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    )


def _measure(film: _Film, label: int, box: tuple[slice, slice]) -> Region:
    """Measure one region given the slices of its bounding box."""
    mask = film.labels[box] == label
    corner = np.array([box[0].start, box[1].start])
    coordinates = np.argwhere(mask) + corner
    area = float(len(coordinates))
    radius = float(np.sqrt(area / np.pi))
    centroid = coordinates.mean(axis=0)
    contour = _contour(mask)
    around = look_around(mask, box, contour, film.image, film.bone, film.exposed)
    lucency = look_at_lucency(mask, box, film.lucency, film.exposed)
    location, width_ratio = film.bone_map.locate(coordinates, reach_px=radius)
    perimeter_px, feret_px = _perimeter_and_feret(mask, contour, (1.0, 1.0))
    mm = (
        _Millimetres.none()
        if film.pixel_mm is None
        else _Millimetres.of(
            film.pixel_mm,
            centroid,
            area,
            _perimeter_and_feret(mask, contour, film.pixel_mm),
            around,
        )
    )
    eccentricity, solidity = _ellipse_and_hull(mask, contour, film.pixel_mm or (1.0, 1.0))
    # shape ratios are physical where pixels are not square
    area_perimeter = (
        (area, perimeter_px) if mm.area is None or mm.perimeter is None else (mm.area, mm.perimeter)
    )
    return Region(
        label=label,
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
        size=2.0 * radius / max(film.labels.shape),
        circularity=min(1.0, 4 * np.pi * area_perimeter[0] / max(area_perimeter[1], 1e-9) ** 2),
        eccentricity=eccentricity,
        solidity=solidity,
        contrast=around.contrast,
        contrast_to_noise=around.contrast_to_noise,
        weakest_side_contrast=around.weakest_side_contrast,
        weakest_edge_step=around.weakest_edge_step,
        rim_contrast=around.rim_contrast,
        inside_spread=around.inside_spread,
        ring_spread=around.ring_spread,
        enclosure=around.enclosure,
        edge_alignment=around.edge_alignment,
        bone_fraction=around.bone_fraction,
        lucency=lucency.mean,
        lucency_peak=lucency.peak,
        lucency_contrast=lucency.contrast,
        margin_width_px=around.margin_width_px,
        margin_width_mm=mm.margin_width,
        lesion_to_bone_width=width_ratio,
        location=location,
        flags=_flags(film, box, mask, around),
    )


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
        margin = around.margin_width_px
        return cls(
            centroid=(float(centroid[0] * pixel[0]), float(centroid[1] * pixel[1])),
            area=area,
            equivalent_diameter=2.0 * float(np.sqrt(area / np.pi)),
            perimeter=perimeter_and_feret[0],
            feret=perimeter_and_feret[1],
            # normals point everywhere, so the mean pixel side serves
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
    square = np.pad(mask, 3).astype(np.uint8)
    if max(pixel) / side > 1.001:  # the estimator holds for square pixels only
        size = (
            max(1, round(square.shape[1] * pixel[1] / side)),
            max(1, round(square.shape[0] * pixel[0] / side)),
        )
        # smoothed: the steps of oblong pixels would lengthen the boundary by a tenth
        soft = cv2.resize(square.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        soft = cv2.GaussianBlur(soft, (0, 0), 0.6 * max(pixel) / side)
        square = np.asarray(soft >= 0.5, np.uint8)
    perimeter = float(perimeter_crofton(square)) * side
    hull = cv2.convexHull(contour.astype(np.float32))[:, 0].astype(np.float64) * pixel
    distance = np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2))
    # pixels have a width: from centre to centre one pixel is missing
    return perimeter, float(distance.max()) + 0.5 * (pixel[0] + pixel[1])


def _ellipse_and_hull(
    mask: BoolImage, contour: NDArray[np.int32], pixel: tuple[float, float]
) -> tuple[float, float]:
    """Return the eccentricity of the ellipse of equal moments, and area / hull area."""
    points = np.argwhere(mask) * np.asarray(pixel)
    # a pixel's own second moment keeps small and thin regions finite
    moments = second_moments(points) + np.diag(np.square(pixel)) / 12.0
    small, large = np.linalg.eigvalsh(moments)
    eccentricity = float(np.sqrt(max(0.0, 1.0 - small / large)))
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.ascontiguousarray(contour[:, ::-1])), 1)
    return eccentricity, float(min(1.0, mask.sum() / max(int(hull.sum()), 1)))


def _flags(
    film: _Film, box: tuple[slice, slice], mask: BoolImage, around: Surroundings
) -> tuple[Flag, ...]:
    """Collect the doubts about one region, in the order of the enumeration."""
    rows, cols = film.labels.shape
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
        Flag.TOO_SMALL_TO_SHAPE: np.sqrt(mask.sum() / np.pi) < _SMALL_RADIUS_PX,
        Flag.SATURATED: float((film.image[box][mask] <= 0.0).mean()) > 0.2,
        Flag.NEAR_METAL: bool(film.opaque[near].any()),
    }
    return tuple(flag for flag, doubted in doubts.items() if doubted)
