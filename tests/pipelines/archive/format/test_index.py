"""Index segments of many row groups, merged and moved in streams, against numpy's answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from glassplate.pipelines.archive.format.index import (
    ENTRY,
    Entries,
    Index,
    Places,
    append_segment,
    relocate_segments,
)
from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.storage.store import Store

SHARDS = 40
SIZES = [30_000, 9_000, 4_000, 7]


def entries(generator: np.random.Generator, count: int, shards: range) -> Entries:
    """Random entries, with a few keys that very many share."""
    found = np.empty(count, ENTRY)
    found["key"] = generator.integers(0, 2**64, count, np.uint64)
    found["key"][generator.random(count) < 0.4] = 2**63
    found["shard"] = generator.integers(shards.start, shards.stop, count)
    found["row"] = generator.integers(0, 500, count)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


@pytest.fixture
def segments(store: Store) -> tuple[list[FileEntry], Entries]:
    """Segments of different sizes, the later ones of later shards, and all that is in them."""
    generator = np.random.default_rng(5)
    files: list[FileEntry] = []
    parts = []
    for number, size in enumerate(SIZES):
        parts.append(entries(generator, size, range(10 * number, 10 * number + 10)))
        files += append_segment(store, [], [parts[-1]], f"{number}.parquet")
    return files, np.concatenate(parts)


def moved(everything: Entries, places: Places) -> npt.NDArray[np.void]:
    wanted = everything.copy()
    wanted["row"] += places.offsets[everything["shard"]]
    wanted["shard"] = places.shards[everything["shard"]]
    return np.sort(wanted, order=["key", "shard", "row"])


def read(store: Store, files: tuple[FileEntry, ...]) -> npt.NDArray[np.void]:
    parts = []
    for file in files:
        table = pq.read_table(store.path(file.path))
        assert table.num_rows == file.rows
        keys = table["key"].to_numpy()
        assert (keys[1:] >= keys[:-1]).all()
        part = np.empty(len(keys), ENTRY)
        for name in ENTRY.names or ():
            part[name] = table[name].to_numpy()
        parts.append(part)
    return np.sort(np.concatenate(parts), order=["key", "shard", "row"])


@pytest.mark.parametrize(("first", "kept"), [(0, 0), (10, 1), (25, 2), (39, 3), (40, 4)])
def test_entries_move_and_what_stays_is_kept(
    store: Store, segments: tuple[list[FileEntry], Entries], first: int, kept: int
) -> None:
    files, everything = segments
    numbers = np.arange(SHARDS, dtype=np.int32)
    merged = numbers >= first
    places = Places(
        np.where(merged, first, numbers).astype(np.int32),
        np.where(merged, 500 * (numbers - first) + 1, 0).astype(np.int32),
    )
    assert places.first_moved == first
    found = relocate_segments(store, files, places, "new.parquet")
    assert list(found[:kept]) == files[:kept]
    assert len(found) == min(kept + 1, len(SIZES))
    assert np.array_equal(read(store, found), moved(everything, places))
    groups = pq.read_metadata(store.path(found[-1].path))
    assert all(groups.row_group(n).num_rows == 8192 for n in range(groups.num_row_groups - 1))


def test_many_equal_keys_are_all_found(
    store: Store, segments: tuple[list[FileEntry], Entries]
) -> None:
    files, everything = segments
    places = Places(np.zeros(SHARDS, np.int32), np.arange(SHARDS, dtype=np.int32) * 500)
    found = Index(store, relocate_segments(store, files, places, "new.parquet"))
    wanted = moved(everything, places)
    same = wanted[wanted["key"] == 2**63]
    assert found.find(2**63, 2**63) == sorted(((0, int(e["row"])) for e in same), reverse=True)
