"""Checkpoints that survive being killed: written beside, then moved into place."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glassplate.codecs.errors import WeightsError


@dataclass
class Checkpoint:
    """Everything needed to go on as if nothing had happened."""

    config: dict[str, Any]
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    step: int
    minutes: float
    rng: Tensor

    def save(self, path: Path) -> None:
        """Write atomically."""
        beside = path.with_name(f".{path.name}.part")
        torch.save(vars(self), beside)
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read without running any code of the file. Raises WeightsError if it is not ours."""
        try:
            return cls(**torch.load(path, map_location="cpu", weights_only=True))
        except (pickle.UnpicklingError, RuntimeError, TypeError, EOFError) as error:
            raise WeightsError(
                f"not a checkpoint: {error}", "Start a new run in an empty folder.", str(path)
            ) from error
