"""A flow that is also trained for what it looks like after a few steps.

LPIPS beside the squared error is what HiFiC trains with (Mentzer et al., NeurIPS 2020) and, for
rectified flows, Lee, Lin and Fanti, "Improving the training of rectified flows" (NeurIPS 2024);
here it is ST-LPIPS. It is asked for at the end of the flow's own path: a network that is pushed off
the mean at a single step goes too far after four. Random scales keep the network from deceiving the
measure (Kettunen, Härkönen and Lehtinen, "E-LPIPS", arXiv:1906.03973). A measure that was trained
for says less afterwards; the Fréchet distance of `evaluate --refine` is in features of another
network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.layers.opponent import to_rgb
from glassplate.codecs.measures.feature_distance import weighted_distances
from glassplate.codecs.measures.st_lpips import load_network
from glassplate.codecs.refine.network import Condition, ResidualModel
from glassplate.codecs.refine.training.pairs import random_quality
from glassplate.codecs.refine.training.task import VALIDATED_QUALITIES, DenoisingTask

PATH_STEPS = (1, 2, 4)
"""Steps of the paths that are followed, one of these at a time."""
JUDGED = 2
"""One of so many crops is followed, and judged in a window: both are dear."""
SCALES = (0.5, 1.0, 2.0)
"""Crops are judged at one of these: ST-LPIPS sees little but an octave, and is easily deceived."""
TINY = 1e-3
"""Shortest feature that ST-LPIPS has a gradient for."""


@dataclass
class PerceptualTask(DenoisingTask):
    """The regression of flows, and distortion and ST-LPIPS at the end of the flow's own path.

    perceptual: Weight of ST-LPIPS; the regression and the distortion are 1 for residuals that are
        all missed.

    Raises MissingExtraError.
    """

    perceptual: float = 0.0

    def __post_init__(self) -> None:
        load_network()

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> dict[str, Tensor]:
        """All three, by name."""
        assert isinstance(model, ResidualModel)
        condition, residual = self.pair(crops, random_quality(len(crops)))
        few = slice(-(-len(crops) // JUDGED))  # crops come in random order
        some = Condition(condition.plain[few], condition.scales[few], condition.quality[few])
        steps = PATH_STEPS[int(torch.randint(len(PATH_STEPS), ()))]
        noise = self.noise(residual[few]).to(residual.device)
        found = self.sample(model, some, noise, steps)
        scale = SCALES[int(torch.randint(len(SCALES), ()))]
        rows, columns = (_window(side, scale) for side in found.shape[2:])
        refined = (some.plain + to_rgb(found))[..., rows, columns]
        wanted = (2 * crops[few] - 1)[..., rows, columns]
        looks = self._looks(_scaled(refined, scale), _scaled(wanted, scale))
        return {
            "regression": self.regression(model, condition, residual),
            "distortion": _distortion(model, some, residual[few], found),
            "perceptual": self.perceptual * looks,
        }

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """As without ST-LPIPS; the loss is the sum of all three, ST-LPIPS is of crops' middles."""
        assert isinstance(model, ResidualModel)
        record = super().validate(model, crops)
        generator = torch.Generator().manual_seed(0)
        middle = slice(crops.shape[-1] // 4, -(crops.shape[-1] // 4))
        losses = []
        for tenths in VALIDATED_QUALITIES:
            condition, residual = self.pair(crops, torch.full((len(crops),), tenths))
            noise = self.noise(residual, generator).to(residual.device)
            found = self.sample(model, condition, noise, self.steps)
            refined = (condition.plain + to_rgb(found))[..., middle, middle]
            looks = self._looks(refined, (2 * crops - 1)[..., middle, middle])
            losses.append(_distortion(model, condition, residual, found) + self.perceptual * looks)
            record[f"refined_st_lpips_{tenths // 10}"] = round(looks.item(), 4)
        total = record["validation_loss"] + float(torch.stack(losses).mean())
        record["validation_loss"] = round(total, 4)
        return record

    def _looks(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Mean ST-LPIPS of (N, 3, H, W) in [-1, 1]."""
        network = load_network(found.device)
        with torch.autocast(found.device.type, dtype=torch.bfloat16, enabled=self.half):
            with torch.no_grad():
                there = network.features(wanted)
            made = network.features(found)
        a, b = ([layer.float() for layer in layers] for layers in (made, there))
        return weighted_distances(a, b, network.linear, TINY).mean()


def _distortion(
    model: ResidualModel, condition: Condition, residual: Tensor, found: Tensor
) -> Tensor:
    """Mean squared error of a residual in its own spread."""
    return ((found - residual) / model.spread_at(condition)).square().mean()


def _window(side: int, scale: float) -> slice:
    """At a random place; half of the side once it is scaled."""
    length = int(side / 2 / scale)
    start = int(torch.randint(side - length + 1, ()))
    return slice(start, start + length)


def _scaled(pictures: Tensor, scale: float) -> Tensor:
    return F.interpolate(pictures, scale_factor=scale, mode="bilinear", antialias=True)
