"""The tables as Parquet (Apache Parquet 2.6), for pandas, R, DuckDB, Spark; the extra `parquet`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from lesionscan.results.csv_text import Cell, RowWriter

_TEXTS = frozenset(
    {"file", "sha256", "status", "error_code", "error_message", "spacing_source", "spacing_plane"}
    | {"photometric_interpretation", "polarity", "modality", "body_part_examined"}
    | {"view_position", "laterality", "image_laterality", "warnings", "mirels_width_band"}
    | {"flags", "reasons", "disclaimer"}
)
_TRUTHS = frozenset({"spacing_calibrated", "assessed", "shown"})
_COUNTS = frozenset(
    {"frame", "rows", "columns", "candidates", "candidates_shown", "id", "bone_id"}
    | {"bbox_first_row_px", "bbox_first_column_px", "bbox_end_row_px", "bbox_end_column_px"}
)

_ROWS_AT_A_TIME = 1000
"""So many rows of candidates fill some MB as Python objects."""


class _ParquetTable:
    """Gathers rows and writes them in groups."""

    def __init__(self, writer: parquet.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[Sequence[Cell]] = []

    def writerow(self, row: Sequence[Cell]) -> None:
        """Take one row."""
        self._rows.append(row)
        if len(self._rows) >= _ROWS_AT_A_TIME:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        schema = self._writer.schema
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(schema)
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._rows.clear()


@contextmanager
def parquet_writer(stream: BinaryIO, columns: Sequence[str]) -> Iterator[RowWriter]:
    """Write a table as rows come.

    Parameters
    ----------
    stream
        Where to.
    columns
        Names, as in `lesionscan.reporting.tables`; which of them are texts, truths and whole
        numbers is known, the others are numbers.
    """
    schema = pa.schema([(name, _type(name)) for name in columns])
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        table = _ParquetTable(writer)
        yield table
        table.flush()


def _type(name: str) -> pa.DataType:
    if name in _TEXTS:
        return pa.string()
    if name in _TRUTHS:
        return pa.bool_()
    return pa.int64() if name in _COUNTS else pa.float64()
