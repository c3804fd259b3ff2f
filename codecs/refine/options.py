"""What a user asks of a refiner; ranges are checked here, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from glassplate.codecs.option import Option

Kind = Literal["flow", "diffusion", "gan"]

MAX_STEPS = 1000
SHIFT, MAX_NOISE = 0.1, 100.0
"""Constants of diffusion's schedule, unless asked for otherwise; see `ShiftedCosine`."""

SAMPLERS: dict[Kind, dict[str, int]] = {
    "flow": {"flow": 4, "noise-flow": 25},
    "diffusion": {"ddim": 25, "ddpm": 25},
    "gan": {"one-step": 1},
}
"""Samplers of each kind with their usual steps; the first is the default."""


class RefineOptions(BaseModel):
    """How pictures are refined. Raises ValueError for what is out of range.

    kind: Kind of refiner. sampler: See `SAMPLERS`; `flow` starts around the reconstruction,
        `noise-flow` from pure noise.
    steps: Evaluations of the network, 1 to 1000; a GAN has one.
    strength: 0 gives the plain decode, 1 the refined picture, between them a blend.
    seed: Another seed invents other detail.
    weights: A weight file or its folder; None: the shipped ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[
        Kind,
        Option(
            "Let a model put likely detail into the picture, labelled in the file's XMP.",
            name="refine",
            metavar="flow|diffusion|gan|none",
            switch=True,
        ),
    ]
    sampler: Annotated[
        str,
        Option(
            "flow: flow or noise-flow; diffusion: ddim or ddpm.",
            metavar="NAME",
            depends=True,
        ),
    ] = ""
    steps: Annotated[
        int,
        Option("Steps of the refiner: 4 for flow, 25 for diffusion, 1 for gan.", depends=True),
        Field(ge=1, le=MAX_STEPS),
    ] = 0
    strength: Annotated[
        float,
        Option("From 0, the plain picture, to 1, all of the detail."),
        Field(ge=0, le=1, allow_inf_nan=False),
    ] = 1.0
    seed: Annotated[int, Option("Another one invents other detail."), Field(ge=0, lt=1 << 64)] = 0
    weights: Annotated[
        Path | None,
        Option(
            "Weights of the refiner, a file or its folder; default: the shipped ones.",
            name="refiner_weights",
            metavar="FILE",
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _suit(cls, fields: dict[str, object]) -> dict[str, object]:
        """Defaults that depend on the kind."""
        given = {name: value for name, value in fields.items() if value is not None}
        samplers = SAMPLERS.get(given.get("kind"), {})  # type: ignore[call-overload]
        given.setdefault("sampler", next(iter(samplers), ""))
        given.setdefault("steps", samplers.get(given["sampler"], 1))
        return given

    @field_validator("sampler")
    @classmethod
    def _known(cls, sampler: str, others: ValidationInfo) -> str:
        kind = others.data.get("kind")
        if kind and sampler not in SAMPLERS[kind]:
            raise ValueError(f"{kind} has the samplers {', '.join(SAMPLERS[kind])}")
        return sampler

    @field_validator("steps")
    @classmethod
    def _fitting(cls, steps: int, others: ValidationInfo) -> int:
        if others.data.get("kind") == "gan" and steps != 1:
            raise ValueError("a gan has one step")
        return steps
