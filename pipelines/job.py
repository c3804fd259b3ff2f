"""The Beam job of a run: every shard that is pending is staged.

The plan file is also a trace: it stays behind where a run died.
"""

from __future__ import annotations

from collections.abc import Sequence

from glassplate.pipelines.archive.store import Store
from glassplate.pipelines.archive.sweep import sweep
from glassplate.pipelines.archive.writer import STAGING
from glassplate.pipelines.engine import run_shards
from glassplate.pipelines.planning import RunPlan, ShardPlan
from glassplate.pipelines.progress import Watcher
from glassplate.pipelines.transforms import EncodeShards, shard_encoder

_RUN = "run="
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
