"""The Prefect flow `compact-archive`: keeps an archive of many small runs fast.

prefect deployment run compact-archive/compact-archive --watch --param archive=/data/archive
"""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from glassplate.flows.terminal.wording import lines_of, record_of
from glassplate.pipelines.archive.upkeep.compact import Compaction, compact_archive
from glassplate.pipelines.storage.store import Store


@flow(name="compact-archive")
def compact_archive_flow(archive: str, keep_snapshots: int | None = None) -> Compaction:
    """Merge the small shards of an archive, and forget old snapshots.

    Args:
        archive: Path or fsspec URL.
        keep_snapshots: Forget all but so many; None: forget none.

    The flow run fails with CommitConflictError if another run commits in the meantime; nothing
    has changed then, and the next one goes on from what is staged.
    """
    return merge(archive, keep_snapshots)


@task(cache_policy=NO_CACHE)
def merge(archive: str, keep_snapshots: int | None) -> Compaction:
    """Compact, and leave what was done as an artifact."""
    result = compact_archive(Store(archive), keep_snapshots)
    summary = "; ".join(lines_of(result))
    get_run_logger().info(summary)
    create_table_artifact(table=[record_of(result)], key="compact-result", description=summary)
    return result
