"""Write the tables as Apache Parquet 2.6; needs the extra `parquet`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from lesionscan.reporting.tables import Column
from lesionscan.results.csv_text import Cell, RowWriter

_TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
_ROWS_AT_A_TIME = 1000
"""Rows of candidates per group; as Python objects they take a few MB."""


class _ParquetTable:
    """Collect rows and write them in groups."""

    def __init__(self, writer: parquet.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[Sequence[Cell]] = []

    def writerow(self, row: Sequence[Cell]) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) >= _ROWS_AT_A_TIME:
            self.flush()

    def flush(self) -> None:
        """Write the collected rows."""
        schema = self._writer.schema
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(schema)
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._rows.clear()


@contextmanager
def parquet_writer(stream: BinaryIO, columns: Sequence[Column[Any]]) -> Iterator[RowWriter]:
    """Write a table row by row.

    Parameters
    ----------
    stream
        The output.
    columns
        Names and types.
    """
    schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns])
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        table = _ParquetTable(writer)
        yield table
        table.flush()
