"""Labels -> facts: place, size, shape, contrast, margin and doubts of every dark region."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import read_only


class Flag(StrEnum):
    """Doubts that travel with a region's numbers."""

    TOUCHES_IMAGE_BORDER = "touches_image_border"
    TOUCHES_FIELD_BORDER = "touches_field_border"
    TOUCHES_BONE_EDGE = "touches_bone_edge"
    TOO_SMALL_TO_SHAPE = "too_small_to_shape"
    SATURATED = "saturated"
    NEAR_METAL = "near_metal"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a region lies on its bone.

    Attributes
    ----------
    bone_id
        1-based number of the connected piece of the bone mask that holds the region.
    along_bone
        Position along that bone's axis, 0 (top or left end) to 1; None where no axis exists.
    across_bone
        Position across it, -1 to 1 of the half width, 0 on the axis; None where no axis exists.
    """

    bone_id: int
    along_bone: float | None
    across_bone: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """What is measured on one dark region: facts, no opinion.

    Coordinates are (row, col) in the stored matrix, pixel centres at integers, boxes half-open.
    Millimetres are None where the spacing is unknown.

    Attributes
    ----------
    label
        The region's value in the label image.
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
    enclosure
        Share of directions, 0 to 1, in which the surroundings are clearly brighter.
    edge_alignment
        Mean cosine between the grey-level gradient and the outward normal, -1 to 1.
    bone_fraction
        Share of the region and its ring that lies in the bone mask, 0 to 1.
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
    circularity: float
    eccentricity: float
    solidity: float
    contrast: float
    contrast_to_noise: float
    enclosure: float
    edge_alignment: float
    bone_fraction: float
    margin_width_px: float | None
    margin_width_mm: float | None
    lesion_to_bone_width: float | None
    location: Location | None
    flags: tuple[Flag, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "contour_px", read_only(self.contour_px))
