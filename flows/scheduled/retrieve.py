"""The Prefect flow `retrieve-images`: plan, retrieve, ledger.

    prefect deployment run retrieve-images/retrieve-images --watch \\
        --param archive=/data/archive --param out=/data/out --param refine=flow

Truth is the output folder: a repeated run goes on with what has no mark there yet.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import cast
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from glassplate.flows.options.signature import as_flow
from glassplate.flows.scheduled.compress import unvisited, worth_retrying
from glassplate.flows.terminal.wording import rates
from glassplate.pipelines.jobs.progress import Progress, ProgressCallback
from glassplate.pipelines.retrieve import run as stages
from glassplate.pipelines.retrieve.config import RetrieveConfig
from glassplate.pipelines.retrieve.planning import RetrievePlan, plan_retrieve
from glassplate.pipelines.retrieve.run import RetrieveLedger

PROGRESS_INTERVAL = 5.0
"""Seconds between updates of the progress artifact."""


def _retrieve_images(config: RetrieveConfig) -> RetrieveLedger:
    """Give back what a query selects into a folder or bucket; parameters as in `RetrieveConfig`.

    Returns the ledger; pictures that failed are rows of it. The flow run fails with ConfigError or
    WeightsError before any work where the parameters are bad, and with WorkerError.
    """
    run_plan = plan(config)
    retrieve(config, unvisited(run_plan))
    return report(config, unvisited(run_plan))


retrieve_images = flow(name="retrieve-images")(as_flow(RetrieveConfig, _retrieve_images))


@task(cache_policy=NO_CACHE)
def plan(config: RetrieveConfig) -> RetrievePlan:
    """Query the catalogue, or find the plan of an earlier run."""
    run_plan = plan_retrieve(config)
    get_run_logger().info("%d pictures, %d shards", run_plan.pictures, len(run_plan.shards))
    return run_plan


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10, retry_condition_fn=worth_retrying)
def retrieve(config: RetrieveConfig, run_plan: RetrievePlan) -> None:
    """Run the Beam job over what is left."""
    stages.run_retrieve(config, run_plan, _progress_artifact())


@task(cache_policy=NO_CACHE)
def report(config: RetrieveConfig, run_plan: RetrievePlan) -> RetrieveLedger:
    """Check and write the ledger; its counts and what failed are artifacts."""
    rows = stages.finish_retrieve(config, run_plan)
    ledger = stages.count(rows)
    failed = [{"name": row.name, "error": row.error_message} for row in rows if row.error_code]
    tables = {"retrieve-ledger": [asdict(ledger)], "retrieve-failures": failed}
    for key, table in tables.items():
        if table:
            create_table_artifact(table=table, key=key, description=f"Retrieved to {config.out}")
    return ledger


def _progress_artifact() -> ProgressCallback:
    artifact = cast(UUID, create_progress_artifact(progress=0.0, key="retrieve-progress"))
    last = time.monotonic()

    def update(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < PROGRESS_INTERVAL and progress.done < progress.total:
            return
        last = time.monotonic()
        share = 100 * progress.done / progress.total
        update_progress_artifact(artifact, progress=share, description=rates(progress))

    return update
