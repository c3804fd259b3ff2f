"""Restorers' weight files: safetensors, large tensors in float16, all else in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.restore.network import ModelConfig, RestorationNet
from glassplate.codecs.restore.options import Task
from glassplate.codecs.weight_file import WeightFile, loader, save_weights, shipped_or_given

FORMAT = 1


class Weights(NamedTuple):
    """A weight file, read and checked."""

    sha256: str
    model: RestorationNet
    task: Task


def file_name(task: Task) -> str:
    """Name of a weight file in its folder."""
    return f"restorer-{task}.safetensors"


def find(weights: Path | None, task: Task) -> Path:
    """The weight file: the shipped one, a file, or the one in a folder. Raises WeightsError."""
    path = shipped_or_given(weights, file_name(task))
    if not path.is_file():
        raise WeightsError("no such weights", how_to_train(task), str(path))
    return path


def how_to_train(task: Task) -> str:
    """The fix for weights that are not there."""
    return f"Train some: glassplate train restorer --task {task}"


def load(path: Path, task: Task) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one for this task."""
    weights = _load(path)
    if weights.task != task:
        raise WeightsError(f"are weights to {weights.task}, not to {task}", "", str(path))
    return weights


@loader
def _load(file: WeightFile) -> Weights:
    described = json.loads(file.metadata.get("restorer", "{}"))
    if described.get("format") != FORMAT:
        raise WeightsError("not a weight file of a restorer", "Train one.", str(file.path))
    model = RestorationNet(ModelConfig.from_dict(described["model"]))
    model.load_state_dict(file.floats())
    return Weights(file.sha256, model.eval(), described["task"])


def save(path: Path, model: RestorationNet, task: Task, noise: str) -> str:
    """Write a weight file; returns its sha256. noise: What a denoiser was trained on."""
    described: dict[str, Any] = {"format": FORMAT, "task": task, "model": model.config.to_dict()}
    if task == "denoise":
        described["noise"] = noise
    metadata = {"restorer": json.dumps(described, sort_keys=True)}
    return save_weights(path, model.state_dict(), metadata)
