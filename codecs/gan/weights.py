"""The weight file of a generator: its tensors, and in the metadata how it is built."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.gan.model import Generator, ModelConfig


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    generator: Generator


def find(weights: Path) -> Path | None:
    """The weight file: a file called gan-..., or the first such one in a folder; None without."""
    files = sorted(weights.glob("gan-*.safetensors")) if weights.is_dir() else [weights]
    return next((file for file in files if file.name.startswith("gan-")), None)


def load(path: Path) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("gan", "null"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        generator = Generator(ModelConfig(**described))
        generator.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"not sound ({error})", "Train others.", str(path)) from error
    if not all(torch.isfinite(value).all() for value in tensors.values()):
        raise WeightsError("not finite", "Use sound weights.", str(path))
    return Weights(sha256, generator.eval())


def save(path: Path, generator: Generator) -> str:
    """Write a weight file, tensors in float16; returns its sha256."""
    tensors = {name: value.half().contiguous() for name, value in generator.state_dict().items()}
    save_file(tensors, path, {"gan": json.dumps(generator.config.to_dict(), sort_keys=True)})
    return hashlib.sha256(path.read_bytes()).hexdigest()
