"""Compaction: the same pictures in fewer files, all or nothing, and nothing deleted unasked."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.codecs.errors import ConfigError
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.format.manifest import FileEntry, ShardEntry
from glassplate.pipelines.archive.format.schema import SCHEMA_VERSION
from glassplate.pipelines.archive.format.snapshots import (
    current_snapshot,
    manifest_numbers,
    manifest_path,
    new_run_id,
)
from glassplate.pipelines.archive.upkeep import compact
from glassplate.pipelines.archive.upkeep.compact import compact_archive, plan_spans
from glassplate.pipelines.archive.upkeep.retention import expire_snapshots
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.archive.write.commit import commit_run
from glassplate.pipelines.errors import ArchiveError, CommitConflictError, ShardDamagedError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import (
    CODEC,
    Rows,
    commit,
    duplicate,
    encoded,
    failed,
    pixels,
    run_entry,
    stage,
)
from tests.pipelines.archive.dying import compact_and_die

REPOSITORY = Path(__file__).parents[4]
GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = st.sampled_from(["a.png", "b c.png", "d/é.png", "100%.png", "new\nline.png"])
OUTCOME = st.one_of(st.integers(0, 5), st.none())
RUNS = st.lists(st.dictionaries(NAMES, OUTCOME, min_size=1, max_size=5), min_size=2, max_size=6)

Row = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "archive"))


def nights(store: Store, count: int) -> None:
    for n in range(count):
        commit(store, [encoded(f"{n}.png", n), failed(f"bad-{n}.png")])


def content(archive: Archive) -> dict[str, Any]:
    """All that an archive says and holds, but for where it lies."""
    images = archive.images().to_table().to_pylist()
    places = {"run", "run_id", "bitstream_row"}
    blobs = archive.bitstreams().to_table().drop_columns(["run"]).to_pylist()
    latents = archive.latents().to_table().drop_columns(["run"]).to_pylist()
    return {
        "rows": [{k: v for k, v in row.items() if k not in places} for row in images],
        "runs": [row["run_id"] or row["run"] for row in images],
        "blobs": blobs,
        "latents": [str(row) for row in latents],
        "newest": [
            {k: v for k, v in row.items() if k not in {"run", "bitstream_row"}}
            for row in archive.where().to_pylist()
        ],
        "found": {key: archive.find(key).source_version for key in keys(images)},
        "stored": {key: archive.bitstream(key).bitstream for key in ids(images)},
    }


def keys(images: list[Row]) -> set[str]:
    return {row[key] for row in images for key in ("name", "source_uri")} | ids(images)


def ids(images: list[Row]) -> set[str]:
    return {row["image_id"] for row in images if row["bitstream_row"] is not None}


def shards_of(outcomes: dict[str, int | None]) -> list[list[Rows]]:
    """Two shards: failed where there is no seed; a duplicate of the first that is stored."""
    rows = [failed(n) if seed is None else encoded(n, seed) for n, seed in outcomes.items()]
    first = next((row for row in rows if row.bitstream), None)
    more = [duplicate("twin.png", first)] if first else []
    return [shard for shard in (rows[:2], rows[2:] + more) if shard]


@settings(max_examples=5, deadline=None)
@given(RUNS)
def test_content_stays_the_same(runs: list[dict[str, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for outcomes in runs:
            commit(store, *shards_of(outcomes))
        archive = open_archive(folder)
        before = content(archive)
        result = compact_archive(store)
        compacted = open_archive(folder)
        assert content(compacted) == before
        assert len(compacted.manifest.shards) == result.shards_after <= result.shards_before
        assert verify_archive(compacted, decode=True).ok
        assert content(compacted.snapshot(archive.manifest.number)) == before
        assert compact_archive(store).snapshot is None

        commit(store, [encoded("late.png", 9)])
        compact_archive(store)
        later = content(open_archive(folder))
        assert later["rows"][:-1] == before["rows"]
        assert later["rows"][-1]["name"] == "late.png"
        assert later["runs"][:-1] == before["runs"]


def test_a_changed_source_keeps_its_newest_version(store: Store) -> None:
    for seed in range(5):
        commit(store, [encoded("a.png", seed)])
    compact_archive(store)
    archive = open_archive(store.url)
    assert [row["source_version"] for row in archive.where().to_pylist()] == ["1:4"]
    assert np.array_equal(np.array(archive.get("a.png")), pixels(4))
    commit(store, [encoded("a.png", 5)])
    compact_archive(store)
    archive = open_archive(store.url)
    assert [row["source_version"] for row in archive.where().to_pylist()] == ["1:5"]
    runs = archive.where("true", columns=["run_id", "run"]).to_pylist()[0]
    assert runs["run_id"] < runs["run"] == archive.manifest.run.run_id


def shard(rows: int, size: int = 1000) -> ShardEntry:
    return ShardEntry(images=FileEntry(path="x", rows=rows, bytes=size, sha256="0" * 64))


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 600 << 20)), max_size=60))
def test_spans_are_bounded_whole_and_stable(sizes: list[tuple[int, int]]) -> None:
    shards = [shard(rows, size) for rows, size in sizes]
    spans = plan_spans(shards)
    assert [n for span in spans for n in span] == list(range(len(shards)))
    merged = []
    for span in spans:
        rows = sum(shards[n].images.rows for n in span)
        size = sum(shards[n].images.bytes for n in span)
        assert len(span) == 1 or (rows <= compact.MAX_ROWS and size <= compact.MAX_BYTES)
        merged.append(shard(rows, size))
    assert plan_spans(merged) == [range(n, n + 1) for n in range(len(merged))]


def test_a_year_of_nights_becomes_a_handful_and_costs_a_logarithm() -> None:
    shards: list[ShardEntry] = []
    rewritten = 0
    for _ in range(52):
        shards += [shard(rows=20) for _ in range(7)]
        spans = plan_spans(shards)
        sums = [sum(shards[n].images.rows for n in span) for span in spans]
        rewritten += sum(rows for rows, span in zip(sums, spans, strict=True) if len(span) > 1)
        shards = [shard(rows) for rows in sums]
    assert len(shards) <= 10
    assert rewritten <= 10 * 52 * 7 * 20


def test_row_groups_are_joined(store: Store, tmp_path: Path) -> None:
    nights(store, 8)
    snapshot = compact_archive(store).snapshot
    assert snapshot
    (entry,) = snapshot.shards
    for file in entry.files():
        assert pq.ParquetFile(tmp_path / "archive" / file.path).num_row_groups == 1
    assert len(snapshot.id_index) == len(snapshot.name_index) == 1


def test_index_segments_of_shards_that_stay_are_kept(store: Store) -> None:
    commit(store, [encoded(f"big-{n}.png", n) for n in range(30)])
    before = current_snapshot(store)
    assert before
    for n in range(30, 33):
        commit(store, [encoded(f"{n}.png", n)])
    snapshot = compact_archive(store).snapshot
    assert snapshot
    assert snapshot.shards[0] == before.shards[0]
    assert snapshot.id_index[0] == before.id_index[0]
    assert len(snapshot.id_index) == 2
    for n in range(33):
        name = f"{n}.png" if n >= 30 else f"big-{n}.png"
        assert np.array_equal(np.array(open_archive(store.url).get(name)), pixels(n))


def test_archives_of_the_first_schema_are_compacted(tmp_path: Path) -> None:
    folder = shutil.copytree(GOLDEN / "schema-1", tmp_path / "archive")
    before = content(open_archive(str(folder)))
    result = compact_archive(Store(str(folder)), keep_snapshots=1)
    assert (result.shards_before, result.shards_after) == (2, 1)
    archive = open_archive(str(folder))
    assert archive.manifest.schema_version == SCHEMA_VERSION
    assert content(archive) == before
    assert verify_archive(archive, decode=True).ok


def test_archives_in_object_stores_are_compacted(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/archive"
    nights(Store(url), 4)
    before = content(open_archive(url))
    assert compact_archive(Store(url), keep_snapshots=1).shards_after == 1
    archive = open_archive(url)
    assert content(archive) == before
    assert archive.snapshots() == [5]
    files = archive.store.filesystem.find(archive.store.root)
    assert len(files) == len(named(archive)) + 6  # archive.json, manifest, codec.json, three pages


def test_nothing_to_do_and_nothing_there(store: Store) -> None:
    with pytest.raises(ArchiveError, match=r"no archive\.json"):
        compact_archive(store)
    commit(store, [encoded("a.png", 1)])
    result = compact_archive(store)
    assert (result.snapshot, result.shards_before, result.shards_after) == (None, 1, 1)
    assert manifest_numbers(store) == [1]
    with pytest.raises(ConfigError):
        compact_archive(store, keep_snapshots=0)


def test_a_damaged_shard_is_not_merged(store: Store, tmp_path: Path) -> None:
    nights(store, 4)
    (victim, *_) = sorted((tmp_path / "archive").glob("bitstreams/*/*.parquet"))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(ShardDamagedError, match="other bytes"):
        compact_archive(store)
    assert manifest_numbers(store) == [1, 2, 3, 4]
    victim.unlink()
    with pytest.raises(ShardDamagedError, match="missing"):
        compact_archive(store)


def files_of(root: Path) -> set[str]:
    found = (path for path in root.rglob("*.parquet") if "_staging" not in path.parts)
    return {path.relative_to(root).as_posix() for path in found}


def named(archive: Archive) -> set[str]:
    manifest = archive.manifest
    shards = (file for shard in manifest.shards for file in shard.files())
    return {file.path for file in (*shards, *manifest.id_index, *manifest.name_index)}


def test_old_snapshots_stay_until_they_expire(store: Store, tmp_path: Path) -> None:
    nights(store, 5)
    old, stats = content(open_archive(store.url)), open_archive(store.url).stats()
    assert compact_archive(store).expired.snapshots == 0
    assert content(open_archive(store.url, snapshot=5)) == old
    expired = compact_archive(store, keep_snapshots=2).expired
    assert expired.snapshots == 4
    assert manifest_numbers(store) == [5, 6]
    assert content(open_archive(store.url, snapshot=5)) == old
    expired = compact_archive(store, keep_snapshots=1).expired
    assert (expired.snapshots, manifest_numbers(store)) == (1, [6])
    assert expired.files >= 15  # of five shards, and segments of the indexes
    assert expired.bytes > 0
    archive = open_archive(store.url)
    assert files_of(tmp_path / "archive") == named(archive)
    assert content(archive) == old
    assert archive.stats() == stats
    assert verify_archive(archive, decode=True).ok
    assert commit(store, [encoded("late.png", 9)]).number == 7


def test_readers_of_a_forgotten_snapshot_are_told(store: Store) -> None:
    nights(store, 4)
    fresh, used, checker = (open_archive(store.url) for _ in range(3))
    used.get("0.png")
    compact_archive(store, keep_snapshots=1)
    for reader in (fresh, used):
        with pytest.raises(ArchiveError, match=r"forgotten.*Try again"):
            reader.get("0.png")
    with pytest.raises(ArchiveError, match="forgotten"):
        verify_archive(checker)


def test_nothing_expires_while_a_manifest_is_damaged(store: Store, tmp_path: Path) -> None:
    nights(store, 4)
    before = files_of(tmp_path / "archive")
    path = tmp_path / "archive" / manifest_path(2)
    path.write_bytes(path.read_bytes()[:-3])
    assert expire_snapshots(store, 1).snapshots == 0
    assert files_of(tmp_path / "archive") == before
    assert manifest_numbers(store) == [1, 2, 3, 4]


def test_an_expiry_that_was_interrupted_is_finished(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights(store, 4)
    compact_archive(store)
    delete, left = Store.delete, iter(range(6))

    def failing(self: Store, path: str) -> None:
        if next(left, None) is None:
            raise PermissionError(path)
        delete(self, path)

    monkeypatch.setattr(Store, "delete", failing)
    with pytest.raises(PermissionError):
        expire_snapshots(store, 1)
    monkeypatch.undo()
    assert manifest_numbers(store) == [5]
    archive = open_archive(store.url)
    assert files_of(tmp_path / "archive") > named(archive)
    expire_snapshots(store, 1)
    assert files_of(tmp_path / "archive") == named(archive)
    assert [p.name for p in (tmp_path / "archive/_manifests").iterdir()] == ["00000005.json"]


def test_a_run_in_the_meantime_wins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    nights(store, 4)
    base = current_snapshot(store)
    merge = compact.merge_shards

    def slow(*arguments: Any) -> Any:
        if current_snapshot(store) == base:
            commit(store, [encoded("late.png", 9)])
        return merge(*arguments)

    monkeypatch.setattr(compact, "merge_shards", slow)
    with pytest.raises(CommitConflictError, match="Run again"):
        compact_archive(store)
    archive = open_archive(store.url)
    assert archive.manifest.number == 5
    assert files_of(Path(store.root)) == set().union(
        *(named(archive.snapshot(n + 1)) for n in range(5))
    )
    assert compact_archive(store).snapshot
    assert verify_archive(open_archive(store.url), decode=True).ok


def test_a_run_that_was_planned_before_loses(store: Store) -> None:
    nights(store, 4)
    base = current_snapshot(store)
    late = [stage(store, "late", [encoded("late.png", 9)])]
    compacted = compact_archive(store, keep_snapshots=1).snapshot
    with pytest.raises(CommitConflictError):
        commit_run(store, base, late, run_entry(late), [CODEC.spec])
    assert current_snapshot(store) == compacted
    run = run_entry(late, new_run_id(compacted, datetime.now(UTC)))
    commit_run(store, compacted, late, run, [CODEC.spec])
    assert len(open_archive(store.url).where()) == 9


def test_two_compactions_at_once(store: Store) -> None:
    nights(store, 6)
    before = content(open_archive(store.url))
    barrier, outcomes = threading.Barrier(2), []

    def work() -> None:
        barrier.wait()
        try:
            outcomes.append(compact_archive(Store(store.url)).snapshot is not None)
        except CommitConflictError:
            outcomes.append(False)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, True]
    archive = open_archive(store.url)
    assert content(archive) == before
    assert verify_archive(archive, decode=True).ok


@pytest.mark.slow
def test_killed_before_every_single_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.pipelines.archive.dying"])
    template = tmp_path / "template"
    nights(Store(str(template)), 2)
    before = content(open_archive(str(template)))
    for operations in range(100):
        copy = tmp_path / f"killed-{operations}"
        shutil.copytree(template, copy)
        process = context.Process(target=compact_and_die, args=(str(copy), operations))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        archive = open_archive(str(copy))
        assert archive.manifest.number in (2, 3)
        assert content(archive) == before
        compact_archive(Store(str(copy)), keep_snapshots=1)
        commit(Store(str(copy)), [encoded("late.png", 9)])  # sweeps
        archive = open_archive(str(copy))
        assert files_of(copy) == named(archive)
        assert len(archive.manifest.shards) == 2
        assert verify_archive(archive, decode=True).ok
        if process.exitcode == 0:
            break
    assert operations > 10
