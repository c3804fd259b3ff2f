"""Start from a transform that is known: the untrained model is a principal component analysis.

The three stride-2 convolutions are orthonormal 2x2 Haar steps, so together a lossless transform of
8x8 blocks; the encoder's head keeps the principal components of these on training crops, at unit
variance; the decoder predicts all of them from the 3x3 latents around, by least squares, and takes
the block transform back. All residual branches are zero.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.vae.model import COEFFICIENTS, STRIDE, Encoder, Vae

FIRST_LOG_VARIANCE = -8.0
RIDGE = 1e-4


@torch.no_grad()
def warm_start(model: Vae, crops: Tensor) -> None:
    """Set the transforms of a fresh model.

    Args:
        crops: (N, 3, H, W) in [0, 1], a few dozen training crops; sides are multiples of 8.
    """
    if model.config.decoder_width < COEFFICIENTS:
        raise ValueError(f"the decoder needs a width of {COEFFICIENTS} for the block transform")
    encoder, decoder = model.encoder, model.decoder
    _set_haar(encoder, torch.ones(COEFFICIENTS))
    coefficients = encoder.down(crops - 0.5)
    flatten = coefficients.std((0, 2, 3)).rsqrt()  # tames the span of the trunk's channels
    _set_haar(encoder, flatten)
    mean, components, scale = _principal(coefficients, model.config.latent)

    nn.init.zeros_(encoder.head.weight)
    bias = torch.full((2 * len(scale),), FIRST_LOG_VARIANCE)
    analysis = components.T / scale[:, None]
    encoder.head.weight[: len(scale), :, 1, 1] = analysis / flatten
    bias[: len(scale)] = -analysis @ mean
    _set(encoder.head.bias, bias)

    latents = F.conv2d(coefficients - mean[:, None, None], analysis[:, :, None, None])
    weight, bias = _least_squares(latents, coefficients)
    nn.init.normal_(decoder.head.weight, std=0.01)
    nn.init.zeros_(decoder.head.bias)  # type: ignore[arg-type]
    decoder.head.weight[:COEFFICIENTS] = weight * flatten[:, None, None, None]
    assert decoder.head.bias is not None
    decoder.head.bias[:COEFFICIENTS] = bias * flatten
    nn.init.normal_(decoder.up.weight, std=0.001)
    nn.init.zeros_(decoder.up.bias)  # type: ignore[arg-type]
    decoder.up.weight[:, :COEFFICIENTS, 0, 0] = _block_transform(encoder) / flatten**2


def _set_haar(encoder: Encoder, gain: Tensor) -> None:
    """Channel c of every stride-2 convolution becomes 4c..4c+3, its Haar step; the last scaled."""
    pair = torch.tensor([[1.0, 1], [1, -1]]) / math.sqrt(2)
    haar = torch.einsum("ay,bx->abyx", pair, pair).reshape(4, 2, 2)
    layers = [layer for layer in encoder.down if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        weight = torch.einsum("oi,kyx->okiyx", torch.eye(layer.in_channels), haar)
        layer.weight.copy_(weight.flatten(0, 1))
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    layers[-1].weight.mul_(gain[:, None, None, None])


def _block_transform(encoder: Encoder) -> Tensor:
    """(192, 192): rows in the channel order of pixel_shuffle, columns the encoder's channels."""
    units = F.pixel_shuffle(torch.eye(COEFFICIENTS)[:, :, None, None], STRIDE)
    transform: Tensor = encoder.down(units)[:, :, 0, 0]
    return transform


def _principal(coefficients: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (192,), the first components (192, count), standard deviation of each (count,)."""
    flat = coefficients.movedim(1, -1).reshape(-1, COEFFICIENTS).double()
    mean = flat.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(flat.T))
    largest = torch.argsort(values, descending=True)[:count]
    return mean.float(), vectors[:, largest].float(), values[largest].sqrt().float()


def _least_squares(z: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """The 3x3 convolution, weight and bias, that best gives (N, K, h, w) from (N, C, h, w)."""
    inner = coefficients[:, :, 1:-1, 1:-1].movedim(1, -1).reshape(-1, coefficients.shape[1])
    inputs = F.unfold(z, 3).movedim(1, -1).reshape(len(inner), -1)
    inputs = torch.cat([inputs, torch.ones(len(inner), 1)], 1).double()
    gram = inputs.T @ inputs
    gram += RIDGE * len(inner) * torch.eye(len(gram))
    solution = torch.linalg.solve(gram, inputs.T @ inner.double()).float()
    return solution[:-1].T.reshape(-1, z.shape[1], 3, 3), solution[-1]


def _set(parameter: Tensor | None, value: Tensor) -> None:
    assert parameter is not None
    parameter.copy_(value)
