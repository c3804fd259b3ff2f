"""Merging many small shards into few large ones, as a new snapshot.

Neighbours are merged until each shard is at least twice as large as the next one, or full: the
shards of a year of nightly runs become a handful, and every row is rewritten a logarithmic number
of times. Rows keep their order, ids and bytes; older snapshots stay readable until they expire.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.progress import OnStep, unseen
from glassplate.pipelines.archive.format.identity import check_archive
from glassplate.pipelines.archive.format.manifest import Ledger, RunEntry, ShardEntry, Snapshot
from glassplate.pipelines.archive.format.snapshots import current_snapshot, new_run_id
from glassplate.pipelines.archive.format.staging import StagedShard, load_staged
from glassplate.pipelines.archive.upkeep.merge import merge_shards
from glassplate.pipelines.archive.upkeep.retention import Expired, expire_snapshots
from glassplate.pipelines.archive.write.commit import Part, check_base, commit_compaction
from glassplate.pipelines.archive.write.sweep import sweep_the_past
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.store import Store

MAX_ROWS = 1 << 15
MAX_BYTES = 512 << 20
"""A merged shard holds at most so much, in all its files together."""


@dataclass(frozen=True)
class Compaction:
    """What a compaction did. snapshot: None if there was nothing to merge."""

    snapshot: Snapshot | None
    shards_before: int
    shards_after: int
    expired: Expired


def compact_archive(
    store: Store,
    keep_snapshots: int | None = None,
    progress: OnStep = unseen,
) -> Compaction:
    """Merge the small shards of the newest snapshot, and commit the result as the next one.

    Args:
        keep_snapshots: Then forget all but so many snapshots, and delete the files that only
            those named; None: forget none.
        progress: Called with merged shards that are done and to do.

    An interrupted compaction has changed nothing; the next one goes on from what is staged.
    Raises ArchiveError, CommitConflictError if another run commits in the meantime,
    ShardDamagedError if a shard to be merged is damaged, ConfigError.
    """
    if keep_snapshots is not None and keep_snapshots < 1:
        raise ConfigError("at least the newest snapshot stays", "Give 1 or more.", "keep_snapshots")
    check_archive(store)
    started = datetime.now(UTC)
    base = current_snapshot(store)
    if base is None:
        raise ArchiveError(
            "nothing has been committed yet", "Run `glassplate compress`.", store.url
        )
    spans = plan_spans(base.shards)
    snapshot = None
    if len(spans) < len(base.shards):
        snapshot = _compact(store, base, spans, started, progress)
    else:
        sweep_the_past(store, base)
    expired = expire_snapshots(store, keep_snapshots) if keep_snapshots else Expired()
    return Compaction(snapshot, len(base.shards), len(spans), expired)


def plan_spans(shards: Sequence[ShardEntry]) -> list[range]:
    """Neighbours that become one shard, for all shards in their order. A second time: none."""
    spans: list[_Span] = []
    for position, shard in enumerate(shards):
        size = sum(file.bytes for file in shard.files())
        span = _Span(range(position, position + 1), shard.images.rows, size)
        while spans and spans[-1].belongs_with(span):
            span = spans.pop() + span
        spans.append(span)
    return [span.numbers for span in spans]


@dataclass(frozen=True)
class _Span:
    """Neighbouring shards, their rows and bytes."""

    numbers: range
    rows: int
    bytes: int

    def belongs_with(self, next_one: _Span) -> bool:
        """Whether both should be one: this is not twice as large as the next, and both fit."""
        both = self + next_one
        return self.rows < 2 * next_one.rows and both.rows <= MAX_ROWS and both.bytes <= MAX_BYTES

    def __add__(self, other: _Span) -> _Span:
        numbers = range(self.numbers.start, other.numbers.stop)
        return _Span(numbers, self.rows + other.rows, self.bytes + other.bytes)


def _compact(
    store: Store,
    base: Snapshot,
    spans: Sequence[range],
    started: datetime,
    progress: OnStep,
) -> Snapshot:
    merged: dict[range, StagedShard] = {}
    wanted = [span for span in spans if len(span) > 1]
    try:
        for span in wanted:
            merged[span] = _merged(store, base.shards[span.start : span.stop])
            progress(len(merged), len(wanted))
    except ArchiveError:
        check_base(store, base)  # shards may be missing because another compaction let them expire
        raise
    run = RunEntry(
        run_id=new_run_id(base, started),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        options={"compact": {"shards_before": len(base.shards), "shards_after": len(spans)}},
        ledger=Ledger(),
    )
    return commit_compaction(store, base, [Part(span, merged.get(span)) for span in spans], run)


def _merged(store: Store, shards: Sequence[ShardEntry]) -> StagedShard:
    """What these shards become, from staging if an earlier compaction got that far."""
    paths = [file.path for shard in shards for file in shard.files()]
    key = hashlib.sha256("\n".join(["compact", *paths]).encode()).hexdigest()
    return load_staged(store, key) or merge_shards(store, key, shards)
