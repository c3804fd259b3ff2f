"""Archives of past schema versions are read, verified, and added to.

golden/schema-<n>: two snapshots. turned.jpg (`jxl`, orientation 6, ICC, XMP), alpha.png (kept),
broken.jpg (failed); then grey.png (`svd`) and again.png, a duplicate of alpha.png. From version 2
on turned.jpg has a comment.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import odd_inputs
import pytest

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.format.schema import SCHEMA_VERSION
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(GOLDEN.iterdir())


@pytest.fixture(params=VERSIONS, ids=[path.name for path in VERSIONS])
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an old archive."""
    return Path(shutil.copytree(request.param, tmp_path / "archive"))


def test_every_past_version_is_there() -> None:
    assert [path.name for path in VERSIONS] == [f"schema-{n}" for n in range(1, SCHEMA_VERSION)]


def test_it_is_sound_and_its_pictures_come_back(golden: Path) -> None:
    archive = open_archive(str(golden))
    assert verify_archive(archive, decode=True).ok
    statuses = {row["name"]: row["status"] for row in archive.where().to_pylist()}
    assert statuses == {
        "turned.jpg": "encoded", "alpha.png": "kept", "broken.jpg": "failed",
        "grey.png": "encoded", "again.png": "skipped",
    }  # fmt: skip
    picture = archive.get("turned.jpg")
    expected = np.asarray(odd_inputs.photo(160, 128).rotate(-90, expand=True), dtype=float)
    assert np.abs(np.asarray(picture, dtype=float) - expected).mean() < 4
    assert picture.info["xmp"] == odd_inputs.XMP
    assert picture.getexif()[0x010F] == "Plate camera"
    assert (archive.get("grey.png").mode, archive.get("again.png").mode) == ("L", "RGBA")
    assert archive.snapshot(1).bitstreams().count_rows() == 2


def test_it_is_added_to(golden: Path, tmp_path: Path) -> None:
    old = _segments(golden)
    source = tmp_path / "more"
    source.mkdir()
    data = odd_inputs.save(odd_inputs.photo(200, 150), "JPEG", quality=97, comment=b"plate 7")
    (source / "new.jpg").write_bytes(data)
    compress(CompressConfig(source=str(source), archive=str(golden), codec="jpeg"))
    archive = open_archive(str(golden))
    assert verify_archive(archive, decode=True).ok
    assert _segments(golden) == [*old, [{"kind": "COM", "data": b"plate 7"}]]
    files = f"read_parquet('{golden}/bitstreams/*/*.parquet', union_by_name = true)"
    (count,) = duckdb.sql(f"select count(segments) from {files}").fetchall()[0]
    assert count == 1 + sum(one is not None for one in old)
    assert archive.get("turned.jpg").size == (128, 160)


def test_salvage_from_a_damaged_file(golden: Path) -> None:
    archive = open_archive(str(golden))
    wanted = archive.get("turned.jpg").tobytes()
    for file in golden.glob("bitstreams/*/*.parquet"):
        data = bytearray(file.read_bytes())
        place = data.find(odd_inputs.XMP[:20])
        if place < 0:  # compressed: hit the column that lies before the footer
            place = len(data) - int.from_bytes(data[-8:-4], "little") - 12
        data[place] ^= 0x55
        file.write_bytes(data)
    assert not verify_archive(archive).ok
    assert open_archive(str(golden)).get("turned.jpg").tobytes() == wanted


def _segments(archive: Path) -> list[Any]:
    column = open_archive(str(archive)).bitstreams().to_table(["segments"])["segments"]
    return list(column.to_pylist())
