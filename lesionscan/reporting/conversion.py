"""Convert findings to the record that is written.

Numbers are rounded to six significant digits (integers stay exact), which is more precise than any
measurement.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lesionscan import __version__
from lesionscan.detection.measurements import MEASUREMENTS
from lesionscan.detection.pipeline import PIPELINE, Findings
from lesionscan.detection.place import Location
from lesionscan.detection.score import Candidate
from lesionscan.radiograph import Fact, Notice, Spacing
from lesionscan.results.record import (
    BoneRecord,
    CandidateRecord,
    ImageRecord,
    InputRecord,
    PositionPx,
    ResultRecord,
    ToolRecord,
)
from lesionscan.settings import Settings


def ok_record(
    findings: Findings, *, file: str, sha256: str | None, notices: Sequence[Notice] = ()
) -> ResultRecord:
    """Create the record of a film that was read.

    Parameters
    ----------
    findings
        Findings of the film.
    file
        Name of the input relative to the scanned folder, POSIX style.
    sha256
        Hash of the input's bytes, hexadecimal; None if unknown.
    notices
        Notices in addition to those of reading and detection.
    """
    radiograph = findings.radiograph
    rows, columns = radiograph.shape
    facts = {name: _fact(value) for name, value in sorted(radiograph.acquisition.items())}
    return ResultRecord(
        tool=tool_record(findings.settings, findings.scorer_sha256),
        input=InputRecord(
            file=file, frame=radiograph.frame, frames=radiograph.frames, sha256=sha256
        ),
        status="ok",
        error=None,
        warnings=(*radiograph.notices, *findings.notices, *notices),
        image=ImageRecord(
            rows=rows,
            columns=columns,
            photometric_interpretation=radiograph.photometric_interpretation,
            polarity=radiograph.polarity,
            **_spacing(radiograph.spacing),
        ),
        acquisition=facts,
        candidates=tuple(_candidate(candidate) for candidate in findings.candidates),
        bone=BoneRecord(confidence=rounded(findings.bone_confidence), assessed=findings.assessed),
    )


def tool_record(
    settings: Settings, scorer_sha256: str, *, version: str = __version__
) -> ToolRecord:
    """Create the record of the program, settings and scorer.

    Parameters
    ----------
    settings
        The settings.
    scorer_sha256
        Hash of the scorer's file, hexadecimal.
    version
        Version of the program.
    """
    return ToolRecord(
        version=version,
        pipeline=PIPELINE,
        settings_sha256=settings.sha256(),
        output_sha256=settings.output_sha256(),
        scorer_sha256=scorer_sha256,
    )


def failed_record(source: InputRecord, error: Notice, tool: ToolRecord) -> ResultRecord:
    """Create the record of a picture that could not be searched.

    Parameters
    ----------
    source
        The file, and the picture in it.
    error
        Code and one-line message.
    tool
        The program, settings and scorer.
    """
    return ResultRecord(
        tool=tool,
        input=source,
        status="failed",
        error=error,
        warnings=(),
        image=None,
        acquisition={},
        candidates=(),
        bone=None,
    )


def rounded(value: float) -> float:
    """Round to six significant digits; integers stay exact, negative zero becomes 0."""
    number = float(value)
    return number + 0.0 if number.is_integer() else float(f"{number:.6g}")


def _fact(value: Fact) -> Fact:
    return rounded(value) if isinstance(value, float) else value


def _spacing(spacing: Spacing | None) -> dict[str, Any]:
    if spacing is None:
        return dict.fromkeys(
            ("spacing_mm", "spacing_source", "spacing_plane", "spacing_calibrated")
        )
    return {
        "spacing_mm": (rounded(spacing.row_mm), rounded(spacing.column_mm)),
        "spacing_source": spacing.source,
        "spacing_plane": spacing.plane,
        "spacing_calibrated": spacing.calibrated,
    }


def _optional(value: float | None) -> float | None:
    # a missing number, None or NaN, becomes null
    return None if value is None or not math.isfinite(value) else rounded(value)


def _pair(values: Sequence[float] | None) -> PositionPx | None:
    return None if values is None else (rounded(values[0]), rounded(values[1]))


def _candidate(candidate: Candidate) -> CandidateRecord:
    region = candidate.region
    first_row, first_column, end_row, end_column = (int(value) for value in region.bbox_px)
    return CandidateRecord(
        id=candidate.id,
        score=rounded(candidate.score),
        shown=candidate.shown,
        centroid_px=(rounded(region.centroid_px[0]), rounded(region.centroid_px[1])),
        centroid_mm=_pair(region.centroid_mm),
        bbox_px=(first_row, first_column, end_row, end_column),
        contour_px=tuple(map(tuple, region.contour_px.tolist())),
        **{name: _measured(getattr(region, name)) for name in MEASUREMENTS},
        location=_location(region.location),
        flags=tuple(str(flag) for flag in region.flags),
        reasons=tuple(
            replace(reason, value=rounded(reason.value), effect=rounded(reason.effect))
            for reason in candidate.reasons
        ),
        signs=candidate.signs,
    )


def _measured(value: float | str | None) -> Any:  # noqa: ANN401 - of any measurement
    return value if isinstance(value, str) else _optional(value)


def _location(location: Location | None) -> Location | None:
    if location is None:
        return None
    return replace(
        location,
        along_bone=_optional(location.along_bone),
        across_bone=_optional(location.across_bone),
    )
