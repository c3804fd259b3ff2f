"""Training pairs: pictures, and what a frozen codec makes of them at a random quality."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.network.scale_net import SCALES
from glassplate.codecs.hyperprior.training.objective import estimate
from glassplate.codecs.layers.opponent import to_opponent
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS
from glassplate.codecs.layers.windows import STRIDE
from glassplate.codecs.refine.network import Condition

TINY = 1e-8
RIDGE = 1e-4


def random_quality(count: int) -> Tensor:
    """(count,) int64 in tenths. Low ones are likelier: that is where detail is missing."""
    return (torch.rand(count).square() * QUALITY_STEPS).long()


@torch.no_grad()
def reconstruct(
    codec: Hyperprior, crops: Tensor, quality: Tensor, half: bool
) -> tuple[Condition, Tensor]:
    """What a refiner is given, and the residual that it should find.

    Args:
        crops: (N, 3, H, W) in [0, 1], sides multiples of 16.
        quality: (N,) int64 in tenths.
        half: Run the codec's blocks in bfloat16.

    Returns:
        The condition, and crops less reconstructions, (N, 3, H, W), in units of [-1, 1], in
        opponent colours.
    """
    result = estimate(codec, crops, quality, half=half, noisy=False)
    plain = (result.decoded * 255).round() / 127.5 - 1
    condition = Condition(plain, result.scales / (SCALES - 1), quality / QUALITY_STEPS)
    return condition, to_opponent(2 * crops - 1 - plain)


def measure_spread(codec: Hyperprior, crops: Tensor, nodes: int, half: bool) -> Tensor:
    """How large residuals are, by quality, colour and scale: as `ResidualModel` has it.

    The slope by least squares over blocks of 16x16; the offset so that the whole energy is right.
    """
    found = []
    for tenths in torch.linspace(0, QUALITY_STEPS, nodes).long():
        condition, residual = reconstruct(codec, crops, tenths.expand(len(crops)), half)
        energy = F.avg_pool2d(residual.square(), STRIDE) + TINY
        usual = condition.scales.mean()
        centred = condition.scales - usual
        slope = (centred * energy.log() / 2).mean((0, 2, 3)) / (centred.square().mean() + RIDGE)
        shape = torch.exp(2 * slope[:, None, None] * condition.scales).mean((0, 2, 3))
        offset = torch.log(energy.mean((0, 2, 3)) / shape) / 2
        found.append(torch.stack([offset, slope, usual.expand(3)], 1))
    return torch.stack(found)
