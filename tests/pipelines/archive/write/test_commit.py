"""Commits: all or nothing, one winner, nothing lost and nothing left lying about."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.archive.format.manifest import Ledger, Snapshot
from glassplate.pipelines.archive.format.snapshots import (
    current_snapshot,
    manifest_numbers,
    manifest_path,
)
from glassplate.pipelines.archive.read.reader import Archive, open_archive
from glassplate.pipelines.archive.write.commit import commit_run
from glassplate.pipelines.archive.write.sweep import sweep_the_past
from glassplate.pipelines.errors import (
    ArchiveError,
    CommitConflictError,
    LedgerError,
    ManifestError,
)
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import CODEC, commit, encoded, failed, run_entry, stage
from tests.pipelines.archive.dying import run_and_die, second_run

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "archive"))


def names(archive: Archive) -> list[str]:
    return sorted(archive.images().to_table(["name"])["name"].to_pylist())


def folders_of_runs(store: Store) -> set[str]:
    return {run for table in ("images", "bitstreams", "latents") for run in store.list(table)}


def test_commits_append(store: Store) -> None:
    first = commit(store, [encoded("a.png", 1), failed("x.png")])
    second = commit(store, [encoded("b.png", 2)], [encoded("c.png", 3)])
    assert (first.number, second.number, second.parent) == (1, 2, 1)
    assert second.shards[:1] == first.shards
    assert names(open_archive(store.url)) == ["a.png", "b.png", "c.png", "x.png"]
    assert second.run.ledger.inputs == 2
    assert store.list("_staging") == []


def test_published_files_carry_their_hash(store: Store) -> None:
    for file in commit(store, [encoded("a.png", 1)]).shards[0].files():
        assert file.path.endswith(f"/{file.sha256}.parquet")
        assert store.digest(file.path) == (file.bytes, file.sha256)


def test_creating_twice_keeps_the_identity(store: Store) -> None:
    create_archive(store)
    identity = store.read("archive.json")
    create_archive(store)
    assert store.read("archive.json") == identity
    assert current_snapshot(store) is None


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ArchiveError, match=r"not an archive.*holiday.*empty or new folder"):
        create_archive(Store(str(tmp_path)))
    with pytest.raises(ArchiveError, match=r"no archive\.json"):
        open_archive(str(tmp_path))
    (tmp_path / "archive.json").write_text('{"format": "something else"}')
    with pytest.raises(ArchiveError):
        open_archive(str(tmp_path))
    (tmp_path / "archive.json").write_text('{"format": "glassplate-archive", "version": 99}')
    with pytest.raises(ArchiveError, match="newer Glassplate"):
        open_archive(str(tmp_path))


def test_an_empty_archive_says_so(store: Store) -> None:
    create_archive(store)
    with pytest.raises(ArchiveError, match="nothing has been committed"):
        open_archive(store.url)


def test_the_ledger_has_to_add_up(store: Store) -> None:
    create_archive(store)
    staged = [stage(store, "k", [encoded("a.png", 1)])]
    wrong = run_entry(staged).model_copy(update={"ledger": Ledger(inputs=2, encoded=2)})
    with pytest.raises(LedgerError):
        commit_run(store, None, staged, wrong, [CODEC.spec])
    assert manifest_numbers(store) == []
    assert folders_of_runs(store) == set()


def test_a_codec_without_spec_is_refused(store: Store) -> None:
    with pytest.raises(ArchiveError, match="'fake'"):
        commit(store, [encoded("a.png", 1)], specs=[])
    assert current_snapshot(store) is None


def test_the_second_of_two_writers_loses_cleanly(store: Store) -> None:
    base = commit(store, [encoded("a.png", 1)])
    mine = [stage(store, "mine", [encoded("b.png", 2)])]
    theirs = [stage(store, "theirs", [encoded("c.png", 3)])]
    winner = commit_run(store, base, theirs, run_entry(theirs), [CODEC.spec])
    with pytest.raises(CommitConflictError, match="Run again"):
        commit_run(store, base, mine, run_entry(mine), [CODEC.spec])
    assert current_snapshot(store) == winner
    assert names(open_archive(store.url)) == ["a.png", "c.png"]
    assert len(folders_of_runs(store)) == 2
    commit_run(store, winner, mine, run_entry(mine), [CODEC.spec])
    assert names(open_archive(store.url)) == ["a.png", "b.png", "c.png"]


def test_many_writers_at_the_same_moment(store: Store) -> None:
    base = commit(store, [encoded("base.png", 0)])
    shards = [[stage(store, f"w{n}", [encoded(f"{n}.png", n + 1)])] for n in range(4)]
    barrier, outcomes = threading.Barrier(len(shards)), []

    def write(n: int) -> None:
        barrier.wait()
        try:
            commit_run(store, base, shards[n], run_entry(shards[n]), [CODEC.spec])
            outcomes.append(n)
        except CommitConflictError:
            pass

    threads = [threading.Thread(target=write, args=(n,)) for n in range(len(shards))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    archive = open_archive(store.url)
    assert names(archive) == sorted(["base.png", f"{outcomes[0]}.png"])
    assert archive.get(f"{outcomes[0]}.png").size == (32, 24)


def test_orphans_and_old_staging_are_swept(store: Store, tmp_path: Path) -> None:
    commit(store, [encoded("a.png", 1)])
    orphan = tmp_path / "archive/images/run=20250101T000000Z-000000/x.parquet"
    orphan.parent.mkdir()
    orphan.write_bytes(b"published, never committed")
    old, young = (stage(store, key, [encoded(f"{key}.png", 5)]) for key in ("old", "young"))
    week_ago = time.time() - 8 * 86400
    for path in (tmp_path / "archive/_staging/old").iterdir():
        os.utime(path, (week_ago, week_ago))
    commit(store, [encoded("b.png", 2)])
    assert not orphan.parent.exists()
    assert store.list("_staging") == [young.key]
    assert old.key != young.key
    assert names(open_archive(store.url)) == ["a.png", "b.png"]


def test_a_truncated_manifest_falls_back_and_loses_nothing(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    commit(store, [encoded("a.png", 1)])
    second = commit(store, [encoded("b.png", 2)])
    path = tmp_path / "archive" / manifest_path(2)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert names(open_archive(store.url)) == ["a.png"]
    assert "falling back" in caplog.text
    with pytest.raises(ManifestError):
        open_archive(store.url, snapshot=2)

    third = commit(store, [encoded("c.png", 3)])
    assert (third.number, third.parent) == (3, 1)
    assert all(store.exists(file.path) for file in second.shards[1].files())
    path.write_bytes(whole)
    assert names(open_archive(store.url, snapshot=2)) == ["a.png", "b.png"]


def test_a_newer_format_is_never_passed_over(store: Store) -> None:
    first = commit(store, [encoded("a.png", 1)])
    newer = first.model_copy(update={"number": 2, "format_version": 99})
    store.create_exclusive(manifest_path(2), newer.to_bytes())
    with pytest.raises(ArchiveError, match="newer Glassplate"):
        open_archive(store.url)


def test_manifests_survive_their_bytes(store: Store) -> None:
    snapshot = commit(store, [encoded("a.png", 1)])
    data = snapshot.to_bytes()
    assert Snapshot.from_bytes(data) == snapshot
    for end in range(0, len(data), 97):
        with pytest.raises(ManifestError):
            Snapshot.from_bytes(data[:end])
    for place in range(0, len(data), 97):
        flipped = bytearray(data)
        flipped[place] ^= 4
        with pytest.raises(ManifestError):
            Snapshot.from_bytes(bytes(flipped))


@pytest.mark.slow
def test_killed_before_every_single_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.pipelines.archive.dying"])
    template = tmp_path / "template"
    commit(Store(str(template)), [encoded("a.png", 1)])
    for operations in range(100):
        copy = tmp_path / f"killed-{operations}"
        shutil.copytree(template, copy)
        process = context.Process(target=run_and_die, args=(str(copy), operations))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        archive = open_archive(str(copy))
        assert names(archive) in (["a.png"], ["a.png", "b.png", "c.png"])
        assert all(archive.get(name).size == (32, 24) for name in names(archive))
        if archive.manifest.number == 1:
            second_run(Store(str(copy)))
        assert names(open_archive(str(copy))) == ["a.png", "b.png", "c.png"]
        assert len(folders_of_runs(Store(str(copy)))) == 2
        if process.exitcode == 0:
            break
    assert operations > 10


def test_what_killed_runs_left_is_swept_also_when_there_is_nothing_to_commit(
    store: Store, tmp_path: Path
) -> None:
    """A kill right after a commit leaves what the run had found; a reader of the folder sees it."""
    commit(store, [encoded("a.png", 1)])
    current = current_snapshot(store)
    assert current
    before, after = "20200101T000000Z-abcdef", "20990101T000000Z-abcdef"
    for run in (before, after):
        shutil.copytree(
            tmp_path / f"archive/images/run={current.run.run_id}",
            tmp_path / f"archive/images/run={run}",
        )
    sweep_the_past(store, current)
    runs = {current.run.run_id, after}  # that of a run that may be about to commit stays
    assert set(store.list("images")) == {f"run={run}" for run in runs}
    commit(store, [encoded("b.png", 2)])
    assert f"run={after}" not in store.list("images")


def test_half_written_files_are_swept_when_they_are_old(store: Store, tmp_path: Path) -> None:
    snapshot = commit(store, [encoded("a.png", 1)])
    places = [
        "",
        "_manifests/",
        f"images/run={snapshot.run.run_id}/",
        f"models/{CODEC.spec.fingerprint}/",
    ]
    old = [tmp_path / f"archive/{place}.{'0' * 32}.tmp" for place in places]
    young = tmp_path / f"archive/.{'1' * 32}.tmp"
    others = tmp_path / "archive/.notes.tmp"
    for path in (*old, young, others):
        path.write_bytes(b"half")
    for path in (*old, others):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    commit(store, [encoded("b.png", 2)])
    assert [path for path in old if path.exists()] == []
    assert young.exists()
    assert others.exists()


def test_catalogues_are_published_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[str] = []
    link = Store.link

    def noted(self: Store, source: str, target: str) -> None:
        published.append(target.partition("/")[0])
        link(self, source, target)

    monkeypatch.setattr(Store, "link", noted)
    commit(store, [encoded("a.png", 1)], [encoded("b.png", 2)])
    assert published == ["latents"] * 2 + ["bitstreams"] * 2 + ["images"] * 2
