"""How the unconditional GAN is trained: plugs its players into the shared loop."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.gan.model import Gan, ModelConfig
from glassplate.codecs.gan.weights import load
from glassplate.codecs.training.adversarial import (
    Watch,
    discriminator_loss,
    frozen,
    generator_loss,
)

SAMPLES = 64
"""Samples of each validation, always from the same noise, so that one can see them change."""


@dataclass
class GanTask:
    """Binary cross-entropy for both players, one phase a step."""

    model: ModelConfig
    half: bool = True
    start: Path | None = None
    watch: Watch = field(default_factory=Watch)

    def build(self, crops: Tensor) -> Gan:
        """Random players, or the generator of given weights. Raises WeightsError."""
        model = Gan(self.model)
        if self.start:
            model.generator.load_state_dict(load(self.start).generator.state_dict())
        return model

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> dict[str, Tensor]:
        """Loss of the player whose turn it is."""
        assert isinstance(model, Gan)
        noise = torch.randn(len(crops), self.model.noise).to(crops.device)
        if model.next_phase() == 1:
            with torch.no_grad():
                made = model.generator(noise, self.half)
            judged = (model.discriminator(x, self.half) for x in (self._real(crops), made))
            loss = discriminator_loss(*judged)
            return {"discriminator": self.watch.follow(loss)}
        with frozen(model.discriminator):
            made = model.generator(noise, self.half)
            return {"generator": generator_loss(model.discriminator(made, self.half))}

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """Samples, and whether the game is lost."""
        assert isinstance(model, Gan)
        noise = torch.randn(SAMPLES, self.model.noise, generator=torch.Generator().manual_seed(0))
        trained = copy.deepcopy(model.generator).eval()
        made = trained(noise.to(crops.device), self.half)
        return self.watch.judge(made, self._real(crops)) | {"samples": (made + 1) / 2}

    def _real(self, crops: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1], shrunk to the size of what is made, in [-1, 1]."""
        side = self.model.side
        return 2 * F.interpolate(crops, (side, side), mode="area") - 1
