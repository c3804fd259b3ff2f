"""What a user asks of restoration; checked here, once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Task = Literal["denoise", "upscale"]
Scale = Literal[2, 4]


class RestoreOptions(BaseModel):
    """How pictures are restored.

    scale: None: noise, missing pixels and JPEG artefacts are taken out; 2 or 4: the picture is
        enlarged, and detail put in.
    weights: A weight file or its folder; None: the shipped ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Scale | None = None
    weights: Path | None = None

    @property
    def task(self) -> Task:
        """Which of the two networks it takes."""
        return "upscale" if self.scale else "denoise"
