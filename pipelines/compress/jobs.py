"""The Beam jobs of a run: every shard that is pending is staged; on clusters, all are read again.

The plan file of the first is also a trace: it stays behind where a run died.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from glassplate.pipelines.archive.format.staging import STAGING
from glassplate.pipelines.archive.write.sweep import sweep
from glassplate.pipelines.compress.planning import RunPlan, ShardPlan
from glassplate.pipelines.compress.transforms import CheckShards, EncodeShards, shard_encoder
from glassplate.pipelines.compress.watcher import Watcher
from glassplate.pipelines.jobs.engine import run_shards
from glassplate.pipelines.jobs.progress import Progress
from glassplate.pipelines.storage.store import Store

_RUN = "run="
_CHECK = "check="
_PLAN_FILE = "plan.jsonl"


def traces(store: Store) -> list[str]:
    """Staging folders of runs that are going on, or that died."""
    return [name for name in store.list(STAGING) if name.startswith(_RUN)]


def run_job(store: Store, plan: RunPlan, pending: Sequence[ShardPlan], *, careful: bool) -> None:
    """Have the plan's runner stage the pending shards; returns when all are done.

    careful: encode in processes apart, so that a picture that kills one is found and named.
    Raises WorkerError if a worker, the engine or the way to it fails; MissingExtraError.
    """
    folder = f"{STAGING}/{_RUN}{plan.run_id}"
    path = f"{folder}/{_PLAN_FILE}"
    try:
        run_shards(
            plan.config,
            [shard.to_json() for shard in pending],
            store,
            path,
            lambda config: EncodeShards(config, path, careful),
            lambda: Watcher(store, plan),
        )
    finally:
        shard_encoder.cache_clear()
        sweep(store, [folder])


def check_job(store: Store, plan: RunPlan) -> None:
    """Have the plan's runner read every staged shard again; damaged ones lose their marks.

    Raises WorkerError if a worker, the engine or the way to it fails; MissingExtraError.
    """
    folder = f"{STAGING}/{_CHECK}{plan.run_id}"
    path, checked = f"{folder}/{_PLAN_FILE}", f"{folder}/checked"
    try:
        run_shards(
            plan.config,
            [shard.key for shard in plan.shards],
            store,
            path,
            lambda config: CheckShards(config, path, checked),
            lambda: _CheckWatcher(store, checked, len(plan.shards)),
        )
    finally:
        sweep(store, [folder])


class _CheckWatcher:
    """Counts the shards that were read again."""

    def __init__(self, store: Store, folder: str, total: int) -> None:
        self.store, self.folder, self.total = store, folder, total
        self.started = time.monotonic()

    def look(self) -> Progress:
        """How far the check is now."""
        done = len(self.store.list(self.folder))
        return Progress(done, self.total, 0, 0, 0, time.monotonic() - self.started)
