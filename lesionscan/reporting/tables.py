"""Tables of a run: one row a film, one row a candidate.

Columns keep their names and order within a `schema_version`; names are those of the JSON, with
the parts of a pair spelled out; lists are joined by ";", a reason is its term and effect.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from lesionscan.results.csv_text import Cell

Result: TypeAlias = Mapping[str, Any]
"""One per-image result as read from its JSON."""

IMAGE_COLUMNS = (
    "file",
    "frame",
    "sha256",
    "status",
    "error_code",
    "error_message",
    "rows",
    "columns",
    "spacing_row_mm",
    "spacing_column_mm",
    "spacing_source",
    "spacing_plane",
    "spacing_calibrated",
    "photometric_interpretation",
    "polarity",
    "modality",
    "body_part_examined",
    "view_position",
    "laterality",
    "image_laterality",
    "bone_confidence",
    "assessed",
    "candidates",
    "candidates_shown",
    "best_score",
    "warnings",
    "disclaimer",
)

_MEASURES = (
    "area_px",
    "area_mm2",
    "equivalent_diameter_px",
    "equivalent_diameter_mm",
    "perimeter_px",
    "perimeter_mm",
    "feret_max_px",
    "feret_max_mm",
    "size",
    "circularity",
    "eccentricity",
    "solidity",
    "contrast",
    "contrast_to_noise",
    "weakest_side_contrast",
    "weakest_edge_step",
    "rim_contrast",
    "inside_spread",
    "ring_spread",
    "enclosure",
    "edge_alignment",
    "bone_fraction",
    "lucency",
    "lucency_peak",
    "lucency_contrast",
    "margin_width_px",
    "margin_width_mm",
    "lesion_to_bone_width",
    "mirels_width_band",
)

CANDIDATE_COLUMNS = (
    "file",
    "frame",
    "id",
    "score",
    "shown",
    "centroid_row_px",
    "centroid_column_px",
    "centroid_row_mm",
    "centroid_column_mm",
    "bbox_first_row_px",
    "bbox_first_column_px",
    "bbox_end_row_px",
    "bbox_end_column_px",
    *_MEASURES,
    "bone_id",
    "along_bone",
    "across_bone",
    "flags",
    "reasons",
    "disclaimer",
)

_NOTHING: Mapping[str, Any] = {}


def image_row(result: Result) -> tuple[Cell, ...]:
    """Return the row of the table of images for one result."""
    error = result["error"] or _NOTHING
    image = result["image"] or _NOTHING
    bone = result["bone"] or _NOTHING
    acquisition = result["acquisition"]
    row_mm, column_mm = image.get("spacing_mm") or (None, None)
    candidates = result["candidates"]
    failed = result["status"] != "ok"
    return (
        result["input"]["file"],
        result["input"]["frame"],
        result["input"]["sha256"],
        result["status"],
        error.get("code"),
        error.get("message"),
        image.get("rows"),
        image.get("columns"),
        row_mm,
        column_mm,
        image.get("spacing_source"),
        image.get("spacing_plane"),
        image.get("spacing_calibrated"),
        image.get("photometric_interpretation"),
        image.get("polarity"),
        acquisition.get("modality"),
        acquisition.get("body_part_examined"),
        acquisition.get("view_position"),
        acquisition.get("laterality"),
        acquisition.get("image_laterality"),
        bone.get("confidence"),
        bone.get("assessed"),
        None if failed else len(candidates),
        None if failed else sum(candidate["shown"] for candidate in candidates),
        max((candidate["score"] for candidate in candidates), default=None),
        ";".join(warning["code"] for warning in result["warnings"]),
        result["disclaimer"],
    )


def candidate_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of the table of candidates for one result, best candidate first."""
    for candidate in result["candidates"]:
        location = candidate["location"] or _NOTHING
        yield (
            result["input"]["file"],
            result["input"]["frame"],
            candidate["id"],
            candidate["score"],
            candidate["shown"],
            *candidate["centroid_px"],
            *(candidate["centroid_mm"] or (None, None)),
            *candidate["bbox_px"],
            *(candidate[name] for name in _MEASURES),
            location.get("bone_id"),
            location.get("along_bone"),
            location.get("across_bone"),
            ";".join(candidate["flags"]),
            ";".join(f"{reason['term']}={reason['effect']}" for reason in candidate["reasons"]),
            result["disclaimer"],
        )
