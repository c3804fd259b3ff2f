"""What a user asks of restoration; checked here, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from glassplate.codecs.option import Option

Task = Literal["denoise", "upscale"]
Scale = Literal[2, 4]


class RestoreOptions(BaseModel):
    """How pictures are restored.

    denoise: Noise, missing pixels and JPEG artefacts are taken out, unless there is a scale.
    scale: 2 or 4: the picture is enlarged, and detail put in.
    weights: A weight file or its folder; None: the shipped ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    denoise: Annotated[
        bool,
        Option(
            "Take out Gaussian noise, missing pixels or JPEG artefacts; labelled.",
            depends=True,
            switch=True,
        ),
    ] = True
    scale: Annotated[
        Scale | None,
        Option(
            "Enlarge, and let a model put likely detail in; labelled in the file's XMP.",
            name="upscale",
            switch=True,
        ),
    ] = None
    weights: Annotated[
        Path | None,
        Option(
            "Weights of the restorer, a file or its folder; default: the shipped ones.",
            name="restorer_weights",
            metavar="FILE",
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _one_at_a_time(cls, fields: dict[str, Any]) -> dict[str, Any]:
        scaled = fields.get("scale") is not None
        if scaled and fields.get("denoise"):
            raise ValueError("one at a time: denoise first, then upscale what comes out")
        return {**fields, "denoise": not scaled}

    @property
    def task(self) -> Task:
        """Which of the two networks it takes."""
        return "upscale" if self.scale else "denoise"
