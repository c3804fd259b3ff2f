"""Start from a transform that is known: the untrained codec is a 16x16 block-transform codec.

8x8 DCT of opponent colours, then a 2x2 Haar step that keeps the coefficients of highest variance;
synthesis is the transpose, residual branches are zero, gains are 255 / step, scales are those of
the coefficients, and decoded neighbours predict by least squares.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.hyperprior.network.model import PATCH, Hyperprior
from glassplate.codecs.hyperprior.network.order import STEPS, step_masks
from glassplate.codecs.hyperprior.network.scale_net import SCALE_UNIT, ZERO_INDEX

COARSEST_STEP = 150.0
FINEST_STEP = 15.0
RIDGE = 1e-3


@torch.no_grad()
def warm_start(model: Hyperprior, crops: Tensor) -> None:
    """Set the transforms, gains, scales and linear predictors of a fresh model.

    Args:
        crops: (N, 3, H, W) in [0, 1], a few dozen training crops; sides are multiples of 16.
    """
    config = model.config
    if config.trunk < 3 * PATCH**2:
        raise ValueError(f"the trunk needs {3 * PATCH**2} channels for the block transform")
    dct = _opponent_dct()
    coefficients = F.conv2d(F.pixel_unshuffle(crops - 0.5, PATCH), dct[:, :, None, None])
    flatten = coefficients.std((0, 2, 3)).rsqrt()  # tames the span of the trunk's channels
    _set_stem(model, dct, flatten)

    haar = _haar()
    pairs = F.conv2d(
        F.pixel_unshuffle(coefficients, 2), torch.kron(torch.eye(len(dct)), haar)[:, :, None, None]
    )
    kept = torch.argsort(pairs.std((0, 2, 3)), descending=True)[: config.y]
    kept = kept.reshape(-1, STEPS).T.reshape(-1)  # every channel group gets large and small ones
    _set_reduction(model, torch.kron(torch.eye(len(dct)), haar)[kept], flatten)
    _set_rates(model, pairs[:, kept])
    _set_linear_prediction(model, pairs[:, kept])


def _set_stem(model: Hyperprior, dct: Tensor, flatten: Tensor) -> None:
    size = len(dct)
    embed, unembed = model.analysis.embed, model.synthesis.unembed
    torch.nn.init.normal_(embed.weight, std=0.01)
    torch.nn.init.normal_(unembed.weight, std=0.001)
    embed.weight[:size, :, 0, 0] = dct * flatten[:, None]
    unembed.weight[:, :size, 0, 0] = dct.T / flatten
    for conv in (embed, unembed, model.analysis.reduce, model.synthesis.expand):
        assert conv.bias is not None
        torch.nn.init.zeros_(conv.bias)


def _set_reduction(model: Hyperprior, kept: Tensor, flatten: Tensor) -> None:
    """kept: (y, 4 * 192) rows of the Haar step, in the channel order of pixel_unshuffle."""
    size = kept.shape[1]
    scale = flatten.repeat_interleave(4)
    reduce, expand = model.analysis.reduce, model.synthesis.expand
    torch.nn.init.zeros_(reduce.weight)
    torch.nn.init.zeros_(expand.weight)
    reduce.weight[:, :size, 0, 0] = kept / scale
    expand.weight[:size, :, 0, 0] = (kept * scale).T


def _set_rates(model: Hyperprior, y: Tensor) -> None:
    nodes = model.config.nodes
    steps = torch.logspace(math.log10(COARSEST_STEP), math.log10(FINEST_STEP), nodes)
    gains = torch.log(255 / steps)[:, None]
    model.gain.log.copy_(gains.expand_as(model.gain.log))
    model.inverse_gain.log.copy_(-gains.expand_as(model.gain.log))
    # Mean magnitude is a robust scale of a peaked distribution.
    log_scale = gains + torch.log(
        0.7 * y.sub(y.mean((0, 2, 3), keepdim=True)).abs().mean((0, 2, 3))
    )
    torch.nn.init.normal_(model.scales.head.weight, std=0.02)
    model.scales.rate_bias.copy_(log_scale + ZERO_INDEX / SCALE_UNIT)


def _set_linear_prediction(model: Hyperprior, y: Tensor) -> None:
    """Least squares per channel and step, from the eight neighbours that are already decoded."""
    count, channels, height, width = y.shape
    masks = step_masks(channels, height, width, y.device)
    for step in range(1, STEPS):
        known = masks[:step].any(0)
        windows = F.unfold((y * known).reshape(-1, 1, height, width), 3, padding=1)
        windows = windows.reshape(count, channels, 9, height, width)
        for channel in range(channels):
            inputs = windows[:, channel].movedim(1, -1)[:, masks[step, channel]].reshape(-1, 9)
            outputs = y[:, channel][:, masks[step, channel]].reshape(-1, 1)
            gram = inputs.T @ inputs
            gram += (RIDGE * outputs.square().sum() + 1e-9) * torch.eye(9)
            kernel = torch.linalg.solve(gram, inputs.T @ outputs)
            model.means.linear[step, channel, 0] = kernel.reshape(3, 3)


def _opponent_dct() -> Tensor:
    """(192, 192): rows (colour, u, v), columns in the channel order of pixel_unshuffle."""
    colour = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    colour /= colour.norm(dim=1, keepdim=True)
    position = torch.arange(PATCH)
    dct = torch.cos(math.pi / PATCH * (position + 0.5) * position[:, None]) * math.sqrt(2 / PATCH)
    dct[0] /= math.sqrt(2)
    return torch.kron(colour, torch.kron(dct, dct))


def _haar() -> Tensor:
    """(4, 4) orthonormal 2x2 Haar step."""
    pair = torch.tensor([[1.0, 1], [1, -1]]) / math.sqrt(2)
    return torch.kron(pair, pair)
