"""What the codec asks of a model, ours or someone else's."""

from __future__ import annotations

from typing import Protocol, Self

from torch import Tensor, nn

from glassplate.codecs.vae.model import STRIDE, Vae


class Autoencoder(Protocol):
    """Pictures to latents at about unit variance, and back; deterministic.

    A model's own latent is latent / scaling_factor + shift_factor, as diffusers names them.

    channels: Of the latent.
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


class OwnAutoencoder(nn.Module):
    """A `Vae` by its posterior means, which are kept at unit variance."""

    stride = STRIDE
    scaling_factor = 1.0
    shift_factor = 0.0

    def __init__(self, model: Vae) -> None:
        super().__init__()
        self.model = model.eval()
        config = model.config
        self.channels = config.latent
        self.encoder_halo, self.decoder_halo = config.encoder_blocks + 1, config.decoder_blocks + 1

    def encode(self, x: Tensor) -> Tensor:
        """As the protocol says."""
        mean: Tensor = self.model.encoder(x, half=True)[0]
        return mean

    def decode(self, z: Tensor) -> Tensor:
        """As the protocol says."""
        x: Tensor = self.model.decoder(z, half=True)
        return x
