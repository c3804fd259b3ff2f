"""What holds of an archive, however often its runs died: no loss, no duplicate, no damage."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig


def check_whole(config: CompressConfig, source: Path, dead: Collection[str] = ()) -> None:
    """Every source exactly once, every file stored once, the `dead` as they are, all sound."""
    archive = open_archive(config.archive)
    rows = archive.images().to_table().to_pylist()
    assert Counter(row["name"] for row in rows) == {path.name: 1 for path in source.iterdir()}
    assert {row["name"] for row in rows if row["error_code"]} == set(dead)
    ids = archive.bitstreams().to_table(columns=["image_id"])["image_id"].to_pylist()
    files = list(source.iterdir())
    assert sorted(ids) == sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    report = verify_archive(archive, decode=True)
    assert report.ok, report.damages
    folder = Path(config.archive)
    named = {file.path for shard in archive.manifest.shards for file in shard.files()}
    found = {str(path.relative_to(folder)) for path in folder.glob("*s/run=*/*.parquet")}
    assert found == named
