"""What a training run of `hyperprior` is asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from glassplate.codecs.base import resolve_device
from glassplate.codecs.option import Option
from glassplate.codecs.training.config import BATCH, LARGEST_CROP, TrainConfig

if TYPE_CHECKING:
    from glassplate.codecs.hyperprior.training.objective import Mix

CROP_FOR_THE_EYE = 256


class HyperpriorTrainConfig(TrainConfig):
    """As `TrainConfig`, and what the distortion is made of.

    ms_ssim, ssimulacra2: Shares, see `Mix`; with either, crops are large from the first step, the
        shipped weights are those for the eye, and trained ones are tuned by rounded symbols alone.
    """

    ms_ssim: Annotated[
        float,
        Option("Share of MS-SSIM in what is lost, 0.3 say; 0 to 1.", fixed=True),
        Field(ge=0, le=1),
    ] = 0.0
    ssimulacra2: Annotated[
        float,
        Option("Share of SSIMULACRA2; squared errors are the rest.", fixed=True),
        Field(ge=0, le=1),
    ] = 0.0
    crop: Annotated[
        int,
        Option("Side of the crops in pixels: 128, or 256 for the eye.", depends=True),
        Field(gt=0, le=LARGEST_CROP, multiple_of=64),
    ] = 128

    @model_validator(mode="before")
    @classmethod
    def _for_the_eye(cls, fields: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in fields.items() if value is not None}
        if not (given.get("ms_ssim") or given.get("ssimulacra2")):
            return given
        own: dict[str, Any] = {"crop": CROP_FOR_THE_EYE}
        if "batch" not in given and resolve_device(given.get("device", "auto")) == "cpu":
            own["batch"] = BATCH["cpu"] // 4  # as many pixels a step
        if "start" in given:
            own["late_from"] = 0.0
        return own | given

    @field_validator("ms_ssim")
    @classmethod
    def _fits_crops(cls, share: float, fields: ValidationInfo) -> float:
        from glassplate.codecs.measures.similarity import SMALLEST  # torch

        if share and min(fields.data.get("crop", 0), fields.data.get("late_crop", 0)) < SMALLEST:
            raise ValueError(f"MS-SSIM needs crops of at least {SMALLEST} pixels")
        return share

    @field_validator("ssimulacra2")
    @classmethod
    def _leaves_the_rest(cls, share: float, fields: ValidationInfo) -> float:
        if share + fields.data.get("ms_ssim", 0) > 1:
            raise ValueError("with the share of MS-SSIM more than 1")
        return share

    @property
    def mix(self) -> Mix:
        """What the distortion is made of."""
        from glassplate.codecs.hyperprior.training.objective import Mix  # torch

        return Mix(self.ms_ssim, self.ssimulacra2)
