"""The JSON states what was found, as specified, and matches its schema."""

import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from lesionscan.detection.measure import Region
from lesionscan.radiograph import Notice, Spacing
from lesionscan.reporting.conversion import failed_record, ok_record, rounded, tool_record
from lesionscan.reporting.tables import CANDIDATE_COLUMNS
from lesionscan.results.record import (
    SCHEMA_PATH,
    CandidateRecord,
    InputRecord,
    PicturesRecord,
    ResultRecord,
    schema_json,
)
from lesionscan.results.sealed import is_sealed, sealed_json, to_json
from lesionscan.settings import Settings
from tests.reporting.made import Film, make_findings

SPACING = Spacing(0.14300001, 0.143, "ImagerPixelSpacing", "detector")


def as_json(film: Film | None = None, name: str = "a/knee.dcm") -> dict[str, Any]:
    """Return a film's result as parsed JSON."""
    record = ok_record(make_findings(film), file=name, sha256="0" * 64)
    hashes = PicturesRecord(labels_sha256="3" * 64, bone_sha256="4" * 64, overlay_sha256="5" * 64)
    result: dict[str, Any] = json.loads(sealed_json(record.model_copy(update={"pictures": hashes})))
    return result


def parsed(result: dict[str, Any]) -> ResultRecord:
    """Return a result as the program reads it."""
    return ResultRecord.model_validate_json(json.dumps(result), strict=True)


def as_record(film: Film | None = None, name: str = "a/knee.dcm") -> ResultRecord:
    """Return a film's result as the program reads it."""
    return parsed(as_json(film, name))


def failed_json() -> dict[str, Any]:
    """Return a failed film's result as parsed JSON."""
    record = failed_record(
        InputRecord(file="x.dcm", frame=1, frames=1, sha256=None),
        Notice("truncated", "the file ends early"),
        tool_record(Settings(), "2" * 64),
    )
    result: dict[str, Any] = json.loads(to_json(record))
    return result


def validate(result: dict[str, Any]) -> None:
    """Check a result against the shipped schema."""
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(result)


def test_the_contract_holds() -> None:
    """The keys specified in the architecture document are there, with correct values."""
    result = as_json(Film(spacing=SPACING, notices=(Notice("no_spacing", "none"),)))
    assert result["schema_version"] == "1.6"
    assert result["tool"]["name"] == "lesionscan"
    assert result["tool"]["scorer_sha256"] == "5" * 64
    source = {"file": "a/knee.dcm", "frame": 1, "frames": 1, "sha256": "0" * 64}
    assert result["input"] == source
    assert result["status"] == "ok"
    assert result["error"] is None
    assert result["warnings"] == [{"code": "no_spacing", "message": "none"}]
    assert result["image"]["rows"] == 300
    assert result["image"]["spacing_mm"] == [0.143, 0.143]
    assert result["image"]["spacing_plane"] == "detector"
    assert result["bone"] == {"confidence": 0.9, "assessed": True}
    assert result["disclaimer"] == "Research use only; not a diagnosis."
    first = result["candidates"][0]
    assert first["id"] == 1
    assert first["shown"] is True
    assert first["centroid_px"] == [150.0, 100.0]
    assert first["bbox_px"] == [136, 86, 165, 115]
    assert first["mirels_width_band"] == "one_to_two_thirds"
    assert first["reasons"][0] == {
        "term": "enclosed",
        "value": 0.8,
        "effect": 1.25,
        "text": "brighter bone all round",
    }
    assert result["candidates"][1]["flags"] == ["touches_bone_edge"]


def test_without_spacing_there_are_no_millimetres() -> None:
    """All numbers in mm are null if the spacing is unknown."""
    candidate = as_json()["candidates"][0]
    assert {value for key, value in candidate.items() if "_mm" in key} == {None}


@pytest.mark.parametrize("spacing", [None, SPACING])
@pytest.mark.parametrize("assessed", [True, False])
def test_the_schema_accepts_what_is_written(spacing: Spacing | None, assessed: bool) -> None:
    """Results with and without spacing and assessment are valid."""
    validate(as_json(Film(spacing=spacing, assessed=assessed)))


