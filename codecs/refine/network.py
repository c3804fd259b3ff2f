"""The network that all refiners share: a small, fully convolutional U-Net, and what it is told."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.layers.convolutions import channels_last
from glassplate.codecs.layers.rate_blocks import zero
from glassplate.codecs.layers.windows import STRIDE

PATCH = 4


@dataclass(frozen=True)
class ModelConfig:
    """Widths and blocks at 1/4, 1/8 and 1/16; the blocks of the first two stand on both sides."""

    widths: tuple[int, int, int] = (48, 96, 160)
    blocks: tuple[int, int, int] = (2, 2, 4)
    embedding: int = 64
    frequencies: int = 8

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_dict`. Raises TypeError, KeyError."""
        widths, blocks = (tuple(fields[name]) for name in ("widths", "blocks"))
        return cls(**fields | {"widths": widths, "blocks": blocks})


SIZES = {
    "small": ModelConfig(),
    "base": ModelConfig((96, 192, 384), (3, 3, 6), 128),
}


@dataclass
class Condition:
    """What a refiner knows of N pictures.

    plain: (N, 3, H, W), the reconstructions in [-1, 1]; sides are multiples of STRIDE.
    scales: (N, 1, H / 16, W / 16), mean scale of the latent in [0, 1]: low where all detail that
        there may have been was rounded away.
    quality: (N,) in [0, 1].
    """

    plain: Tensor
    scales: Tensor
    quality: Tensor


class AdaNorm(nn.Module):
    """Each position normalised over its channels, then scaled and shifted by the embedding."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(embedding, 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(N, C, H, W), (N, E) -> (N, C, H, W)."""
        normal = F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2]).permute(0, 3, 1, 2)
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, 1)
        modulated: Tensor = normal * (1 + scale) + shift
        return modulated


class Block(nn.Module):
    """Depthwise and pointwise residual branches, told time and quality (AdaLN: Peebles and Xie,
    "Scalable diffusion models with transformers", ICCV 2023); a block starts as the identity.

    x ─ norm ─ 1x1 ─ silu ─ depthwise 3x3 ─ 1x1 ─ + ─ norm ─ 1x1 ─ silu ─ 1x1 ─ +
     └────────────────────────────────────────────┘ └───────────────────────────┘
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.spatial_norm = AdaNorm(channels, embedding)
        self.spatial_in = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.spatial_out = nn.Conv2d(channels, channels, 1)
        self.mix_norm = AdaNorm(channels, embedding)
        self.mix_in = nn.Conv2d(channels, 2 * channels, 1)
        self.mix_out = nn.Conv2d(2 * channels, channels, 1)
        for last in (self.spatial_out, self.mix_out):
            zero(last)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(N, C, H, W), (N, E) -> (N, C, H, W); the residual stream keeps the dtype of x."""
        inner = self.spatial_in(self.spatial_norm(x, embedding))
        x = x + self.spatial_out(self.depthwise(F.silu(inner)))
        inner = self.mix_in(self.mix_norm(x, embedding))
        mixed: Tensor = x + self.mix_out(F.silu(inner))
        return mixed


