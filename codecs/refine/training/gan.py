"""A conditional GAN: the same network in one step, and a discriminator that judges its residuals.

After Mentzer et al., "High-fidelity generative image compression" (HiFiC, NeurIPS 2020): distortion
plus a non-saturating adversarial loss, the discriminator conditioned on what the decoder knows,
with spectral normalisation. HiFiC's LPIPS term is left out: its network cannot be had offline.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from glassplate.codecs.refine.network import Condition, ResidualModel
from glassplate.codecs.refine.training.pairs import random_quality
from glassplate.codecs.refine.training.task import DenoisingTask
from glassplate.codecs.refine.weights import load
from glassplate.codecs.training.adversarial import (
    Players,
    Watch,
    discriminator_loss,
    frozen,
    generator_loss,
)

ADVERSARIAL_WEIGHT = 1.0
"""Weight of the adversarial loss; the distortion is 1 for residuals that are all missed."""
JUDGED_QUALITY = 300
"""In tenths: at which the variance of what is made is compared."""
WIDTHS = (32, 64, 128)


class Discriminator(nn.Module):
    """Residual and reconstruction to a logit for each patch: above 0 means that it looks real.

    unshuffle 2 ── 3x3, leaky ReLU ── 4x4 stride 2, leaky ReLU, twice ── 1x1
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        first, second, third = widths
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2),
            spectral_norm(nn.Conv2d(24, first, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(first, second, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(second, third, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(third, 1, 1),
        )

    def forward(self, residual: Tensor, plain: Tensor) -> Tensor:
        """(N, 3, H, W) of about unit variance, (N, 3, H, W) in [-1, 1] -> (N, 1, H / 8, W / 8)."""
        found: Tensor = self.layers(torch.cat([residual, plain], 1))
        return found


class Gan(Players):
    """Both players."""

    generator: ResidualModel
    discriminator: Discriminator

    def __init__(self, generator: ResidualModel) -> None:
        super().__init__(generator, Discriminator())


@dataclass
class GanTask:
    """The generator is also held to the pictures: what it makes belongs to a reconstruction."""

    denoising: DenoisingTask
    watch: Watch = field(default_factory=Watch)

    def build(self, crops: Tensor) -> Gan:
        """A generator that gives the plain decode, or one from given weights."""
        if start := self.denoising.start:
            return Gan(copy.deepcopy(load(start).model).train())
        return Gan(self.denoising.build(crops))

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> dict[str, Tensor]:
        """Loss of the player whose turn it is; that of the generator has two parts."""
        assert isinstance(model, Gan)
        condition, residual = self.denoising.pair(crops, random_quality(len(crops)))
        real = residual / model.generator.spread_at(condition)
        noise = torch.randn(real.shape)
        if model.next_phase() == 1:
            with torch.no_grad():
                made = self._generate(model.generator, condition, noise)
            judged = (model.discriminator(one, condition.plain) for one in (real, made))
            return {"discriminator": self.watch.follow(discriminator_loss(*judged))}
        made = self._generate(model.generator, condition, noise)
        with frozen(model.discriminator):
            adversarial = generator_loss(model.discriminator(made, condition.plain))
        return {
            "generator": ADVERSARIAL_WEIGHT * adversarial,
            "distortion": F.mse_loss(made, real),
        }

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """As of a flow, in one step, and whether the game is lost."""
        assert isinstance(model, Gan)
        record = self.denoising.validate(model.generator, crops)
        condition, residual = self.denoising.pair(crops, torch.full((len(crops),), JUDGED_QUALITY))
        noise = torch.randn(residual.shape, generator=torch.Generator().manual_seed(0))
        made = self._generate(model.generator, condition, noise)
        return record | self.watch.judge(made, residual / model.generator.spread_at(condition))

    def _generate(self, generator: ResidualModel, condition: Condition, noise: Tensor) -> Tensor:
        """Normalised residuals from noise alone, (N, 3, H, W) on any device."""
        noise = noise.to(condition.plain.device)
        one = noise.new_ones(len(noise), 1, 1, 1)
        return generator.normalised(noise, 0 * one, one, condition, self.denoising.half)
