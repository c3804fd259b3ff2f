"""Refiners' weight files: safetensors, large tensors in float16, all else in the metadata.

A refiner belongs to the very weights of the codec that it was trained on, and says which those are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glassplate.codecs.base import CodecSpec
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.refine.network import ModelConfig, ResidualModel
from glassplate.codecs.refine.options import Kind
from glassplate.codecs.refine.schedule import ShiftedCosine
from glassplate.codecs.weight_file import (
    SHIPPED,
    WeightFile,
    loader,
    save_weights,
    shipped_or_given,
)

FORMAT = 1
_OF_THE_SHIPPED = (
    "Shipped refiners are for pictures of --codec-option tune=psnr, not of tune=eye: compress with "
    "that. Or: "
)


@dataclass(frozen=True)
class About:
    """What a weight file says of itself.

    codec, codec_weights: Name of the codec, and sha256 of its weights, that it refines.
    schedule: Schedule of diffusion; others do not use it.
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
                (_OF_THE_SHIPPED if path.parent == SHIPPED else "") + how_to_train(kind),
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
    path = shipped_or_given(weights, f"refiner-{kind}.safetensors")
    if not path.is_file():
        what = "none are shipped" if weights is None else f"there is no {path}"
        raise WeightsError(
            f"needs weights for {spec.name} with weights {spec.weights_sha256}; {what}",
            how_to_train(kind),
            f"refiner {kind}",
        )
    return path


@loader
def load(file: WeightFile) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    described = json.loads(file.metadata.get("refiner", "{}"))
    if described.pop("format", None) != FORMAT:
        raise WeightsError("not a weight file of a refiner", "Train one.", str(file.path))
    tensors = file.floats()
    model = ResidualModel(ModelConfig.from_dict(described.pop("model")), len(tensors["spread"]))
    model.load_state_dict(tensors)
    schedule = ShiftedCosine(**described.pop("schedule"))
    return Weights(file.sha256, model.eval(), About(**described, schedule=schedule))


def save(path: Path, model: ResidualModel, about: About) -> str:
    """Write a weight file; returns its sha256."""
    described: dict[str, Any] = {"format": FORMAT, "model": model.net.config.to_dict()}
    described |= asdict(about)
    metadata = {"refiner": json.dumps(described, sort_keys=True)}
    return save_weights(path, model.state_dict(), metadata)
