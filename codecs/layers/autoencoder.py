"""What the codec asks of a model, ours or someone else's."""

from __future__ import annotations

from typing import Protocol, Self

from torch import Tensor


class Autoencoder(Protocol):
    """Pictures to latents at about unit variance, and back; deterministic.

    A model's own latent is latent / scaling_factor + shift_factor, as diffusers names them.

    channels: Channels of the latent.
    stride: Pixels per position of the latent, in both directions.
    encoder_halo, decoder_halo: Positions around a window that its result depends on.
    """

    channels: int
    stride: int
    encoder_halo: int
    decoder_halo: int
    scaling_factor: float
    shift_factor: float

    def to(self, device: str) -> Self:
        """Move to a device, in place."""
        ...

    def encode(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1], sides multiples of stride s -> (N, channels, H/s, W/s)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """The inverse: (N, 3, H, W), about [0, 1], not clipped."""
        ...
