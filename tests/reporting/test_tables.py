"""The CSV tables have the values of the JSON."""

import csv
import io
from collections.abc import Sequence

import pytest

from lesionscan.radiograph import Spacing
from lesionscan.reporting.tables import CANDIDATE_COLUMNS, IMAGE_COLUMNS, candidate_rows, image_row
from lesionscan.results.csv_text import Cell, csv_line, table_writer
from tests.reporting.made import Film
from tests.results.test_record import as_json, as_record, failed_json, parsed

SPACING = Spacing(0.2, 0.1, "ImagerPixelSpacing", "detector")


def as_csv(columns: Sequence[str], row: Sequence[Cell]) -> dict[str, str]:
    """Write a row and read it back."""
    stream = io.StringIO()
    table_writer(stream, columns).writerow(row)
    stream.seek(0)
    return next(csv.DictReader(stream))


def test_an_image_row_has_the_columns_and_counts() -> None:
    """The row of a film has its file, spacing and numbers of candidates."""
    row = as_csv(IMAGE_COLUMNS, image_row(as_record(Film(spacing=SPACING))))
    assert row["file"] == "a/knee.dcm"
    assert (row["spacing_row_mm"], row["spacing_column_mm"]) == ("0.2", "0.1")
    assert (row["candidates"], row["candidates_shown"], row["best_score"]) == ("2", "1", "0.9")
    assert row["assessed"] == "true"
    assert row["body_part_examined"] == "FEMUR"
    assert row["disclaimer"] == "Research use only; not a diagnosis."


def test_a_failed_film_has_a_row_with_its_error() -> None:
    """The row of a failed film has code and message, and empty cells instead of zeros."""
    row = as_csv(IMAGE_COLUMNS, image_row(parsed(failed_json())))
    assert (row["status"], row["error_code"]) == ("failed", "truncated")
    assert (row["candidates"], row["rows"], row["assessed"]) == ("", "", "")


@pytest.mark.parametrize("spacing", [None, SPACING])
def test_candidate_rows_have_the_columns(spacing: Spacing | None) -> None:
    """Each listed candidate has one row, with empty millimetre cells if there is no spacing."""
    rows = list(candidate_rows(as_record(Film(spacing=spacing))))
    assert len(rows) == 2
    row = as_csv(CANDIDATE_COLUMNS, rows[1])
    assert (row["id"], row["shown"], row["flags"]) == ("2", "false", "touches_bone_edge")
    assert (row["area_mm2"] == "") == (spacing is None)
    assert row["reasons"] == "enclosed=1.25;rim=-0.5"


@pytest.mark.parametrize(
    "name",
    [
        *("=cmd|'/c calc'!A1", "+1", "-1.dcm", "@x", "\tx", "\rx", "\nx", " =1", ";=1", ",=1"),
        *("\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"),
    ],
)
def test_a_file_name_cannot_become_a_formula(name: str) -> None:
    """Names that a spreadsheet would evaluate get "./" in front, which is the same path."""
    assert as_csv(IMAGE_COLUMNS, image_row(as_record(name=name)))["file"] == f"./{name}"


def test_every_text_is_quoted_so_that_a_row_stays_a_row() -> None:
    """Line breaks, commas and quotes are quoted alike by all versions of Python."""
    assert csv_line(["a\rb", 'c"d', "e,f", "g;h", "B", "ok", "-0.25", "1e-05", "", "true"]) == (
        '"a\rb","c""d","e,f","g;h","B",ok,-0.25,1e-05,,true\n'
    )


def test_negative_numbers_stay_numbers() -> None:
    """Only text is escaped: a negative position across the bone is written unchanged."""
    result = as_json()
    result["candidates"][0]["location"]["across_bone"] = -0.25
    row = as_csv(CANDIDATE_COLUMNS, next(candidate_rows(parsed(result))))
    assert row["across_bone"] == "-0.25"


def test_any_name_comes_back_from_the_table() -> None:
    """Quotes, commas, line breaks and non-ASCII letters in names are read back unchanged."""
    name = 'a "b", c\nd/ünï膝.png'
    assert as_csv(IMAGE_COLUMNS, image_row(as_record(name=name)))["file"] == name
