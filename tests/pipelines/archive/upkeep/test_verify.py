"""Damage: found, laid at the door of exactly the pictures it hits, and all others come back."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from glassplate.codecs.errors import BitstreamError
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.archive.format.schema import IMAGES, BitstreamRow
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.errors import ShardDamagedError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, commit, encoded, failed, pixels

SHARDS = [
    [*(encoded(f"a{n}.png", n, icc_profile=b"icc" * 99) for n in range(6)), failed("x.png")],
    [encoded(f"b{n}.png", 10 + n) for n in range(6)],
]


def image_id(rows: Rows) -> str:
    assert rows.image.image_id
    return rows.image.image_id


PICTURES = {
    image_id(encoded(f"{letter}{n}.png", first + n)): first + n
    for letter, first in (("a", 0), ("b", 10))
    for n in range(6)
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    store = Store(str(tmp_path / "archive"))
    commit(store, *SHARDS)
    return open_archive(store.url)


def flip(archive: Archive, file: FileEntry | None, place: int) -> None:
    assert file
    path = Path(archive.store.path(file.path))
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)


def place_of(archive: Archive, file: FileEntry | None, needle: bytes) -> int:
    assert file
    return Path(archive.store.path(file.path)).read_bytes().index(needle)


def bitstream(rows: Rows) -> bytes:
    assert isinstance(rows.bitstream, BitstreamRow)
    return rows.bitstream.bitstream


def comes_back(archive: Archive, image_id: str) -> bool:
    """Whether a picture is given back; never a wrong one."""
    try:
        picture = open_archive(archive.store.url).get(image_id)
    except (BitstreamError, ShardDamagedError):
        return False
    assert np.array_equal(np.array(picture), pixels(PICTURES[image_id]))
    return True


def assert_only_these_are_lost(archive: Archive, lost: set[str]) -> None:
    assert {i for i in PICTURES if not comes_back(archive, i)} == lost


def test_a_sound_archive(archive: Archive) -> None:
    report = verify_archive(archive, decode=True)
    assert report.ok
    # archive.json, one manifest, two indexes, one model, two shards of three files
    assert (report.files, report.shards, report.shards_total) == (11, 2, 2)
    sizes = sum(f.bytes for shard in archive.manifest.shards for f in shard.files())
    assert report.bytes > sizes


def test_a_flipped_bit_hits_one_picture(archive: Archive) -> None:
    file = archive.manifest.shards[0].bitstreams
    flip(archive, file, place_of(archive, file, bitstream(SHARDS[0][2])) + 500)
    (damage,) = verify_archive(archive).damages
    assert file
    assert damage.path == file.path
    assert "sha256" in damage.cause
    assert damage.image_ids == (image_id(SHARDS[0][2]),)
    assert damage.names == ("a2.png",)
    assert_only_these_are_lost(archive, {image_id(SHARDS[0][2])})
    with pytest.raises(BitstreamError, match=r"a2\.png: tile 0.*damaged"):
        open_archive(archive.store.url).get("a2.png")


def test_damaged_metadata_puts_its_row_group_in_doubt(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    file = archive.manifest.shards[0].bitstreams
    last = bitstream(SHARDS[0][5])
    flip(archive, file, place_of(archive, file, last) + len(last) + 40)
    (damage,) = verify_archive(archive).damages
    assert damage.names == tuple(f"a{n}.png" for n in range(6))
    assert_only_these_are_lost(archive, set())
    assert "icc_profile is damaged" in caplog.text


@pytest.mark.parametrize("harm", ["delete", "truncate"])
def test_a_lost_bitstreams_file_hits_all_its_pictures(archive: Archive, harm: str) -> None:
    file = archive.manifest.shards[1].bitstreams
    assert file
    path = Path(archive.store.path(file.path))
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    (damage,) = verify_archive(archive, decode=True).damages
    assert damage.cause == "is missing" if harm == "delete" else "bytes instead of" in damage.cause
    assert set(damage.image_ids) == {image_id(rows) for rows in SHARDS[1]}
    assert set(damage.names) == {f"b{n}.png" for n in range(6)}
    assert_only_these_are_lost(archive, set(damage.image_ids))


def test_without_the_catalogue_pictures_come_back_by_id(archive: Archive) -> None:
    file = archive.manifest.shards[0].images
    Path(archive.store.path(file.path)).unlink()
    (damage,) = verify_archive(archive, decode=True).damages
    assert set(damage.image_ids) == {image_id(rows) for rows in SHARDS[0][:6]}
    assert_only_these_are_lost(archive, set())
    assert open_archive(archive.store.url).get(image_id(SHARDS[0][3])[:12]).size == (32, 24)
    assert open_archive(archive.store.url).get("b3.png").size == (32, 24)
    with pytest.raises(ShardDamagedError, match=r"catalogue.*glassplate verify"):
        open_archive(archive.store.url).where()


@pytest.mark.parametrize(("column", "named"), [("psnr", 7), ("image_id", 7), ("name", 0)])
def test_with_a_damaged_catalogue_what_is_left_tells(
    archive: Archive, column: str, named: int
) -> None:
    file = archive.manifest.shards[0].images
    metadata = pq.read_metadata(archive.store.path(file.path))
    chunk = metadata.row_group(0).column(IMAGES.get_field_index(column))
    flip(archive, file, chunk.dictionary_page_offset + chunk.total_compressed_size - 3)
    (damage,) = verify_archive(archive).damages
    assert set(damage.image_ids) == {image_id(rows) for rows in SHARDS[0][:6]}
    assert len(damage.names) == named
    assert_only_these_are_lost(archive, set())


def test_when_all_files_of_a_shard_are_gone_the_index_tells(archive: Archive) -> None:
    for file in archive.manifest.shards[1].files():
        Path(archive.store.path(file.path)).unlink()
    damages = verify_archive(archive, decode=True).damages
    assert len(damages) == 3
    prefixes = {image_id(rows)[:16] for rows in SHARDS[1]}
    assert all(set(damage.image_ids) == prefixes for damage in damages)
    assert_only_these_are_lost(archive, {image_id(rows) for rows in SHARDS[1]})


@pytest.mark.parametrize("which", ["id_index", "name_index"])
@pytest.mark.parametrize("harm", ["flip", "delete"])
def test_a_lost_index_is_made_good_by_the_catalogue(
    archive: Archive, which: str, harm: str
) -> None:
    (file,) = getattr(archive.manifest, which)
    if harm == "flip":
        flip(archive, file, 100)
    else:
        Path(archive.store.path(file.path)).unlink()
    (damage,) = verify_archive(archive).damages
    assert (damage.path, damage.image_ids) == (file.path, ())
    assert_only_these_are_lost(archive, set())
    assert open_archive(archive.store.url).get("b3.png").size == (32, 24)


def test_damaged_models_and_manifests_are_reported(archive: Archive) -> None:
    commit(archive.store, [encoded("new.png", 99)])
    newer = open_archive(archive.store.url)
    Path(archive.store.path("_manifests/00000001.json")).write_bytes(b"{")
    flip(newer, newer.manifest.models[0], 5)
    paths = {damage.path for damage in verify_archive(newer).damages}
    assert paths == {"_manifests/00000001.json", newer.manifest.models[0].path}


def test_a_subset_is_seeded_and_gets_around(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "archive"))
    commit(store, *([encoded(f"{n}.png", n)] for n in range(10)))
    archive = open_archive(store.url)
    assert archive.manifest.shards[7].bitstreams
    Path(store.path(archive.manifest.shards[7].bitstreams.path)).unlink()
    found = []
    for seed in range(10):
        report = verify_archive(archive, subset=0.3, seed=seed)
        assert report.shards == 3
        assert report.ok == verify_archive(archive, subset=0.3, seed=seed).ok
        found.append(not report.ok)
    assert 0 < sum(found) < 10
    calls: list[tuple[int, int]] = []
    short = verify_archive(archive, max_duration=0.0, progress=lambda *c: calls.append(c))
    assert (short.shards, short.shards_total, calls) == (1, 10, [(1, 10)])


def test_decoding_finds_what_hashes_cannot(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "archive"))
    good, bad = encoded("good.png", 1), encoded("bad.png", 2)
    broken = BitstreamRow(image_id(bad), bitstream(bad)[:-3])
    commit(store, [good, Rows(bad.image, broken)])
    archive = open_archive(store.url)
    assert verify_archive(archive).ok
    (damage,) = verify_archive(archive, decode=True).damages
    assert (damage.image_ids, damage.names) == ((image_id(bad),), ("bad.png",))


@pytest.mark.slow
def test_wherever_the_damage_is_nothing_wrong_is_given_back(archive: Archive) -> None:
    generator = random.Random(7)
    for shard in archive.manifest.shards:
        for file in shard.files():
            path = Path(archive.store.path(file.path))
            whole = path.read_bytes()
            for _ in range(12):
                flip(archive, file, generator.randrange(len(whole)))
                report = verify_archive(archive)
                named = {i for damage in report.damages for i in damage.image_ids}
                lost = {i for i in PICTURES if not comes_back(archive, i)}
                assert not report.ok
                assert lost <= named
                path.write_bytes(whole)
