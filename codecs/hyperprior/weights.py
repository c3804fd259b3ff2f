"""Weight files: safetensors that hold the networks, the integer scale net, and all tables.

float tensors: the networks (large ones as float16); `scales.*`: integers; `tables.*`: integers.
The metadata hold the model's shape. Nothing in a weight file is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.hyperprior.network.model import Hyperprior, ModelConfig
from glassplate.codecs.hyperprior.network.scale_net import (
    ACTIVATION_UNIT,
    WEIGHT_UNIT,
    IntegerConv,
    ScaleNet,
)
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet
from glassplate.codecs.hyperprior.parsing.tables import FrequencyTable, split
from glassplate.codecs.hyperprior.parsing.tile_coder import EntropyCoder
from glassplate.codecs.weight_file import WeightFile, find_size, loader, save_weights

FORMAT = "1"
INTEGERS = "scales."
Tune: TypeAlias = Literal["psnr", "eye"]
"""What weights were trained for: squared errors, or a mix that MS-SSIM and SSIMULACRA2 are in."""


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    model: Hyperprior
    coder: EntropyCoder


def find(weights: Path | None, size: str, tune: Tune = "psnr") -> Path:
    """The weight file: the shipped one, a file, or the one in a folder. Raises WeightsError."""
    return find_size("hyperprior", weights, size if tune == "psnr" else f"{size}-{tune}")


@loader
def load(file: WeightFile) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    if file.metadata.get("format") != FORMAT:
        raise WeightsError("not a weight file of this codec", "Train or fetch one.", str(file.path))
    return _build(ModelConfig(**json.loads(file.metadata["model"])), file.tensors, file.sha256)


def save(path: Path, model: Hyperprior, y_tables: Tables, z_tables: list[Tables]) -> str:
    """Write a weight file; returns its sha256.

    Args:
        y_tables: One table for each scale index.
        z_tables: For each rate node, one table for each channel of z.
    """
    tensors = {k: v for k, v in model.state_dict().items() if not k.startswith(INTEGERS)}
    tensors |= {INTEGERS + k: torch.from_numpy(v) for k, v in integer_arrays(model.scales).items()}
    flat_z = [table for node in z_tables for table in node]
    for name, tables in (("y", y_tables), ("z", flat_z)):
        tensors[f"tables.{name}"] = torch.from_numpy(np.concatenate(tables))
        tensors[f"tables.{name}.sizes"] = torch.tensor([len(t) for t in tables], dtype=torch.int32)
    metadata = {"format": FORMAT, "model": json.dumps(model.config.to_dict(), sort_keys=True)}
    return save_weights(path, tensors, metadata)


Tables = list[npt.NDArray[np.int32]]


@torch.no_grad()
def integer_arrays(scales: ScaleNet) -> dict[str, npt.NDArray[np.int32]]:
    """The scale net's parameters as the integers that it computes with."""
    unit = WEIGHT_UNIT * ACTIVATION_UNIT
    arrays = {
        "step_bias": torch.floor(scales.step_bias * unit + 0.5),
        "rate_bias": torch.floor(scales.rate_bias * unit + 0.5),
    }
    for name, layer in scales.named_children():
        assert isinstance(layer, IntegerConv)
        arrays[f"{name}.weight"] = layer.integer_weight()
        arrays[f"{name}.bias"] = layer.integer_bias()
    return {name: value.numpy().astype(np.int32) for name, value in arrays.items()}


def _build(config: ModelConfig, tensors: Mapping[str, Tensor], sha256: str) -> Weights:
    """Raises RuntimeError (shapes), KeyError (missing tensors)."""
    floats = {
        name: value.float()
        for name, value in tensors.items()
        if not name.startswith((INTEGERS, "tables."))
    }
    integers = {
        name.removeprefix(INTEGERS): value.numpy()
        for name, value in tensors.items()
        if name.startswith(INTEGERS)
    }
    model = Hyperprior(config)
    masters = {INTEGERS + k: torch.from_numpy(v) for k, v in _masters(integers).items()}
    model.load_state_dict(floats | masters)
    coder = EntropyCoder(
        IntegerScaleNet(integers),
        _tables(tensors, "y"),
        [
            _tables(tensors, "z")[i : i + config.z]
            for i in range(0, config.nodes * config.z, config.z)
        ],
    )
    return Weights(sha256, model.eval(), coder)


def _masters(integers: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """Float parameters that give these integers, so that training can go on from a weight file."""
    return {
        name: (
            value / (WEIGHT_UNIT if name.endswith(".weight") else WEIGHT_UNIT * ACTIVATION_UNIT)
        ).astype(np.float32)
        for name, value in integers.items()
    }


def _tables(tensors: Mapping[str, Tensor], name: str) -> list[FrequencyTable]:
    sizes = tensors[f"tables.{name}.sizes"].tolist()
    return split(tensors[f"tables.{name}"].numpy(), sizes)
