"""What MS-SSIM and SSIMULACRA2 are made of: a Gaussian, sigma 1.5, 11 taps, and half the size.

Float32 and differentiable.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

REACH = 5
"""Values on either side that the filter sees."""
_SIGMA, _BLOCK = 1.5, 16


def blur(x: Tensor) -> Tensor:
    """Blur rows and columns of (H, ..., W), H at least 5.

    Beyond the first and the last row the picture is mirrored, left and right of it all is zero, as
    in PyPI's `ssimulacra2`.
    """
    blurred: Tensor = _Blur.apply(x)  # type: ignore[no-untyped-call]
    return blurred


def halve(x: Tensor) -> Tensor:
    """Means of 2x2 values of (H, ..., W); an odd last row or column counts twice."""
    if x.shape[0] % 2:
        x = torch.cat([x, x[-1:]])
    if x.shape[-1] % 2:
        x = torch.cat([x, x[..., -1:]], -1)
    rows = x[0::2] + x[1::2]
    return (rows[..., 0::2] + rows[..., 1::2]) / 4


class _Blur(torch.autograd.Function):
    """The filter is its own transpose, so gradients are blurred likewise."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return _blurred(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _blurred(gradient)


def _blurred(x: Tensor) -> Tensor:
    """Blocks of 16 values as products with a band matrix, which on a CPU no convolution beats."""
    height, width = x.shape[0], x.shape[-1]
    padded = _padded(x).flatten(1)
    count, seen = -(-height // _BLOCK), _BLOCK + 2 * REACH
    stride = padded.shape[1]
    blocks = padded.as_strided((count, seen, stride), (_BLOCK * stride, stride, 1))
    band = _band().to(x.device)
    down = torch.bmm(band.T.repeat(count, 1, 1), blocks).flatten(0, 1)[:height]
    across = down.view(-1, stride // math.prod(x.shape[1:-1])).unfold(1, seen, _BLOCK)
    return (across.reshape(-1, seen) @ band).view(*x.shape[:-1], -1)[..., :width]


def _padded(x: Tensor) -> Tensor:
    """By what the filter sees on each side, and to whole blocks."""
    height, width = x.shape[0], x.shape[-1]
    rows, columns = (side + -side % _BLOCK + 2 * REACH for side in (height, width))
    padded = x.new_zeros(rows, *x.shape[1:-1], columns)
    inside = padded[..., REACH : REACH + width]
    inside[REACH : REACH + height] = x
    inside[:REACH] = x[:REACH].flip(0)
    inside[REACH + height : 2 * REACH + height] = x[-REACH:].flip(0)
    return padded


def _band() -> Tensor:
    """(26, 16): what each of 26 values gives to each of the 16 that are in their middle."""
    distance = torch.arange(_BLOCK + 2 * REACH)[:, None] - torch.arange(_BLOCK) - REACH
    taps = torch.exp(-(distance**2) / (2 * _SIGMA**2)) * (distance.abs() <= REACH)
    return taps / taps[:, 0].sum()
