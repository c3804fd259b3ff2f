"""The integer network that alone decides how symbols are parsed.

Every value is an integer held in a float tensor, and every sum stays far below 2^24, so the
result is the same in any order of summation, with any number of threads, on any device. Training
runs this very arithmetic, with straight-through gradients (Jacob et al., arXiv:1712.05877;
Ballé, Johnston, Minnen, "Integer networks for data compression", ICLR 2019).

Units: activations in 1/16, weights in 1/256.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS, rate_position

ACTIVATION_UNIT = 16
WEIGHT_UNIT = 256
ACTIVATION_MAX = 255
WEIGHT_MAX = 511
SYMBOL_CLIP = 15
"""Magnitudes above this look alike to the net, for z and y alike."""
SCALES = 64
SCALE_UNIT = 8
ZERO_INDEX = 28
"""Scale index i stands for exp((i - 28) / 8): 0.03 to 80 quantisation steps."""


def scale_table() -> Tensor:
    """Scale of each index in quantisation steps, (64,) float32."""
    return torch.exp((torch.arange(SCALES) - ZERO_INDEX) / SCALE_UNIT)


def ste_round(x: Tensor) -> Tensor:
    """Round half up, with the gradient of the identity."""
    return x + (torch.floor(x + 0.5) - x).detach()


class IntegerConv(nn.Module):
    """A convolution whose weights and biases are integers when used; float parameters learn."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1) -> None:
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, kernel)
        self.weight = conv.weight
        self.bias = nn.Parameter(torch.zeros(outputs))

    def integer_weight(self) -> Tensor:
        """(outputs, inputs, k, k), integers within +-511."""
        return ste_round(self.weight * WEIGHT_UNIT).clamp(-WEIGHT_MAX, WEIGHT_MAX)

    def integer_bias(self) -> Tensor:
        """(outputs,) integers."""
        return ste_round(self.bias * (WEIGHT_UNIT * ACTIVATION_UNIT))

    def forward(self, x: Tensor) -> Tensor:
        """Integers (N, C, H, W) -> integer sums, in units of 1 / (16 * 256)."""
        padding = self.weight.shape[-1] // 2
        return F.conv2d(x, self.integer_weight(), self.integer_bias(), padding=padding)


def activate(total: Tensor) -> Tensor:
    """Sums back to activations: ReLU, round half up, saturate at 255."""
    return ste_round(total / WEIGHT_UNIT).clamp(0, ACTIVATION_MAX)


class ScaleNet(nn.Module):
    """Scale indices of y from z, from the symbols parsed so far, and from the quality.

    z ── 1x1, shuffle ── 1x1, shuffle ── side (1/16) ───────┐
    |symbols of earlier steps| ── 1x1 ── 3x3 ── + step bias ┴ relu ── 1x1 ── + rate bias ── index
    """

    def __init__(self, y: int, z: int, hidden: int, steps: int, nodes: int) -> None:
        super().__init__()
        self.up1 = IntegerConv(z, 4 * hidden)
        self.up2 = IntegerConv(hidden, 4 * hidden)
        self.energy = IntegerConv(y, hidden)
        self.context = IntegerConv(hidden, hidden, 3)
        self.side = IntegerConv(hidden, hidden)
        self.step_bias = nn.Parameter(torch.zeros(steps, hidden))
        self.head = IntegerConv(hidden, y)
        self.rate_bias = nn.Parameter(torch.zeros(nodes, y))

    def features(self, z: Tensor) -> Tensor:
        """Integer z (N, C, h, w) -> side activations (N, hidden, 4h, 4w)."""
        x = ACTIVATION_UNIT * z.clamp(-SYMBOL_CLIP, SYMBOL_CLIP)
        x = F.pixel_shuffle(activate(self.up1(x)), 2)
        return F.pixel_shuffle(activate(self.up2(x)), 2)

    def forward(self, side: Tensor, symbols: Tensor, step: int, quality: Tensor) -> Tensor:
        """Scale indices (N, y, H, W), integers 0 to 63.

        Args:
            side: From `features`, cropped to the size of y.
            symbols: (N, y, H, W) integers, zero where not parsed yet.
            step: Number of the next step.
            quality: (N,) int64.
        """
        magnitude = ACTIVATION_UNIT * symbols.abs().clamp(max=SYMBOL_CLIP)
        total = self.context(activate(self.energy(magnitude))) + self.side(side)
        bias = ste_round(self.step_bias[step] * (WEIGHT_UNIT * ACTIVATION_UNIT))
        total = self.head(activate(total + bias[:, None, None]))
        total = total + self.integer_rate_bias(quality)[:, :, None, None]
        unit = WEIGHT_UNIT * ACTIVATION_UNIT // SCALE_UNIT
        return ste_round(total / unit).clamp(0, SCALES - 1)

    def integer_rate_bias(self, quality: Tensor) -> Tensor:
        """(N,) int64 -> (N, y) integers, interpolated between nodes in integers."""
        nodes = len(self.rate_bias)
        spacing = QUALITY_STEPS // (nodes - 1)
        table = ste_round(self.rate_bias * (WEIGHT_UNIT * ACTIVATION_UNIT))
        lower, distance = rate_position(quality, nodes)
        far = distance[:, None]
        total = table[lower] * (spacing - far) + table[lower + 1] * far
        return ste_round(total / spacing)
