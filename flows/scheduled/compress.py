"""The Prefect flow `compress-archive`: plan, encode, verify, commit, report.

    prefect deployment run compress-archive/compress-archive --watch \\
        --param source=/data/photos --param archive=/data/archive

One task for each stage, never one for each picture: the Beam job inside `encode` does that. Truth
is the archive's manifest, so nothing is cached; a retried or repeated run goes on from the shards
that are staged.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from glassplate.flows.options.signature import as_flow
from glassplate.flows.reports.page import publish_report
from glassplate.flows.reports.summary import summary
from glassplate.flows.terminal.live import rates
from glassplate.flows.terminal.output import ledger_table
from glassplate.flows.terminal.wording import remarks
from glassplate.pipelines.archive.format.manifest import Ledger, Snapshot
from glassplate.pipelines.archive.format.staging import StagedShard
from glassplate.pipelines.compress import run as stages
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.planning import RunPlan
from glassplate.pipelines.errors import ArchiveError, CommitConflictError
from glassplate.pipelines.jobs.progress import Progress, ProgressCallback

T = TypeVar("T")

PROGRESS_INTERVAL = 5.0
"""Seconds between updates of the progress artifact."""


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """A worker that died or a file system that hung may do better; a wrong option never does."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError | ArchiveError) and not isinstance(error, CommitConflictError)


def _compress_archive(config: CompressConfig) -> Ledger:
    """Bring an archive up to date with its source; parameters as in `CompressConfig`.

    Returns the ledger of this run. The flow run fails if the failure gate stops it
    (TooManyFailuresError) or another writer commits first (CommitConflictError).
    """
    run_plan = plan(config)
    encode(unvisited(run_plan))
    staged = verify(unvisited(run_plan))
    ledger = stages.run_ledger(run_plan, staged)
    snapshot = commit(unvisited(run_plan), unvisited(staged))
    report(config.archive, ledger, snapshot.number if snapshot else None)
    return ledger


compress_archive = flow(name="compress-archive")(as_flow(CompressConfig, _compress_archive))


@task(cache_policy=NO_CACHE)
def plan(config: CompressConfig) -> RunPlan:
    """List the source and leave out what the archive holds."""
    run_plan = stages.plan_run(config)
    for line in remarks(run_plan):
        get_run_logger().warning(line)
    get_run_logger().info(
        "%d inputs, %d unchanged, %d shards to do",
        run_plan.inputs,
        run_plan.unchanged,
        len(run_plan.shards),
    )
    return run_plan


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=worth_retrying)
def encode(run_plan: RunPlan) -> None:
    """Run the Beam job; shards that are staged already are not done again."""
    if run_plan.shards:
        stages.encode_run(run_plan, _progress_artifact())


@task(cache_policy=NO_CACHE)
def verify(run_plan: RunPlan) -> list[StagedShard]:
    """Read what was staged, add up the ledger, apply the failure gate."""
    return stages.verify_run(run_plan)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=worth_retrying)
def commit(run_plan: RunPlan, staged: list[StagedShard]) -> Snapshot | None:
    """Publish and commit the next snapshot; nothing if there is nothing new."""
    return stages.commit_plan(run_plan, staged)


@task(cache_policy=NO_CACHE)
def report(archive: str, ledger: Ledger, snapshot: int | None) -> None:
    """Leave the ledger as an artifact and, after a commit, a summary that names the HTML report."""
    columns, rows = ledger_table(ledger)
    create_table_artifact(
        table=[dict(zip(columns, row, strict=True)) for row in rows],
        key="compress-ledger",
        description=f"Ledger of {archive}, "
        + (f"snapshot {snapshot}" if snapshot else "nothing to do"),
    )
    if snapshot:
        create_markdown_artifact(
            markdown=summary(archive, publish_report(archive)), key="compress-report"
        )


def unvisited(value: T) -> T:
    """A task's argument that Prefect passes on without walking through it in search of futures."""
    return cast(T, quote(value))


def _progress_artifact() -> ProgressCallback:
    """A callback that keeps a progress artifact up to date."""
    artifact = cast(UUID, create_progress_artifact(progress=0.0, key="compress-progress"))
    logger = get_run_logger()
    last = time.monotonic()

    def update(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PROGRESS_INTERVAL and progress.done < progress.total:
            return
        last = now
        share = 100 * progress.done / progress.total
        update_progress_artifact(artifact, progress=share, description=rates(progress))
        logger.info("%d/%d images %s", progress.done, progress.total, rates(progress))

    return update
