"""The Prefect flow `train-codec`: train or fine-tune, with R-D on held-out crops as an artifact.

    prefect deployment run train-codec/train-codec --watch \\
        --param data=/data/photos --param out=/data/weights --param minutes=90

Truth is the checkpoint in `out`: a repeated run goes on from it, with more minutes, too. Losses
and samples over time are in training.html there.
"""

from __future__ import annotations

import time
from typing import Any, cast
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from glassplate.codecs.training.callbacks import Callbacks, Step
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import METRICS, read_metrics
from glassplate.codecs.training.train import train_model
from glassplate.flows.options.signature import as_flow
from glassplate.flows.options.training import check_budget
from glassplate.flows.reports.training import write_training_report
from glassplate.flows.terminal.wording import step_text, validation_row, validation_text

PROGRESS_INTERVAL = 5.0
"""Seconds between updates of the progress artifact."""


def _train_codec(config: TrainConfig) -> str:
    """Train a codec on a collection, or go on training it; parameters as in `TrainConfig`.

    Returns the weight file, for the parameter `weights` of compress-archive. The flow run fails
    with ConfigError, InputError or WeightsError where the parameters, pictures or weights are bad.
    """
    check_budget(config)
    return train(config)


train_codec = flow(name="train-codec")(as_flow(TrainConfig, _train_codec))


@task(cache_policy=NO_CACHE)
def train(config: TrainConfig) -> str:
    """Train to the end of the budget and export; progress and R-D table are artifacts."""
    weights = train_model(config, _callbacks(config))
    get_run_logger().info("wrote %s", weights)
    return str(weights)


def _callbacks(config: TrainConfig) -> Callbacks:
    artifact = cast(UUID, create_progress_artifact(progress=0.0, key="train-progress"))
    logger = get_run_logger()
    last = time.monotonic()

    def on_step(step: Step) -> None:
        nonlocal last
        if time.monotonic() - last < PROGRESS_INTERVAL and step.share < 1:
            return
        last = time.monotonic()
        update_progress_artifact(artifact, progress=100 * step.share, description=step_text(step))

    def on_validation(record: dict[str, Any]) -> None:
        logger.info("%s", validation_text(record))
        create_table_artifact(
            table=[validation_row(one) for one in read_metrics(config.out / METRICS)],
            key="train-validation",
            description=f"{config.kind} {config.size} on held-out crops of {config.source}",
        )
        write_training_report(config)

    return Callbacks(on_step=on_step, on_validation=on_validation)
