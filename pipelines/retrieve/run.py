"""Many pictures out of an archive, by a Beam job: plan, retrieve, ledger.

    OUT/<name>...                  the pictures, under the names that they had
    OUT/_retrieve/plan.json        what is to be done; never changed
    OUT/_retrieve/<shard>.json     marks: the rows of a shard that is done
    OUT/_retrieve/ledger.parquet   one row for every picture, written at the end

A run that dies is continued by the next one: what has a mark is not done again.
"""

from __future__ import annotations

import io
import logging
import time
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from glassplate.pipelines.errors import LedgerError, WorkerError
from glassplate.pipelines.jobs.progress import MarkWatcher, ProgressCallback, Tally, reporting
from glassplate.pipelines.retrieve.isolate import warm_up
from glassplate.pipelines.retrieve.planning import (
    FOLDER,
    RetrieveConfig,
    RetrievePlan,
    RetrieveShard,
    plan_retrieve,
)
from glassplate.pipelines.retrieve.shard import (
    Mark,
    RetrieveRow,
    mark_path,
)
from glassplate.pipelines.retrieve.work import RetrieveWork
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

LEDGER = f"{FOLDER}/ledger.parquet"
_PLAN_LINES = f"{FOLDER}/plan.jsonl"


@dataclass(frozen=True)
class RetrieveLedger:
    """Counts of a retrieval: pictures = plain + refined + restored + failed."""

    pictures: int
    plain: int
    refined: int
    restored: int
    failed: int
    bytes: int


@dataclass(frozen=True)
class RetrieveResult:
    """What a retrieval did; rows in the order of the plan."""

    plan: RetrievePlan
    ledger: RetrieveLedger
    rows: list[RetrieveRow]
    seconds: float


def retrieve(config: RetrieveConfig, progress: ProgressCallback | None = None) -> RetrieveResult:
    """Plan, or find the plan of an earlier run; do what is left of it; write the ledger.

    A picture that cannot be given back is a row of the ledger, not an error. Raises what
    `plan_retrieve` raises, WorkerError, MissingExtraError.
    """
    started = time.monotonic()
    warm_up(config)
    plan = plan_retrieve(config)
    run_retrieve(config, plan, progress)
    rows = finish_retrieve(config, plan)
    return RetrieveResult(plan, count(rows), rows, time.monotonic() - started)


def run_retrieve(
    config: RetrieveConfig, plan: RetrievePlan, progress: ProgressCallback | None = None
) -> None:
    """Run the Beam job over the shards that have no mark yet.

    If that fails, what is left is tried once more: an engine may have lost a machine. A picture
    that kills the process that gives it back is a row, not a failure.
    Raises WorkerError if the second try fails, too.
    """
    store = Store(config.out)
    if config.retry_failed:
        _forget_failures(store, plan)
    with reporting(lambda: _watcher(store, plan), progress):
        try:
            _retrieve_pending(config, plan, store)
        except WorkerError as error:
            logger.warning("%s: trying again what is left", error.cause)
            _retrieve_pending(config, plan, store)


def _forget_failures(store: Store, plan: RetrievePlan) -> None:
    """Shards with a picture that failed are to be done again, whole."""
    for shard in _done(store, plan):
        if any(row.status == "failed" for row in _read_mark(store, shard).rows):
            store.delete(mark_path(shard.key))


def _retrieve_pending(config: RetrieveConfig, plan: RetrievePlan, store: Store) -> None:
    done = _done(store, plan)
    lines = [shard.model_dump_json() for shard in plan.shards if shard not in done]
    if not lines:
        return
    from glassplate.pipelines.jobs.engine import run_shards  # Beam: not to find nothing to do

    try:
        run_shards(
            config,
            lines,
            store,
            _PLAN_LINES,
            lambda config: RetrieveWork(
                config.out, _PLAN_LINES, config.model_dump_json(), plan.snapshot
            ),
            lambda: _watcher(store, plan),
        )
    finally:
        store.delete(_PLAN_LINES)


def _done(store: Store, plan: RetrievePlan) -> set[RetrieveShard]:
    """The shards that have a mark."""
    marks = set(store.list(FOLDER))
    return {shard for shard in plan.shards if f"{shard.key}.json" in marks}


def finish_retrieve(config: RetrieveConfig, plan: RetrievePlan) -> list[RetrieveRow]:
    """Read all marks, check that each picture has its row, write the ledger. Raises LedgerError."""
    store = Store(config.out)
    rows = [row for shard in plan.shards for row in _read_mark(store, shard).rows]
    planned = [(item.image_id, item.file) for shard in plan.shards for item in shard.items]
    if [(row.image_id, row.file) for row in rows] != planned:
        raise LedgerError("the rows are not those that were planned", subject=config.out)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row.model_dump() for row in rows], SCHEMA), sink)
    store.write(LEDGER, sink.getvalue())
    return rows


SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("name", pa.string()),
        ("file", pa.string()),
        ("status", pa.string()),
        ("bytes", pa.int64()),
        ("source_bytes", pa.int64()),
        ("seed", pa.uint64()),
        ("mean_detail", pa.float32()),
        ("error_code", pa.string()),
        ("error_message", pa.string()),
    ]
)
"""Schema of the ledger; see `RetrieveRow`."""


def count(rows: list[RetrieveRow]) -> RetrieveLedger:
    """The counts of a ledger."""
    of = {status: sum(row.status == status for row in rows) for status in _STATUSES}
    return RetrieveLedger(pictures=len(rows), bytes=sum(row.bytes for row in rows), **of)


_STATUSES = ("plain", "refined", "restored", "failed")


def _read_mark(store: Store, shard: RetrieveShard) -> Mark:
    return Mark.model_validate_json(store.read(mark_path(shard.key)))


def _watcher(store: Store, plan: RetrievePlan) -> MarkWatcher:
    shards = {f"{shard.key}.json": shard for shard in plan.shards}

    def tally(name: str) -> Tally:
        rows = _read_mark(store, shards[name]).rows
        ledger, source_bytes = count(list(rows)), sum(row.source_bytes for row in rows)
        return Tally(ledger.pictures, ledger.failed, source_bytes, ledger.bytes)

    return MarkWatcher(store, FOLDER, shards, plan.pictures, tally)
