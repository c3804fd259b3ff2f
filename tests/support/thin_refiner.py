"""A codec and refiners for it that are small enough to build, run and train in a test."""

from __future__ import annotations

from pathlib import Path

import torch
from thin_model import THIN

from glassplate.codecs import Pixels
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.training.calibrate import calibrate
from glassplate.codecs.hyperprior.training.warm_start import warm_start
from glassplate.codecs.hyperprior.weights import load, save
from glassplate.codecs.refine import weights as refiner_weights
from glassplate.codecs.refine.network import ModelConfig, ResidualModel
from glassplate.codecs.refine.options import Kind
from glassplate.codecs.refine.schedule import ShiftedCosine

THIN_REFINER = ModelConfig((8, 8, 8), (1, 1, 1), embedding=8, frequencies=2)


def write_codec(path: Path, photo: Pixels) -> Path:
    """Weights of a thin `hyperprior`, started from one photograph."""
    torch.manual_seed(0)
    model = Hyperprior(THIN)
    crop = torch.from_numpy(photo[:256, :256]).permute(2, 0, 1)[None] / 255
    warm_start(model, crop)
    save(path, model.eval(), *calibrate(model, crop.expand(5, -1, -1, -1), rounds=1))
    return path


def write_refiner(path: Path, codec: Path, kind: Kind = "flow") -> Path:
    """Weights of a refiner for a codec's, at random: it changes pictures, and improves none."""
    torch.manual_seed(1)
    model = ResidualModel(THIN_REFINER)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        model.net.tail.weight *= 0.2
        model.spread[..., 0] = torch.linspace(-2, -4, len(model.spread))[:, None]
        model.spread[..., 1] = 0.5
    about = refiner_weights.About(kind, "hyperprior", load(codec).sha256, ShiftedCosine())
    refiner_weights.save(path, model, about)
    return path
