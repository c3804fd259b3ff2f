"""Restorers' weight files: safetensors, large tensors in float16, all else in the metadata."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.restore.network import ModelConfig, RestorationNet
from glassplate.codecs.restore.options import Task

FORMAT = 1
HALF_FROM = 4096
"""Tensors with at least as many values are stored as float16."""
SHIPPED = Path(__file__).parent.parent / "weights"


class Weights(NamedTuple):
    """A weight file, read and checked."""

    sha256: str
    model: RestorationNet
    task: Task


def file_name(task: Task) -> str:
    """Of a weight file in its folder."""
    return f"restorer-{task}.safetensors"


def find(weights: Path | None, task: Task) -> Path:
    """The weight file: the shipped one, a file, or the one in a folder. Raises WeightsError."""
    folder = SHIPPED if weights is None else weights
    path = folder / file_name(task) if folder.is_dir() else folder
    if not path.is_file():
        raise WeightsError("no such weights", how_to_train(task), str(path))
    return path


def how_to_train(task: Task) -> str:
    """The fix for weights that are not there."""
    return f"Train some: glassplate train restorer --task {task}"


def load(path: Path, task: Task) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one for this task."""
    weights = _load(path, hashlib.sha256(path.read_bytes()).hexdigest())
    if weights.task != task:
        raise WeightsError(f"are weights to {weights.task}, not to {task}", "", str(path))
    return weights


@cache
def _load(path: Path, sha256: str) -> Weights:
    """Once per content: sha256 is part of the key."""
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("restorer", "{}"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if described.get("format") != FORMAT:
            raise WeightsError("not a weight file of a restorer", "Train one.", str(path))
        for name, value in tensors.items():
            if not torch.isfinite(value).all():
                raise WeightsError(f"{name} is not finite", "Use sound weights.", str(path))
        model = RestorationNet(ModelConfig.from_dict(described["model"]))
        model.load_state_dict(tensors)
        return Weights(sha256, model.eval(), described["task"])
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        raise WeightsError(f"not sound ({error})", "Train others.", str(path)) from error


def save(path: Path, model: RestorationNet, task: Task, noise: str) -> str:
    """Write a weight file; returns its sha256. noise: What a denoiser was trained on."""
    tensors = {
        name: (value.half() if value.numel() >= HALF_FROM else value).contiguous()
        for name, value in model.state_dict().items()
    }
    described: dict[str, Any] = {"format": FORMAT, "task": task, "model": model.config.to_dict()}
    if task == "denoise":
        described["noise"] = noise
    save_file(tensors, path, {"restorer": json.dumps(described, sort_keys=True)})
    return hashlib.sha256(path.read_bytes()).hexdigest()
