"""A comparison as JSON: a versioned, typed record and its JSON Schema.

Coordinates are as in the films' own results: (row, column) in the stored matrix of the film that is
named. The same two films and settings give the same bytes.
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
        description="SHA-256 (hexadecimal) of the film's file; null where it is not known."
    )
    rows: Count | None = Field(description="Rows of the stored matrix, in pixels.")
    columns: Count | None = Field(description="Columns of the stored matrix, in pixels.")
    spacing_mm: tuple[float, float] | None = Field(
        description="Distance between neighbouring (rows, columns), in mm; null where unknown."
    )
    shown: int | None = Field(ge=0, description="Number of candidates shown on it.")


class RegistrationRecord(Record):
    """Where the first film lies on the second, and how far that can be believed."""

    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = Field(
        description="From (column, row, 1) in pixels of the first film to (column, row) in pixels "
        "of the second."
    )
    overlap: Unit = Field(
        description="Dice overlap of the bone masks where both films were exposed, 0 to 1."
    )
    common_bone: Unit = Field(
        description="Share of the smaller bone mask that the other film shows too, 0 to 1."
    )
    correlation: float = Field(
        ge=-1, le=1, description="Of the films in their common bone, without local brightness."
    )
    matched_blocks: Unit = Field(
        description="Share of small blocks of bone that find their like where they should, 0 to 1."
    )
    residual_px: float = Field(
        ge=0,
        description="Median distance of these blocks from where they should be, in pixels of the "
        "first film.",
    )
    magnification: float = Field(
        gt=0, description="Length of bone on the second film over that on the first, in pixels."
    )
    magnification_error: float = Field(
        ge=0, description="Standard error of the magnification, as a share of it."
    )
    magnification_mm: float | None = Field(
        description="The magnification in millimetres of the two films; 1 where both are right. "
        "Null where a spacing is missing."
    )
    turn_deg: float = Field(description="Turn of the second film, clockwise, in degrees.")


class LesionChange(Record):
    """What became of one lesion, or of several that merged or of the parts of one that split."""

    number: Count = Field(description="1, 2, ...; also its number in the picture.")
    state: Literal[
        "stable", "grown", "shrunk", "new", "gone", "merged", "split", "not_comparable"
    ] = Field(description="; ".join(f"{state}: {state.meaning}" for state in State))
    reason: str | None = Field(description="Why it cannot be compared; null where it can.")
    before_ids: tuple[Count, ...] = Field(description="Ids of its candidates on the first film.")
    after_ids: tuple[Count, ...] = Field(description="Ids of its candidates on the second film.")
    looked_up: bool = Field(
        description="Whether it reaches the score of shown candidates on one film only, and was "
        "found among the other film's listed candidates, or in the film itself (no ids)."
    )
    borne_out: Unit | None = Field(
        description="Share of the difference between the two candidates' own outlines that the "
        "films bear out, 0 to 1: 0 where both films show the same edges. Null where one film has "
        "no candidate."
    )
    centroid_before_px: PositionPx = Field(
        description="Mean (row, column) on the first film, in pixels; where it is not there, the "
        "place that corresponds."
    )
    centroid_after_px: PositionPx = Field(description="The same on the second film.")
    contour_before_px: Contour | None = Field(
        description="Corners of the outline on the first film, as (row, column) in its pixels. "
        "Both films were outlined together, so it may differ from its candidate's own outline; all "
        "sizes and changes are of these outlines. Null where the lesion is on one film only; its "
        "size is then the candidate's own."
    )
    contour_after_px: Contour | None = Field(description="The same on the second film, in its px.")
    area_before_px: float | None = Field(description="Area on the first film, in px².")
    area_after_px: float | None = Field(description="Area on the second film, in its px².")
    area_before_mm2: float | None = Field(description="The same in mm²; null without spacing.")
    area_after_mm2: float | None = Field(description="The same in mm²; null without spacing.")
    diameter_before_px: float | None = Field(
        description="Diameter of the disk of its area on the first film, in pixels."
    )
    diameter_after_px: float | None = Field(
        description="The same on the second film, in pixels of the first (magnification corrected)."
    )
    diameter_before_mm: float | None = Field(description="The same in mm; null without spacing.")
    diameter_after_mm: float | None = Field(
        description="The same in mm of the first film (magnification corrected); null where a "
        "spacing is missing."
    )
    feret_before_px: float | None = Field(
        description="Largest distance across on the first film, in pixels."
    )
    feret_after_px: float | None = Field(
        description="The same on the second film, in pixels of the first."
    )
    area_change_px: float | None = Field(
        description="Change of area, in px² of the first film, magnification corrected."
    )
    area_change_mm2: float | None = Field(description="The same in mm²; null as above.")
    area_change_percent: float | None = Field(description="The same in per cent of the first.")
    diameter_change_px: float | None = Field(
        description="Change of diameter, in pixels of the first film, magnification corrected."
    )
    diameter_change_mm: float | None = Field(description="The same in mm; null as above.")
    diameter_change_percent: float | None = Field(description="The same in per cent of the first.")
    feret_change_percent: float | None = Field(
        description="Change of the largest distance across, in per cent of the first."
    )
    diameter_uncertainty_percent: float | None = Field(
        description="Half of the 95 % interval of the diameter's change, in per cent: outlines and "
        "magnification. A larger change is called one."
    )
    outline_uncertainty_percent: float | None = Field(
        description="Its part from the outlines, at least the difference between the "
        "candidates' own outlines that the films do not bear out."
    )
    registration_uncertainty_percent: float | None = Field(
        description="Its part from the magnification."
    )


NUMBERS = tuple(
    name
    for name in LesionChange.model_fields
    if name.startswith(("area_", "diameter_", "feret_", "outline_", "registration_"))
)
"""Fields of a lesion that are sizes, changes and their uncertainties."""


class ComparisonRecord(Record):
    """What became of the lesions from one film to the next."""

    schema_version: Literal["1.0"] = Field(default="1.0", description="Version of this format.")
    version: str = Field(description="Version of the program.")
    made_of_sha256: str = Field(
        description="SHA-256 (hexadecimal) of what the comparison was made of and with; empty "
        "where a film could not be read."
    )
    status: Literal["ok", "refused", "failed"] = Field(
        description="Whether the films were compared, do not belong together, or cannot be read."
    )
    error: Notice | None = Field(description="Why they were not compared; null where they were.")
    before: ComparedFilmRecord = Field(description="The first film.")
    after: ComparedFilmRecord = Field(description="The second film.")
    registration: RegistrationRecord | None = Field(
        description="How the films fit; null where they were not compared."
    )
    lesions: tuple[LesionChange, ...] = Field(
        max_length=400, description="Every lesion shown on one of the films."
    )
    picture_sha256: str | None = Field(
        default=None, description="SHA-256 (hexadecimal) of the picture; null where none was made."
    )
    page_sha256: str | None = Field(
        default=None, description="SHA-256 (hexadecimal) of the page; null where none was made."
    )
    seal_sha256: str = Field(
        default="",
        description="SHA-256 (hexadecimal) of this file with this value empty; another value says "
        "that the file was changed after it was written.",
    )
    disclaimer: str = Field(default=DISCLAIMER, description="What this result is not.")


def parse_comparison(data: bytes) -> ComparisonRecord | None:
    """Read a comparison back; None where the bytes do not fit the record.

    Parameters
    ----------
    data
        The file's bytes.
    """
    return parsed_as(ComparisonRecord, data)


def schema_json() -> bytes:
    """Return the JSON Schema (2020-12) of a comparison, as it is shipped."""
    return schema_of(ComparisonRecord, f"urn:lesionscan:comparison:{SCHEMA_VERSION}")
