"""How `hyperprior` is trained: plugs its model and objective into the shared loop."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glassplate.codecs.hyperprior.network.model import Hyperprior, ModelConfig
from glassplate.codecs.hyperprior.training.objective import (
    SQUARED_ERRORS,
    Mix,
    estimate,
    loss,
    psnr,
)
from glassplate.codecs.hyperprior.training.warm_start import warm_start
from glassplate.codecs.hyperprior.weights import load
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS
from glassplate.codecs.measures.similarity import ms_ssim
from glassplate.codecs.measures.ssimulacra2 import score, weighted_sum

VALIDATED_QUALITIES = (0, 200, 400, 600, 800, 1000)


@dataclass(frozen=True)
class HyperpriorTask:
    """Random qualities, rate by noise at first; late in training, rate of rounded symbols."""

    model: ModelConfig
    half: bool = True
    start: Path | None = None
    mix: Mix = SQUARED_ERRORS

    def build(self, crops: Tensor) -> Hyperprior:
        """A model that starts as a block transform codec, or from given weights.

        Raises WeightsError if those are not sound.
        """
        if self.start:
            return copy.deepcopy(load(self.start).model).train()
        model = Hyperprior(self.model)
        warm_start(model, crops)
        return model

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> Tensor:
        """The balanced Lagrangian at one random quality per crop."""
        assert isinstance(model, Hyperprior)
        quality = torch.randint(QUALITY_STEPS + 1, (len(crops),), device=crops.device)
        result = estimate(model, crops, quality, half=self.half, noisy=not late)
        return loss(result.bpp, self.mix.distortion(result, crops), quality)

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """Mean bits per pixel and PSNR of rounded symbols, [[bpp, dB], ...] by rising quality.

        Where the loss is for the eye, too, so are the means: ms_ssim and ssimulacra2, lists.
        """
        assert isinstance(model, Hyperprior)
        points, losses = [], []
        seen: dict[str, list[float]] = {"ms_ssim": [], "ssimulacra2": []}
        for value in VALIDATED_QUALITIES:
            quality = torch.full((len(crops),), value, device=crops.device)
            result = estimate(model, crops, quality, half=self.half, noisy=False)
            points.append(
                [round(result.bpp.mean().item(), 4), round(psnr(result.mse).mean().item(), 3)]
            )
            losses.append(loss(result.bpp, self.mix.distortion(result, crops), quality).item())
            if self.mix != SQUARED_ERRORS:
                decoded = result.decoded.float()
                seen["ms_ssim"].append(round(ms_ssim(crops, decoded).mean().item(), 5))
                found = score(weighted_sum(crops, decoded)).mean().item()
                seen["ssimulacra2"].append(round(found, 2))
        record = {"validation_loss": round(sum(losses) / len(losses), 4), "points": points}
        return record if self.mix == SQUARED_ERRORS else record | seen
