"""A compression run's progress, from the marks of its staged shards."""

from __future__ import annotations

from glassplate.pipelines.archive.format.staging import STAGING, read_mark
from glassplate.pipelines.compress.planning import RunPlan
from glassplate.pipelines.jobs.progress import MarkWatcher, Tally
from glassplate.pipelines.storage.store import Store


def run_watcher(store: Store, plan: RunPlan) -> MarkWatcher:
    """Watches a plan's shards."""

    def tally(key: str) -> Tally | None:
        staged = read_mark(store, key)
        if staged is None:
            return None
        ledger = staged.ledger
        return Tally(ledger.inputs, ledger.failed, ledger.source_bytes, ledger.stored_bytes)

    total = plan.new_inputs + plan.carried
    return MarkWatcher(store, STAGING, (shard.key for shard in plan.shards), total, tally)
