"""A restorer that is small enough to build, run and train in a test."""

from __future__ import annotations

from pathlib import Path

import torch

from glassplate.codecs.restore.network import ModelConfig, RestorationNet
from glassplate.codecs.restore.options import Task
from glassplate.codecs.restore.weights import file_name, save

THIN_RESTORER = ModelConfig((8, 8, 8), (1, 1, 1))


def thin_restorer(strength: float = 0.02) -> RestorationNet:
    """At random: it changes pictures, and improves none."""
    torch.manual_seed(1)
    model = RestorationNet(THIN_RESTORER)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(strength * torch.randn_like(parameter))
    return model.eval()


def write_restorer(folder: Path, task: Task) -> Path:
    """Its weight file."""
    path = folder / file_name(task)
    save(path, thin_restorer(), task, "all")
    return path
