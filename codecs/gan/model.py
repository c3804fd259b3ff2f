"""The two networks, of convolutions only, and how large they are."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from glassplate.codecs.training.adversarial import Players

FIRST_SIDE = 4
SLOPE = 0.2
TINY = 1e-8


@dataclass(frozen=True)
class ModelConfig:
    """side: Of the pictures, 4 times a power of two. noise: Numbers that a picture is made from.
    width: Channels at full size, doubled by each halving, up to `widest`."""

    side: int = 32
    noise: int = 64
    width: int = 32
    widest: int = 192

    @property
    def scales(self) -> int:
        """How often the side is doubled."""
        return int(math.log2(self.side // FIRST_SIDE))

    def channels(self, scale: int) -> int:
        """At a scale: 0 is the coarsest."""
        return min(self.width << (self.scales - scale), self.widest)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)


SIZES = {"32": ModelConfig(), "64": ModelConfig(side=64, width=24)}


class Generator(nn.Module):
    """Noise to a picture.

    z ── linear ── norm ── relu ── [double size ── 3x3 ── norm ── relu] ... ── 3x3 ── tanh ── x (3)

    Batch normalisation, as in DCGAN (Radford et al., ICLR 2016), keeps what is made from different
    noise different. Once trained (`eval`), pictures do not depend on each other.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        channels = [config.channels(scale) for scale in range(config.scales + 1)]
        self.head = nn.Linear(config.noise, channels[0] * FIRST_SIDE**2, bias=False)
        self.ups = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            for inputs, outputs in pairwise(channels)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for outputs in channels)
        self.tail = nn.Conv2d(channels[-1], 3, 3, padding=1)

    def forward(self, z: Tensor, half: bool = False) -> Tensor:
        """(N, noise) standard normal -> (N, 3, side, side) float32 in [-1, 1].

        half: Run the convolutions in bfloat16.
        """
        with torch.autocast(z.device.type, dtype=torch.bfloat16, enabled=half):
            x = self.head(z).unflatten(1, (-1, FIRST_SIDE, FIRST_SIDE))
            x = F.relu(self.norms[0](x.contiguous(memory_format=torch.channels_last)))
            for up, norm in zip(self.ups, self.norms[1:], strict=True):
                x = F.relu(norm(up(F.interpolate(x, scale_factor=2.0))))
            picture: Tensor = torch.tanh(self.tail(x).float())
        return picture


class Discriminator(nn.Module):
    """A picture to a logit: above 0 means that it looks real.

    x (3) ── 3x3 ── [leaky relu ── 4x4/2] ... ── leaky relu ── deviation ── linear

    Convolutions are spectrally normalised (Miyato et al., ICLR 2018); the last layer is not, or no
    logit would be far from 0. The deviation is one more number: how much the pictures of the batch
    differ, so that pictures that are all alike give themselves away (Karras et al., ICLR 2018).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = [config.channels(scale) for scale in range(config.scales, -1, -1)]
        layers: list[nn.Module] = [spectral_norm(nn.Conv2d(3, channels[0], 3, padding=1))]
        for inputs, outputs in pairwise(channels):
            layers.append(nn.LeakyReLU(SLOPE))
            layers.append(spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)))
        layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers)
        self.tail = nn.Linear(channels[-1] * FIRST_SIDE**2 + 1, 1)

    def forward(self, x: Tensor, half: bool = False) -> Tensor:
        """(N, 3, side, side) in [-1, 1] -> (N, 1) float32. half: As for `Generator`."""
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
            y = self.layers(x.contiguous(memory_format=torch.channels_last)).flatten(1).float()
            deviation = y.var(0, correction=0).add(TINY).sqrt().mean().expand(len(y), 1)
            logit: Tensor = self.tail(torch.cat([y, deviation], 1)).float()
        return logit


class Gan(Players):
    """Both, of one size."""

    generator: Generator
    discriminator: Discriminator

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(Generator(config), Discriminator(config))