def test_the_schema_accepts_a_failed_film() -> None:
    """A failed film has an error and no candidates, and is valid."""
    result = failed_json()
    validate(result)
    assert result["status"] == "failed"
    assert result["error"] == {"code": "truncated", "message": "the file ends early"}
    assert result["tool"]["scorer_sha256"] == "2" * 64
    assert result["candidates"] == []


def test_the_schema_refuses_unknown_keys() -> None:
    """An unknown key is an error, so that typing mistakes are noticed."""
    with pytest.raises(jsonschema.ValidationError, match="patient_name"):
        validate({**failed_json(), "patient_name": "Smith"})


def test_the_shipped_schema_is_what_the_records_give() -> None:
    """The schema file in the package is the one generated from the models."""
    assert SCHEMA_PATH.read_bytes() == schema_json()


def test_every_field_of_the_schema_is_described() -> None:
    """Each property has a description, and each length or area states its unit."""
    schema = json.loads(schema_json())
    for record in (schema, *schema["$defs"].values()):
        for name, entry in record["properties"].items():
            assert entry.get("description"), name
            if name.endswith(("_mm", "_mm2")):
                assert entry.get("unit", entry["description"]).find("mm") >= 0, name
            if name.endswith("_px"):
                assert "in pixels" in entry["description"] or entry["unit"] in ("px", "px²"), name


def test_the_same_findings_give_the_same_bytes() -> None:
    """The bytes depend only on the findings, and short lists of numbers stay on one line."""
    record = ok_record(make_findings(), file="a.png", sha256="0")
    text = to_json(record).decode("utf-8")
    assert to_json(ok_record(make_findings(), file="a.png", sha256="0")) == text.encode("utf-8")
    assert '"centroid_px": [150.0, 100.0],\n' in text
    assert json.loads(text) == record.model_dump(mode="json")


def test_everything_that_is_measured_is_written() -> None:
    """Each field of a region is in the JSON and in the table, under its own name."""
    measured = {entry.name for entry in fields(Region)} - {"label"}
    assert measured <= {entry.name for entry in fields(CandidateRecord)}
    split = {"centroid_px", "centroid_mm", "bbox_px", "contour_px", "location"}
    assert measured - split <= set(CANDIDATE_COLUMNS)


def test_names_keep_their_letters() -> None:
    """A name with quotes, brackets and non-ASCII letters is read back unchanged."""
    name = "ünï <b>\"'&/膝.png"
    assert as_json(name=name)["input"]["file"] == name


def test_acquisition_facts_are_sorted_and_rounded() -> None:
    """Acquisition data are sorted by name and rounded to six digits."""
    assert list(as_json()["acquisition"].items()) == [
        ("body_part_examined", "FEMUR"),
        ("kvp", 63.0),
    ]


def test_numbers_that_do_not_exist_are_refused() -> None:
    """NaN is rejected, so that it is never written to a file."""
    findings = make_findings()
    candidate = replace(findings.candidates[0], score=float("nan"))
    broken = replace(findings, candidates=(candidate,))
    with pytest.raises(ValidationError, match="score"):
        ok_record(broken, file="a", sha256="0")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.12345678, 0.123457), (1234567.0, 1234567.0), (1234.5678, 1234.57), (-0.0, 0.0)],
)
def test_rounding_keeps_six_digits_and_whole_numbers(value: float, expected: float) -> None:
    """Numbers have six significant digits, whole numbers are exact, and zero is not negative."""
    assert str(rounded(value)) == str(expected)


def test_records_are_frozen() -> None:
    """A record cannot be changed after it is made."""
    record = ok_record(make_findings(), file="a", sha256="0")
    candidate: CandidateRecord = record.candidates[0]
    with pytest.raises(FrozenInstanceError):
        candidate.score = 0.1  # type: ignore[misc]


def test_a_sealed_file_tells_whether_it_was_changed() -> None:
    """Bytes as written have a valid seal; with a changed byte, or without a seal, they do not."""
    record = ok_record(make_findings(), file='"seal_sha256": "', sha256=None)
    data = sealed_json(record)
    assert is_sealed(data)
    assert sealed_json(record) == data
    for at in range(0, len(data), 97):
        assert not is_sealed(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert not is_sealed(data + b"\n")
    assert not is_sealed(to_json(record))
    assert not is_sealed(b"")
