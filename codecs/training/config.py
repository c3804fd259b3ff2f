"""What a training run is asked to do."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import Device


class TrainConfig(BaseModel):
    """Options shared by every model that is trained here.

    source: A directory, tar or Parquet file of pictures.
    out: Where checkpoints, the log of metrics and the exported weights go.
    start: Weights to fine-tune; None: start from a block transform.
    licence: Of the pictures, for the model card.
    steps, minutes: Whichever is reached first ends the run.
    batch, crop: Pixels per step are batch * crop^2, also in the late part, which has larger crops.
    late_from: Share of the run after which crops are `late_crop` wide and symbols are rounded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path
    out: Path
    size: str = "small"
    start: Path | None = None
    licence: str = ""
    steps: int | None = Field(default=None, gt=0)
    minutes: float | None = Field(default=None, gt=0)
    batch: int = Field(default=16, gt=0)
    crop: int = Field(default=128, gt=0, multiple_of=64)
    late_crop: int = Field(default=256, gt=0, multiple_of=64)
    late_from: float = Field(default=0.75, ge=0, le=1)
    learning_rate: float = Field(default=8e-4, gt=0)
    clip: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    half: bool = True
    device: Device = "auto"
    seed: int = 0
    checkpoint_minutes: float = Field(default=3, gt=0)
    validate_minutes: float = Field(default=5, gt=0)
