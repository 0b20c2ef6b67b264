"""JSON record of a comparison, and its JSON Schema.

Coordinates are (row, column) in the stored matrix of the named film, as in the films' results. The
same films and settings give the same bytes.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from lesionscan.codes import State
from lesionscan.radiograph import Notice
from lesionscan.results.record import (
    DISCLAIMER,
    Count,
    PositionPx,
    Record,
    Unit,
    parsed_as,
    schema_of,
)

Contour = tuple[PositionPx, ...]

SCHEMA_VERSION = "1.0"
SCHEMA_PATH = Path(__file__).with_name("comparison.schema.json")


class ComparedFilmRecord(Record):
    """One of the two films."""

    name: str = Field(description="Name of the film or of its results.")
    sha256: str | None = Field(
        description="SHA-256 (hexadecimal) of the film's file; null if unknown."
    )
    rows: Count | None = Field(description="Rows of the stored matrix, in pixels.")
    columns: Count | None = Field(description="Columns of the stored matrix, in pixels.")
    spacing_mm: tuple[float, float] | None = Field(
        description="Distance between neighbouring (rows, columns), in mm; null where unknown."
    )
    shown: int | None = Field(ge=0, description="Number of candidates shown on it.")


class RegistrationRecord(Record):
    """Map from the first film to the second, and its quality."""

    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = Field(
        description="Maps (column, row, 1) in pixels of the first film to (column, row) in pixels "
        "of the second."
    )
    overlap: Unit = Field(
        description="Dice overlap of the bone masks where both films were exposed, 0 to 1."
    )
    common_bone: Unit = Field(
        description="Share of the smaller bone mask that the other film shows too, 0 to 1."
    )
    correlation: float = Field(
        ge=-1,
        le=1,
        description="Correlation of the films in their common bone, normalised locally.",
    )
    matched_blocks: Unit = Field(
        description="Share of small blocks of bone found at their predicted position, 0 to 1."
    )
    residual_px: float = Field(
        ge=0,
        description="Median distance of these blocks from their predicted position, in pixels of "
        "the first film.",
    )
    magnification: float = Field(
        gt=0, description="Length of bone on the second film over that on the first, in pixels."
    )
    magnification_error: float = Field(
        ge=0, description="Relative standard error of the magnification."
    )
    magnification_mm: float | None = Field(
        description="Magnification in millimetres instead of pixels; 1 if both spacings hold in "
        "the same plane. Null if a spacing is missing."
    )
    turn_deg: float = Field(description="Rotation of the second film, clockwise, in degrees.")


class LesionChange(Record):
    """Change of one lesion, of several that merged, or of the parts of one that split."""

    number: Count = Field(description="1, 2, ...; its number in the picture.")
    state: Literal[
        "stable", "grown", "shrunk", "new", "gone", "merged", "split", "not_comparable"
    ] = Field(description="; ".join(f"{state}: {state.meaning}" for state in State))
    reason: str | None = Field(description="Why it cannot be compared; null if it can.")
    before_ids: tuple[Count, ...] = Field(description="Ids of its candidates on the first film.")
    after_ids: tuple[Count, ...] = Field(description="Ids of its candidates on the second film.")
    looked_up: bool = Field(
        description="Whether it is shown on one film only, and was found on the other among the "
        "candidates that are only listed, or in the grey values (no ids)."
    )
    borne_out: Unit | None = Field(
        description="Share of the difference between the candidates' own outlines that the films "
        "confirm, 0 to 1; 0 if both films show the same edges (they can differ in brightness even "
        "then). Null if one film has no candidate."
    )
    centroid_before_px: PositionPx = Field(
        description="Mean (row, column) on the first film, in pixels; the corresponding point if "
        "it is not there."
    )
    centroid_after_px: PositionPx = Field(description="The same on the second film.")
    contour_before_px: Contour | None = Field(
        description="Corners of the outline on the first film, as (row, column) in its pixels. "
        "Both films are outlined together, so it may differ from the candidate's own outline; all "
        "sizes and changes refer to it. Null if the lesion is on one film only; its size is then "
        "that of the candidate."
    )
    contour_after_px: Contour | None = Field(description="The same on the second film, in its px.")
    area_before_px: float | None = Field(description="Area on the first film, in px².")
    area_after_px: float | None = Field(description="Area on the second film, in its px².")
    area_before_mm2: float | None = Field(description="The same in mm²; null without spacing.")
    area_after_mm2: float | None = Field(description="The same in mm²; null without spacing.")
    diameter_before_px: float | None = Field(
        description="Equivalent diameter on the first film, in pixels."
    )
    diameter_after_px: float | None = Field(
        description="The same on the second film, in pixels of the first (magnification corrected)."
    )
    diameter_before_mm: float | None = Field(description="The same in mm; null without spacing.")
    diameter_after_mm: float | None = Field(
        description="The same in mm of the first film (magnification corrected); null if a "
        "spacing is missing."
    )
    feret_before_px: float | None = Field(
        description="Largest Feret diameter on the first film, in pixels."
    )
    feret_after_px: float | None = Field(
        description="The same on the second film, in pixels of the first."
    )
    area_change_px: float | None = Field(
        description="Change of area, in px² of the first film, magnification corrected."
    )
    area_change_mm2: float | None = Field(description="The same in mm²; null as above.")
    area_change_percent: float | None = Field(description="The same in percent of the first.")
    diameter_change_px: float | None = Field(
        description="Change of diameter, in pixels of the first film, magnification corrected."
    )
    diameter_change_mm: float | None = Field(description="The same in mm; null as above.")
    diameter_change_percent: float | None = Field(description="The same in percent of the first.")
    feret_change_percent: float | None = Field(
        description="Change of the Feret diameter, in percent of the first."
    )
    diameter_uncertainty_percent: float | None = Field(
        description="Half width of the 95 % interval of the diameter's change, in percent, due to "
        "outlines and magnification. Smaller changes are stable, or not comparable if it is over "
        "50 %."
    )
    outline_uncertainty_percent: float | None = Field(
        description="Its part due to the outlines; at least the difference between the candidates' "
        "own outlines that the films do not confirm."
    )
    registration_uncertainty_percent: float | None = Field(
        description="Its part due to the magnification."
    )


NUMBERS = tuple(
    name
    for name in LesionChange.model_fields
    if name.startswith(("area_", "diameter_", "feret_", "outline_", "registration_"))
)
"""Fields of a lesion that hold sizes, changes and uncertainties."""


class ComparisonRecord(Record):
    """Comparison of two films."""

    schema_version: Literal["1.0"] = Field(default="1.0", description="Version of this format.")
    version: str = Field(description="Version of the program.")
    made_of_sha256: str = Field(
        description="SHA-256 (hexadecimal) of the inputs, settings and versions; empty if a film "
        "could not be read."
    )
    status: Literal["ok", "refused", "failed"] = Field(
        description="ok: compared; refused: the films do not fit; failed: a film cannot be read."
    )
    error: Notice | None = Field(description="Why they were not compared; null if they were.")
    before: ComparedFilmRecord = Field(description="The first film.")
    after: ComparedFilmRecord = Field(description="The second film.")
    registration: RegistrationRecord | None = Field(
        description="How the films fit; null if they were not compared."
    )
    lesions: tuple[LesionChange, ...] = Field(
        max_length=400, description="Lesions shown on at least one of the films."
    )
    picture_sha256: str | None = Field(
        default=None, description="SHA-256 (hexadecimal) of the picture; null if there is none."
    )
    page_sha256: str | None = Field(
        default=None, description="SHA-256 (hexadecimal) of the page; null if there is none."
    )
    seal_sha256: str = Field(
        default="",
        description="SHA-256 (hexadecimal) of this file with this value empty; another value says "
        "that the file was changed after it was written.",
    )
    disclaimer: str = Field(default=DISCLAIMER, description="What this result is not.")


def parse_comparison(data: bytes) -> ComparisonRecord | None:
    """Parse a comparison; None if the bytes do not match the record."""
    return parsed_as(ComparisonRecord, data)


def schema_json() -> bytes:
    """Return the JSON Schema (2020-12) of a comparison, as shipped."""
    return schema_of(ComparisonRecord, f"urn:lesionscan:comparison:{SCHEMA_VERSION}")
