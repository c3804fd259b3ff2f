"""Lists as people have them: the column is found by what it holds, and no row is lost."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.packed.tables import read_list

NAMES = ["a cat.png", "b.jpg", "c.TIFF"]


def entries(text: str | bytes, name: str = "list.csv") -> list[str | None]:
    data = text.encode() if isinstance(text, str) else text
    return read_list(io.BytesIO(data), name).entries


@pytest.mark.parametrize(
    "text",
    [
        "url\na cat.png\nb.jpg\nc.TIFF\n",
        "a cat.png\nb.jpg\nc.TIFF",
        "a cat.png\r\n\r\nb.jpg\r\nc.TIFF\r\n",
        '\ufeff"url"\n"a cat.png"\n"b.jpg"\n"c.TIFF"\n',
        "TEXT,URL\na cat,a cat.png\n\"a dog,\nrunning\",b.jpg\n,c.TIFF\n",
        "id;score;file\n1;0,5;a cat.png\n2;0,25;b.jpg\n3;1;c.TIFF\n",
        "label\tFile Name\nthe cat, sleeping\ta cat.png\nb, c\tb.jpg\n-\tc.TIFF\n",
        '5" nail\ta cat.png\n"quoted" start\tb.jpg\nx\tc.TIFF\n',
        "1|a cat.png\n2|b.jpg\n3|c.TIFF\n",
        "url,n,m\na cat.png,1,2\nb.jpg\nc.TIFF,1\n",
    ],
)  # fmt: skip
def test_text_of_every_kind(text: str) -> None:
    assert entries(text) == NAMES
    assert entries(text.removeprefix("\ufeff").encode("utf-16")) == NAMES


def test_one_path_a_line_may_hold_commas() -> None:
    assert entries("a, b.png\nc.png\n") == ["a, b.png", "c.png"]


def test_names_without_a_suffix_go_by_the_column_name() -> None:
    assert entries("title,path\nx,IMG_1\ny,IMG_2\n") == ["IMG_1", "IMG_2"]
    assert entries("album/1\nalbum/2\n") == ["album/1", "album/2"]


def test_of_two_columns_of_urls_the_known_name_wins() -> None:
    row = "https://x/thumb/1.jpg,https://x/1.jpg"
    assert entries(f"thumbnail,url\n{row}\n") == ["https://x/1.jpg"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(NAMES, pa.string()),
        pa.array(NAMES, pa.large_string()),
        pa.array(NAMES, pa.string_view()),
        pa.array(NAMES).dictionary_encode(),
        pa.array(NAMES, pa.large_string()).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("name", ["URL", "what"])
def test_parquet_columns_of_every_string_type(column: Any, name: str) -> None:
    sink = io.BytesIO()
    table = pa.table({"TEXT": ["a cat", "a dog", "a bird"], "n": [1, 2, 3], name: column})
    pq.write_table(table, sink)
    assert entries(sink.getvalue(), "list.parquet") == NAMES


@pytest.mark.parametrize("text", ["number\n1\n", "TEXT,KIND\na cat,cat\n", "", "\n\n"])
def test_a_table_without_paths_is_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(SourceError, match="no column"):
        list_source(str(tmp_path / "list.csv"))


def test_no_row_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    rows = ["a.png", None, " b.png ", "  ", "gone.png", "a.png", "nosuch://x/c.png", "x\0.png"]
    pq.write_table(pa.table({"file": rows}), tmp_path / "list.parquet")
    with caplog.at_level(logging.WARNING):
        refs = list_source(str(tmp_path / "list.parquet")).refs
    assert {ref.name: ref.outcome and ref.outcome[1] for ref in refs} == {
        "a.png": None,
        "b.png": None,
        "gone.png": "vanished",
        "list.parquet#row=2": "blank-entry",
        "list.parquet#row=4": "blank-entry",
        "x/c.png": "unreadable",
        "x\0.png": "unreadable",
    }
    assert "of 8 rows, 2 have no entry in column 'file', and 1 repeat" in caplog.text
