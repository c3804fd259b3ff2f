"""Checkpoints that survive being killed: written beside, then moved into place."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from glassplate.codecs.errors import ConfigError, OptionName, WeightsError
from glassplate.codecs.option import options
from glassplate.codecs.training.config import TrainConfig


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
    def load(cls, path: Path, config: TrainConfig) -> Checkpoint:
        """Read without running any code of the file.

        Raises WeightsError if it is not ours, ConfigError if it is of another run than `config`.
        """
        try:
            checkpoint = cls(**torch.load(path, map_location="cpu", weights_only=True))
            if (kind := checkpoint.config["kind"]) != config.kind:
                raise ConfigError(
                    f"holds a run of `glassplate train {kind}`, not of {config.kind}",
                    "Give --out another folder.",
                    f"--out {path.parent}",
                )
            begun = type(config).model_validate(checkpoint.config)
        except (
            pickle.UnpicklingError, RuntimeError, TypeError, EOFError, KeyError, ValidationError,
        ) as error:  # fmt: skip
            raise WeightsError(
                "not a checkpoint of ours, or damaged",
                "Start a new run in an empty folder.",
                str(path),
            ) from error
        for field, option in options(type(config)).items():
            if not option.fixed:
                continue
            old, new = getattr(begun, field), getattr(config, field)
            if old != new:
                raise ConfigError(
                    f"the run in {path.parent} was begun with {old or 'none'}, not {new or 'none'}",
                    "Leave that as it was, or give an empty folder.",
                    OptionName(option.name or field),
                )
        return checkpoint
