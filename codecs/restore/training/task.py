"""How restorers learn: plugs model, damage and objective into the shared loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glassplate.codecs.base import Pixels
from glassplate.codecs.restore.degradations import (
    NOISES,
    Noise,
    add_noise,
    degrade,
    drop_pixels,
    enlarge,
    jpeg,
    shrink,
)
from glassplate.codecs.restore.network import ModelConfig, RestorationNet
from glassplate.codecs.restore.options import Task
from glassplate.codecs.restore.weights import load

GREY_SHARE = 0.1
"""Share of the crops that are grey, with grey noise: another thing than noise in three colours."""
MSE_FLOOR = 1e-5
"""50 dB: below it a crop is good enough."""
SCALES = (2, 4)

Damage = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class RestorationTask:
    """Takes out one kind of noise, or whichever of all kinds there is; or enlarges.

    noise: Noise that a denoiser learns; None: all kinds.
    """

    model: ModelConfig
    task: Task = "denoise"
    noise: Noise | None = None
    half: bool = True
    start: Path | None = None

    def build(self, crops: Tensor) -> RestorationNet:
        """A model that changes nothing yet, or one from given weights. Raises WeightsError."""
        if self.start:
            return copy.deepcopy(load(self.start, self.task).model).train()
        return RestorationNet(self.model)

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> Tensor:
        """Mean log of the squared error of each crop: PSNR, so that no strength drowns others."""
        damaged, clean = damage(crops, self._draw, generator())
        return torch.log(_mse(model(damaged, self.half), clean) + MSE_FLOOR).mean()

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """PSNR of crops, damaged and restored, for some fixed damages."""
        record = {}
        for name, probe in self._probes().items():
            damaged, clean = damage(crops, probe, np.random.default_rng(0), grey_share=0)
            restored = (model(damaged, self.half) * 255).round().clamp(0, 255) / 255
            record[f"damaged_{name}"] = _psnr(damaged, clean)
            record[f"restored_{name}"] = _psnr(restored, clean)
        return record

    def _draw(self, pixels: Pixels, random: np.random.Generator) -> Pixels:
        if self.task == "upscale":
            return blurred(pixels, int(random.choice(SCALES)))
        return degrade(pixels, self.noise or NOISES[random.integers(len(NOISES))], random)

    def _probes(self) -> dict[str, Damage]:
        if self.task == "upscale":
            return {f"x{scale}": partial(_enlarged, scale=scale) for scale in SCALES}
        return {
            f"{name}_{strength}": probe
            for name, (strength, probe) in _PROBES.items()
            if self.noise in (None, name)
        }


def generator() -> np.random.Generator:
    """Seeded by torch's global generator, whose state checkpoints keep."""
    return np.random.default_rng(int(torch.randint(2**62, ())))


def damage(
    crops: Tensor, function: Damage, random: np.random.Generator, grey_share: float = GREY_SHARE
) -> tuple[Tensor, Tensor]:
    """Damaged crops and what they were, both (N, 3, H, W) in [0, 1]; some of them made grey."""
    clean = (crops * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    pairs = np.empty((2, *clean.shape), np.uint8)
    for place, pixels in enumerate(clean):
        part = pixels[:, :, 1:2] if random.random() < grey_share else pixels
        pairs[0, place], pairs[1, place] = function(part, random), part
    damaged, kept = torch.from_numpy(pairs).to(crops.device).permute(0, 1, 4, 2, 3) / 255
    return damaged, kept


def blurred(pixels: Pixels, scale: int) -> Pixels:
    """Shrunk and enlarged again: what a picture to be upscaled begins as."""
    return enlarge(shrink(pixels, scale), scale)


def _enlarged(pixels: Pixels, random: np.random.Generator, scale: int) -> Pixels:
    return blurred(pixels, scale)


_PROBES: dict[Noise, tuple[int, Damage]] = {
    "gaussian": (25, lambda pixels, random: add_noise(pixels, 25, random)),
    "missing": (50, lambda pixels, random: drop_pixels(pixels, 0.5, random)),
    "jpeg": (20, lambda pixels, random: jpeg(pixels, 20)),
}
"""Strength, for the name, and the damage."""


def _mse(x: Tensor, y: Tensor) -> Tensor:
    """(N,): mean squared error of each picture."""
    return (x - y).square().mean((1, 2, 3))


def _psnr(x: Tensor, y: Tensor) -> float:
    return round(-10 * torch.log10(_mse(x, y).clamp(min=1e-9)).mean().item(), 3)
