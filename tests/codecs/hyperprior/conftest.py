"""A thin model with random weights: everything but compression is as in the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glassplate.codecs import Pixels
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
from glassplate.codecs.hyperprior.network.model import Hyperprior, ModelConfig
from glassplate.codecs.hyperprior.training.calibrate import calibrate
from glassplate.codecs.hyperprior.training.warm_start import warm_start
from glassplate.codecs.hyperprior.weights import save

THIN = ModelConfig(
    spatial=16, hidden=16, y=64, z=8, hyper=16, context=16, scale_hidden=8,
    analysis_blocks=2, synthesis_blocks=3, nodes=5,
)  # fmt: skip


@pytest.fixture(scope="session")
def thin_model(photo: Pixels) -> Hyperprior:
    """Started from one photograph, then disturbed, so that no branch is zero."""
    torch.manual_seed(0)
    model = Hyperprior(THIN)
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    warm_start(model, pixels)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.1 if name.startswith("scales.") else 0.02
            parameter += (
                spread * parameter.abs().mean().clamp(min=0.05) * torch.randn_like(parameter)
            )
    return model.eval()


@pytest.fixture(scope="session")
def thin_weights(
    thin_model: Hyperprior, photo: Pixels, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Its weight file, with tables fitted to the same photograph."""
    path = tmp_path_factory.mktemp("weights") / "hyperprior-small.safetensors"
    crops = torch.from_numpy(photo[:256, :256]).permute(2, 0, 1) / 255
    save(path, thin_model, *calibrate(thin_model, crops.expand(5, -1, -1, -1), rounds=1))
    return path


@pytest.fixture(scope="session")
def codec(thin_weights: Path) -> HyperpriorCodec:
    """Tiles of 64 pixels, so that small pictures have many."""
    return HyperpriorCodec(HyperpriorConfig(tile_size=64), "cpu", thin_weights)
