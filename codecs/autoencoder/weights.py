"""The weight file of an `autoencoder`: its tensors, and in the metadata how it is built."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from glassplate.codecs.autoencoder.model import HALO, STRIDE, Autoencoder, ModelConfig, squash
from glassplate.codecs.errors import WeightsError

SHIPPED = Path(__file__).parent.parent / "weights"


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
    folder = SHIPPED if weights is None else weights
    path = folder / f"autoencoder-{size}.safetensors" if folder.is_dir() else folder
    if not path.is_file():
        raise WeightsError(
            f"no weights of size {size!r} at {path}",
            "Choose a size that is shipped, or name a weight file or its folder.",
            "codec autoencoder",
        )
    return path


def load(path: Path) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    return _load(path, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def _load(path: Path, sha256: str) -> Weights:
    """Once per content: sha256 is part of the key."""
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get("autoencoder", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = Autoencoder(ModelConfig(**described))
        model.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"not sound ({error})", "Train or fetch others.", str(path)) from error
    if not all(torch.isfinite(value).all() for value in tensors.values()):
        raise WeightsError("not finite", "Use sound weights.", str(path))
    return Weights(sha256, Network(model))


def save(path: Path, model: Autoencoder) -> str:
    """Write a weight file, tensors in float16; returns its sha256."""
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, path, {"autoencoder": json.dumps(model.config.to_dict(), sort_keys=True)})
    return hashlib.sha256(path.read_bytes()).hexdigest()
