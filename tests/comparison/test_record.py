"""The record of a comparison: its schema, and how it is read back."""

import json

import jsonschema
import pytest

from lesionscan.comparison import compare_films
from lesionscan.comparison.record import (
    NUMBERS,
    SCHEMA_PATH,
    SCHEMA_VERSION,
    ComparisonRecord,
    parse_comparison,
    schema_json,
)
from lesionscan.results.sealed import is_sealed, sealed_json
from tests.comparison.made import sample


def test_the_shipped_schema_is_that_of_the_record() -> None:
    """The shipped schema is the generated one (CONTRIBUTING.md has the command)."""
    assert SCHEMA_PATH.read_bytes() == schema_json()
    assert ComparisonRecord.model_fields["schema_version"].default == SCHEMA_VERSION


def test_a_comparison_fits_its_schema_and_is_read_back() -> None:
    """A comparison is valid by its schema, is sealed, and is read back with the same lesions."""
    record = compare_films(sample(), sample()).record
    data = sealed_json(record)
    jsonschema.validate(json.loads(data), json.loads(schema_json()))
    assert is_sealed(data)
    read = parse_comparison(data)
    assert read is not None
    assert read.lesions == record.lesions


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"status": "ok"}'])
def test_what_is_no_comparison_is_none(data: bytes) -> None:
    """Anything that is not a comparison is read as None."""
    assert parse_comparison(data) is None


def test_every_number_of_a_lesion_is_named() -> None:
    """The numbers of a lesion are its sizes on both films, changes and uncertainties."""
    assert len(NUMBERS) == 20
    assert {"area_before_px", "diameter_change_mm", "registration_uncertainty_percent"} <= {
        *NUMBERS
    }
