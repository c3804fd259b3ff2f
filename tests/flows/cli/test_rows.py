"""Rows in other forms, and pictures on standard output."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import odd_inputs
import pyarrow.parquet as pq
import pytest
from PIL import Image

from glassplate.flows.terminal.exit_codes import ExitCode

Run = Callable[..., Any]


@pytest.fixture
def archive(glassplate: Run, tmp_path: Path) -> Path:
    """Two snapshots: a.png changed, b.jpg stayed, c.png came, d.png went."""
    photos, archive = tmp_path / "photos", tmp_path / "archive"
    photos.mkdir()
    for name, size in (("a.png", 64), ("d.png", 72)):
        odd_inputs.photo(size, 64).save(photos / name)
    odd_inputs.photo(80, 64).convert("CMYK").save(photos / "b.jpg")
    arguments = ("compress", photos, archive, "--codec", "jxl", "--workers", "1")
    assert glassplate(*arguments).code == ExitCode.OK
    odd_inputs.photo(88, 64).save(photos / "a.png")
    odd_inputs.photo(96, 64).save(photos / "c.png")
    (photos / "d.png").unlink()
    assert glassplate(*arguments).code == ExitCode.OK
    return archive


def rows_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_rows_as_csv_json_and_parquet(glassplate: Run, archive: Path, tmp_path: Path) -> None:
    written = glassplate("query", archive, "--columns", "name,width", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(written)))
    assert rows[0] == {"name": "a.png", "width": "88"}
    chosen = glassplate("query", archive, "--columns", "width,name", "--format", "json").out
    assert list(rows_of(chosen)[0]) == ["width", "name"]
    for suffix in ("csv", "json", "parquet"):
        assert glassplate("query", archive, "-o", tmp_path / f"rows.{suffix}").code == ExitCode.OK
    assert pq.read_table(tmp_path / "rows.parquet").num_rows == 4
    assert glassplate("query", archive, "-o", tmp_path / "rows.doc").code == ExitCode.USAGE
    assert glassplate("query", archive, "--format", "parquet").code == ExitCode.USAGE


def test_a_whole_select(glassplate: Run, archive: Path) -> None:
    """Over the newest row of every source, and nothing else."""
    counted = "select status, count(*) as n from images group by status order by status"
    assert rows_of(glassplate("query", archive, "--sql", counted, "--json").out) == [
        {"status": "encoded", "n": 3},
        {"status": "kept", "n": 1},
    ]
    for refused in ("drop view images", "select 1; select 2", "selec", f"from '{__file__}'"):
        assert glassplate("query", archive, "--sql", refused).code == ExitCode.USAGE
    assert glassplate("query", archive, "--sql", counted, "--limit", "1").code == ExitCode.USAGE


def test_whole_ids(glassplate: Run, archive: Path) -> None:
    shown = glassplate("ls", archive, "--ids").out
    ids = [row["image_id"] for row in rows_of(glassplate("ls", archive, "--json").out)]
    assert all(str(one) in shown for one in ids)


def test_pictures_on_standard_output(archive: Path) -> None:
    executable = Path(sys.executable).with_name("glassplate")

    def told(*arguments: str) -> bytes:
        return subprocess.run([executable, *arguments], capture_output=True, check=True).stdout

    kept = archive.parent / "photos" / "b.jpg"
    assert told("cat", str(archive), "b.jpg", "--original") == kept.read_bytes()
    for arguments in (("cat", str(archive), "a.png"), ("get", str(archive), "a.png", "-o", "-")):
        with Image.open(io.BytesIO(told(*arguments))) as image:
            assert (image.format, image.size) == ("PNG", (88, 64))
    part = told("get", str(archive), "a.png", "-o", "-", "--region", "0,0,16,8")
    with Image.open(io.BytesIO(part)) as image:
        assert np.asarray(image).shape == (8, 16, 3)
