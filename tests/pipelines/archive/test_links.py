"""Links in an archive that lead out of it: reported, never followed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.errors import ArchiveError, OutsideError, ShardDamagedError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import commit, encoded


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "archive"))
    commit(store, [encoded("a.png", 1)])
    commit(store, [encoded("b.png", 2)])
    return store


def moved_out(store: Store, name: str) -> Path:
    """A folder of the archive, moved beside it, with a link in its place."""
    place = Path(store.root, name)
    elsewhere = Path(store.root).parent / "elsewhere"
    shutil.move(place, elsewhere)
    place.symlink_to(elsewhere)
    return elsewhere


def test_tables_that_lie_elsewhere_are_damage(store: Store) -> None:
    elsewhere = moved_out(store, "bitstreams")
    files = sorted(elsewhere.rglob("*"))
    archive = open_archive(store.url)
    with pytest.raises(ShardDamagedError, match="leads out of the folder"):
        archive.get("a.png")
    report = verify_archive(archive)
    assert {damage.path.split("/")[0] for damage in report.damages} == {"bitstreams"}
    assert all("leads out of the folder" in damage.cause for damage in report.damages)
    with pytest.raises(ArchiveError):
        compact_archive(store, keep_snapshots=1)
    assert sorted(elsewhere.rglob("*")) == files


def test_a_catalogue_that_lies_elsewhere_is_not_queried(store: Store) -> None:
    moved_out(store, "images")
    with pytest.raises(OutsideError):
        open_archive(store.url).where("true")


def test_staging_that_leads_elsewhere_is_not_swept(store: Store, tmp_path: Path) -> None:
    """Old folders in staging are deleted after a commit."""
    precious = tmp_path / "home/letters/1926.txt"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"of great value")
    long_ago = time.time() - 400 * 86400
    os.utime(precious, (long_ago, long_ago))
    shutil.rmtree(Path(store.root, "_staging"), ignore_errors=True)
    Path(store.root, "_staging").symlink_to(tmp_path / "home")
    with pytest.raises(OutsideError):
        commit(store, [encoded("c.png", 3)])
    assert precious.exists()


def test_a_run_folder_that_leads_elsewhere_is_not_swept(store: Store, tmp_path: Path) -> None:
    """Folders of runs that no snapshot names are deleted after a commit."""
    precious = tmp_path / "home/1926.txt"
    precious.parent.mkdir()
    precious.write_bytes(b"of great value")
    Path(store.root, "images/run=20200101T000000Z-abcdef").symlink_to(tmp_path / "home")
    commit(store, [encoded("c.png", 3)])
    assert precious.exists()
    assert open_archive(store.url).find("c.png")
