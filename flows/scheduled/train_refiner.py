"""The Prefect flow `train-refiner`: train a refiner for the pictures of a codec.

    prefect deployment run train-refiner/train-refiner --watch \\
        --param data=/data/photos --param out=/data/refiners --param minutes=60

Truth is the checkpoint in `out`: a repeated run goes on from it, with more minutes, too.
"""

from __future__ import annotations

from prefect import flow

from glassplate.flows.options.common import refiner_config
from glassplate.flows.scheduled.train import train


@flow(name="train-refiner")
def train_refiner(
    data: str,
    out: str,
    kind: str = "flow",
    codec_weights: str | None = None,
    shift: float | None = None,
    max_noise: float | None = None,
    perceptual: float | None = None,
    size: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    start: str | None = None,
    batch: int | None = None,
    crop: int = 128,
    learning_rate: float | None = None,
    max_crops: int = 10_000,
    licence: str = "",
    seed: int = 0,
    device: str = "auto",
) -> str:
    """Train a refiner, or go on training it; parameters as in `RefinerTrainConfig`.

    Returns the weight file, for the parameter `refiner_weights` of retrieve-images. The run fails
    with ConfigError, InputError or WeightsError where parameters, pictures or weights are bad.
    """
    config = refiner_config(
        source=data,
        out=out,
        refiner=kind,
        codec_weights=codec_weights,
        shift=shift,
        max_noise=max_noise,
        perceptual=perceptual,
        size=size,
        minutes=minutes,
        steps=steps,
        start=start,
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        max_crops=max_crops,
        licence=licence,
        seed=seed,
        device=device,
    )
    return train(config)
