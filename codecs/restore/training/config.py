"""What a restorer's training run is asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

from glassplate.codecs.option import Option
from glassplate.codecs.restore.options import Task
from glassplate.codecs.training.config import TrainConfig


class RestorerTrainConfig(TrainConfig):
    """As `TrainConfig`.

    task: What is learned. noise: The kind that a denoiser learns.
    """

    kind: str = "restorer"
    task: Annotated[Task, Option("What it learns.", fixed=True)] = "denoise"
    noise: Annotated[
        Literal["all", "gaussian", "missing", "jpeg"],
        Option(
            "Noise that a denoiser learns: all at once, told by the picture alone, or one.",
            fixed=True,
        ),
    ] = "all"
