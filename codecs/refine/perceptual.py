"""A flow that is also trained for what it looks like after a few steps.

LPIPS beside the squared error is what HiFiC trains with (Mentzer et al., NeurIPS 2020) and, for
rectified flows, Lee, Lin and Fanti, "Improving the training of rectified flows" (NeurIPS 2024);
here it is ST-LPIPS. It is asked for at the end of the flow's own path: a network that is pushed off
the mean at a single step goes too far after four. A measure that was trained for says less
afterwards; the Fréchet distance of `evaluate --refine` is in features of another network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glassplate.codecs.compared import weighted_distances
from glassplate.codecs.refine.network import Condition, ResidualModel
from glassplate.codecs.refine.opponent import to_rgb
from glassplate.codecs.refine.pairs import random_quality
from glassplate.codecs.refine.task import DenoisingTask
from glassplate.codecs.st_lpips import load_network

PATH_STEPS = (1, 2, 4)
"""Of paths that are followed, one of these at a time."""
JUDGED = 2
"""Of so many crops one is followed, and judged in a window of half its sides: both are dear."""
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
        missed = (found - residual[few]) / model.spread_at(some)
        looks = self._looks(some.plain + to_rgb(found), 2 * crops[few] - 1)
        return {
            "regression": self.regression(model, condition, residual),
            "distortion": missed.square().mean(),
            "perceptual": self.perceptual * looks,
        }

    def _looks(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Mean ST-LPIPS of a window at a random place."""
        network = load_network()
        rows, columns = (_window(side) for side in found.shape[2:])
        with torch.autocast(found.device.type, dtype=torch.bfloat16, enabled=self.half):
            with torch.no_grad():
                there = network.features(wanted[..., rows, columns])
            made = network.features(found[..., rows, columns])
        a, b = ([layer.float() for layer in layers] for layers in (made, there))
        return weighted_distances(a, b, network.linear, TINY).mean()


def _window(side: int) -> slice:
    start = int(torch.randint(side // 2 + 1, ()))
    return slice(start, start + side // 2)
