"""How `vae` is trained: plugs its model and objective into the shared loop."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glassplate.codecs.training.sheet import COLUMNS
from glassplate.codecs.vae.latents import step_of
from glassplate.codecs.vae.model import STRIDE, ModelConfig, Vae
from glassplate.codecs.vae.training.warm_start import warm_start
from glassplate.codecs.vae.weights import load_vae

KL_WEIGHT = 1e-4
"""Weight of the KL divergence per value of the latent; it keeps latents near unit variance."""
VALIDATED_QUALITIES = (0, 25, 50, 75, 100)
MSE_FLOOR = 1e-4
"""40 dB: below it a crop is good enough."""
SAMPLE_SIDE = 64


@dataclass(frozen=True)
class VaeTask:
    """PSNR of reparameterised samples, and a small KL divergence from a standard normal prior."""

    model: ModelConfig
    half: bool = True
    start: Path | None = None

    def build(self, crops: Tensor) -> Vae:
        """A model that starts as a block transform, or from given weights. Raises WeightsError."""
        if self.start:
            return copy.deepcopy(load_vae(self.start)).train()
        model = Vae(self.model)
        warm_start(model, crops)
        return model

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> Tensor:
        """Mean log of the squared error of each crop, plus the weighted KL divergence."""
        assert isinstance(model, Vae)
        mean, log_variance = model.encoder(crops, self.half)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        error = _mse(model.decoder(z, self.half), crops)
        distortion = torch.log(error + MSE_FLOOR).mean()
        return distortion + KL_WEIGHT * _divergence(mean, log_variance)

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """PSNR of 8-bit pictures, from posterior means and from means rounded to int8.

        points: [[bpp, dB], ...] of int8 by rising quality; bits by the entropy of each channel.
        samples: Rows of reconstructions, what they are of, draws of the prior, and steps on the
            straight line between the latents of the first two pictures.
        """
        assert isinstance(model, Vae)
        mean, log_variance = model.encoder(crops, self.half)
        points = []
        for quality in VALIDATED_QUALITIES:
            symbols = torch.round(mean / step_of(quality))
            decoded = self._psnr(model, symbols * step_of(quality), crops)
            points.append([round(_bits(symbols) / STRIDE**2, 4), decoded])
        return {
            "points": points,
            "psnr": self._psnr(model, mean, crops),
            "kl": round(_divergence(mean, log_variance).item(), 3),
            "latent_std": round(mean.std().item(), 3),
            "posterior_std": round((0.5 * log_variance).exp().mean().item(), 4),
            "samples": self._samples(model, crops),
        }

    def _samples(self, model: Vae, crops: Tensor) -> Tensor:
        corner = (crops.shape[-1] - SAMPLE_SIDE) // 2
        inside = slice(corner, corner + SAMPLE_SIDE)
        shown = crops[torch.arange(COLUMNS) % len(crops), :, inside, inside]
        mean, _ = model.encoder(shown, self.half)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
        shares = torch.linspace(0, 1, COLUMNS, device=mean.device)[:, None, None, None]
        between = torch.lerp(mean[0], mean[1], shares)
        made = model.decoder(torch.cat([mean, noise.to(mean.device), between]), self.half)
        return torch.cat([made[:COLUMNS], shown, made[COLUMNS:]])

    def _psnr(self, model: Vae, z: Tensor, crops: Tensor) -> float:
        pixels = (model.decoder(z, self.half) * 255).round().clamp(0, 255) / 255
        return round(-10 * torch.log10(_mse(pixels, crops)).mean().item(), 3)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence from the standard normal prior, per value of the latent, in nats."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()


def _bits(symbols: Tensor) -> float:
    """Entropy of (N, C, h, w) integers, summed over the channels: bits per position."""
    total = 0.0
    for channel in symbols.unbind(1):
        counts = torch.unique(channel, return_counts=True)[1]
        share = counts / counts.sum()
        total -= float((share * torch.log2(share)).sum())
    return total


def _mse(x: Tensor, y: Tensor) -> Tensor:
    """(N,): mean squared error of each picture."""
    return (x - y).square().mean((1, 2, 3))
