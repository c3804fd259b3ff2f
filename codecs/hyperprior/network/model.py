"""The `hyperprior` networks: transforms, hyperprior, means with context, integer scales."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.hyperprior.network.order import STEPS
from glassplate.codecs.hyperprior.network.scale_net import ScaleNet
from glassplate.codecs.layers.convolutions import channels_last, run_blocks
from glassplate.codecs.layers.rate_blocks import Block, RateVector, asinh, zero

PATCH = 8
Y_STRIDE = 16
Z_STRIDE = 64


@dataclass(frozen=True)
class ModelConfig:
    """Widths and depths. All defaults together are the size `small`."""

    trunk: int = 192
    spatial: int = 96
    hidden: int = 192
    y: int = 256
    z: int = 64
    hyper: int = 128
    context: int = 160
    scale_hidden: int = 48
    analysis_blocks: int = 4
    synthesis_blocks: int = 5
    nodes: int = 11

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)


SIZES = {
    "small": ModelConfig(),
    "base": ModelConfig(
        trunk=256,
        spatial=192,
        hidden=512,
        y=256,
        z=96,
        hyper=192,
        context=256,
        scale_hidden=64,
        analysis_blocks=5,
        synthesis_blocks=7,
    ),
}


class Analysis(nn.Module):
    """Picture to y, in float32 except for the inside of the blocks.

    x (3) ── unshuffle 8 ── 1x1 ── blocks at 1/8 ── unshuffle 2 ── 1x1 ── y (1/16)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config
        self.embed = nn.Conv2d(3 * PATCH**2, c.trunk, 1)
        self.blocks = nn.ModuleList(
            Block(c.trunk, c.spatial, c.hidden, c.nodes) for _ in range(c.analysis_blocks)
        )
        self.reduce = nn.Conv2d(4 * c.trunk, c.y, 1)

    def forward(self, x: Tensor, quality: Tensor, half: bool = False) -> Tensor:
        """(N, 3, H, W) in [0, 1], sides multiples of 16 -> (N, y, H/16, W/16) float32."""
        features: Tensor = self.embed(channels_last(F.pixel_unshuffle(x - 0.5, PATCH)))
        features = run_blocks(self.blocks, features, quality, half)
        y: Tensor = self.reduce(channels_last(F.pixel_unshuffle(features, 2)))
        return y


