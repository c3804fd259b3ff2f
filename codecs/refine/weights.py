"""Refiners' weight files: safetensors, large tensors in float16, all else in the metadata.

A refiner belongs to the very weights of the codec that it was trained on, and says which those are.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from glassplate.codecs.base import CodecSpec
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.refine.network import ModelConfig, ResidualModel
from glassplate.codecs.refine.options import Kind
from glassplate.codecs.refine.schedule import ShiftedCosine

FORMAT = 1
HALF_FROM = 4096
"""Tensors with at least as many values are stored as float16."""
SHIPPED = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class About:
    """What a weight file says of itself.

    codec, codec_weights: Name of the codec, and sha256 of its weights, that it refines.
    schedule: Of diffusion; others do not use it.
    """

    kind: Kind
    codec: str
    codec_weights: str
    schedule: ShiftedCosine

    def check(self, kind: Kind, spec: CodecSpec, path: Path) -> None:
        """Raises WeightsError if these are weights for something else."""
        if self.kind != kind:
            raise WeightsError(
                f"are weights of kind {self.kind}, not {kind}",
                f"Ask for {self.kind}, or give others.",
                str(path),
            )
        if (self.codec, self.codec_weights) != (spec.name, spec.weights_sha256):
            raise WeightsError(
                f"refines {self.codec} with weights {self.codec_weights}, the picture was encoded "
                f"by {spec.name} with weights {spec.weights_sha256}",
                how_to_train(kind),
                str(path),
            )


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    model: ResidualModel
    about: About


def how_to_train(kind: Kind) -> str:
    """The fix for weights that are not there."""
    return (
        f"Train some on the codec's weights (glassplate train refiner --kind {kind}), and give "
        "them with --refiner-weights."
    )


def find(weights: Path | None, kind: Kind, spec: CodecSpec) -> Path:
    """The weight file: the shipped one, a file, or the one in a folder. Raises WeightsError."""
    folder = SHIPPED if weights is None else weights
    path = folder / f"refiner-{kind}.safetensors" if folder.is_dir() else folder
    if not path.is_file():
        what = "none are shipped" if weights is None else f"there is no {path}"
        raise WeightsError(
            f"needs weights for {spec.name} with weights {spec.weights_sha256}; {what}",
            how_to_train(kind),
            f"refiner {kind}",
        )
    return path


def load(path: Path) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    return _load(path, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def _load(path: Path, sha256: str) -> Weights:
    """Once per content: sha256 is part of the key."""
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("refiner", "{}"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if described.pop("format", None) != FORMAT:
            raise WeightsError("not a weight file of a refiner", "Train one.", str(path))
        model = ResidualModel(ModelConfig.from_dict(described.pop("model")), len(tensors["spread"]))
        for name, value in tensors.items():
            if not torch.isfinite(value).all():
                raise WeightsError(f"{name} is not finite", "Use sound weights.", str(path))
        model.load_state_dict(tensors)
        schedule = ShiftedCosine(**described.pop("schedule"))
        return Weights(sha256, model.eval(), About(**described, schedule=schedule))
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        raise WeightsError(f"not sound ({error})", "Train others.", str(path)) from error


def save(path: Path, model: ResidualModel, about: About) -> str:
    """Write a weight file; returns its sha256."""
    tensors = {
        name: (value.half() if value.numel() >= HALF_FROM else value).contiguous()
        for name, value in model.state_dict().items()
    }
    described: dict[str, Any] = {"format": FORMAT, "model": model.net.config.to_dict()}
    described |= asdict(about)
    save_file(tensors, path, {"refiner": json.dumps(described, sort_keys=True)})
    return hashlib.sha256(path.read_bytes()).hexdigest()
