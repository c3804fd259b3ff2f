"""What a training run is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from glassplate.codecs.base import Device, resolve_device
from glassplate.codecs.option import Option
from glassplate.codecs.training.trainers import TRAINERS

BATCH = {"cpu": 16, "cuda": 64}
"""Crops a step: what two cores do in half a second, and what keeps a GPU busy."""
LARGEST_CROP = 512
LEARNING_RATE = 8e-4
TUNING_RATE = 5e-5
"""From trained weights: a high rate would first undo what they know; tests/benchmarks/tuning.py."""


def _absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).absolute())


Url = Annotated[str, BeforeValidator(str), AfterValidator(_absolute)]
"""An fsspec URL, or an absolute path: a run is resumed from anywhere."""


class TrainConfig(BaseModel):
    """Options shared by every model that is trained here.

    kind: See `trainers.TRAINERS`. size: Of the model, as its trainer names them; without one, the
        one for a CPU.
    source: Pictures: a directory, a glob, tar or Parquet files; any fsspec URL.
    out: Local folder for crops, checkpoint, the log of metrics and the exported weights.
    start: Weights to fine-tune, a file or its folder; None: start from a block transform.
    licence: Licence of the pictures, for the model card.
    max_crops: Kept of the source at most, sampled evenly; each is up to 0.8 MB on disk.
    steps, minutes: Whichever is reached first ends the run.
    batch, crop: Pixels per step are batch * crop^2, also in the late part, which has larger crops.
        Without a batch: as suits the device.
    late_from: Share of the run after which crops are `late_crop` wide and symbols are rounded.
    learning_rate: The peak. Without one: high for a fresh model, lower for fine-tuning.
    momentum: Momentum of the optimiser.
    average: Decay of the moving average that is exported, once the run is old enough for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: Annotated[
        Url,
        Option(
            "Pictures: a directory, a glob, tar or Parquet files of them; any fsspec URL.",
            name="data",
            metavar="URL",
            fixed=True,
        ),
    ]
    out: Annotated[Path, Option("Where checkpoint, log, weights and model card go.", metavar="DIR")]
    kind: Annotated[str, Option("What is trained.", metavar="NAME", fixed=True)] = "hyperprior"
    size: Annotated[
        str,
        Option(
            "Size of the model. Default: one for a CPU.", metavar="NAME", depends=True, fixed=True
        ),
    ] = ""
    minutes: Annotated[
        float | None,
        Option("Train this long, with earlier runs; export adds to it."),
        Field(gt=0),
    ] = None
    steps: Annotated[
        int | None, Option("Or so many steps; the first to be reached ends."), Field(gt=0)
    ] = None
    start: Annotated[
        Literal["shipped"] | Path | None,
        Option(
            "Fine-tune these weights, a file or its folder, or `shipped`.",
            metavar="WEIGHTS",
            fixed=True,
        ),
    ] = None
    batch: Annotated[
        int, Option("Crops a step. Default: as suits the device.", depends=True), Field(gt=0)
    ] = BATCH["cpu"]
    crop: Annotated[
        int,
        Option("Side of the crops in pixels."),
        Field(gt=0, le=LARGEST_CROP, multiple_of=64),
    ] = 128
    late_crop: int = Field(default=256, gt=0, le=LARGEST_CROP, multiple_of=64)
    late_from: float = Field(default=0.75, ge=0, le=1)
    learning_rate: Annotated[
        float, Option("At its peak. Default: lower with --start.", depends=True), Field(gt=0)
    ] = LEARNING_RATE
    momentum: float = Field(default=0.9, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    half: bool = True
    max_crops: Annotated[
        int,
        Option("Take at most so many parts of the pictures, 0.8 MB each on disk.", fixed=True),
        Field(ge=64),
    ] = 10_000
    licence: Annotated[str, Option("Licence of the pictures; goes onto the model card.")] = ""
    seed: Annotated[int, Option("Seed of all random choices.", fixed=True)] = 0
    device: Annotated[Device, Option("Where it runs; cuda without a GPU is an error.")] = "auto"
    checkpoint_minutes: float = Field(default=3, gt=0)
    validate_minutes: float = Field(default=5, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _suit(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Defaults that depend on other options. Raises DeviceError."""
        given = {name: value for name, value in fields.items() if value is not None}
        kind = given.get("kind", cls.model_fields["kind"].default)
        own: dict[str, Any] = {"learning_rate": LEARNING_RATE}
        if kind in TRAINERS:
            own |= {"size": TRAINERS[kind].size, **TRAINERS[kind].defaults}
        if "start" in given:
            own["learning_rate"] = TUNING_RATE
        given = own | given
        if "batch" not in given:
            given["batch"] = BATCH[resolve_device(given.get("device", "auto"))]
        return given
