"""Committing to an archive: publish, write the next manifest, sweep.

    staged files -> linked to images/run=<run>/<sha256>.parquet ... -> indexes, models, pages
      -> exclusive creation of _manifests/<n>.json   (the commit)
      -> staging and orphans deleted

A run appends shards, a compaction puts large ones in the place of small ones. A process that dies
anywhere before the commit leaves the last snapshot as it was, and its staged shards for the next
run to pick up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType

import numpy as np

from glassplate.codecs import CodecSpec
from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.archive.format.index import (
    INDEXED,
    Entries,
    Places,
    append_segment,
    relocate_segments,
    shard_entries,
)
from glassplate.pipelines.archive.format.manifest import (
    FileEntry,
    Ledger,
    RunEntry,
    ShardEntry,
    Snapshot,
)
from glassplate.pipelines.archive.format.models import write_models
from glassplate.pipelines.archive.format.pages import write_pages
from glassplate.pipelines.archive.format.parquet import open_parquet
from glassplate.pipelines.archive.format.runs import RUN_FOLDERS
from glassplate.pipelines.archive.format.schema import SCHEMA_VERSION
from glassplate.pipelines.archive.format.snapshots import (
    current_snapshot,
    manifest_numbers,
    manifest_path,
)
from glassplate.pipelines.archive.format.staging import StagedShard
from glassplate.pipelines.archive.write.sweep import orphans, stale, sweep, temporaries
from glassplate.pipelines.errors import ArchiveError, CommitConflictError, LedgerError
from glassplate.pipelines.storage.store import Store

__all__ = ["Part", "commit_compaction", "commit_run", "create_archive", "current_snapshot"]


@dataclass(frozen=True)
class Part:
    """Neighbouring shards of a snapshot, and what they were merged into; None: one that stays."""

    span: range
    merged: StagedShard | None


def commit_run(
    store: Store,
    base: Snapshot | None,
    staged: Sequence[StagedShard],
    run: RunEntry,
    codec_specs: Iterable[CodecSpec],
    weights: Mapping[str, Path] = MappingProxyType({}),
) -> Snapshot:
    """Publish staged shards and commit them on top of `base`, all or nothing.

    Args:
        base: The snapshot that the run was planned on.
        staged: The run's shards, in the order in which they get their numbers.
        run: Id, times, options and the whole run's ledger.
        codec_specs: Specs of the codecs that wrote the shards.
        weights: Codec fingerprint -> weight file, for the codecs that have one.

    Raises CommitConflictError if another run committed since `base`; LedgerError if the ledger
    is not the sum of the shards' and the unchanged; ArchiveError if a codec's spec is missing.
    The staged shards stay for another try.
    """
    _check_ledger(staged, run.ledger)
    codecs = (base.codecs if base else {}) | {k: v for one in staged for k, v in one.codecs.items()}

    def publish(number: int) -> Snapshot:
        models = write_models(
            store, base.models if base else (), codecs, list(codec_specs), weights
        )
        snapshot = _publish_run(store, base, number, staged, run)
        return snapshot.model_copy(update={"codecs": codecs, "models": models})

    return _commit(store, base, run, staged, publish)


def commit_compaction(
    store: Store, base: Snapshot, parts: Sequence[Part], run: RunEntry
) -> Snapshot:
    """Put merged shards in the place of those that they were merged from, all or nothing.

    Args:
        base: The snapshot that is compacted.
        parts: All of its shards, in their order.
        run: Id, times and options; its ledger is empty.

    Raises CommitConflictError if a run committed since `base`.
    """
    merged = [part.merged for part in parts if part.merged]

    def publish(number: int) -> Snapshot:
        index, places = f"_index/run={run.run_id}", _places(base, parts)
        ids = relocate_segments(store, base.id_index, places, f"{index}/id.parquet")
        names = relocate_segments(store, base.name_index, places, f"{index}/name.parquet")
        published = iter(_publish(store, merged, run.run_id))
        return base.model_copy(
            update={
                "schema_version": SCHEMA_VERSION,
                "number": number,
                "parent": base.number,
                "shards": tuple(
                    next(published) if part.merged else base.shards[part.span.start]
                    for part in parts
                ),
                "id_index": ids,
                "name_index": names,
                "run": run,
            }
        )

    return _commit(store, base, run, merged, publish)


def _commit(
    store: Store,
    base: Snapshot | None,
    run: RunEntry,
    staged: Sequence[StagedShard],
    publish: Callable[[int], Snapshot],
) -> Snapshot:
    """Publish as the snapshot of the next number, create its manifest, sweep."""
    check_base(store, base)
    if base and run.run_id <= base.run.run_id:
        raise ArchiveError(
            f"its id does not sort after that of the run before, {base.run.run_id}",
            "Nothing was changed.",
            run.run_id,
        )
    left_over = orphans(store, base, run.run_id)
    number = max(manifest_numbers(store), default=0) + 1
    write_pages(store, base)
    try:
        snapshot = publish(number)
        check_base(store, base)
        _create_manifest(store, snapshot)
    except (CommitConflictError, FileNotFoundError):
        for folder in RUN_FOLDERS:
            store.delete(f"{folder}/run={run.run_id}")
        check_base(store, base)  # staged files may be missing because another run swept them
        raise
    sweep(store, [*left_over, *stale(store, staged), *temporaries(store)])
    return snapshot


def _publish_run(
    store: Store,
    base: Snapshot | None,
    number: int,
    staged: Sequence[StagedShard],
    run: RunEntry,
) -> Snapshot:
    """Put all files where readers will look, and say so in a snapshot that is not yet written."""
    first = len(base.shards) if base else 0
    ids: list[Entries] = []
    names: list[Entries] = []
    for shard, one in enumerate(staged, first):
        with open_parquet(store, one.entry.images.path) as file:
            for entries, into in zip(
                shard_entries(file.read(INDEXED), shard), (ids, names), strict=True
            ):
                into.append(entries)
    index = f"_index/run={run.run_id}"
    return Snapshot(
        number=number,
        parent=base.number if base else None,
        id_index=append_segment(store, base.id_index if base else (), ids, f"{index}/id.parquet"),
        name_index=append_segment(
            store, base.name_index if base else (), names, f"{index}/name.parquet"
        ),
        shards=(base.shards if base else ()) + tuple(_publish(store, staged, run.run_id)),
        run=run,
    )


def _publish(store: Store, staged: Sequence[StagedShard], run_id: str) -> list[ShardEntry]:
    """Put shards where readers will look.

    Catalogues come last, just before the commit: readers of the folder see their rows at once.
    """
    for table in ("latents", "bitstreams", "images"):
        for one in staged:
            if file := getattr(one.entry, table):
                store.link(file.path, _published(table, file, run_id).path)
    return [
        ShardEntry(
            **{
                table: _published(table, file, run_id)
                for table in ShardEntry.model_fields
                if (file := getattr(one.entry, table))
            }
        )
        for one in staged
    ]


def _published(table: str, file: FileEntry, run_id: str) -> FileEntry:
    return file.model_copy(update={"path": f"{table}/run={run_id}/{file.sha256}.parquet"})


def _places(base: Snapshot, parts: Sequence[Part]) -> Places:
    """Where compaction moves the rows of each shard of the base."""
    shards = np.repeat(np.arange(len(parts)), [len(part.span) for part in parts])
    offsets = [
        offset
        for part in parts
        for offset in accumulate((base.shards[n].images.rows for n in part.span[:-1]), initial=0)
    ]
    return Places(shards.astype(np.int32), np.array(offsets, np.int32))


def _create_manifest(store: Store, snapshot: Snapshot) -> None:
    """The commit. An object store may retry a write that had gone through: look before failing."""
    path, data = manifest_path(snapshot.number), snapshot.to_bytes()
    try:
        store.create_exclusive(path, data)
    except FileExistsError as error:
        if store.read(path) != data:
            raise _conflict(store) from error


def _check_ledger(staged: Sequence[StagedShard], ledger: Ledger) -> None:
    without_row = ledger.unchanged - sum(one.ledger.unchanged for one in staged)
    unchanged = Ledger(inputs=without_row, skipped=without_row, unchanged=without_row)
    total = sum((one.ledger for one in staged), unchanged)
    sizes = {"source_bytes", "stored_bytes"}
    if not ledger.adds_up() or total.model_dump(exclude=sizes) != ledger.model_dump(exclude=sizes):
        raise LedgerError(
            f"the run counts {ledger}, its shards and the unchanged make {total}",
            "Nothing was committed; please report this.",
        )


def check_base(store: Store, base: Snapshot | None) -> None:
    """Raises CommitConflictError unless `base` is the newest snapshot still."""
    current = current_snapshot(store)
    if (current and current.number) != (base and base.number):
        raise _conflict(store)


def _conflict(store: Store) -> CommitConflictError:
    return CommitConflictError(
        "another run committed to this archive in the meantime",
        "Nothing was changed. Run again: finished work is picked up from staging.",
        store.url,
    )
