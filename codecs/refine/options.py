"""What a user asks of a refiner; ranges are checked here, once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["flow", "diffusion", "gan"]

MAX_STEPS = 1000
SHIFT, MAX_NOISE = 0.1, 100.0
"""Of diffusion's schedule, unless asked for otherwise; see `ShiftedCosine`."""

SAMPLERS: dict[Kind, dict[str, int]] = {
    "flow": {"flow": 4, "noise-flow": 25},
    "diffusion": {"ddim": 25, "ddpm": 25},
    "gan": {"one-step": 1},
}
"""Samplers of each kind with their usual steps; the first is the default."""


class RefineOptions(BaseModel):
    """How pictures are refined. Raises ValueError for what is out of range.

    kind: Which refiner. sampler: See `SAMPLERS`; `flow` starts around the reconstruction,
        `noise-flow` from pure noise.
    steps: Evaluations of the network, 1 to 1000; a GAN has one.
    strength: 0 gives the plain decode, 1 the refined picture, between them a blend.
    seed: Another seed invents other detail.
    weights: A weight file or its folder; None: the shipped ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    sampler: str = ""
    steps: int = Field(default=0, ge=1, le=MAX_STEPS)
    strength: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, lt=1 << 64)
    weights: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _suit(cls, fields: dict[str, object]) -> dict[str, object]:
        """Defaults that depend on the kind."""
        given = {name: value for name, value in fields.items() if value is not None}
        samplers = SAMPLERS.get(given.get("kind"), {})  # type: ignore[call-overload]
        given.setdefault("sampler", next(iter(samplers), ""))
        given.setdefault("steps", samplers.get(given["sampler"], 1))
        return given

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        known = SAMPLERS[self.kind]
        if self.sampler not in known:
            raise ValueError(f"{self.kind} has the samplers {', '.join(known)}")
        if self.kind == "gan" and self.steps != 1:
            raise ValueError("a gan has one step")
        return self
