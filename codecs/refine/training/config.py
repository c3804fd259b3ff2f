"""What a refiner's training run is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from glassplate.codecs.option import Option
from glassplate.codecs.refine.options import MAX_NOISE, SHIFT, Kind
from glassplate.codecs.training.config import TrainConfig


class RefinerTrainConfig(TrainConfig):
    """As `TrainConfig`.

    refiner: Kind of refiner.
    codec_weights: Weights of the codec to refine, a file or its folder; None: the shipped ones.
    shift, max_noise: Of diffusion's schedule; see `ShiftedCosine`.
    perceptual: Weight of ST-LPIPS after a flow's few steps; 0: the flow's own regression alone.
    """

    kind: str = "refiner"
    refiner: Annotated[Kind, Option("Kind of refiner.", name="kind", fixed=True)] = "flow"
    codec_weights: Annotated[
        Path | None,
        Option(
            "The weights of hyperprior whose pictures are to be refined; default: shipped.",
            metavar="FILE",
            fixed=True,
        ),
    ] = None
    shift: Annotated[
        float,
        Option("Shift of diffusion's schedule: below 1, less noise.", fixed=True),
        Field(gt=0, le=10),
    ] = SHIFT
    max_noise: Annotated[
        float, Option("Highest noise level of diffusion.", fixed=True), Field(gt=0, le=1e4)
    ] = MAX_NOISE
    perceptual: Annotated[
        float,
        Option(
            "Weight of ST-LPIPS after a flow's few steps, 8 say; wants the extra perceptual.",
            fixed=True,
        ),
        Field(ge=0, le=1e4),
    ] = 0.0
