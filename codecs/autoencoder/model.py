"""One convolutional autoencoder, and the ways to build it that courses compare."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 8
FIRST_LOG_VARIANCE = -6.0
FIRST_CONTRAST = 0.1
HALO = 8
"""Positions of the latent around a window that its result depends on, at most."""


@dataclass(frozen=True)
class ModelConfig:
    """What is varied.

    down: Halve the resolution by a 2x2 maximum or by a convolution of stride 2.
    residual: A residual block of two convolutions at each scale.
    variational: Gaussian noise of learned strength on the latent, and a KL divergence.
    bits: Bits of each value of the latent; 2^bits levels.
    latent: Channels at 1/8. width: Channels at full size, doubled by each halving.
    """

    down: Literal["maxpool", "stride"] = "stride"
    residual: bool = False
    variational: bool = False
    bits: int = 3
    latent: int = 8
    width: int = 16

    @property
    def levels(self) -> int:
        return int(2**self.bits)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)


ARMS = {
    "maxpool": ModelConfig(down="maxpool"),
    "stride": ModelConfig(),
    "residual": ModelConfig(residual=True),
    "variational": ModelConfig(residual=True, variational=True),
}
BITS = (1, 2, 3, 4)
SIZES = {
    f"{arm}-b{bits}": replace(config, bits=bits) for arm, config in ARMS.items() for bits in BITS
}


class Residual(nn.Module):
    """x ── 3x3 ── relu ── 3x3 ── + ; the last one starts as zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        y: Tensor = x + self.last(F.relu(self.first(x)))
        return y


class Encoder(nn.Module):
    """Picture to latent, before it is squashed.

    x (3) ── 3x3 ── [3x3 and 2x2 maximum, or 3x3/2 ── relu ── residual] x 3 ── 3x3 ── y
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
        for _ in range(3):
            stride = 2 if config.down == "stride" else 1
            layers += [nn.Conv2d(width, 2 * width, 3, padding=1, stride=stride), nn.ReLU()]
            if config.down == "maxpool":
                layers.append(nn.MaxPool2d(2))
            width *= 2
            if config.residual:
                layers.append(Residual(width))
        outputs = config.latent * (2 if config.variational else 1)
        layers.append(nn.Conv2d(width, outputs, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, half: bool = False) -> Tensor:
        """(N, 3, H, W) in [0, 1], sides multiples of 8 -> (N, latent or twice it, H/8, W/8)."""
        x = (x - 0.5).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
            y: Tensor = self.layers(x)
        return y.float()


class Decoder(nn.Module):
    """Squashed latent to picture.

    u ── 3x3 ── relu ── [residual ── transposed 2x2/2 ── relu] x 3 ── 3x3 ── x (3)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = 8 * config.width
        layers: list[nn.Module] = [nn.Conv2d(config.latent, width, 3, padding=1), nn.ReLU()]
        for _ in range(3):
            if config.residual:
                layers.append(Residual(width))
            layers += [nn.ConvTranspose2d(width, width // 2, 2, stride=2), nn.ReLU()]
            width //= 2
        layers.append(nn.Conv2d(width, 3, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, u: Tensor, half: bool = False) -> Tensor:
        """(N, latent, h, w) in [0, 1] -> (N, 3, 8h, 8w), about [0, 1], not clipped."""
        u = (4 * u - 2).contiguous(memory_format=torch.channels_last)
        with torch.autocast(u.device.type, dtype=torch.bfloat16, enabled=half):
            x: Tensor = self.layers(u)
        return x.float() + 0.5


class Autoencoder(nn.Module):
    """Encoder, squashing, quantisation, decoder.

        x ── Encoder ── y ── [+ Gaussian noise] ── normal CDF ── u ── round ── Decoder ── x

    The normal cumulative distribution takes a standard normal y to a uniform u, for which equal
    steps are right. In training, uniform noise stands for rounding (Ballé et al., ICLR 2017).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the encoder's output; the latter is very low if not learned."""
        if not self.config.variational:
            return y, torch.full_like(y, -20.0)
        mean, log_variance = y.chunk(2, dim=1)
        return mean, log_variance.clamp(-14, 4)


@torch.no_grad()
def calibrate(model: Autoencoder, crops: Tensor) -> None:
    """Scale a fresh model's layers, so that on real pictures each gives unit variance.

    Without it the first latents vary less than one level, and nothing is learned from them. After
    Mishkin and Matas, "All you need is a good init" (ICLR 2016).
    """
    y = _scale_layers(model.encoder.layers, crops - 0.5)
    if model.config.variational:
        head = model.encoder.layers[-1]
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        head.weight[model.config.latent :] = 0
        head.bias[model.config.latent :] = FIRST_LOG_VARIANCE
    mean, _ = model.split(y)
    _scale_layers(model.decoder.layers, 4 * squash(mean) - 2)
    model.decoder.layers[-1].weight.mul_(FIRST_CONTRAST)  # type: ignore[operator]


def _scale_layers(layers: nn.Sequential, x: Tensor) -> Tensor:
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            layer.weight /= layer(x).std()
        x = layer(x)
    return x


def squash(y: Tensor) -> Tensor:
    """The standard normal cumulative distribution function."""
    return 0.5 * (1 + torch.erf(y * 0.5**0.5))
