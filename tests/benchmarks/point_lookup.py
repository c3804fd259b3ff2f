"""One picture out of an archive of a million: time, and bytes read before decoding starts.

    .venv/bin/python -m tests.benchmarks.point_lookup [ROWS]

The archive has the real layout and is written by the real code. Every 20th shard has bitstreams
of 30 KB, and the lookups go there; the others' have 1 KB, so that the whole stays below 4 GB.
Cold: the archive is opened anew and its files are dropped from the page cache before each lookup.
Bytes are counted at the fsspec layer.
"""

from __future__ import annotations

import hashlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from glassplate.codecs import get_codec
from glassplate.codecs.container.bitstream import FINGERPRINT_BYTES, Header, Tile, pack
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.archive.format.manifest import Ledger, RunEntry
from glassplate.pipelines.archive.format.schema import (
    EMBEDDING_SIZE,
    BitstreamRow,
    ImageRow,
    LatentRow,
)
from glassplate.pipelines.archive.format.snapshots import current_snapshot
from glassplate.pipelines.archive.format.staging import StagedShard
from glassplate.pipelines.archive.write.commit import commit_run
from glassplate.pipelines.archive.write.shard import stage_shard
from glassplate.pipelines.storage.store import Store
from tests.benchmarks.machine import write_result

SHARD_ROWS = 512
LARGE_EVERY = 20
RUN_SHARES = (0.9, 0.06, 0.03, 0.01)
SPEC = get_codec("original").spec
EMBEDDING = [0.125] * EMBEDDING_SIZE


class CountingFileSystem(LocalFileSystem):
    """The local file system, counting what is read."""

    protocol = "counted"
    bytes_read = 0
    reads = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(LocalFileSystem._strip_protocol(path.removeprefix("counted://")))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return CountedFile(super()._open(path, mode, **options))


class CountedFile:
    """A file that counts what is read."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.file.read(size)
        CountingFileSystem.bytes_read += len(data)
        CountingFileSystem.reads += 1
        return data

    def __enter__(self) -> CountedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def image_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def name(number: int) -> str:
    return f"collection/{number // 1000:04d}/picture-{number:07d}.jpg"


def image_row(number: int, place: int) -> ImageRow:
    return ImageRow(
        source_uri=f"file:///data/{name(number)}",
        name=name(number),
        source_version=f"{500_000 + number}:1760000000000000000",
        status="encoded",
        image_id=image_id(number),
        codec="original",
        codec_fingerprint=SPEC.fingerprint,
        bit_exact=False,
        target="default",
        quality=75.0,
        format="JPEG",
        mode="RGB",
        width=4000 + number % 100,
        height=3000,
        orientation=1,
        source_bytes=500_000 + number,
        stored_bytes=30_000 + number % 977,
        bpp=1.0 + number % 977 / 1000,
        psnr=35.0 + number % 977 / 1000,
        ms_ssim=0.99,
        verified=True,
        bitstream_row=place,
    )


def stage(store: Store, shard: int, rows: int) -> StagedShard:
    numbers = range(shard * SHARD_ROWS, shard * SHARD_ROWS + rows)
    header = Header("original", bytes.fromhex(SPEC.fingerprint)[:FINGERPRINT_BYTES])
    payload = random.Random(shard).randbytes(30_000 if shard % LARGE_EVERY == 0 else 1_000)
    blob = pack(header, [Tile.opaque(payload)])
    return stage_shard(
        store,
        f"shard-{shard}",
        [image_row(number, place) for place, number in enumerate(numbers)],
        [BitstreamRow(image_id(number), blob) for number in numbers],
        [LatentRow(image_id(number), embedding=EMBEDDING) for number in numbers],
    )


def build(url: str, rows: int) -> None:
    """Commit the rows in a few runs, so that the index has a few segments."""
    store = Store(url)
    create_archive(store)
    total = -(-rows // SHARD_ROWS)
    ends = [round(total * sum(RUN_SHARES[: n + 1])) for n in range(len(RUN_SHARES))]
    for run, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        staged = [
            stage(store, shard, min(SHARD_ROWS, rows - shard * SHARD_ROWS))
            for shard in range(start, end)
        ]
        ledger = sum((one.ledger for one in staged), Ledger())
        entry = RunEntry(
            run_id=f"2026010{run + 1}T000000Z-abcdef",
            started="2026-01-01T00:00:00+00:00",
            finished="2026-01-01T01:00:00+00:00",
            options={},
            ledger=ledger,
        )
        commit_run(store, current_snapshot(store), staged, entry, [SPEC])


def drop_from_page_cache(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def measure(lookups: list[Callable[[], object]], before: Callable[[], None]) -> dict[str, float]:
    """Median and 99th percentile of the time, most bytes and reads of one lookup."""
    seconds, sizes, reads = [], [], []
    for lookup in lookups:
        before()
        CountingFileSystem.bytes_read = CountingFileSystem.reads = 0
        start = time.perf_counter()
        lookup()
        seconds.append(time.perf_counter() - start)
        sizes.append(CountingFileSystem.bytes_read)
        reads.append(CountingFileSystem.reads)
    return {
        "lookups": len(lookups),
        "median_ms": round(statistics.median(seconds) * 1e3, 2),
        "p99_ms": round(statistics.quantiles(seconds, n=100)[-1] * 1e3, 2),
        "median_bytes": statistics.median(sizes),
        "max_bytes": max(sizes),
        "max_reads": max(reads),
    }


def main(rows: int) -> None:
    fsspec.register_implementation("counted", CountingFileSystem)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        start = time.perf_counter()
        build(folder, rows)
        built = time.perf_counter() - start
        root, url = Path(folder), f"counted://{folder}"
        archive = open_archive(url)
        large = range(0, -(-rows // SHARD_ROWS), LARGE_EVERY)
        chooser = random.Random(1)
        numbers = [
            min(chooser.choice(large) * SHARD_ROWS + chooser.randrange(SHARD_ROWS), rows - 1)
            for _ in range(200)
        ]

        def looking(key: Callable[[int], str], opened: Archive | None, count: int) -> list[Any]:
            return [
                lambda n=n: (opened or open_archive(url)).bitstream(key(n)) for n in numbers[:count]
            ]

        def nothing() -> None:
            pass

        def cold() -> None:
            drop_from_page_cache(root)

        manifest = current_snapshot(archive.store)
        assert manifest
        write_result(
            "point_lookup",
            {
                "rows": rows,
                "shards": len(manifest.shards),
                "archive_bytes": sum(p.stat().st_size for p in root.rglob("*") if p.is_file()),
                "manifest_bytes": len(manifest.to_bytes()),
                "index_segments": len(manifest.id_index),
                "build_seconds": round(built, 1),
                "load_average": round(os.getloadavg()[0], 1),  # 1 is our own
                "targets": {"ms": 50, "bytes": 8_000_000},
                "cold_open_and_lookup_by_id": measure(looking(image_id, None, 40), cold),
                "cold_open_and_lookup_by_name": measure(looking(name, None, 40), cold),
                "open_and_lookup_by_id": measure(looking(image_id, None, 100), nothing),
                "lookup_by_id": measure(looking(image_id, archive, 200), nothing),
                "lookup_by_name": measure(looking(name, archive, 200), nothing),
            },
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
