"""Shapes of every network at several sizes, odd numbers of positions among them."""

from __future__ import annotations

import pytest
import torch
from thin_model import THIN

from glassplate.codecs.hyperprior.network.model import SIZES, Hyperprior, ModelConfig


@pytest.mark.parametrize("config", [THIN, SIZES["small"]], ids=["thin", "small"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 208), (80, 48), (128, 64)])
@torch.inference_mode()
def test_shapes(config: ModelConfig, height: int, width: int) -> None:
    model, quality = Hyperprior(config), torch.tensor([30, 900])
    rows, columns = height // 16, width // 16
    y = model.analysis(torch.rand(2, 3, height, width), quality)
    assert y.shape == (2, config.y, rows, columns)
    z = model.hyper_analysis(y, quality)
    assert z.shape == (2, config.z, -(-rows // 4), -(-columns // 4))
    means, side = model.means.begin(z.round(), quality, rows, columns)
    assert means.shape == y.shape
    assert side.shape == (2, config.context, rows, columns)
    for step in (1, 2, 3):
        assert model.means(side, y, y.asinh(), step).shape == y.shape
    features = model.scales.features(z.round())[..., :rows, :columns]
    indices = model.scales(features, y.round(), 1, quality)
    assert indices.shape == y.shape
    assert indices.equal(indices.round().clamp(0, 63))
    assert model.synthesis(y, quality).shape == (2, 3, height, width)
