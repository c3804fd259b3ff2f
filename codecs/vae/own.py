"""The shipped autoencoder as the codec wants it."""

from __future__ import annotations

from torch import Tensor, nn

from glassplate.codecs.vae.model import STRIDE, Vae


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
