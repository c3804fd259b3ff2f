"""The weight file of a generator: its tensors, and in the metadata how it is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from glassplate.codecs.gan.model import Generator, ModelConfig
from glassplate.codecs.weight_file import WeightFile, loader, save_weights


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    generator: Generator


def find(weights: Path) -> Path | None:
    """The weight file: a file called gan-..., or the first such one in a folder; None without."""
    files = sorted(weights.glob("gan-*.safetensors")) if weights.is_dir() else [weights]
    return next((file for file in files if file.name.startswith("gan-")), None)


@loader
def load(file: WeightFile) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    generator = Generator(ModelConfig(**json.loads(file.metadata.get("gan", "null"))))
    generator.load_state_dict(file.floats())
    return Weights(file.sha256, generator.eval())


def save(path: Path, generator: Generator) -> str:
    """Write a weight file, tensors in float16; returns its sha256."""
    described = json.dumps(generator.config.to_dict(), sort_keys=True)
    return save_weights(path, generator.state_dict(), {"gan": described}, half_from=1)
