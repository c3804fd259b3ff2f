"""The data dictionary in FORMAT.md says what the schemas say."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from glassplate.pipelines.archive.format.schema import TABLES

FORMAT = Path(__file__).parents[4] / "pipelines" / "archive" / "FORMAT.md"
HEADING = "## Data dictionary\n"


def section(table: str, schema: pa.Schema) -> str:
    lines = [f"### {table}\n", "| column | type | meaning |", "| --- | --- | --- |"]
    for field in schema:
        kind = str(field.type).replace("item: ", "")
        meaning = field.metadata[b"meaning"].decode().replace("|", "/")
        lines.append(f"| `{field.name}` | {kind} | {meaning} |")
    return "\n".join(lines) + "\n"


def test_data_dictionary_is_current() -> None:
    text = FORMAT.read_text()
    before, _ = text.split(HEADING)
    source = "pipelines/archive/format/schema.py"
    note = f"<!-- From {source}; GLASSPLATE_REGENERATE_GOLDEN=1 writes it anew. -->"
    tables = "\n".join(section(table, schema) for table, schema in TABLES.items())
    wanted = f"{before}{HEADING}\n{note}\n\n{tables}"
    if os.environ.get("GLASSPLATE_REGENERATE_GOLDEN"):
        FORMAT.write_text(wanted)
    assert FORMAT.read_text() == wanted
