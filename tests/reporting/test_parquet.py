"""The Parquet tables have the values of the CSV tables, with types."""

from pathlib import Path

import pytest

from lesionscan.radiograph import Spacing
from lesionscan.reporting.tables import CANDIDATE_TABLE, IMAGE_TABLE, candidate_rows, image_row
from tests.reporting.made import Film
from tests.results.test_record import as_record, failed_json, parsed

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
parquet_module = pytest.importorskip("lesionscan.reporting.parquet")
parquet_writer = parquet_module.parquet_writer

RESULTS = (
    as_record(Film(spacing=Spacing(0.2, 0.1, "ImagerPixelSpacing", "detector"))),
    as_record(name="=b.png"),
    parsed(failed_json()),
)


@pytest.mark.parametrize("rows_at_a_time", [1, 2, 1000])
def test_every_row_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    """Rows are read back unchanged and in order, whatever the size of the row groups."""
    monkeypatch.setattr(parquet_module, "_ROWS_AT_A_TIME", rows_at_a_time)
    images = [image_row(result) for result in RESULTS]
    candidates = [row for result in RESULTS for row in candidate_rows(result)]
    for name, columns, rows in (
        ("images", IMAGE_TABLE, images),
        ("candidates", CANDIDATE_TABLE, candidates),
    ):
        with (tmp_path / name).open("wb") as stream, parquet_writer(stream, columns) as table:
            for row in rows:
                table.writerow(row)
        read = pq.read_table(tmp_path / name)
        assert read.column_names == [column.name for column in columns]
        assert [tuple(row.values()) for row in read.to_pylist()] == rows


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    """A table without rows has all columns, with their types."""
    with (tmp_path / "t").open("wb") as stream, parquet_writer(stream, CANDIDATE_TABLE):
        pass
    read = pq.read_table(tmp_path / "t")
    assert (read.num_rows, read.num_columns) == (0, len(CANDIDATE_TABLE))
    assert str(read.schema.field("score").type) == "double"
    assert str(read.schema.field("shown").type) == "bool"
    assert str(read.schema.field("id").type) == "int64"
