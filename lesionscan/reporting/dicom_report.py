"""Structured report of a film's result: TID 1500, with a planar ROI (TID 1410) per candidate.

Imports highdicom; import this module only if a report is needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lesionscan.reporting.dicom_source import SourceFilm, derived_uid, file_bytes
from lesionscan.reporting.dicom_words import (
    CATEGORY,
    FAMILY,
    FINDING,
    SCHEME,
    Maker,
    evaluations,
    side,
    site,
    tracking_id,
)
from lesionscan.results.record import CandidateRecord, ResultRecord

_SERIES_NUMBER = 9001
"""High, so that viewers list the series after the films; an SR must have a number."""

_MOST_EXPLICIT_POINTS = 0xFFFF // 8
"""Most points in an FL element in explicit VR, whose length has 16 bits (PS3.5 7.1.2)."""

_PIXELS = Code("{pixels}", "UCUM", "pixels")
_SHOWN_CANDIDATES = Code("candidates_shown", SCHEME, "Number of candidates shown")
_KIND = Code("kind", SCHEME, "Kind of finding")
_LYTIC_CANDIDATE = Code("lytic_candidate", SCHEME, "Candidate lytic lesion")


@dataclass(frozen=True, slots=True)
class _Measure:
    """A measurement of the JSON: its name there without unit, its code, and its kind."""

    name: str
    code: Code
    kind: Literal["area", "length", "ratio"] = "ratio"


# Code values have at most 16 characters (SH); private ones are the JSON's names, abbreviated.
_MEASURES = (
    _Measure("score", Code("score", SCHEME, "Score, not a probability")),
    _Measure("area", codes.SCT.Area, "area"),
    _Measure(
        "equivalent_diameter",
        Code("equiv_diameter", SCHEME, "Diameter of the disk of the same area"),
        "length",
    ),
    _Measure("feret_max", codes.SCT.LongAxis, "length"),
    _Measure("perimeter", codes.SCT.Perimeter, "length"),
    _Measure("margin_width", Code("margin_width", SCHEME, "Width of transition zone"), "length"),
    _Measure("circularity", Code("circularity", SCHEME, "Circularity")),
    _Measure("eccentricity", Code("eccentricity", SCHEME, "Eccentricity")),
    _Measure("solidity", Code("solidity", SCHEME, "Solidity")),
    _Measure("contrast", Code("contrast", SCHEME, "Contrast on a grey scale of 0 to 1")),
    _Measure("contrast_to_noise", Code("contrast_noise", SCHEME, "Contrast to noise")),
    _Measure(
        "lesion_to_bone_width", Code("width_ratio", SCHEME, "Width across bone / width of bone")
    ),
    _Measure("endosteal_scalloping", Code("scalloping", SCHEME, "Share of cortex gone inside")),
    _Measure("cortex_break", Code("cortex_break", SCHEME, "Length of break of cortex"), "length"),
    _Measure("bone_expansion", Code("expansion", SCHEME, "Width of bone / width expected")),
)
_MM_SUFFIX = {"area": "mm2", "length": "mm"}
_MM_UNIT = {"area": codes.UCUM.SquareMillimeter, "length": codes.UCUM.Millimeter}


def report_bytes(film: SourceFilm, result: ResultRecord) -> bytes:
    """Create the file of the report.

    Parameters
    ----------
    film
        The film of the result.
    result
        The result.
    """
    maker = Maker.of(result)
    outlines = [outline(candidate.contour_px) for candidate in result.shown]
    longest = max((len(points) for points in outlines), default=0)
    report = sr.ComprehensiveSR(
        evidence=[film.anonymous()],
        content=_content(film, result, outlines),
        series_instance_uid=film.derived_uid("report", "series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=film.derived_uid("report"),
        **maker.equipment,
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                designator=SCHEME,
                name="Private codes of lesionscan",
                responsible_organization="lesionscan",
            )
        ],
        transfer_syntax_uid=ExplicitVRLittleEndian
        if longest <= _MOST_EXPLICIT_POINTS
        else ImplicitVRLittleEndian,
    )
    return file_bytes(film, report)


def outline(contour_px: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Convert an outline to SCOORD: closed, (column, row), from the first pixel's corner.

    Parameters
    ----------
    contour_px
        (row, column) of the boundary's pixels in order, pixel centres at integers.

    Returns
    -------
    ndarray
        float64 (n, 2) in pixels, the last point equal to the first, without points in the middle of
        straight runs.
    """
    points = np.asarray(contour_px, np.float64)[:, ::-1] + 0.5  # PS3.3 C.10.5: corner at 0\0
    steps = np.roll(points, -1, axis=0) - points
    turns = (steps != np.roll(steps, 1, axis=0)).any(axis=1)
    corners = points[turns] if turns.any() else points
    return np.concatenate([corners, corners[:1]])


