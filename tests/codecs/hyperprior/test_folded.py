"""What runs is what was trained: folded networks against the model's own, up to rounding."""

from __future__ import annotations

import pytest
import torch

from glassplate.codecs import Pixels
from glassplate.codecs.hyperprior.network.folded import (
    FoldedAnalysis,
    FoldedHyperAnalysis,
    FoldedSynthesis,
)
from glassplate.codecs.hyperprior.network.means import FoldedMeans
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.network.order import STEPS, gather, step_masks
from glassplate.codecs.layers.rate_blocks import asinh

QUALITIES = [0, 333, 1000]


@pytest.mark.parametrize("quality", QUALITIES)
@torch.no_grad()
def test_transforms(thin_model: Hyperprior, photo: Pixels, quality: int) -> None:
    level = torch.tensor([quality])
    pixels = torch.from_numpy(photo[100:164, 200:248])[None]
    x = pixels.permute(0, 3, 1, 2) / 255
    y = thin_model.analysis(x, level) * thin_model.gain(level)
    folded = FoldedAnalysis(thin_model, level, torch.float32)
    torch.testing.assert_close(folded(pixels), y, rtol=1e-4, atol=1e-3)
    grey = folded(pixels[..., :1].expand(-1, -1, -1, 3).contiguous())
    torch.testing.assert_close(folded(pixels[..., :1]), grey, rtol=1e-4, atol=1e-3)

    decoded = thin_model.synthesis(y * thin_model.inverse_gain(level), level)
    expected = (255 * decoded).clamp(0, 255).permute(0, 2, 3, 1)
    synthesis = FoldedSynthesis(thin_model, level, torch.float32)
    assert (synthesis(y, 3) - expected).abs().max() < 0.51
    assert (synthesis(y, 1) - expected.mean(3, keepdim=True)).abs().max() < 0.51


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 1)])
@pytest.mark.parametrize("quality", QUALITIES)
@torch.no_grad()
def test_means(thin_model: Hyperprior, size: tuple[int, int], quality: int) -> None:
    torch.manual_seed(quality)
    level, channels = torch.tensor([quality]), thin_model.config.y
    y = torch.randn(1, channels, *size) * 3
    z = thin_model.hyper_analysis(y, level)
    folded = FoldedHyperAnalysis(thin_model.hyper_analysis, level)
    torch.testing.assert_close(folded(y), z, rtol=1e-4, atol=1e-4)

    state = FoldedMeans(thin_model.means, level).begin(z.round(), *size)
    mean, side = thin_model.means.begin(z.round(), level, *size)
    masks = step_masks(channels, *size, device=torch.device("cpu"))
    for step in range(STEPS):
        if step:
            known = y * masks[:step].any(0)
            mean = thin_model.means(side, known, asinh(known), step)
        expected = torch.from_numpy(gather(mean[0].numpy(), step))
        torch.testing.assert_close(
            torch.from_numpy(state.mean(step)), expected, rtol=1e-4, atol=1e-4
        )
        state.reveal(step, gather(y[0].numpy(), step))
    torch.testing.assert_close(state.y, y[0])
