"""Archives of made-up rows in the real layout, written by the product's own writer.

Every row is an encoded photograph: its own id, name and version, a bitstream in a real container.
Bitstreams have 30 KB in every `LARGE_EVERY`th shard, where lookups go, and next to nothing in the
others, so that ten million rows fit on a small disk.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from glassplate.codecs import get_codec
from glassplate.codecs.container.bitstream import FINGERPRINT_BYTES, Header, Tile, pack
from glassplate.pipelines.archive.format.manifest import Ledger, ShardEntry
from glassplate.pipelines.archive.format.schema import TABLES
from glassplate.pipelines.archive.format.staging import STAGING, StagedShard, mark_staged
from glassplate.pipelines.archive.write.shard import write_table
from glassplate.pipelines.storage.store import Store

SPEC = get_codec("original").spec
LARGE_EVERY = 400
MODIFIED_NS = 1_760_000_000_000_000_000
CONTENT_BYTES = 8
_HEADER = Header("original", bytes.fromhex(SPEC.fingerprint)[:FINGERPRINT_BYTES])
_ROW_GROUP = {"images": 4096, "bitstreams": 64}


def image_id(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def name(number: int) -> str:
    return f"{number // 1000:05}/{number:08}.jpg"


def write_sources(folder: Path, numbers: Sequence[int]) -> None:
    """The files that the rows of these numbers name, as old as the rows say."""
    for number in numbers:
        path = folder / name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%08d" % number)
        os.utime(path, ns=(MODIFIED_NS, MODIFIED_NS))


def stage_rows(url: str, source: str, listed: int, job: tuple[int, range]) -> StagedShard:
    """Stage shard number `job[0]`, with the rows of the numbers `job[1]`.

    listed: files of numbers from here on are gone, and their rows say so.
    """
    shard, numbers = job
    store, key = Store(url), f"synthetic-{shard}"
    tables = {
        "images": _table("images", len(numbers), _image_columns(numbers, source, listed)),
        "bitstreams": _table("bitstreams", len(numbers), _bitstream_columns(numbers, shard)),
    }
    files = {
        kind: write_table(store, f"{STAGING}/{key}/{kind}.parquet", kind, _groups(kind, table))
        for kind, table in tables.items()
    }
    ledger = Ledger(inputs=len(numbers), encoded=len(numbers))
    entry = ShardEntry(**files)
    return mark_staged(
        store,
        StagedShard(key=key, entry=entry, ledger=ledger, codecs={SPEC.fingerprint: SPEC.name}),
    )


def stage_all(
    url: str, source: str, listed: int, jobs: Sequence[tuple[int, range]]
) -> list[StagedShard]:
    """Stage many shards, on all cores."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        return pool.map(partial(stage_rows, url, source, listed), jobs, chunksize=32)


def _image_columns(numbers: Sequence[int], source: str, listed: int) -> dict[str, Any]:
    count = len(numbers)
    same = {
        "source_version": f"{CONTENT_BYTES}:{MODIFIED_NS}",
        "status": "encoded",
        "codec": SPEC.name,
        "codec_fingerprint": SPEC.fingerprint,
        "bit_exact": False,
        "target": "default",
        "quality": 75.0,
        "format": "JPEG",
        "mode": "RGB",
        "height": 3000,
        "orientation": 1,
        "ms_ssim": 0.99,
        "verified": True,
    }
    return {column: [value] * count for column, value in same.items()} | {
        "image_id": list(map(image_id, numbers)),
        "source_uri": [f"file://{source}/{name(number)}" for number in numbers],
        "name": list(map(name, numbers)),
        "width": [4000 + number % 100 for number in numbers],
        "source_bytes": [500_000 + number for number in numbers],
        "stored_bytes": [30_000 + number % 977 for number in numbers],
        "bpp": [1.0 + number % 977 / 1000 for number in numbers],
        "psnr": [35.0 + number % 977 / 1000 for number in numbers],
        "bitstream_row": list(range(count)),
        "gone": [number >= listed for number in numbers],
    }


def _bitstream_columns(numbers: Sequence[int], shard: int) -> dict[str, Any]:
    payload = random.Random(shard).randbytes(10 if shard % LARGE_EVERY else 30_000)
    return {
        "image_id": list(map(image_id, numbers)),
        "bitstream": [pack(_HEADER, [Tile.opaque(payload)])] * len(numbers),
    }


def _table(kind: str, rows: int, columns: dict[str, Any]) -> pa.Table:
    schema = TABLES[kind]
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _groups(kind: str, table: pa.Table) -> list[pa.Table]:
    size = _ROW_GROUP[kind]
    return [table.slice(start, size) for start in range(0, table.num_rows, size)]
