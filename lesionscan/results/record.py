"""The result of a film as JSON: a versioned, typed record and its JSON Schema.

Coordinates are (row, column) in the stored matrix, with the origin at the top left, pixel centres
at integers, and half-open boxes. All keys are always present; unknown values are null. The same
input and settings give the same bytes: no times, no absolute paths.
`lesionscan.reporting.conversion` creates these records.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from lesionscan.detection.measurements import Measurements
from lesionscan.detection.place import Location
from lesionscan.detection.score import Reason
from lesionscan.detection.signs import Sign
from lesionscan.files import check_values
from lesionscan.radiograph import Notice
from lesionscan.results.names import is_result_name

SCHEMA_VERSION = "1.6"
DISCLAIMER = "Research use only; not a diagnosis."
SCHEMA_PATH = Path(__file__).with_name("result.schema.json")

MAX_INT = 2**31 - 1
"""Largest integer in a record, the limit of tables and other programs."""

Unit: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Whole: TypeAlias = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]
Count: TypeAlias = Annotated[int, Field(ge=1, le=MAX_INT)]
PositionPx: TypeAlias = tuple[float, float]
Pixel: TypeAlias = tuple[Whole, Whole]


def _checked_name(name: str) -> str:
    if not is_result_name(name):
        raise ValueError("is not a valid name of results")
    return name


ResultName: TypeAlias = Annotated[str, AfterValidator(_checked_name)]
"""A relative path, POSIX style, that stays inside the output folder."""

TEXT_FACTS = ("modality", "body_part_examined", "view_position", "laterality", "image_laterality")
"""Keys of `acquisition` whose values are text and have columns in the tables."""


def result_name(file: str, frame: int, frames: int) -> str:
    """Return the name, without endings, of the results of one image of a file.

    Parameters
    ----------
    file, frame, frames
        As in `InputRecord`.
    """
    return file if frames == 1 else f"{file}.frame{frame:03d}"


class Record(BaseModel):
    """Base of all records: frozen, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


RecordT = TypeVar("RecordT", bound=Record)


class ToolRecord(Record):
    """Identification of the program, its settings and the scorer."""

    name: Literal["lesionscan"] = Field(default="lesionscan", description="Name of the program.")
    version: str = Field(description="Version of the program.")
    pipeline: int = Field(
        description="Version of the detection pipeline; increased when the same film gives "
        "different numbers."
    )
    settings_sha256: str = Field(
        description="SHA-256 (hexadecimal) of the reading and search settings."
    )
    output_sha256: str = Field(description="SHA-256 (hexadecimal) of the output settings.")
    scorer_sha256: str = Field(description="SHA-256 (hexadecimal) of the scorer file.")

    def same_search_as(self, other: Self) -> bool:
        """Return whether both give the same candidates and measurements for a film."""
        names = ("pipeline", "settings_sha256", "scorer_sha256")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def same_results_as(self, other: Self) -> bool:
        """Return whether both give the same results for a film, pictures included."""
        return self.same_search_as(other) and self.output_sha256 == other.output_sha256


class InputRecord(Record):
    """An image in an input file."""

    file: ResultName = Field(
        description="Path relative to the scanned folder, POSIX style; result files have the same"
        " relative path in the output folder."
    )
    frame: Count = Field(
        description="Number of the image in the file (frame, page), from 1. If a file has "
        "several, each has its own results, with '.frame002' and so on after the file"
        " name.",
    )
    frames: Count = Field(description="Number of images in the file.")
    sha256: str | None = Field(
        description="SHA-256 (hexadecimal) of the file; null if it cannot be read."
    )

    @model_validator(mode="after")
    def _check_frame(self) -> Self:
        if self.frame > self.frames:
            raise ValueError(f"frame {self.frame} of a file with {self.frames}")
        return self


