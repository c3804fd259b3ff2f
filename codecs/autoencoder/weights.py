"""The weight file of an `autoencoder`: its tensors, and in the metadata how it is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from glassplate.codecs.autoencoder.model import HALO, STRIDE, Autoencoder, ModelConfig, squash
from glassplate.codecs.weight_file import WeightFile, find_size, loader, save_weights


class Network(nn.Module):
    """A trained model as an `Autoencoder` of the tiled codecs; latents are squashed to 0..1."""

    stride = STRIDE
    encoder_halo = decoder_halo = HALO
    scaling_factor = 1.0
    shift_factor = 0.0

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.model = model.eval()
        self.channels = model.config.latent

    def encode(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N, C, H/8, W/8) in [0, 1], not rounded to levels."""
        mean, _ = self.model.split(self.model.encoder(x, half=True))
        return squash(mean)

    def decode(self, z: Tensor) -> Tensor:
        """The inverse: (N, 3, H, W), about [0, 1], not clipped."""
        x: Tensor = self.model.decoder(z, half=True)
        return x


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    network: Network


def find(weights: Path | None, size: str) -> Path:
    """The weight file: the shipped one, a file, or the one in a folder. Raises WeightsError."""
    return find_size("autoencoder", weights, size)


@loader
def load(file: WeightFile) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    model = Autoencoder(ModelConfig(**json.loads(file.metadata.get("autoencoder", "null"))))
    model.load_state_dict(file.floats())
    return Weights(file.sha256, Network(model))


def save(path: Path, model: Autoencoder) -> str:
    """Write a weight file, tensors in float16; returns its sha256."""
    described = json.dumps(model.config.to_dict(), sort_keys=True)
    return save_weights(path, model.state_dict(), {"autoencoder": described}, half_from=1)
