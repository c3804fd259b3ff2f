"""`MeanNet` as it runs: at one quality, and only at the positions that each step needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.hyperprior.network.folded import FoldedBlock, pointwise, weights_of
from glassplate.codecs.hyperprior.network.model import MeanNet
from glassplate.codecs.hyperprior.network.order import STEPS, cells
from glassplate.codecs.layers.convolutions import channels_last
from glassplate.codecs.layers.rate_blocks import asinh

Floats = npt.NDArray[np.float32]


class FoldedMeans:
    """`MeanNet` at one quality; `begin` gives the state of one tile."""

    def __init__(self, net: MeanNet, level: Tensor) -> None:
        self.net = net
        self.up1, self.up2, self.mix = (weights_of(c) for c in (net.up1, net.up2, net.mix))
        self.blocks = [FoldedBlock(b, level, torch.float32) for b in (net.block1, net.block2)]
        hyper = net.first.weight.shape[1]
        self.join_side = net.join.weight[:, :hyper].contiguous()
        self.join_known = net.join.weight[:, hyper:, 0, 0].T.contiguous()
        self.first = net.first.weight[:, :, 0, 0]
        self.last = net.last.weight[:, :, 0, 0]

    def begin(self, z: Tensor, height: int, width: int) -> MeanState:
        """From rounded z (1, z, h, w), for y of height x width."""
        x = channels_last(F.pixel_shuffle(pointwise(channels_last(z), *self.up1), 2))
        x = F.silu(self.blocks[0](x), inplace=True)
        x = channels_last(F.pixel_shuffle(pointwise(x, *self.up2), 2))
        side = channels_last(self.blocks[1](x)[..., :height, :width])
        return MeanState(self, side)


class MeanState:
    """What is known of one tile: ask for the `mean` of a step, then `reveal` its values.

    y: (Y, h, w) float32, in quantisation steps; zero where nothing is revealed yet.
    """

    def __init__(self, means: FoldedMeans, side: Tensor) -> None:
        self.means = means
        self.first = F.silu(side)
        self.joined = pointwise(side, means.join_side, means.net.join.bias)
        self.y = side.new_zeros(len(means.last), *side.shape[-2:])

    def mean(self, step: int) -> Floats:
        """Means of the values of a step, (n,) in coding order."""
        net = self.means.net
        if step == 0:
            return self._head(self.first, self.means.first, net.first.bias, None, 0)
        x = F.silu(self.joined + net.step_bias[step][:, None, None], inplace=True)
        x = F.conv2d(x, net.depthwise.weight, net.depthwise.bias, padding=2, groups=x.shape[1])
        x = F.silu(pointwise(F.silu(x, inplace=True), *self.means.mix), inplace=True)
        channels = len(self.y)
        near = F.conv2d(self.y[None], net.linear[step], padding=1, groups=channels)[0]
        return self._head(x, self.means.last, net.last.bias, near, step)

    def reveal(self, step: int, values: Floats) -> None:
        """Tell the values of a step, (n,) in coding order. Nothing depends on those of the last."""
        known = torch.from_numpy(values).to(self.y.device)
        squashed = asinh(known) if step < STEPS - 1 else None
        joined = self.joined[0].permute(1, 2, 0)
        start = 0
        for group, rows, columns in cells(len(self.y), step):
            corner = self.y[group, rows, columns]
            part = slice(start, start + corner.numel())
            corner.copy_(known[part].view(corner.shape))
            if squashed is not None:
                share = squashed[part].view(len(corner), -1).T @ self.means.join_known[group]
                joined[rows, columns] += share.view(*corner.shape[1:], share.shape[1])
            start = part.stop

    def _head(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, near: Tensor | None, step: int
    ) -> Floats:
        """A last 1x1 convolution, and what the neighbours add, where the step needs them."""
        assert bias is not None
        rows_last = x[0].permute(1, 2, 0)
        parts = []
        for group, rows, columns in cells(len(self.y), step):
            corner = rows_last[rows, columns].reshape(-1, x.shape[1])
            part = torch.addmm(bias[group, None], weight[group], corner.T)
            if near is not None:
                part += near[group, rows, columns].reshape(part.shape)
            parts.append(part.flatten())
        return torch.cat(parts).cpu().numpy()
