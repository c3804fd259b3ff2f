"""A thin random autoencoder: everything but closeness is as in trained ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glassplate.codecs.autoencoder.codec import AutoencoderCodec, AutoencoderConfig
from glassplate.codecs.autoencoder.model import SIZES, Autoencoder
from glassplate.codecs.autoencoder.weights import save


@pytest.fixture(
    scope="session", params=["maxpool-b1", "stride-b2", "residual-b3", "variational-b4"]
)
def codec(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AutoencoderCodec:
    """One of each kind, with tiles of 64 pixels, so that small pictures have many."""
    torch.manual_seed(0)
    model = Autoencoder(replace(SIZES[request.param], width=4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        model.encoder.layers[-1].weight.mul_(20)
    path: Path = tmp_path_factory.mktemp("autoencoder") / f"autoencoder-{request.param}.safetensors"
    save(path, model)
    return AutoencoderCodec(AutoencoderConfig(size=request.param, tile_size=64), "cpu", path.parent)
