"""Whatever is committed in whatever order: all of it is found, by us and by plain readers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.dataset as ds
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.pipelines import open_archive
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, commit, encoded, failed, pixels

NAMES = st.sampled_from(["a.png", "b c.png", "d/é.png", "100%.png", "new\nline.png", "e/f/g.png"])
SEEDS = st.integers(0, 5)
SHARD = st.dictionaries(NAMES, st.one_of(SEEDS, st.none()), min_size=1, max_size=5)
COMMITS = st.lists(SHARD, min_size=1, max_size=4)


def rows(name: str, seed: int | None) -> Rows:
    return failed(name) if seed is None else encoded(name, seed)


@settings(max_examples=12, deadline=None)
@given(COMMITS)
def test_everything_is_found_and_the_latest_wins(commits: list[dict[str, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for shard in commits:
            commit(store, [rows(name, seed) for name, seed in shard.items()])
        archive = open_archive(folder)

        newest = {name: seed for shard in commits for name, seed in shard.items()}
        for name, seed in newest.items():
            row = archive.find(name)
            assert row.status == ("failed" if seed is None else "encoded")
            assert archive.find(f"file:///photos/{name}") == row
            if seed is not None:
                assert np.array_equal(np.array(archive.get(name)), pixels(seed))
        for seed in {s for shard in commits for s in shard.values() if s is not None}:
            image_id = encoded("any", seed).image.image_id
            assert image_id
            assert np.array_equal(np.array(archive.get(image_id)), pixels(seed))

        everything = sorted(name for shard in commits for name in shard)
        assert sorted(archive.images().to_table()["name"].to_pylist()) == everything
        assert sorted(archive.where(columns=["name"])["name"].to_pylist()) == sorted(newest)
        assert plain_readers(Path(folder)) == [everything] * 3


def plain_readers(root: Path) -> list[list[str]]:
    """The names that pyarrow, DuckDB and polars see, knowing nothing of the format."""
    glob = f"{root}/images/*/*.parquet"
    dataset = ds.dataset(root / "images", partitioning="hive")
    duck = duckdb.sql(f"select name, run from read_parquet('{glob}', hive_partitioning = true)")
    return [
        sorted(dataset.to_table(columns=["name", "run"])["name"].to_pylist()),
        sorted(name for name, _ in duck.fetchall()),
        sorted(pl.scan_parquet(glob).select("name").collect()["name"].to_list()),
    ]


def test_many_commits_keep_few_index_files(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "archive"))
    for n in range(12):
        snapshot = commit(store, [encoded(f"{n}.png", n)])
    assert len(snapshot.id_index) <= 4
    assert sum(file.rows for file in snapshot.id_index) == 12
    assert sum(file.rows for file in snapshot.name_index) == 24
    archive = open_archive(store.url)
    for n in range(12):
        assert np.array_equal(np.array(archive.get(f"{n}.png")), pixels(n))
    early = archive.snapshot(5)
    assert np.array_equal(np.array(early.get("4.png")), pixels(4))
