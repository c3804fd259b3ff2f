"""Getting pictures back, by every key, with their metadata."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from glassplate.codecs import Region
from glassplate.codecs.errors import ConfigError
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.errors import ArchiveError, NotFoundError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import (
    Rows,
    commit,
    duplicate,
    encoded,
    failed,
    pixels,
)

A = encoded("holiday/ä b%20.png", 1, icc_profile=b"icc", exif=b"Exif\0\0MM", xmp=b"<x/>")
B = encoded("b.png", 2)


@pytest.fixture(params=["local", "memory"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    url = str(tmp_path / "archive") if request.param == "local" else f"memory://{uuid.uuid4()}"
    commit(Store(url), [A, failed("broken.png"), duplicate("copy.png", A)], [B])
    return open_archive(url)


def image_id(rows: Rows) -> str:
    assert rows.image.image_id
    return rows.image.image_id


def test_every_key_finds_the_picture(archive: Archive) -> None:
    keys = [image_id(A), image_id(A)[:8], image_id(A)[:20], A.image.source_uri, A.image.name]
    for key in [*keys, "/photos/holiday/ä b%20.png", "/photos/x/../holiday/ä b%20.png"]:
        assert np.array_equal(np.array(archive.get(key)), pixels(1)), key
        assert archive.find(key).image_id == image_id(A)


def test_metadata_comes_along(archive: Archive) -> None:
    info = archive.get(A.image.name).info
    assert (info["icc_profile"], info["exif"], info["xmp"]) == (b"icc", b"Exif\0\0MM", b"<x/>")
    assert not {"icc_profile", "exif", "xmp"} & set(archive.get("b.png").info)


def test_regions(archive: Archive) -> None:
    part = np.array(archive.get("b.png", Region(x=5, y=3, width=10, height=7)))
    assert np.array_equal(part, pixels(2)[3:10, 5:15])
    assert archive.get("b.png", Region(x=30, y=20, width=99, height=99)).size == (2, 4)
    with pytest.raises(ConfigError, match=r"outside.*32 x 24"):
        archive.get("b.png", Region(x=32, y=0, width=1, height=1))


def test_duplicates_give_the_stored_picture(archive: Archive) -> None:
    assert archive.find("copy.png").reason == "duplicate"
    assert np.array_equal(np.array(archive.get("copy.png")), pixels(1))


def test_what_is_not_there_says_why(archive: Archive) -> None:
    with pytest.raises(NotFoundError, match=r"broken\.png: is not stored: failed"):
        archive.get("broken.png")
    assert archive.find("broken.png").error_code == "unreadable"
    for key in ("nothing.png", "0" * 64, "0" * 10, "abc", ""):
        with pytest.raises(NotFoundError):
            archive.get(key)
    with pytest.raises(NotFoundError, match="not bit for bit"):
        archive.original("b.png")
    with pytest.raises(NotFoundError, match="There are: 1"):
        archive.snapshot(7)


def test_the_newest_version_wins_and_old_ones_stay(archive: Archive) -> None:
    commit(archive.store, [encoded("b.png", 22)])
    newer = open_archive(archive.store.url)
    assert np.array_equal(np.array(newer.get("b.png")), pixels(22))
    assert np.array_equal(np.array(newer.get(image_id(B))), pixels(2))
    assert newer.snapshots() == [1, 2]
    assert np.array_equal(np.array(newer.snapshot(1).get("b.png")), pixels(2))
    assert newer.images().count_rows() == 5
    assert newer.where(columns=["name"]).num_rows == 4


def test_a_version_that_failed_does_not_hide_behind_an_older_one(archive: Archive) -> None:
    commit(archive.store, [failed("b.png")])
    newer = open_archive(archive.store.url)
    with pytest.raises(NotFoundError, match="failed"):
        newer.get("b.png")
    assert newer.get(image_id(B)).size == (32, 24)


def test_an_ambiguous_prefix_is_an_error(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "archive"))
    twins = []
    for n, rows in enumerate((A, B)):
        twin = f"abcdef0123456789{n:048x}"
        image = type(rows.image)(**{**vars(rows.image), "image_id": twin})
        assert rows.bitstream
        twins.append(Rows(image, type(rows.bitstream)(twin, rows.bitstream.bitstream)))
    commit(store, twins)
    archive = open_archive(store.url)
    with pytest.raises(NotFoundError, match=r"2 ids begin with it. Give more digits"):
        archive.get("abcdef0123")
    assert np.array_equal(np.array(archive.get(f"abcdef0123456789{1:048x}")), pixels(2))


def test_datasets_know_their_runs(archive: Archive) -> None:
    table = archive.images().to_table(["name", "run"])
    assert table.num_rows == 4
    assert set(table["run"].to_pylist()) == {archive.manifest.run.run_id}
    assert archive.bitstreams().count_rows() == archive.latents().count_rows() == 2


def test_only_files_of_the_manifest_are_opened(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "archive"))
    commit(store, [A])
    stray = tmp_path / "archive/images/run=zzz/stray.parquet"
    stray.parent.mkdir()
    stray.write_bytes(b"not Parquet at all")
    assert open_archive(store.url).images().to_table().num_rows == 1


def test_codecs_come_from_the_archive_alone(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "archive"))
    commit(store, [A])
    path = next((tmp_path / "archive/models").glob("*/codec.json"))
    path.write_text(path.read_text().replace('"level":1', '"level":2'))
    with pytest.raises(ArchiveError, match="wrong fingerprint"):
        open_archive(store.url).get(image_id(A))
    path.unlink()
    with pytest.raises(ArchiveError, match="is missing"):
        open_archive(store.url).get(image_id(A))


def test_queries(archive: Archive) -> None:
    large = archive.where("width >= 32 and status = 'encoded'", columns=["name"], order="name DESC")
    assert large["name"].to_pylist() == [A.image.name, "b.png"]
    assert archive.where(limit=1).num_rows == 1
    everything = archive.where().to_pylist()
    assert archive.where(limit=1, offset=1).to_pylist() == everything[1:2]
    for more in ("true); select * from (select 1", "true) order by name; select * from (select 1"):
        with pytest.raises(ConfigError, match="more than one statement"):
            archive.where(more)
    with pytest.raises(ConfigError, match="more than one statement"):
        archive.where(order="name; select 1")
    assert archive.where("name = 'b.png' -- a comment").num_rows == 1


@pytest.mark.parametrize(
    "condition",
    ["nonsense >", "no_such_column = 1", "name = (select * from '/etc/passwd')", "1); select (2"],
)
def test_bad_queries_are_typed_errors(archive: Archive, condition: str) -> None:
    with pytest.raises(ConfigError, match=r"Columns are those|statement") as caught:
        archive.where(condition)
    assert "\n" not in str(caught.value)


def test_queries_reach_nothing_outside(archive: Archive) -> None:
    for table in ("read_csv('/etc/passwd')", "glob('/etc/*')", "read_text('/etc/passwd')"):
        with pytest.raises(ConfigError):
            archive.where(f"exists (from {table})")
    with pytest.raises(ConfigError, match="no column named 'x'"):
        archive.where(columns=["x"])


def test_stats(archive: Archive) -> None:
    stats = archive.stats()
    counts = [stats[key] for key in ("sources", "encoded", "kept", "skipped", "failed")]
    assert counts == [4, 2, 0, 1, 1]
    assert stats["source_bytes"] == 2 * 24 * 32 * 3
    assert [(c["codec"], c["pictures"], c["min_psnr"]) for c in stats["codecs"]] == [
        ("fake", 2, 40.0)
    ]
