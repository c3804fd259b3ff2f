"""The Beam jobs of a run: pending shards are staged; on clusters, all are read again."""

from __future__ import annotations

from collections.abc import Sequence

from glassplate.pipelines.archive.format.staging import STAGING
from glassplate.pipelines.archive.write.sweep import sweep
from glassplate.pipelines.compress.planning import RunPlan, ShardPlan
from glassplate.pipelines.compress.watcher import run_watcher
from glassplate.pipelines.compress.work import CheckWork, EncodeWork
from glassplate.pipelines.jobs.engine import run_shards
from glassplate.pipelines.jobs.progress import MarkWatcher, Tally
from glassplate.pipelines.storage.store import Store

_RUN = "run="
_CHECK = "check="
_PLAN_FILE = "plan.jsonl"


def run_job(store: Store, plan: RunPlan, pending: Sequence[ShardPlan]) -> None:
    """Have the plan's runner stage the pending shards; returns when all are done.

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
            lambda config: EncodeWork(config.archive, path, config.model_dump_json()),
            lambda: run_watcher(store, plan),
        )
    finally:
        sweep(store, [folder])


def check_job(store: Store, plan: RunPlan) -> None:
    """Have the plan's runner read every staged shard again; damaged ones lose their marks.

    Raises WorkerError if a worker, the engine or the way to it fails; MissingExtraError.
    """
    folder = f"{STAGING}/{_CHECK}{plan.run_id}"
    path, checked = f"{folder}/{_PLAN_FILE}", f"{folder}/checked"
    keys = [shard.key for shard in plan.shards]
    try:
        run_shards(
            plan.config,
            keys,
            store,
            path,
            lambda config: CheckWork(config.archive, path, checked),
            lambda: MarkWatcher(store, checked, keys, len(keys), lambda key: Tally(done=1)),
        )
    finally:
        sweep(store, [folder])
