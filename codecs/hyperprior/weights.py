"""Weight files: safetensors that hold the networks, the integer scale net, and all tables.

float tensors: the networks (large ones as float16); `scales.*`: integers; `tables.*`: integers.
The metadata hold the model's shape. Nothing in a weight file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.hyperprior.network.model import Hyperprior, ModelConfig
from glassplate.codecs.hyperprior.network.scale_net import (
    ACTIVATION_UNIT,
    WEIGHT_UNIT,
    IntegerConv,
    ScaleNet,
)
from glassplate.codecs.hyperprior.parsing.entropy import EntropyCoder
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet
from glassplate.codecs.hyperprior.parsing.tables import FrequencyTable, split

FORMAT = "1"
HALF_FROM = 4096
"""Tensors with at least as many values are stored as float16."""
SHIPPED = Path(__file__).parent.parent / "weights"
INTEGERS = "scales."


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    model: Hyperprior
    coder: EntropyCoder


def find(weights: Path | None, size: str) -> Path:
    """The weight file: the shipped one, a file, or the one in a folder. Raises WeightsError."""
    folder = SHIPPED if weights is None else weights
    path = folder / f"hyperprior-{size}.safetensors" if folder.is_dir() else folder
    if not path.is_file():
        raise WeightsError(
            f"no weights of size {size!r}",
            "Choose a size that is shipped, or name a weight file or its folder.",
            str(path),
        )
    return path


def load(path: Path) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return _load(path, sha256)


@cache
def _load(path: Path, sha256: str) -> Weights:
    """Once per content: sha256 is part of the key."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise WeightsError("not a weight file of this codec", "Train or fetch one.", str(path))
        return _build(ModelConfig(**json.loads(metadata["model"])), tensors, sha256)
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        raise WeightsError(f"not sound ({error})", "Train or fetch others.", str(path)) from error


def save(path: Path, model: Hyperprior, y_tables: Tables, z_tables: list[Tables]) -> str:
    """Write a weight file; returns its sha256.

    Args:
        y_tables: One table for each scale index.
        z_tables: For each rate node, one table for each channel of z.
    """
    tensors = {
        name: value.half() if value.numel() >= HALF_FROM else value
        for name, value in model.state_dict().items()
        if not name.startswith(INTEGERS)
    }
    tensors |= {INTEGERS + k: torch.from_numpy(v) for k, v in integer_arrays(model.scales).items()}
    flat_z = [table for node in z_tables for table in node]
    for name, tables in (("y", y_tables), ("z", flat_z)):
        tensors[f"tables.{name}"] = torch.from_numpy(np.concatenate(tables))
        tensors[f"tables.{name}.sizes"] = torch.tensor([len(t) for t in tables], dtype=torch.int32)
    metadata = {"format": FORMAT, "model": json.dumps(model.config.to_dict(), sort_keys=True)}
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata)
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    """Raises WeightsError, RuntimeError (shapes), KeyError (missing tensors)."""
    floats = {
        name: value.float()
        for name, value in tensors.items()
        if not name.startswith((INTEGERS, "tables."))
    }
    for name, value in floats.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{name} is not finite", "Use sound weights.")
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
