"""The network that restores: a small, fully convolutional U-Net around a global residual."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.layers.convolutions import channels_last
from glassplate.codecs.layers.rate_blocks import zero

STRIDE = 8
"""Pictures are padded to multiples of this inside."""


@dataclass(frozen=True)
class ModelConfig:
    """Widths and blocks at 1/2, 1/4 and 1/8; the blocks of the first two stand on both sides."""

    widths: tuple[int, int, int] = (32, 64, 128)
    blocks: tuple[int, int, int] = (2, 2, 4)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_dict`. Raises TypeError, KeyError."""
        return cls(widths=tuple(fields["widths"]), blocks=tuple(fields["blocks"]))


SIZES = {"small": ModelConfig()}


class Block(nn.Module):
    """x ── 3x3 ── ReLU ── 3x3 ── + x, as in Lim et al., "EDSR" (CVPRW 2017); starts as identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        restored: Tensor = x + self.second(F.relu(self.first(x)))
        return restored


class RestorationNet(nn.Module):
    """From a damaged picture to a better one; what it learns is the difference.

    After Zhang et al., "Plug-and-play image restoration with deep denoiser prior" (TPAMI 2021),
    whose DRUNet it is at half the resolution (pixel unshuffle, as FFDNet has it) and width.

    x ─ unshuffle 2 ─ 3x3 ─ blocks (1/2) ────────── + ─ blocks ─ 3x3 ─ shuffle 2 ─ + x
                              2x2/2                  1x1, shuffle 2
                              blocks (1/4) ──── + ─ blocks
                              2x2/2              1x1, shuffle 2
                              blocks (1/8) ──────┘
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = config.widths
        self.head = nn.Conv2d(12, fine, 3, padding=1)
        self.fine_in = _blocks(fine, config.blocks[0])
        self.down1 = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle_in = _blocks(middle, config.blocks[1])
        self.down2 = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse = _blocks(coarse, config.blocks[2])
        self.up2 = nn.Conv2d(coarse, 4 * middle, 1)
        self.middle_out = _blocks(middle, config.blocks[1])
        self.up1 = nn.Conv2d(middle, 4 * fine, 1)
        self.fine_out = _blocks(fine, config.blocks[0])
        self.tail = nn.Conv2d(fine, 12, 3, padding=1)
        zero(self.tail)

    def forward(self, x: Tensor, half: bool = False) -> Tensor:
        """Restore pictures.

        Args:
            x: (N, 3, H, W) in [0, 1], of any size.
            half: Run the convolutions in bfloat16.

        Returns:
            (N, 3, H, W) float32, about [0, 1], not clipped.
        """
        height, width = x.shape[2:]
        padded = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
            fine = self.fine_in(self.head(channels_last(F.pixel_unshuffle(padded - 0.5, 2))))
            middle = self.middle_in(self.down1(fine))
            coarse = self.coarse(self.down2(middle))
            middle = self.middle_out(middle + _doubled(self.up2(coarse)))
            fine = self.fine_out(fine + _doubled(self.up1(middle)))
            difference = F.pixel_shuffle(self.tail(fine), 2)
        return x + difference[:, :, :height, :width].float()


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def _doubled(x: Tensor) -> Tensor:
    """(N, 4 C, H, W) -> (N, C, 2 H, 2 W)."""
    return channels_last(F.pixel_shuffle(x, 2))
