"""Shards: deterministic bytes, the row groups and checksums that the format promises."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from glassplate.pipelines.archive.format.schema import BITSTREAMS, IMAGES, LATENTS
from glassplate.pipelines.archive.format.staging import load_staged
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, encoded, failed, stage


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


@pytest.fixture
def sources() -> list[Rows]:
    return [*(encoded(f"{n}.png", n, icc_profile=b"icc" * 50) for n in range(5)), failed("bad.png")]


def test_the_same_rows_give_the_same_bytes(store: Store, sources: list[Rows]) -> None:
    first, second = stage(store, "a", sources), stage(store, "b", sources)
    for one, other in zip(first.entry.files(), second.entry.files(), strict=True):
        assert (one.sha256, one.bytes, one.rows) == (other.sha256, other.bytes, other.rows)


def test_schemas_are_exact(store: Store, sources: list[Rows], tmp_path: Path) -> None:
    stage(store, "a", sources)
    for table, schema in (("images", IMAGES), ("bitstreams", BITSTREAMS), ("latents", LATENTS)):
        found = pq.read_schema(tmp_path / f"_staging/a/{table}.parquet")
        assert found.equals(schema, check_metadata=False)
        assert found.metadata[b"glassplate.table"] == table.encode()
        assert found.field("image_id").metadata == schema.field("image_id").metadata


def test_blobs_lie_in_small_plain_row_groups(store: Store, tmp_path: Path) -> None:
    blob = bytes(700_000)
    row = encoded("x.png", 1)
    assert row.bitstream
    big = [Rows(row.image, type(row.bitstream)(f"{n:064x}", blob)) for n in range(7)]
    stage(store, "big", big)
    stage(store, "many", [encoded(f"{n}.png", n) for n in range(70)])

    metadata = pq.ParquetFile(tmp_path / "_staging/big/bitstreams.parquet").metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [3, 3, 1]
    column = metadata.row_group(0).column(BITSTREAMS.get_field_index("bitstream"))
    assert column.compression == "UNCOMPRESSED"
    assert not column.has_dictionary_page
    assert not column.is_stats_set
    many = pq.ParquetFile(tmp_path / "_staging/many/bitstreams.parquet").metadata
    assert [many.row_group(n).num_rows for n in range(many.num_row_groups)] == [64, 6]


def test_flipped_bits_fail_the_page_checksums(
    store: Store, sources: list[Rows], tmp_path: Path
) -> None:
    stage(store, "a", sources)
    path = tmp_path / "_staging/a/bitstreams.parquet"
    data = bytearray(path.read_bytes())
    assert sources[2].bitstream
    data[data.index(sources[2].bitstream.bitstream) + 100] ^= 1
    path.write_bytes(data)
    assert pq.ParquetFile(path).read().num_rows == 5, "goes unseen without the checksums"
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_a_staged_shard_is_found_again(store: Store, sources: list[Rows]) -> None:
    staged = stage(store, "a", sources)
    assert load_staged(store, "a") == staged
    assert staged.ledger.inputs == 6
    assert (staged.ledger.encoded, staged.ledger.failed) == (5, 1)
    assert load_staged(store, "b") is None


@pytest.mark.parametrize("file", ["images.parquet", "bitstreams.parquet", "done.json"])
@pytest.mark.parametrize("harm", ["truncate", "delete"])
def test_a_shard_that_is_not_whole_is_redone(
    store: Store, sources: list[Rows], tmp_path: Path, file: str, harm: str
) -> None:
    staged = stage(store, "a", sources)
    path = tmp_path / "_staging/a" / file
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-7])
    assert load_staged(store, "a") is None
    assert stage(store, "a", sources) == staged
    assert load_staged(store, "a") == staged
