"""Candidates as a pandas data frame: the columns and values of candidates.csv."""

import csv
import io
import sys

import pytest

from lesionscan.radiograph import Spacing
from lesionscan.reporting.tables import CANDIDATE_COLUMNS, candidate_rows
from lesionscan.results.csv_text import table_writer
from tests.reporting.made import Film, make_findings
from tests.results.test_record import as_record

SPACED = Film(spacing=Spacing(0.2, 0.2, "user", "patient"))


@pytest.mark.parametrize("film", [Film(), SPACED])
def test_it_is_the_table_of_candidates(film: Film) -> None:
    """Columns and rows are those of candidates.csv, except for file, frame and disclaimer."""
    pytest.importorskip("pandas", reason="pandas is missing")
    frame = make_findings(film).to_dataframe()
    columns = [name for name in CANDIDATE_COLUMNS if name not in {"file", "frame", "disclaimer"}]
    assert list(frame.columns) == columns
    stream = io.StringIO()
    writer = table_writer(stream, CANDIDATE_COLUMNS)
    for row in candidate_rows(as_record(film)):
        writer.writerow(row)
    written = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert len(frame) == len(written) == 2
    for one, other in zip(frame.to_dict("records"), written, strict=True):
        for name in columns:
            value = one[name]
            if isinstance(value, float) and value == value:
                assert float(other[name]) == pytest.approx(value, rel=1e-5)
            else:
                missing = value is None or value != value
                text = str(value).lower() if isinstance(value, bool) else str(value)
                said = "" if missing else text
                assert other[name] == said


def test_without_candidates_it_has_columns_and_no_rows() -> None:
    """Without candidates, the frame has columns but no rows, so that frames can be joined."""
    pytest.importorskip("pandas", reason="pandas is missing")
    frame = make_findings(Film(disks=())).to_dataframe()
    assert len(frame) == 0
    assert "score" in frame.columns


def test_without_pandas_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas, the error message has the command that installs it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="to_dataframe needs pandas; run: pip install"):
        make_findings().to_dataframe()
