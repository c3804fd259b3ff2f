"""Small real archives for the tests: rows as a run makes them, committed by the real code."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from glassplate.codecs import CodecSpec, Pixels, Target
from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.archive.format.manifest import Ledger, RunEntry, Snapshot
from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow, LatentRow
from glassplate.pipelines.archive.format.snapshots import current_snapshot, new_run_id
from glassplate.pipelines.archive.format.staging import StagedShard
from glassplate.pipelines.archive.write.commit import commit_run
from glassplate.pipelines.archive.write.shard import stage_shard
from glassplate.pipelines.storage.store import Store
from tests.fakes import FakeCodec

CODEC = FakeCodec(FakeCodec.Config())
_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_runs = itertools.count()


@dataclass(frozen=True)
class Rows:
    """What one source becomes."""

    image: ImageRow
    bitstream: BitstreamRow | None = None
    latent: LatentRow | None = None


def pixels(seed: int, height: int = 24, width: int = 32) -> Pixels:
    """Noise, so that bitstreams do not compress to nothing."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encoded(name: str, seed: int, root: str = "file:///photos", **blocks: bytes) -> Rows:
    """An encoded source whose content follows from the seed."""
    image = pixels(seed)
    image_id = hashlib.sha256(image.tobytes()).hexdigest()
    stream = CODEC.encode([image], Target())[0].bitstream
    row = ImageRow(
        source_uri=f"{root}/{name}",
        name=name,
        source_version=f"1:{seed}",
        status="encoded",
        image_id=image_id,
        codec="fake",
        codec_fingerprint=CODEC.spec.fingerprint,
        bit_exact=False,
        format="PNG",
        width=image.shape[1],
        height=image.shape[0],
        source_bytes=image.nbytes,
        stored_bytes=len(stream),
        psnr=40.0,
    )
    latent = LatentRow(image_id, [0.0] * 96, b"\x01\x02", [1, 1, 2], "int8")
    return Rows(row, BitstreamRow(image_id, stream, **blocks), latent)


def failed(name: str) -> Rows:
    """A source that could not be read."""
    row = ImageRow(f"file:///photos/{name}", name, "1:0", "failed")
    return Rows(replace(row, error_stage="read", error_code="unreadable", error_message="no"))


def duplicate(name: str, of: Rows) -> Rows:
    """A source with the same bytes as another."""
    row = ImageRow(f"file:///photos/{name}", name, "1:0", "skipped", of.image.image_id, "duplicate")
    return Rows(row)


def stage(store: Store, key: str, sources: Sequence[Rows]) -> StagedShard:
    """Stage one shard of sources."""
    place = itertools.count()
    images = [
        replace(rows.image, bitstream_row=next(place)) if rows.bitstream else rows.image
        for rows in sources
    ]
    bitstreams = [rows.bitstream for rows in sources if rows.bitstream]
    latents = [rows.latent for rows in sources if rows.latent]
    return stage_shard(store, key, images, bitstreams, latents)


def run_entry(staged: Sequence[StagedShard], run_id: str | None = None) -> RunEntry:
    """A run whose ledger is the sum of its shards."""
    ledger = sum((one.ledger for one in staged), Ledger())
    return RunEntry(
        run_id=run_id or new_run_id(None, _DAY + timedelta(days=1, minutes=next(_runs))),
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:01:00+00:00",
        options={},
        ledger=ledger,
    )


def commit(
    store: Store, *shards: Sequence[Rows], specs: Sequence[CodecSpec] = (CODEC.spec,)
) -> Snapshot:
    """Stage shards and commit them as one run on top of what is there."""
    create_archive(store)
    staged = [stage(store, f"key{n}", shard) for n, shard in enumerate(shards)]
    base = current_snapshot(store)
    run = run_entry(staged, new_run_id(base, _DAY))
    return commit_run(store, base, staged, run, specs)
