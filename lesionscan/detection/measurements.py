"""Declarations of all measurements of a region.

The JSON record, its schema, the tables, the data frame, the report and the reference page take
names, types, units and descriptions from here. To add a measurement, declare it here and compute it
in `measure` or `surroundings`.
"""

from dataclasses import dataclass, fields
from typing import Annotated, get_type_hints

from pydantic import Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from lesionscan.codes import Code
from lesionscan.detection.cortex import CortexUnknown, Scalloping
from lesionscan.detection.margin import MarginWord
from lesionscan.detection.mirels import MirelsBand

_GREY = "grey scale of 0 to 1"
"""Unit of brightness in the normalised image."""


class Flag(Code):
    """Reasons to use a region's measurements with care."""

    TOUCHES_IMAGE_BORDER = (
        "touches_image_border",
        "It reaches the picture's border and may continue beyond.",
    )
    TOUCHES_FIELD_BORDER = "touches_field_border", "It lies at the edge of the exposed field."
    TOUCHES_BONE_EDGE = (
        "touches_bone_edge",
        "It reaches the edge of the bone mask, as erosions and notches do.",
    )
    TOO_SMALL_TO_SHAPE = "too_small_to_shape", "It has too few pixels for its shape to mean much."
    SATURATED = (
        "saturated",
        "A fifth of it is black without detail: its contrast is underestimated.",
    )
    NEAR_METAL = "near_metal", "Markers or metal are near."
    LITTLE_BONE_AROUND = (
        "little_bone_around",
        "Less than a fifth of the ring around it is bone: contrasts refer to the whole ring.",
    )
    BONE_LOSS_UNKNOWN = (
        "bone_loss_unknown",
        "The bone or the soft tissue around it is not reliable: `bone_loss` is null.",
    )


