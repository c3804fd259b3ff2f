"""The Prefect flow `train-refiner`: train a refiner for the pictures of a codec.

    prefect deployment run train-refiner/train-refiner --watch \\
        --param data=/data/photos --param out=/data/refiners --param minutes=60

Truth is the checkpoint in `out`: a repeated run goes on from it, with more minutes, too.
"""

from __future__ import annotations

from prefect import flow

from glassplate.codecs.refine.training.config import RefinerTrainConfig
from glassplate.flows.options.signature import as_flow
from glassplate.flows.options.training import check_budget
from glassplate.flows.scheduled.train import train


def _train_refiner(config: RefinerTrainConfig) -> str:
    """Train a refiner, or go on training it; parameters as in `RefinerTrainConfig`.

    Returns the weight file, for the parameter `refiner_weights` of retrieve-images. The run fails
    with ConfigError, InputError or WeightsError where parameters, pictures or weights are bad.
    """
    check_budget(config)
    return train(config)


train_refiner = flow(name="train-refiner")(
    as_flow(RefinerTrainConfig, _train_refiner, kind="refiner")
)
