"""The networks as they run: at one quality, with its rates and gains folded into the weights.

They compute what `model` computes, up to rounding, in a third of the time: convolutions multiply by
the rates as they go, strided ones take the place of shuffles, residuals are added in place, and
pixels are 8-bit integers in their own order in memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.hyperprior.network.model import (
    PATCH,
    Analysis,
    HyperAnalysis,
    Hyperprior,
    Synthesis,
)
from glassplate.codecs.layers.convolutions import channels_last
from glassplate.codecs.layers.rate_blocks import Block, asinh

PEAK = 255.0


class Weights(NamedTuple):
    """Weights of a convolution."""

    weight: Tensor
    bias: Tensor


class FoldedBlock:
    """`Block` at one quality. Changes its input in place; its inside runs in `dtype`."""

    def __init__(self, block: Block, level: Tensor, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.spatial_in = _cast(block.spatial_in, dtype)
        self.depthwise = _cast(block.depthwise, dtype)
        self.spatial_out = _cast(block.spatial_out, dtype, block.spatial_rate(level))
        self.mix_in = _cast(block.mix_in, dtype)
        self.mix_out = _cast(block.mix_out, dtype, block.mix_rate(level))

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32, channels last -> the same tensor."""
        inner = F.silu(F.conv2d(x.to(self.dtype), *self.spatial_in), inplace=True)
        inner = F.conv2d(inner, *self.depthwise, padding=1, groups=inner.shape[1])
        x += F.conv2d(inner, *self.spatial_out)
        inner = F.silu(F.conv2d(x.to(self.dtype), *self.mix_in), inplace=True)
        x += F.conv2d(inner, *self.mix_out)
        return x


class FoldedAnalysis:
    """`Analysis` and the gain at one quality, from 8-bit pixels to y in quantisation steps."""

    def __init__(self, model: Hyperprior, level: Tensor, dtype: torch.dtype) -> None:
        """level: (1,) int64, quality in tenths. dtype: of the insides of blocks."""
        net, gain = model.analysis, model.gain(level).flatten()
        embed, bias = weights_of(net.embed)
        embed = embed.view(-1, 3, PATCH, PATCH)
        bias = bias - embed.sum((1, 2, 3)) / 2
        self.embed = {
            channels: Weights(channels_last(kernel / PEAK), bias)
            for channels, kernel in ((1, embed.sum(1, keepdim=True)), (3, embed))
        }
        self.blocks = [FoldedBlock(block, level, dtype) for block in _blocks(net)]
        reduce, bias = weights_of(net.reduce)
        kernel = reduce.view(len(reduce), -1, 2, 2) * gain[:, None, None, None]
        self.reduce = Weights(channels_last(kernel), bias * gain)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(N, H, W, 1 or 3) uint8, sides multiples of 16 -> (N, y, H/16, W/16) float32."""
        x = pixels.permute(0, 3, 1, 2).float()
        x = F.conv2d(x, *self.embed[pixels.shape[3]], stride=PATCH)
        for block in self.blocks:
            x = block(x)
        return F.conv2d(x, *self.reduce, stride=2)


class FoldedSynthesis:
    """`Synthesis` and the inverse gain at one quality, from y in quantisation steps to pixels."""

    def __init__(self, model: Hyperprior, level: Tensor, dtype: torch.dtype) -> None:
        """level: (1,) int64, quality in tenths. dtype: of the insides of blocks."""
        net, gain = model.synthesis, model.inverse_gain(level).flatten()
        expand, bias = weights_of(net.expand)
        self.expand = Weights(expand * gain[:, None, None], bias)
        self.blocks = [FoldedBlock(block, level, dtype) for block in _blocks(net)]
        weight, bias = weights_of(net.unembed)
        weight = weight.view(3, PATCH, PATCH, -1) * PEAK
        bias = (bias.view(3, PATCH, PATCH) + 0.5) * PEAK
        # From outputs in the order of unshuffling to rows of a patch, in memory order.
        self.unembed = Weights(
            weight.permute(1, 2, 0, 3).reshape(-1, weight.shape[3], 1, 1),
            bias.permute(1, 2, 0).flatten(),
        )

    def __call__(self, y: Tensor, channels: int) -> Tensor:
        """(N, y, h, w) float32 -> (N, 16h, 16w, channels) uint8; channels are 1 or 3."""
        x = channels_last(F.pixel_shuffle(pointwise(channels_last(y), *self.expand), 2))
        for block in self.blocks:
            x = block(x)
        x = pointwise(x, *self.unembed).clamp_(0, PEAK)
        count, _, rows, columns = x.shape
        patches = x.permute(0, 2, 3, 1).reshape(count, rows, columns, PATCH, PATCH, 3)
        if channels == 1:
            patches = patches.mean(5, keepdim=True)
        pixels: Tensor = patches.add_(0.5).to(torch.uint8).flatten(4).transpose(2, 3)
        return pixels.reshape(count, rows * PATCH, columns * PATCH, channels)


class FoldedHyperAnalysis:
    """`HyperAnalysis` at one quality."""

    def __init__(self, net: HyperAnalysis, level: Tensor) -> None:
        self.reduce1 = _two_by_two(net.reduce1)
        self.block = FoldedBlock(net.block, level, torch.float32)
        self.reduce2 = _two_by_two(net.reduce2)

    def __call__(self, y: Tensor) -> Tensor:
        """(N, y, h, w) -> (N, z, ceil(h/4), ceil(w/4)), not rounded."""
        height, width = y.shape[-2:]
        x = channels_last(asinh(F.pad(y, (0, -width % 4, 0, -height % 4))))
        x = self.block(F.conv2d(x, *self.reduce1, stride=2))
        return F.conv2d(F.silu(x, inplace=True), *self.reduce2, stride=2)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A 1x1 convolution, channels last, with rows for pictures: with one thread, torch takes a path
    of half the speed for fewer than 16 pictures."""
    count, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(count * height, 1, width, channels).permute(0, 3, 1, 2)
    out = F.conv2d(rows, weight, bias).permute(0, 2, 3, 1)
    return out.reshape(count, height, width, -1).permute(0, 3, 1, 2)


def weights_of(conv: nn.Conv2d) -> Weights:
    """Those of a convolution that has a bias."""
    assert conv.bias is not None
    return Weights(conv.weight, conv.bias)


def _cast(conv: nn.Conv2d, dtype: torch.dtype, rate: Tensor | None = None) -> Weights:
    """rate: (1, inputs, 1, 1), multiplied into the weight."""
    weight, bias = weights_of(conv)
    return Weights((weight if rate is None else weight * rate).to(dtype), bias.to(dtype))


def _two_by_two(conv: nn.Conv2d) -> Weights:
    """A 1x1 convolution after unshuffling by 2 is a 2x2 convolution of stride 2."""
    weight, bias = weights_of(conv)
    return Weights(channels_last(weight.view(len(weight), -1, 2, 2)), bias)


def _blocks(net: Analysis | Synthesis) -> list[Block]:
    return [block for block in net.blocks if isinstance(block, Block)]