class Synthesis(nn.Module):
    """y to picture, the mirror of `Analysis`.

    y (1/16) ── 1x1 ── shuffle 2 ── blocks at 1/8 ── 1x1 ── shuffle 8 ── x (3)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config
        self.expand = nn.Conv2d(c.y, 4 * c.trunk, 1)
        self.blocks = nn.ModuleList(
            Block(c.trunk, c.spatial, c.hidden, c.nodes) for _ in range(c.synthesis_blocks)
        )
        self.unembed = nn.Conv2d(c.trunk, 3 * PATCH**2, 1)

    def forward(self, y: Tensor, quality: Tensor, half: bool = False) -> Tensor:
        """(N, y, h, w) float32 -> (N, 3, 16h, 16w), about [0, 1], not clipped."""
        features = channels_last(F.pixel_shuffle(self.expand(y), 2))
        features = run_blocks(self.blocks, features, quality, half)
        return F.pixel_shuffle(self.unembed(features), PATCH) + 0.5


class HyperAnalysis(nn.Module):
    """y, in steps, to z at a quarter of its resolution.

    y ── asinh ── unshuffle 2 ── 1x1 ── block ── silu ── unshuffle 2 ── 1x1 ── z (1/64)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config
        self.reduce1 = nn.Conv2d(4 * c.y, c.hyper, 1)
        self.block = Block(c.hyper, c.hyper // 2, c.hyper, c.nodes)
        self.reduce2 = nn.Conv2d(4 * c.hyper, c.z, 1)

    def forward(self, y: Tensor, quality: Tensor) -> Tensor:
        """(N, y, h, w) -> (N, z, ceil(h/4), ceil(w/4)), not rounded."""
        height, width = y.shape[-2:]
        y = F.pad(y, (0, -width % 4, 0, -height % 4))
        x = self.reduce1(channels_last(F.pixel_unshuffle(asinh(y), 2)))
        x = F.silu(self.block(x, quality))
        z: Tensor = self.reduce2(channels_last(F.pixel_unshuffle(x, 2)))
        return z


class MeanNet(nn.Module):
    """Means of y, in quantisation steps, from z and from the parts of y decoded so far.

    z ── 1x1, shuffle, block ── 1x1, shuffle, block ── side (1/16) ── 1x1 ─────────── step 0
    side, asinh(y so far) ── 1x1 + step bias ── depthwise 5x5 ── silu ── 1x1 ── + ─── steps 1-3
    y so far ── depthwise 3x3 per step (linear prediction from decoded neighbours) ──┘
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c = config
        self.up1 = nn.Conv2d(c.z, 4 * c.hyper, 1)
        self.block1 = Block(c.hyper, c.hyper // 2, c.hyper, c.nodes)
        self.up2 = nn.Conv2d(c.hyper, 4 * c.hyper, 1)
        self.block2 = Block(c.hyper, c.hyper // 2, c.hyper, c.nodes)
        self.first = nn.Conv2d(c.hyper, c.y, 1)
        self.join = nn.Conv2d(c.hyper + c.y, c.context, 1)
        self.step_bias = nn.Parameter(torch.zeros(STEPS, c.context))
        self.depthwise = nn.Conv2d(c.context, c.context, 5, padding=2, groups=c.context)
        self.mix = nn.Conv2d(c.context, c.context, 1)
        self.last = nn.Conv2d(c.context, c.y, 1)
        self.linear = nn.Parameter(torch.zeros(STEPS, c.y, 1, 3, 3))
        for head in (self.first, self.last):
            zero(head)

    def begin(self, z: Tensor, quality: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """From rounded z (N, z, h, w), for y of height x width.

        Returns:
            Means of step 0, (N, y, height, width), and what z adds to later steps,
            (N, context, height, width).
        """
        x = channels_last(F.pixel_shuffle(self.up1(z), 2))
        x = self.block1(x, quality)
        x = channels_last(F.pixel_shuffle(self.up2(F.silu(x)), 2))
        side = channels_last(self.block2(x, quality)[..., :height, :width])
        weight = self.join.weight[:, : side.shape[1]]
        return self.first(F.silu(side)), F.conv2d(side, weight, self.join.bias)

    def forward(self, side: Tensor, known: Tensor, squashed: Tensor, step: int) -> Tensor:
        """Means (N, y, h, w) of a step from 1 on; only the positions of this step are of use.

        Args:
            side: From `begin`.
            known: (N, y, h, w), y as decoded in earlier steps, zero elsewhere.
            squashed: asinh of `known`.
            step: Number of the next step.
        """
        weight = self.join.weight[:, -known.shape[1] :]
        x = side + F.conv2d(channels_last(squashed), weight)
        x = self.depthwise(F.silu(x + self.step_bias[step][:, None, None]))
        neighbours = F.conv2d(known, self.linear[step], padding=1, groups=known.shape[1])
        means: Tensor = self.last(F.silu(self.mix(F.silu(x)))) + neighbours
        return means


class Hyperprior(nn.Module):
    """All networks of the codec, one set of weights for every rate.

        x ── Analysis ── · gain ── y ── round(y - mean) ── symbols ── + mean ── y decoded
                                   │             ▲            │         ▲           │
                                   │             └─────── MeanNet ◄─────│───────────┤
                             HyperAnalysis           ▲        │                     │
                                   │                 │        ▼                     │
                                   └── round ── z ───┴──► ScaleNet (integers only)  │
        x ── Synthesis ── · 1/gain ─────────────────────────────────────────────────┘

    After Ballé et al., "Variational image compression with a scale hyperprior" (ICLR 2018), with
    gains per rate (Cui et al., CVPR 2021) and means and scales decoupled as parsing needs it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = Analysis(config)
        self.synthesis = Synthesis(config)
        self.hyper_analysis = HyperAnalysis(config)
        self.means = MeanNet(config)
        self.scales = ScaleNet(config.y, config.z, config.scale_hidden, STEPS, config.nodes)
        self.gain = RateVector(config.nodes, config.y)
        self.inverse_gain = RateVector(config.nodes, config.y)
        self.z_location = nn.Parameter(torch.zeros(config.nodes, config.z))
        self.z_log_scale = nn.Parameter(torch.zeros(config.nodes, config.z))
