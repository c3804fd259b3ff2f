"""Reading archives that changed under the reader, or were never written by a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.archive.format.rows import read_image_row
from glassplate.pipelines.archive.read.reader import Archive, open_archive
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.errors import ArchiveError, ShardDamagedError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import commit, encoded

ID = encoded("a.png", 1).image.image_id or ""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "archive"))
    commit(store, [encoded("a.png", 1)])
    commit(store, [encoded("b.png", 2)])
    return store


def write_index(path: Path, table: pa.Table, **options: object) -> None:
    pq.write_table(table, path, **options)


ENTRIES = {"key": [1, 2**64 - 1], "shard": [0, 0], "row": [0, 0]}
INDEX = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
    ]
)


def every_key(shard: int, row: int) -> pa.Table:
    """Entries that answer any question, with a place that is none."""
    keys = [int(ID[:16], 16)]
    for text in ("a.png", "file:///photos/a.png"):
        from glassplate.pipelines.archive.format.index import text_key

        keys.append(text_key(text))
    keys.sort()
    count = len(keys)
    columns = {"key": keys, "shard": [shard] * count, "row": [row] * count}
    return pa.table(columns, schema=INDEX)


STRANGE: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b"") and None,
    "no parquet": lambda path: path.write_bytes(b"PAR1" * 9) and None,
    "other columns": lambda path: write_index(path, pa.table({"x": [1]})),
    "texts": lambda path: write_index(path, pa.table({"key": ["a"], "shard": ["b"], "row": ["c"]})),
    "no statistics": lambda path: write_index(
        path, pa.table(ENTRIES, schema=INDEX), write_statistics=False
    ),
    "a shard too far": lambda path: write_index(path, every_key(2, 0)),
    "a shard below": lambda path: write_index(path, every_key(-1, 0)),
    "a row too far": lambda path: write_index(path, every_key(0, 1)),
    "a row below": lambda path: write_index(path, every_key(0, -1)),
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_the_catalogue_is_scanned_where_an_index_is_none(
    store: Store, strange: Callable[[Path], None]
) -> None:
    manifest = open_archive(store.url).manifest
    for file in (*manifest.id_index, *manifest.name_index):
        strange(Path(store.path(file.path)))
    archive = open_archive(store.url)
    for key in (ID, ID[:12], "a.png", "file:///photos/a.png"):
        assert archive.find(key).name == "a.png"
        assert archive.get(key).size == (32, 24)


@pytest.mark.parametrize(
    "read",
    [
        lambda archive: archive.find("a.png"),
        lambda archive: archive.get(ID),
        lambda archive: archive.where("true"),
        lambda archive: archive.stats(),
        lambda archive: archive.bitstream("b.png"),
    ],
)
def test_who_reads_a_snapshot_that_is_forgotten_is_told_to_open_again(
    store: Store, read: Callable[[Archive], object]
) -> None:
    reader = open_archive(store.url)
    commit(store, [encoded("c.png", 3)])
    compact_archive(store, keep_snapshots=1)
    with pytest.raises(ArchiveError, match="was forgotten meanwhile"):
        read(reader)
    read(open_archive(store.url))


def test_a_file_that_is_missing_from_a_snapshot_that_is_kept_is_damage(store: Store) -> None:
    archive = open_archive(store.url)
    for file in archive.manifest.shards[0].files():
        Path(store.path(file.path)).unlink()
    with pytest.raises(ShardDamagedError):
        archive.find("a.png")
    with pytest.raises(ShardDamagedError):
        archive.where("true")


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"image_id": [1], "source_uri": [2], "name": [3], "a": [4], "b": [5]}),
        pa.table({"image_id": pa.array(["x"])}),
        pa.table({}),
    ],
)
def test_a_catalogue_of_other_types_is_damage(store: Store, table: pa.Table) -> None:
    file: FileEntry = open_archive(store.url).manifest.shards[0].images
    pq.write_table(table, store.path(file.path))
    with pytest.raises(ShardDamagedError):
        read_image_row(store, file, 0)
