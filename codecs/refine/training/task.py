"""How refiners learn: plugs model and objective into the shared loop; the codec stays frozen."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.layers.opponent import to_rgb
from glassplate.codecs.refine.flow import MARGIN, NOISE, grain, sample_flow
from glassplate.codecs.refine.network import Condition, ModelConfig, ResidualModel
from glassplate.codecs.refine.schedule import Schedule, StraightLine
from glassplate.codecs.refine.training.pairs import measure_spread, random_quality, reconstruct
from glassplate.codecs.refine.weights import load

VALIDATED_QUALITIES = (100, 300, 600)
LATEST = 0.9999
"""Times stay below 1, where nothing would be left to learn."""


@dataclass
class DenoisingTask:
    """Learns the residual that is to be expected, given a noisy one: `flow` and `diffusion`.

    Both are the same regression, in units in which its target has unit variance; they differ in
    how times are spread over levels of noise. Times are stratified over the batch.

    schedule: ShiftedCosine for diffusion, StraightLine for a flow from pure noise; for a flow None,
        straight lines from noise around the reconstruction, as `flow` has it.
    steps: Steps of the flow that refines pictures for validation.
    generator: Of a GAN: its noise is white, and of the reconstruction's whole error.
    """

    model: ModelConfig
    codec: Hyperprior
    schedule: Schedule | None = None
    half: bool = True
    start: Path | None = None
    steps: int = 4
    generator: bool = False

    def build(self, crops: Tensor) -> ResidualModel:
        """A model that expects what a Gaussian says, or one from given weights."""
        if self.start:
            return copy.deepcopy(load(self.start).model).train()
        model = ResidualModel(self.model)
        model.spread.copy_(measure_spread(self.codec, crops, len(model.spread), self.half))
        return model

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> Tensor | dict[str, Tensor]:
        """Loss of pictures at random qualities."""
        assert isinstance(model, ResidualModel)
        return self.regression(model, *self.pair(crops, random_quality(len(crops))))

    def regression(self, model: ResidualModel, condition: Condition, residual: Tensor) -> Tensor:
        """Mean squared error of the normalised residual, at random times."""
        time = (torch.arange(len(residual)) + torch.rand(len(residual))) / len(residual)
        return self._loss(model, condition, residual, time, self.noise(residual))

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """The loss on fixed draws, and for some qualities PSNR and the energy of fine detail
        relative to the original's, plain and refined."""
        assert isinstance(model, ResidualModel)
        generator = torch.Generator().manual_seed(0)
        record: dict[str, Any] = {}
        losses = []
        for tenths in VALIDATED_QUALITIES:
            condition, residual = self.pair(crops, torch.full((len(crops),), tenths))
            noise = self.noise(residual, generator)
            time = (torch.arange(len(crops)) + 0.5) / len(crops)
            losses.append(self._loss(model, condition, residual, time, noise).item())
            refined = self._refine(model, condition, noise.to(residual.device))
            target = condition.plain + to_rgb(residual)
            for name, found in (("plain", condition.plain), ("refined", refined)):
                record[f"{name}_psnr_{tenths // 10}"] = round(_psnr(found, target), 3)
                record[f"{name}_detail_{tenths // 10}"] = round(_detail(found, target), 3)
        return {"validation_loss": round(sum(losses) / len(losses), 4)} | record

    def noise(self, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Noise of unit variance, on the CPU."""
        if self.schedule or self.generator:
            return torch.randn(like.shape, generator=generator)
        count, colours, height, width = like.shape
        wider = (count, colours, height + MARGIN, width + MARGIN)
        return grain(torch.randn(wider, generator=generator))

    def pair(self, crops: Tensor, quality: Tensor) -> tuple[Condition, Tensor]:
        """See `pairs.reconstruct`."""
        codec = self.codec.to(crops.device)
        return reconstruct(codec, crops, quality.to(crops.device), self.half)

    def _loss(
        self,
        model: ResidualModel,
        condition: Condition,
        residual: Tensor,
        time: Tensor,
        noise: Tensor,
    ) -> Tensor:
        schedule: Schedule = self.schedule or StraightLine()
        time = time.clamp(max=LATEST).to(residual.device)[:, None, None, None]
        signal, level = schedule.levels(time)
        if self.schedule is None:
            level = level * self._source(model, condition)
        y = signal * residual + level * noise.to(residual.device)
        base, unit = model.gaussian(y, signal, level, condition)
        found = model.normalised(y, signal, level, condition, self.half)
        return F.mse_loss(found, (residual - base) / unit)

    def _source(self, model: ResidualModel, condition: Condition) -> Tensor:
        """Standard deviation at which a flow starts, (N, 3, H, W)."""
        return (1.0 if self.generator else NOISE) * model.spread_at(condition)

    def sample(
        self, model: ResidualModel, condition: Condition, noise: Tensor, steps: int
    ) -> Tensor:
        """Residuals, as a flow of so many steps finds them; the gradient is that of the last."""

        def denoise(y: Tensor, signal: float, level: Tensor | float) -> Tensor:
            assert isinstance(level, Tensor)
            last = signal * steps > steps - 1.5
            with torch.set_grad_enabled(last and torch.is_grad_enabled()):
                one = torch.full_like(level, signal)
                found: Tensor = model(y, one, level, condition, self.half)
            return found

        return sample_flow(denoise, lambda _: noise, self._source(model, condition), steps)

    def _refine(self, model: ResidualModel, condition: Condition, noise: Tensor) -> Tensor:
        residual = self.sample(model, condition, noise, self.steps)
        return (condition.plain + to_rgb(residual)).clamp(-1, 1)


def _psnr(found: Tensor, target: Tensor) -> float:
    """Mean dB of pictures in [-1, 1]."""
    error = ((found - target) / 2).square().mean((1, 2, 3)).clamp(min=1e-9)
    return float(-10 * torch.log10(error).mean())


def _detail(found: Tensor, target: Tensor) -> float:
    """Energy of the differences between neighbours' differences, relative to the target's."""

    def energy(x: Tensor) -> Tensor:
        rows = x[..., 2:, 1:-1] + x[..., :-2, 1:-1] - 2 * x[..., 1:-1, 1:-1]
        columns = x[..., 1:-1, 2:] + x[..., 1:-1, :-2] - 2 * x[..., 1:-1, 1:-1]
        return (rows + columns).square().mean()

    return float(energy(found) / energy(target))
