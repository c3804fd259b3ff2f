"""The TAESD family's tiny autoencoders, from the pair of state dicts that they are published as.

After https://github.com/madebyollin/taesd (MIT): 3x3 convolutions, 64 wide, residual blocks; newer
members have a group-normalised branch in the blocks at the coarsest scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 64
HALO = 24


class _Clamp(nn.Module):
    """Latents softly to -3..3."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


class _Block(nn.Module):
    """x ── (+ pool) ── conv, relu, conv, relu, conv ── + ── relu."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH)
        )
        if pooled:
            self.pool = nn.Sequential(
                nn.Conv2d(WIDTH, 4 * WIDTH, 1, bias=False),
                nn.GroupNorm(4, 4 * WIDTH),
                nn.ReLU(),
                nn.Conv2d(4 * WIDTH, WIDTH, 1, bias=False),
            )
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, H, W) -> the same shape."""
        if self.pooled:
            x = x + self.pool(x)
        return F.relu(self.conv(x) + x)


class Taesd(nn.Module):
    """Encoder and decoder as one `Autoencoder`; pictures in [0, 1], as these models were trained.

    The group norm of newer members sees a window at a time, so windows of one large picture can
    differ a little in tone.
    """

    stride = 8
    encoder_halo = decoder_halo = HALO
    scaling_factor = 1.0
    shift_factor = 0.0

    def __init__(self, channels: int, pooled: bool) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = nn.Sequential(
            _conv(3, WIDTH), _Block(False),
            _down(), *_blocks(False),
            _down(), *_blocks(False),
            _down(), *_blocks(pooled),
            _conv(WIDTH, channels),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            _Clamp(), _conv(channels, WIDTH), nn.ReLU(),
            *_blocks(pooled), *_up(),
            *_blocks(False), *_up(),
            *_blocks(False), *_up(),
            _Block(False), _conv(WIDTH, 3),
        )  # fmt: skip

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Taesd:
        """From `encoder.*` and `decoder.*`. Raises KeyError, RuntimeError for other layouts."""
        model = cls(len(tensors["encoder.14.weight"]), "encoder.13.pool.0.weight" in tensors)
        model.load_state_dict({name: value.float() for name, value in tensors.items()})
        return model.eval()

    def encode(self, x: Tensor) -> Tensor:
        """As `Autoencoder` says."""
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """As `Autoencoder` says."""
        x: Tensor = self.decoder(z)
        return x


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _down() -> nn.Conv2d:
    return nn.Conv2d(WIDTH, WIDTH, 3, padding=1, stride=2, bias=False)


def _up() -> tuple[nn.Module, nn.Module]:
    return nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)


def _blocks(pooled: bool) -> list[_Block]:
    return [_Block(pooled) for _ in range(3)]
