"""`review.json`: a reviewer's decisions about the candidates of a run, and missed lesions.

Coordinates are (row, column) in the stored matrix, pixel centres at integers. A film without an
entry has not been reviewed. The same decisions give the same bytes.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError

from lesionscan.files import as_utf8, check_values, read_bounded
from lesionscan.results.record import DISCLAIMER, Record, ResultName

REVIEW_NAME = "review.json"
MOST_BYTES = 16_000_000
"""Largest review read or saved: 30,000 films with two decisions and a note each."""
_LONGEST_LOCATION = 120

DecisionName: TypeAlias = Literal["accepted", "rejected", "unsure"]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Note: TypeAlias = Annotated[str, Field(max_length=4000)]
CandidateId: TypeAlias = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}$")]
Coordinate: TypeAlias = Annotated[float, Field(ge=-0.5, le=99_999.5)]
"""In pixels, from the outer edge of the first pixel on; the upper bound exceeds any film."""
PointPx: TypeAlias = tuple[Coordinate, Coordinate]


FilmName: TypeAlias = Annotated[ResultName, Field(min_length=1, max_length=4096)]


class ReviewError(Exception):
    """Raised if a review, or a folder to review, cannot be used; the message is one line."""


class DecisionRecord(Record):
    """Decision about one candidate."""

    decision: DecisionName = Field(
        description="accepted: a lesion; rejected: not a lesion; unsure."
    )
    note: Note = Field(default="", description="The reviewer's note.")


class MissedRecord(Record):
    """A lesion that the program did not find, outlined by the reviewer."""

    outline_px: tuple[PointPx, ...] = Field(
        min_length=3,
        max_length=20_000,
        description="Corners of a closed polygon as (row, column), in pixels; the last is joined "
        "to the first. A pixel belongs to the lesion if its centre lies inside.",
    )
    note: Note = Field(default="", description="The reviewer's note.")


class FilmReviewRecord(Record):
    """Decisions about one film."""

    result_sha256: str = Field(
        pattern=r"^([0-9a-f]{64})?$",
        description="seal_sha256 of the reviewed JSON of the film; empty if it has none.",
    )
    reviewed: bool = Field(
        description="Whether the reviewer is done: every lesion is accepted or outlined."
    )
    note: Note = Field(default="", description="The reviewer's note.")
    candidates: dict[CandidateId, DecisionRecord] = Field(
        default_factory=dict, max_length=100, description="Decisions by the candidate's id."
    )
    missed: tuple[MissedRecord, ...] = Field(
        default=(), max_length=100, description="Lesions that the program did not find."
    )


class ReviewedToolRecord(Record):
    """Program, settings and scorer that made the results."""

    version: str = Field(max_length=100, description="Version of the program.")
    settings_sha256: Sha256 = Field(description="SHA-256 (hexadecimal) of the settings.")
    scorer_sha256: Sha256 = Field(description="SHA-256 (hexadecimal) of the scorer's file.")


class ReviewRecord(Record):
    """A review of a run. Coordinates are (row, column), pixel centres at integers."""

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this format; a new major number breaks readers."
    )
    kind: Literal["lesionscan review"] = Field(
        default="lesionscan review", description="Kind of this file."
    )
    tool: ReviewedToolRecord = Field(description="Program that made the reviewed results.")
    reviewer: str = Field(default="", max_length=200, description="Name of the reviewer, any text.")
    films: dict[FilmName, FilmReviewRecord] = Field(
        default_factory=dict, description="By the name of the film's results, without ending."
    )
    disclaimer: str = Field(default=DISCLAIMER, max_length=200, description="Disclaimer.")


def parse_review(data: bytes) -> ReviewRecord:
    """Parse a review.

    Raises
    ------
    ReviewError
        If it is not a review; the message is the cause alone.
    """
    if len(data) > MOST_BYTES:
        raise ReviewError(f"is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        data = as_utf8(data)
        check_values(data)
    except UnicodeDecodeError as error:
        raise ReviewError("cannot be decoded as text") from error
    except ValueError as error:
        raise ReviewError(str(error)) from error
    try:
        return ReviewRecord.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise ReviewError(_in_words(error)) from error


def load_review(path: Path) -> ReviewRecord:
    """Read the file of a review.

    Raises
    ------
    ReviewError
        If it cannot be read or is not a review; the message names the file.
    """
    try:
        data = read_bounded(path, max_bytes=MOST_BYTES)
    except OSError as error:
        raise ReviewError(f"{path} cannot be read ({error.strerror}); check the path") from error
    return check_review(path, data)


def check_review(path: Path, data: bytes) -> ReviewRecord:
    """Parse a review from the bytes of a file.

    Raises
    ------
    ReviewError
        If they are not a review; the message names the file.
    """
    try:
        return parse_review(data)
    except ReviewError as error:
        raise ReviewError(
            f"{path} is not a usable review: {error}; repair it or move it away"
        ) from error


def review_json(review: ReviewRecord) -> bytes:
    """Return a review as UTF-8 JSON, films sorted and one per line, so that two can be compared."""
    plain = review.model_dump(mode="json")
    films = plain["films"]
    lines = ",\n".join(f"    {_text(name)}: {_film(films[name])}" for name in sorted(films))
    entries = ",\n".join(
        f"  {_text(key)}: {_text(value) if key != 'films' else _braced(lines)}"
        for key, value in plain.items()
    )
    return f"{{\n{entries}\n}}\n".encode()


def _film(film: dict[str, Any]) -> str:
    candidates = film["candidates"]
    ordered = {number: candidates[number] for number in sorted(candidates, key=int)}
    return _text({**film, "candidates": ordered})


def _braced(lines: str) -> str:
    return f"{{\n{lines}\n  }}" if lines else "{}"


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _in_words(error: ValidationError) -> str:
    """Describe the first invalid entry in one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    where = ".".join(str(part) for part in first["loc"])
    if len(where) > _LONGEST_LOCATION:
        where = f"{where[:_LONGEST_LOCATION]}..."
    line = f"{where} {reason}" if where else reason
    return "".join(char if char.isprintable() else "?" for char in line)
