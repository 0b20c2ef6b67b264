"""Acquisition facts from the header: coded values and plausible numbers only."""

import pytest

from lesionscan.reading.acquisition import acquisition_facts, orientation, uids


def facts_of(codes: dict[str, str], numbers: dict[str, float]) -> tuple[dict[str, object], str]:
    """Return the facts and the text of all notices."""
    facts, notices = acquisition_facts(codes.get, numbers.get)
    assert {entry.code for entry in notices} <= {"non_standard_value"}
    return dict(facts), " ".join(entry.message for entry in notices)


@pytest.mark.parametrize("written", ["CSPINE", "cspine", "C SPINE", "C_SPINE", "C-Spine"])
def test_body_part_in_the_standards_spelling(written: str) -> None:
    """Body parts are spelt as in the standard, regardless of case, blanks, _ and - in the file."""
    assert facts_of({"BodyPartExamined": written}, {}) == ({"body_part_examined": "CSPINE"}, "")


def test_free_text_is_dropped_and_named() -> None:
    """Free text in a coded field is omitted; the notice names the tag and not the value."""
    facts, text = facts_of(
        {"BodyPartExamined": "KNEE OF MR SMITH", "ViewPosition": "", "Laterality": "R"}, {}
    )
    assert facts == {"laterality": "R"}
    assert "BodyPartExamined" in text
    assert "SMITH" not in text.upper()


def test_unknown_tags_never_appear() -> None:
    """Tags that are not on the allow-list do not appear in the facts."""
    assert facts_of({"PatientName": "Doe"}, {"PatientWeight": 70}) == ({}, "")


def test_numbers_in_range_only() -> None:
    """Implausible numbers (a date in KVP, NaN) are omitted; the notice names only the tag.

    Whole numbers are int.
    """
    facts, text = facts_of({}, {"KVP": 19500101, "Exposure": 3.0, "ExposureTime": 1.5})
    assert facts == {"exposure": 3, "exposure_time": 1.5}
    assert isinstance(facts["exposure"], int)
    assert "KVP" in text
    assert "1950" not in text
    assert facts_of({}, {"KVP": float("nan")})[0] == {}


@pytest.mark.parametrize(
    ("values", "fact"),
    [
        (("L", "F"), {"patient_orientation": "L\\F"}),
        (("HL", "AFR"), {"patient_orientation": "HL\\AFR"}),
        (("L",), {}),
        (("L", "F", "A"), {}),
        (("L", "SMITH"), {}),
        ((), {}),
    ],
)
def test_the_orientation_is_two_directions(
    values: tuple[str, ...], fact: dict[str, object]
) -> None:
    """PatientOrientation is kept only if it consists of two values with letters of directions."""
    assert orientation({"PatientOrientation": values}.__getitem__) == fact


def test_malformed_uids_are_omitted() -> None:
    """A value that does not have the form of a UID, and may be a name, is omitted."""
    values = {"StudyInstanceUID": "DOE^JANE", "SeriesInstanceUID": "", "SOPInstanceUID": "1.2.3"}
    assert uids(values.get) == {"sop_instance_uid": "1.2.3"}
