"""The two building blocks of every network here: a vector per rate, and a residual block."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

QUALITY_STEPS = 1000
"""Quality is an integer number of tenths, 0 to 1000, so that parsing can depend on it exactly."""


def rate_position(quality: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Where a quality lies between the nodes of a table.

    Args:
        quality: (N,) int64, 0 to `QUALITY_STEPS`.
        nodes: Number of nodes; `QUALITY_STEPS` is a multiple of nodes - 1.

    Returns:
        Lower node, (N,) int64, and the distance from it in tenths of quality, (N,) int64.
    """
    spacing = QUALITY_STEPS // (nodes - 1)
    lower = torch.clamp(quality // spacing, max=nodes - 2)
    return lower, quality - lower * spacing


def zero(conv: nn.Conv2d) -> None:
    """Make a convolution give zero, until it learns better."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def asinh(x: Tensor) -> Tensor:
    """torch.asinh, from functions that are vectorised on CPUs: ten times faster."""
    magnitude = x.abs()
    return torch.copysign(torch.log1p(magnitude + (torch.sqrt(x * x + 1) - 1)), x)


class RateVector(nn.Module):
    """A positive vector per quality: exp of a table, interpolated linearly between its nodes."""

    def __init__(self, nodes: int, channels: int) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(nodes, channels))

    def forward(self, quality: Tensor) -> Tensor:
        """(N,) int64 -> (N, channels, 1, 1) float32."""
        nodes = len(self.log)
        lower, distance = rate_position(quality, nodes)
        share = (distance / (QUALITY_STEPS // (nodes - 1)))[:, None]
        log = torch.lerp(self.log[lower], self.log[lower + 1], share)
        vector: Tensor = log.exp()[:, :, None, None]
        return vector


class Block(nn.Module):
    """Depthwise and pointwise residual branches; both start as zero, so a block starts as identity.

    x ── 1x1 ── silu ── depthwise 3x3 ── · rate ── 1x1 ── + ── 1x1 ── silu ── · rate ── 1x1 ── +
     └────────────────────────────────────────────────────┘ └──────────────────────────────────┘
    """

    def __init__(self, channels: int, spatial: int, hidden: int, nodes: int) -> None:
        super().__init__()
        self.spatial_in = nn.Conv2d(channels, spatial, 1)
        self.depthwise = nn.Conv2d(spatial, spatial, 3, padding=1, groups=spatial)
        self.spatial_rate = RateVector(nodes, spatial)
        self.spatial_out = nn.Conv2d(spatial, channels, 1)
        self.mix_in = nn.Conv2d(channels, hidden, 1)
        self.mix_rate = RateVector(nodes, hidden)
        self.mix_out = nn.Conv2d(hidden, channels, 1)
        for last in (self.spatial_out, self.mix_out):
            zero(last)

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        """(N, C, H, W), (N,) int64 -> (N, C, H, W); the residual stream keeps the dtype of x."""
        inner = self.depthwise(F.silu(self.spatial_in(x)))
        x = x + self.spatial_out(inner * self.spatial_rate(quality).to(inner.dtype))
        inner = F.silu(self.mix_in(x))
        mixed: Tensor = x + self.mix_out(inner * self.mix_rate(quality).to(inner.dtype))
        return mixed
