"""A thin model with random weights: everything but closeness is as in the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glassplate.codecs import Pixels
from glassplate.codecs.vae.codec import VaeCodec, VaeConfig
from glassplate.codecs.vae.model import ModelConfig, Vae
from glassplate.codecs.vae.training.warm_start import warm_start
from glassplate.codecs.vae.weights import save

THIN = ModelConfig(encoder_blocks=2, encoder_hidden=16, decoder_blocks=2, decoder_hidden=16)


@pytest.fixture(scope="session")
def thin_vae(photo: Pixels) -> Vae:
    """Started from one photograph, then disturbed, so that no branch is zero."""
    torch.manual_seed(0)
    model = Vae(THIN)
    warm_start(model, torch.from_numpy(photo).permute(2, 0, 1)[None] / 255)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.02 * parameter.abs().mean().clamp(min=0.05)
            parameter += spread * torch.randn_like(parameter)
    return model.eval()


@pytest.fixture(scope="session")
def weights(thin_vae: Vae, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weight file, in a folder of its own."""
    path = tmp_path_factory.mktemp("weights") / "vae-f8c4.safetensors"
    save(path, thin_vae)
    return path


@pytest.fixture(scope="session")
def codec(weights: Path) -> VaeCodec:
    """Tiles of 64 pixels, so that small pictures have many."""
    return VaeCodec(VaeConfig(tile_size=64), "cpu", weights)
