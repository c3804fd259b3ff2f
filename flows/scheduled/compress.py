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

from glassplate.flows.options.common import compress_config
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
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS

T = TypeVar("T")

PROGRESS_INTERVAL = 5.0
"""Seconds between updates of the progress artifact."""


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """A worker that died or a file system that hung may do better; a wrong option never does."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError | ArchiveError) and not isinstance(error, CommitConflictError)


@flow(name="compress-archive")
def compress_archive(
    source: str | list[str],
    archive: str,
    include: list[str] | None = None,
    exclude: list[str] | None = None,
    codec: str = "hyperprior",
    codec_options: dict[str, Any] | None = None,
    weights: str | None = None,
    quality: float | None = None,
    target_psnr: float | None = None,
    target_ms_ssim: float | None = None,
    target_ssimulacra2: float | None = None,
    max_bpp: float | None = None,
    workers: int | None = None,
    worker_memory: int | str | None = None,
    runner: str = "local",
    runner_options: dict[str, Any] | None = None,
    device: str = "auto",
    retry_failed: bool = False,
    reencode: bool = False,
    max_failures: float | str | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    damaged: str = "keep",
    verify_fraction: float | str = 1.0,
    measures: str | list[str] = "ms-ssim,ssimulacra2",
    latents: bool = True,
    plugins: list[str] | None = None,
) -> Ledger:
    """Bring an archive up to date with its source; parameters as in `CompressConfig`.

    Returns the ledger of this run. The flow run fails if the failure gate stops it
    (TooManyFailuresError) or another writer commits first (CommitConflictError).
    """
    config = compress_config(
        source=source,
        archive=archive,
        include=include or [],
        exclude=exclude or [],
        codec=codec,
        codec_options=codec_options or {},
        weights=weights,
        quality=quality,
        target_psnr=target_psnr,
        target_ms_ssim=target_ms_ssim,
        target_ssimulacra2=target_ssimulacra2,
        max_bpp=max_bpp,
        workers=workers,
        worker_memory=worker_memory,
        runner=runner,
        runner_options=runner_options or {},
        device=device,
        retry_failed=retry_failed,
        reencode=reencode,
        max_failures=max_failures,
        max_pixels=max_pixels,
        damaged=damaged,
        verify_fraction=verify_fraction,
        measures=measures,
        latents=latents,
        plugins=plugins or [],
    )
    run_plan = plan(config)
    encode(unvisited(run_plan))
    staged = verify(unvisited(run_plan))
    ledger = stages.run_ledger(run_plan, staged)
    snapshot = commit(unvisited(run_plan), unvisited(staged))
    report(config.archive, ledger, snapshot.number if snapshot else None)
    return ledger


def flow_parameters(config: CompressConfig) -> dict[str, Any]:
    """The flow's parameters for a run's options."""
    fields = config.model_dump(mode="json")
    target = fields.pop("target")
    for measure in ("psnr", "ms_ssim", "ssimulacra2"):
        target[f"target_{measure}"] = target.pop(measure)
    runner_options = fields.pop("runner")
    runner = {"runner": runner_options.pop("name"), "runner_options": runner_options}
    return {**fields, **target, **runner}


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