class ImageRecord(Record):
    """The stored image."""

    rows: Count = Field(description="Rows of the stored matrix, in pixels.")
    columns: Count = Field(description="Columns of the stored matrix, in pixels.")
    spacing_mm: tuple[float, float] | None = Field(
        description="Pixel spacing (rows, columns) in mm; null if the file states no plausible "
        "spacing."
    )
    spacing_source: str | None = Field(
        description="Source of the spacing, e.g. the DICOM keyword; null without spacing."
    )
    spacing_plane: Literal["patient", "detector", "film", "undetermined"] | None = Field(
        description="Plane to which the millimetres refer. In the detector or film plane, sizes "
        "are larger than in the patient by the unknown magnification. Null without "
        "spacing."
    )
    spacing_calibrated: bool | None = Field(
        description="Whether the file states that the spacing is calibrated for magnification; "
        "null without spacing."
    )
    photometric_interpretation: str | None = Field(
        description="DICOM PhotometricInterpretation as stored; null for formats without it."
    )
    polarity: Literal["stated", "assumed", "user"] = Field(
        description="Source of the polarity: stated in the file, assumed, or given by the user."
    )


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Fields before the measurements of a candidate."""

    id: Annotated[
        Count, Field(description="1 for the best candidate; also its value in the label image.")
    ]
    score: Annotated[
        Unit,
        Field(
            description="0 to 1, higher for regions that look more like a lytic lesion; not a "
            "probability of disease."
        ),
    ]
    shown: Annotated[bool, Field(description="Whether the score is at least `shown_score`.")]
    centroid_px: Annotated[
        PositionPx, Field(description="Mean (row, column) of its pixels, in pixels.")
    ]
    centroid_mm: Annotated[
        PositionPx | None,
        Field(
            description="The same in mm from the centre of the first pixel; null without spacing."
        ),
    ]
    bbox_px: Annotated[
        tuple[Whole, Whole, Whole, Whole],
        Field(
            description="First row, first column, end row, end column in pixels, ends exclusive."
        ),
    ]
    contour_px: Annotated[
        tuple[Pixel, ...],
        Field(description="Pixels of the outer boundary in order, as (row, column), in pixels."),
    ]


@pydantic_dataclass(
    frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False)
)
class CandidateRecord(Measurements, _Place):
    """A dark region in bone that may be a lytic lesion."""

    location: Annotated[
        Location | None, Field(description="Location on its bone; null outside bone.")
    ]
    flags: Annotated[tuple[str, ...], Field(description="Reasons to doubt these measurements.")]
    reasons: Annotated[
        tuple[Reason, ...],
        Field(description="Terms of the score, strongest first."),
    ]
    signs: Annotated[
        tuple[Sign, ...],
        Field(
            description="The output of the network, then signs that a reader can check on the "
            "film: for a lytic lesion, against one, and neither. The report, the pictures and the "
            "structured report use these words."
        ),
    ]


class BoneRecord(Record):
    """The bone mask."""

    confidence: Unit = Field(description="Reliability of the bone mask, 0 to 1; no unit.")
    assessed: bool = Field(
        description="False if that confidence is too low: the film was not searched, so the "
        "absence of candidates says nothing."
    )


class PicturesRecord(Record):
    """Hashes of the files written with this result."""

    labels_sha256: str = Field(description="SHA-256 (hexadecimal) of the label image.")
    bone_sha256: str = Field(description="SHA-256 (hexadecimal) of the bone mask.")
    overlay_sha256: str | None = Field(
        description="SHA-256 (hexadecimal) of the overlay; null if none was written."
    )
    view_sha256: str | None = Field(
        default=None,
        description="SHA-256 (hexadecimal) of the film's data script in the report.",
    )
    film_sha256: str | None = Field(
        default=None,
        description="SHA-256 (hexadecimal) of the film's image in the report; null if none was "
        "written.",
    )
    thumbnail_sha256: str | None = Field(
        default=None,
        description="SHA-256 (hexadecimal) of its thumbnail; null if none was written.",
    )


class ResultRecord(Record):
    """The result of one radiograph. Coordinates are (row, column), pixel centres at integers."""

    schema_version: Literal["1.6"] = Field(
        default="1.6", description="Version of this format; a new major number breaks readers."
    )
    tool: ToolRecord = Field(description="Program, settings and scorer that made the result.")
    input: InputRecord = Field(description="The input file.")
    status: Literal["ok", "failed"] = Field(description="Whether the file was processed.")
    error: Notice | None = Field(description="Reason of the failure; null if status is ok.")
    warnings: tuple[Notice, ...] = Field(description="Warnings.")
    image: ImageRecord | None = Field(description="The image; null if status is failed.")
    acquisition: dict[str, str | int | float | bool] = Field(
        description="Technical values from an allow-list of DICOM attributes, by snake_case "
        "keyword, in the unit of the attribute; no names, dates, ages, UIDs or free "
        "text."
    )
    candidates: tuple[CandidateRecord, ...] = Field(
        max_length=100, description="All listed candidates, best first."
    )
    bone: BoneRecord | None = Field(description="The bone mask; null if status is failed.")
    pictures: PicturesRecord | None = Field(
        default=None, description="The files written with this one; null if status is failed."
    )
    seal_sha256: str = Field(
        default="",
        description="SHA-256 (hexadecimal) of this file with this value empty. A mismatch means "
        "that the file was changed after it was written.",
    )
    disclaimer: str = Field(default=DISCLAIMER, description="Disclaimer.")

    @property
    def name(self) -> str:
        """Name of the results, without endings."""
        return result_name(self.input.file, self.input.frame, self.input.frames)

    @property
    def has_overlay(self) -> bool:
        """Whether an overlay was written."""
        return self.pictures is not None and self.pictures.overlay_sha256 is not None

    @property
    def shown(self) -> tuple[CandidateRecord, ...]:
        """The candidates that are shown, best first."""
        return tuple(candidate for candidate in self.candidates if candidate.shown)

    def text(self, fact: str) -> str | None:
        """Return one of `TEXT_FACTS` of `acquisition`; None if the file does not state it."""
        value = self.acquisition.get(fact)
        return value if isinstance(value, str) and value else None

    @property
    def side(self) -> str | None:
        """Laterality of the image, or of the examined part: "R", "L", "B", "U"; None if unknown."""
        return self.text("image_laterality") or self.text("laterality")

    @property
    def searched_image(self) -> ImageRecord:
        """`image` of a film whose status is ok.

        Raises
        ------
        ValueError
            If status is failed.
        """
        if self.image is None:
            raise ValueError(f"{self.name} could not be searched")
        return self.image

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.status == "ok":
            complete = self.error is None and self.image is not None and self.bone is not None
        else:
            complete = self.error is not None and not self.candidates
        if not complete:
            raise ValueError(f"has fields that do not fit status {self.status}")
        if any(not isinstance(self.acquisition.get(name, ""), str) for name in TEXT_FACTS):
            raise ValueError("has a number for a text in acquisition")
        if len({candidate.id for candidate in self.candidates}) < len(self.candidates):
            raise ValueError("has two candidates with the same id")
        return self


def parse_record(data: bytes) -> ResultRecord | None:
    """Parse the JSON of a result; `is_sealed` checks whether it was changed.

    Parameters
    ----------
    data
        Bytes of the file.

    Returns
    -------
    ResultRecord or None
        None if they are not valid.
    """
    record = parsed_as(ResultRecord, data)
    if record is None or (record.status == "ok" and record.pictures is None):
        return None  # written results always have pictures
    return record


def parsed_as(kind: type[RecordT], data: bytes) -> RecordT | None:
    """Parse the bytes of a JSON file as a kind of record; None if they are not valid."""
    try:
        check_values(data)
        return kind.model_validate_json(data, strict=True)
    except ValueError:
        return None


def schema_json() -> bytes:
    """Return the shipped JSON Schema (2020-12) of `ResultRecord`, as UTF-8."""
    return schema_of(ResultRecord, f"urn:lesionscan:result:{SCHEMA_VERSION}")


def schema_of(kind: type[Record], identifier: str) -> bytes:
    """Return the JSON Schema (2020-12) of a kind of record, as UTF-8.

    Parameters
    ----------
    kind
        The record.
    identifier
        `$id` of the schema.
    """
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": identifier,
        **kind.model_json_schema(mode="serialization"),
    }
    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def write_schema(path: Path = SCHEMA_PATH) -> None:
    """Write the JSON Schema; for developers, after changes to the records."""
    path.write_bytes(schema_json())