class UNet(nn.Module):
    """From a noisy residual and the condition to the normalised residual that is expected.

    y, plain ─ unshuffle 4 ─ 3x3 ─ blocks (1/4) ──────────── + ─ blocks ─ 3x3 ─ shuffle 4
                                     unshuffle 2, 1x1        1x1, shuffle 2
                                     blocks (1/8) ──── + ─ blocks
                                     unshuffle 2, 1x1  1x1, shuffle 2
                            scales ─ 1x1 ─ + ─ blocks (1/16)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = config.widths
        count = config.blocks
        self.embed = nn.Sequential(
            nn.Linear(4 * config.frequencies, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
            nn.SiLU(),
        )
        self.head = nn.Conv2d(6 * PATCH**2, fine, 3, padding=1)
        self.down1 = nn.Conv2d(4 * fine, middle, 1)
        self.down2 = nn.Conv2d(4 * middle, coarse, 1)
        self.scales = nn.Conv2d(1, coarse, 1)
        self.up2 = nn.Conv2d(coarse, 4 * middle, 1)
        self.up1 = nn.Conv2d(middle, 4 * fine, 1)
        self.tail = nn.Conv2d(fine, 3 * PATCH**2, 3, padding=1)
        zero(self.tail)

        def blocks(level: int) -> nn.ModuleList:
            return nn.ModuleList(
                Block(config.widths[level], config.embedding) for _ in range(count[level])
            )

        self.fine_in, self.middle_in, self.coarse = blocks(0), blocks(1), blocks(2)
        self.middle_out, self.fine_out = blocks(1), blocks(0)

    def forward(self, y: Tensor, time: Tensor, condition: Condition, half: bool = False) -> Tensor:
        """Run the network.

        Args:
            y: (N, 3, H, W), opponent colours of about unit variance.
            time: (N,) in [0, 1]: 0 is clean, 1 is noise alone.
            condition: What is known.
            half: Run the blocks in bfloat16.

        Returns:
            (N, 3, H, W) float32.
        """
        about = self.embed(_waves(torch.stack([time, condition.quality], 1), self.config))
        inputs = torch.cat([y, condition.plain], 1)
        with torch.autocast(y.device.type, dtype=torch.bfloat16, enabled=half):
            fine = self.head(channels_last(F.pixel_unshuffle(inputs, PATCH))).float()
            fine = _run(self.fine_in, fine, about)
            middle = self.down1(channels_last(F.pixel_unshuffle(fine, 2))).float()
            middle = _run(self.middle_in, middle, about)
            coarse = self.down2(channels_last(F.pixel_unshuffle(middle, 2))).float()
            coarse = _run(self.coarse, coarse + self.scales(condition.scales), about)
            middle = middle + F.pixel_shuffle(self.up2(coarse), 2)
            middle = _run(self.middle_out, channels_last(middle), about)
            fine = fine + F.pixel_shuffle(self.up1(middle), 2)
            fine = _run(self.fine_out, channels_last(fine), about)
        return F.pixel_shuffle(self.tail(fine), PATCH)


class ResidualModel(nn.Module):
    """The U-Net as a denoiser of residuals r = x - plain, whose standard deviation is known.

    Residuals are in opponent colours. The deviation is a function of colour, and of place: large
    where the latent's scale is, for there detail was rounded away.

    spread: (nodes, 3 colours, 3) at evenly spaced qualities: its logarithm is the first number plus
        the second times the scale, in the units of the pictures, [-1, 1]; the third is the usual
        scale.
    """

    spread: Tensor

    def __init__(self, config: ModelConfig, nodes: int = 11) -> None:
        super().__init__()
        self.net = UNet(config)
        self.register_buffer("spread", torch.tensor([-2.0, 0.0, 0.5]).repeat(nodes, 3, 1))

    def spread_at(self, condition: Condition) -> Tensor:
        """Standard deviation of the residual: (N, 3, H, W)."""
        offset, slope, _ = self._law(condition.quality)
        scales = F.interpolate(condition.scales, scale_factor=STRIDE, mode="bilinear")
        return torch.exp(offset + slope * scales)

    def _law(self, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offset, slope and usual scale, each (N, 3, 1, 1)."""
        last = len(self.spread) - 1
        lower = (quality * last).long().clamp(max=last - 1)
        share = (quality * last - lower)[:, None, None]
        law = torch.lerp(self.spread[lower], self.spread[lower + 1], share)
        offset, slope, usual = law[..., None, None].unbind(2)
        return offset, slope, usual

    def _time(self, signal: Tensor, noise: Tensor, spread: Tensor, quality: Tensor) -> Tensor:
        """(N,) from 0, clean, to 1, noise. The same in every window of a picture: noise that
        follows the spread is as far everywhere; other noise is judged by lightness where the scale
        is usual."""
        if noise.shape[-1] == 1:
            offset, slope, usual = self._law(quality)
            spread = torch.exp(offset + slope * usual)
        return torch.atan2(noise, signal * spread)[:, 0, 0, 0] * (2 / math.pi)

    def normalised(
        self, y: Tensor, signal: Tensor, noise: Tensor, condition: Condition, half: bool = False
    ) -> Tensor:
        """What the network says, in units in which its target has unit variance.

        Args:
            y: (N, 3, H, W) = signal * residual + noise * standard normal.
            signal, noise: (N, 1, 1, 1) or (N, 3, H, W).
        """
        spread = self.spread_at(condition)
        total = torch.sqrt((signal * spread) ** 2 + noise**2)
        time = self._time(signal, noise, spread, condition.quality)
        found: Tensor = self.net(y / total, time, condition, half)
        return found

    def forward(
        self, y: Tensor, signal: Tensor, noise: Tensor, condition: Condition, half: bool = False
    ) -> Tensor:
        """The expected residual, (N, 3, H, W): that of a Gaussian, and what the network adds.

        Preconditioned as in Karras et al., "Elucidating the design space of diffusion-based
        generative models" (NeurIPS 2022), around the reconstruction.
        """
        found = self.normalised(y, signal, noise, condition, half)
        base, unit = self.gaussian(y, signal, noise, condition)
        return base + unit * found

    def gaussian(
        self, y: Tensor, signal: Tensor, noise: Tensor, condition: Condition
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, both (N, 3, H, W), of the residual given y, if residuals
        were Gaussian with mean 0."""
        spread = self.spread_at(condition)
        total = (signal * spread) ** 2 + noise**2
        return signal * spread**2 / total * y, spread * noise / total.sqrt()


def _waves(values: Tensor, config: ModelConfig) -> Tensor:
    """Sines and cosines of (N, 2) numbers in [0, 1]: (N, 4 * frequencies)."""
    octaves = 2.0 ** torch.arange(config.frequencies, device=values.device) * (math.pi / 4)
    angle = (values[:, :, None] * octaves).flatten(1)
    return torch.cat([angle.sin(), angle.cos()], 1)


def _run(blocks: nn.ModuleList, x: Tensor, embedding: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, embedding)
    return x
