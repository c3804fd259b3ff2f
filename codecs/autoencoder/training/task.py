"""How `autoencoder` is trained: plugs its model and objective into the shared loop."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glassplate.codecs.autoencoder.model import STRIDE, Autoencoder, ModelConfig, calibrate, squash
from glassplate.codecs.autoencoder.weights import load

KL_WEIGHT = 1e-3
MSE_FLOOR = 1e-4
"""40 dB: below it a crop is good enough."""


@dataclass(frozen=True)
class AutoencoderTask:
    """PSNR through a latent with uniform noise of one level's width; for `variational`, a small KL
    divergence besides."""

    model: ModelConfig
    half: bool = True
    start: Path | None = None

    def build(self, crops: Tensor) -> Autoencoder:
        """A random model, or given weights. Raises WeightsError."""
        if self.start:
            return copy.deepcopy(load(self.start).network.model).train()
        model = Autoencoder(self.model)
        calibrate(model, crops)
        return model

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> Tensor:
        """Mean log of the squared error of each crop, plus the weighted KL divergence."""
        assert isinstance(model, Autoencoder)
        mean, log_variance = model.split(model.encoder(crops, self.half))
        y = mean
        if model.config.variational:
            y = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        u = squash(y)
        noise = (torch.rand_like(u) - 0.5) / (model.config.levels - 1)
        error = _mse(model.decoder(u + noise, self.half), crops)
        distortion = torch.log(error + MSE_FLOOR).mean()
        if not model.config.variational:
            return distortion
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
        return distortion + KL_WEIGHT * divergence

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """PSNR with and without rounding to levels; bits by the entropy of each channel."""
        assert isinstance(model, Autoencoder)
        u = squash(model.split(model.encoder(crops, self.half))[0])
        steps = model.config.levels - 1
        symbols = torch.round(u * steps)
        rounded = self._psnr(model, symbols / steps, crops)
        return {
            "points": [[round(_bits(symbols) / STRIDE**2, 4), rounded]],
            "psnr": rounded,
            "psnr_not_quantised": self._psnr(model, u, crops),
        }

    def _psnr(self, model: Autoencoder, u: Tensor, crops: Tensor) -> float:
        pixels = (model.decoder(u, self.half) * 255).round().clamp(0, 255) / 255
        return round(-10 * torch.log10(_mse(pixels, crops)).mean().item(), 3)


def _mse(x: Tensor, y: Tensor) -> Tensor:
    """(N,): mean squared error of each picture."""
    return (x - y).square().mean((1, 2, 3))


def _bits(symbols: Tensor) -> float:
    """Entropy of (N, C, h, w) integers, summed over the channels: bits per position."""
    total = 0.0
    for channel in symbols.unbind(1):
        counts = torch.unique(channel, return_counts=True)[1]
        share = counts / counts.sum()
        total -= float((share * torch.log2(share)).sum())
    return total