def _field(
    meaning: str, unit: str | None = None, *, ge: float | None = None, le: float | None = None
) -> FieldInfo:
    extra: JsonDict | None = None if unit is None else {"unit": unit}
    field: FieldInfo = Field(description=meaning, json_schema_extra=extra, ge=ge, le=le)
    return field


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Measurements of one region, with description and unit of each field.

    Millimetres are None if the spacing is unknown.
    """

    area_px: Annotated[float, _field("Number of pixels.", "px²", ge=0)]
    area_mm2: Annotated[float | None, _field("Area; null without spacing.", "mm²")]
    equivalent_diameter_px: Annotated[
        float, _field("Diameter of the disk of the same area.", "px", ge=0)
    ]
    equivalent_diameter_mm: Annotated[
        float | None, _field("Diameter of the disk of the same area; null without spacing.", "mm")
    ]
    perimeter_px: Annotated[float, _field("Length of the boundary (Crofton estimate).", "px", ge=0)]
    perimeter_mm: Annotated[
        float | None, _field("Length of the boundary; null without spacing.", "mm")
    ]
    feret_max_px: Annotated[float, _field("Largest distance across.", "px", ge=0)]
    feret_max_mm: Annotated[
        float | None, _field("Largest distance across; null without spacing.", "mm")
    ]
    size: Annotated[float, _field("Equivalent diameter / long side of the picture.", ge=0)]
    circularity: Annotated[float, _field("4 pi area / perimeter^2, at most 1.")]
    eccentricity: Annotated[
        float, _field("Of the ellipse with the same second moments, 0 (circle) to 1.")
    ]
    solidity: Annotated[float, _field("Area / area of the convex hull, 0 to 1.")]
    contrast: Annotated[float, _field("Mean of the surrounding ring minus mean inside.", _GREY)]
    contrast_to_noise: Annotated[float, _field("The contrast in units of the local noise.")]
    weakest_side_contrast: Annotated[
        float,
        _field(
            "Contrast on the fifth of the directions where the surroundings are least "
            "bright; near 0 or below where the region is open, like a canal, a gap or a "
            "notch.",
            _GREY,
        ),
    ]
    weakest_edge_step: Annotated[
        float,
        _field(
            "Brightness just outside the outline minus just inside it, on the fifth of the "
            "directions where this step is least.",
            _GREY,
        ),
    ]
    rim_contrast: Annotated[
        float,
        _field(
            "Mean just outside the outline minus mean of the whole ring; positive for a "
            "sclerotic rim or a cortex.",
            _GREY,
        ),
    ]
    inside_spread: Annotated[float, _field("Standard deviation inside.", _GREY, ge=0)]
    ring_spread: Annotated[float, _field("Standard deviation in the ring.", _GREY, ge=0)]
    ring_in_bone: Annotated[
        float,
        _field(
            "Share of the surrounding ring in bone, 0 to 1. From 0.2 on, contrasts, spread and "
            "enclosure are against bone alone, below against all that surrounds the region."
        ),
    ]
    enclosure: Annotated[
        float,
        _field("Share of directions, 0 to 1, in which the surroundings are clearly brighter."),
    ]
    bone_loss: Annotated[
        float | None,
        _field(
            "Share of the bone's own signal (bone minus soft tissue) that is missing inside; null "
            "with the flag `bone_loss_unknown`.",
            ge=0,
            le=1,
        ),
    ]
    bone_loss_error: Annotated[
        float | None,
        _field(
            "Standard error of that share: how far the quarters of the bone around the region "
            "differ from each other.",
            ge=0,
        ),
    ]
    edge_alignment: Annotated[
        float, _field("Mean cosine between grey-level gradient and outward normal, -1 to 1.")
    ]
    bone_fraction: Annotated[
        float, _field("Share of the region and its ring inside the bone mask, 0 to 1.")
    ]
    lucency: Annotated[
        float, _field("Mean inside of the scorer's lucency map, 0 to 1.", ge=0, le=1)
    ]
    lucency_peak: Annotated[float, _field("Maximum inside of that map, 0 to 1.", ge=0, le=1)]
    lucency_contrast: Annotated[
        float,
        _field(
            "Mean of that map inside minus its mean in the surrounding ring, -1 to 1; 0 "
            "without exposed surroundings."
        ),
    ]
    margin_width_px: Annotated[
        float | None,
        _field(
            "Width of the zone of transition: 10 to 90 % of a sigmoid fitted along the "
            "normals that stay in bone (Xu and Napel, Med Phys 2012;39:5405); null where no edge "
            "can be fitted.",
            "px",
        ),
    ]
    margin_width_mm: Annotated[
        float | None,
        _field(
            "Width of the zone of transition; null where no edge can be fitted or without spacing.",
            "mm",
        ),
    ]
    margin_sharp: Annotated[
        float,
        _field(
            "Share of the margin in bone that is sharp: its transition is at most 0.3 of the "
            "region's radius.",
            ge=0,
            le=1,
        ),
    ]
    margin_rim: Annotated[
        float,
        _field(
            "Share of the margin in bone with a rim that is brighter than the bone farther out.",
            ge=0,
            le=1,
        ),
    ]
    margin_raggedness: Annotated[
        float | None,
        _field(
            "How far the transition moves in or out from one of 32 normals to the next, in radii "
            "of the region: about 0.04 for a smooth margin, over 0.1 where small holes break "
            "it up; null where it cannot be followed.",
            ge=0,
        ),
    ]
    margin: Annotated[
        MarginWord | None,
        _field(
            "The margin in a word, by the classes of Madewell (Radiol Clin North Am 1981;19:715) "
            "and the rule of `docs/measures.md`; null under 24 px of equivalent diameter, on "
            "pixels over 0.5 mm, where contrast-to-noise is under 3.5, or between two classes."
        ),
    ]
    lesion_to_bone_width: Annotated[
        float | None,
        _field(
            "Width across the bone's axis / width of the bone there, at most 1. The region counts "
            "as bone, also where it notches the edge or expands beyond it. Null without a clear "
            "axis, where the film cuts the bone's width, or where the outline joins two bones."
        ),
    ]
    mirels_width_band: Annotated[
        MirelsBand | None,
        _field(
            "That ratio in the bands of Mirels (Clin Orthop 1989;249:256): under 1/3, 1/3 "
            "to 2/3, over 2/3; one of the four items of the score, from one view; null "
            "without axis."
        ),
    ]
    endosteal_scalloping: Annotated[
        float | None,
        _field(
            "Share of the cortex's thickness that is missing from inside where the region reaches "
            "it, 0 to 1; null if the cortex has no visible inner border, or cannot be followed "
            "(`cortex_unknown`)."
        ),
    ]
    scalloping_band: Annotated[
        Scalloping | None,
        _field("That share in words: none (under 0.2, which is noise), under half, over half."),
    ]
    cortex_break_px: Annotated[
        float | None,
        _field(
            "Length along the bone without cortex, where the region reaches the bone's edge; 0 if "
            "less than 0.08 of the bone's width; null if the cortex cannot be followed.",
            "px",
        ),
    ]
    cortex_break_mm: Annotated[
        float | None,
        _field("The same length; null without spacing.", "mm"),
    ]
    bone_expansion: Annotated[
        float | None,
        _field(
            "Width of the bone at the region / the width interpolated from both sides of it; about "
            "1 if not expanded, at most 1 if one side is wider still (a flare); null if the edges "
            "cannot be followed."
        ),
    ]
    cortex_unknown: Annotated[
        CortexUnknown | None,
        _field(
            "Why the cortex was not measured: no_long_bone (flat or small bones, no axis), "
            "too_coarse (a bone under 20 px wide), no_bone_beside (less than a third of its width "
            "visible on one side), outline_unclear (uneven edges, another bone in the way, or no "
            "step at the edge); null if it was."
        ),
    ]


MEASUREMENTS = tuple(field.name for field in fields(Measurements))
"""Names of all measurements, in their order in every output."""
TEXT_MEASUREMENTS = frozenset(
    name for name, kind in get_type_hints(Measurements).items() if kind not in (float, float | None)
)
"""Names of the measurements that are text."""
PLACE_COLUMNS = {
    "centroid_px": ("centroid_row_px", "centroid_column_px"),
    "centroid_mm": ("centroid_row_mm", "centroid_column_mm"),
    "bbox_px": (
        "bbox_first_row_px",
        "bbox_first_column_px",
        "bbox_end_row_px",
        "bbox_end_column_px",
    ),
}
"""Column names in tables for the components of position and box."""
