"""Rows of a query as CSV, JSON lines or Parquet, to standard output or into a file."""

from __future__ import annotations

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from glassplate.codecs.errors import ConfigError
from glassplate.flows.terminal.output import Output, human_bytes, json_line, one_line, plain
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa


class Form(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def write_rows(output: Output, table: pa.Table, form: Form, file: Path | None) -> None:
    """Write a table; without a file as text to standard output.

    Structs and lists are JSON in CSV. Raises ConfigError for Parquet without a file.
    """
    if form is Form.PARQUET:
        if file is None:
            raise ConfigError("parquet is no text", "Name a file: -o rows.parquet.", "--format")
        import pyarrow.parquet as pq

        pq.write_table(table, file)
    else:
        text = _csv(table) if form is Form.CSV else _lines(table)
        if file is None:
            output.stdout.file.write(text)
            return
        file.write_text(text)
    size = human_bytes(file.stat().st_size)
    rows = counted(table.num_rows, "row")
    output.message(f"wrote {one_line(str(file))} ({rows}, {size})")


def _lines(table: pa.Table) -> str:
    return "".join(json_line(plain(row)) for row in table.to_pylist())


def _csv(table: pa.Table) -> str:
    import pyarrow as pa
    import pyarrow.csv as pc

    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = table[place].to_pylist()
            told = [None if v is None else json_line(plain(v)).rstrip("\n") for v in values]
            table = table.set_column(place, field.name, pa.array(told, pa.string()))
    buffer = io.BytesIO()
    pc.write_csv(table, buffer)
    return buffer.getvalue().decode()