def _content(
    film: SourceFilm, result: ResultRecord, outlines: Sequence[NDArray[np.float64]]
) -> Any:  # noqa: ANN401 - highdicom is not known to the type checker
    maker = Maker.of(result)
    groups = [
        _group(film, result, candidate, points)
        for candidate, points in zip(result.shown, outlines, strict=True)
    ]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device,
                observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                    uid=derived_uid("device", maker.version, *maker.parameters.values()),
                    name="lesionscan",
                    manufacturer_name="lesionscan",
                    model_name=maker.version,
                    serial_number=maker.serial,
                ),
            )
        ),
        procedure_reported=codes.cid100.XRUnspecifiedBodyRegion,
        imaging_measurements=groups or [_empty_group(film, maker)],
        title=codes.cid7021.ImagingMeasurementReport,
    )
    report[0].ContentSequence.extend(_comment(text) for text in _remarks(result))
    return report


def _remarks(result: ResultRecord) -> Iterator[str]:
    """Yield remarks about the whole film."""
    yield result.disclaimer
    yield f"{len(result.shown)} of {len(result.candidates)} ranked candidates are reported."
    if result.bone is None or not result.bone.assessed:
        yield "The bone could not be outlined well enough, so the film was not searched."
    image = result.searched_image
    if image.spacing_mm is None:
        yield "The film has no plausible spacing: sizes are in pixels."
        return
    calibrated = "calibrated" if image.spacing_calibrated else "not calibrated"
    yield (
        f"Millimetres refer to the plane: {image.spacing_plane} "
        f"({image.spacing_source}, {calibrated} for magnification)."
    )


def _group(
    film: SourceFilm,
    result: ResultRecord,
    candidate: CandidateRecord,
    points: NDArray[np.float64],
) -> Any:  # noqa: ANN401
    """Return the measurement group of one candidate."""
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=film.derived_uid("candidate", candidate.id), identifier=tracking_id(candidate)
        ),
        referenced_region=sr.ImageRegion(
            graphic_type="POLYLINE",
            graphic_data=points,
            source_image=sr.SourceImageForRegion(film.sop_class, film.uid),
        ),
        finding_category=CATEGORY,
        finding_type=FINDING,
        finding_sites=[sr.FindingSite(site(film.tags), laterality=side(result))],
        algorithm_id=_algorithm(Maker.of(result)),
        measurements=list(_measurements(candidate)),
        qualitative_evaluations=[
            sr.QualitativeEvaluation(_KIND, _LYTIC_CANDIDATE),
            *(sr.QualitativeEvaluation(name, value) for name, value in evaluations(candidate)),
        ],
    )
    # highdicom has no argument for the template's text evaluations
    group[0].ContentSequence.extend(_comment(text) for text in _flags_and_signs(candidate))
    return group


def _empty_group(film: SourceFilm, maker: Maker) -> Any:  # noqa: ANN401
    """Return a group about the film, since a report has at least one (TID 1500)."""
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=film.derived_uid("film"), identifier="film"),
        source_images=[sr.SourceImageForMeasurementGroup(film.sop_class, film.uid)],
        algorithm_id=_algorithm(maker),
        measurements=[sr.Measurement(_SHOWN_CANDIDATES, 0, codes.UCUM.NoUnits)],
    )


def _algorithm(maker: Maker) -> Any:  # noqa: ANN401
    return sr.AlgorithmIdentification(
        name="lesionscan",
        version=maker.version,
        family=FAMILY,
        parameters=[f"{name}={value}" for name, value in maker.parameters.items()],
    )


def _measurements(candidate: CandidateRecord) -> Iterator[Any]:
    """Yield the measurements, in mm if the result has mm, else in pixels; null is left out."""
    for measure in _MEASURES:
        if measure.kind == "ratio":
            value, unit = getattr(candidate, measure.name), codes.UCUM.NoUnits
        else:
            value = getattr(candidate, f"{measure.name}_{_MM_SUFFIX[measure.kind]}")
            unit = _MM_UNIT[measure.kind]
            if value is None:
                value, unit = getattr(candidate, f"{measure.name}_px"), _PIXELS
        if value is not None:
            yield sr.Measurement(measure.code, float(value), unit)


def _flags_and_signs(candidate: CandidateRecord) -> Iterator[str]:
    if candidate.flags:
        yield f"Doubts about these numbers: {', '.join(candidate.flags)}."
    for sign in candidate.signs:
        yield sign.text if sign.speaks == "neither" else f"{sign.speaks}: {sign.text}"


def _comment(text: str) -> Any:  # noqa: ANN401
    return sr.TextContentItem(
        name=codes.DCM.Comment, value=text, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
