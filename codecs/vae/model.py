"""The `vae` networks: encoder to a mean and a log-variance, decoder, usable apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassplate.codecs.layers.convolutions import channels_last

STRIDE = 8
COEFFICIENTS = 3 * STRIDE**2
"""Values under one position of the latent: what three lossless stride-2 steps give."""
LOG_VARIANCE = (-14.0, 4.0)
"""Least and greatest, so that neither exp nor the KL divergence runs away."""


@dataclass(frozen=True)
class ModelConfig:
    """Widths and depths; all defaults together are `f8c4`: 3x512x512 to 4x64x64."""

    latent: int = 4
    encoder_blocks: int = 3
    encoder_hidden: int = 192
    decoder_width: int = 192
    decoder_blocks: int = 5
    decoder_hidden: int = 384

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)


SIZES = {"f8c4": ModelConfig()}


class Block(nn.Module):
    """Depthwise and pointwise residual branches; both start as zero, so a block starts as identity.

    x ── 1x1 ── silu ── depthwise 3x3 ── 1x1 ── + ── 1x1 ── silu ── 1x1 ── +
     └──────────────────────────────────────────┘ └────────────────────────┘
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        spatial = channels // 2
        self.spatial_in = nn.Conv2d(channels, spatial, 1)
        self.depthwise = nn.Conv2d(spatial, spatial, 3, padding=1, groups=spatial)
        self.spatial_out = nn.Conv2d(spatial, channels, 1)
        self.mix_in = nn.Conv2d(channels, hidden, 1)
        self.mix_out = nn.Conv2d(hidden, channels, 1)
        for last in (self.spatial_out, self.mix_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W); the residual stream keeps the dtype of x."""
        x = x + self.spatial_out(self.depthwise(F.silu(self.spatial_in(x))))
        mixed: Tensor = x + self.mix_out(F.silu(self.mix_in(x)))
        return mixed


class Encoder(nn.Module):
    """Three convolutions of stride 2, then blocks at 1/8.

    x (3) ── 2x2/2 ── 12 ── 2x2/2 ── 48 ── 2x2/2 ── 192 ── blocks ── 3x3 ── mean, log-variance
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, 12, 2, stride=2),
            nn.Conv2d(12, 48, 2, stride=2),
            nn.Conv2d(48, COEFFICIENTS, 2, stride=2),
        )
        self.blocks = nn.Sequential(
            *(Block(COEFFICIENTS, config.encoder_hidden) for _ in range(config.encoder_blocks))
        )
        self.head = nn.Conv2d(COEFFICIENTS, 2 * config.latent, 3, padding=1)

    def forward(self, x: Tensor, half: bool = False) -> tuple[Tensor, Tensor]:
        """Pictures to the posterior of their latents.

        Args:
            x: (N, 3, H, W) in [0, 1], sides multiples of 8.
            half: Run the insides of the blocks in bfloat16.

        Returns:
            Mean and log-variance, each (N, latent, H/8, W/8) float32.
        """
        features = self.down(channels_last(x - 0.5))
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
            features = self.blocks(features)
        mean, log_variance = self.head(features.float()).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)


class Decoder(nn.Module):
    """Blocks at 1/8, then one sub-pixel convolution back to full size.

    z ── 3x3 ── blocks ── 1x1 ── 192 ── shuffle 8 ── x (3)
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head = nn.Conv2d(config.latent, config.decoder_width, 3, padding=1)
        self.blocks = nn.Sequential(
            *(
                Block(config.decoder_width, config.decoder_hidden)
                for _ in range(config.decoder_blocks)
            )
        )
        self.up = nn.Conv2d(config.decoder_width, COEFFICIENTS, 1)

    def forward(self, z: Tensor, half: bool = False) -> Tensor:
        """(N, latent, h, w) float32 -> (N, 3, 8h, 8w) float32, about [0, 1], not clipped."""
        features = self.head(channels_last(z))
        with torch.autocast(z.device.type, dtype=torch.bfloat16, enabled=half):
            features = self.blocks(features)
        return F.pixel_shuffle(self.up(features.float()), STRIDE) + 0.5


class Vae(nn.Module):
    """Variational autoencoder with a standard normal prior on every value of the latent.

        x ── Encoder ── mean, log-variance ── mean + sigma * noise ── z ── Decoder ── x

    Kingma and Welling, "Auto-Encoding Variational Bayes" (ICLR 2014), at the scale and with the
    small KL weight of the first stage of Rombach et al. (CVPR 2022).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
