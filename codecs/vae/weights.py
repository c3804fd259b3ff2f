"""The weight file: everything in one safetensors file, so that an archive can carry it.

Ours: `encoder.*` and `decoder.*`, large tensors in float16. Another's: its tensors as they were.
The metadata hold the kind of model and its config; nothing in a weight file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.layers.autoencoder import Autoencoder
from glassplate.codecs.vae.foreign.bundle import FOREIGN, build_foreign, bundle, metadata
from glassplate.codecs.vae.model import Decoder, Encoder, ModelConfig, Vae
from glassplate.codecs.vae.own import OwnAutoencoder

OWN = "vae"
HALF_FROM = 4096
"""Tensors with at least as many values are stored as float16."""
SHIPPED = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class Weights:
    """A weight file, read and checked."""

    sha256: str
    autoencoder: Autoencoder


def find(weights: Path | None, size: str) -> Path:
    """The weight file: the shipped one, a file, the one in a folder, or another's, bundled.

    Args:
        weights: None; a weight file or a folder with one; a folder in the layout of diffusers or
            with TAESD state dicts; or the id of such a repository on the Hugging Face hub.
        size: Which of ours.

    Raises WeightsError.
    """
    folder = SHIPPED if weights is None else weights
    if folder.is_file():
        return folder
    path = folder / f"vae-{size}.safetensors"
    if path.is_file():
        return path
    if weights is not None:
        return bundle(weights)
    raise WeightsError(
        f"no weights of size {size!r} at {path}",
        "Choose a size that is shipped, or name a weight file or its folder.",
        "codec vae",
    )


def load(path: Path) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    return _load(path, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def _load(path: Path, sha256: str) -> Weights:
    """Once per content: sha256 is part of the key."""
    try:
        kind, config, tensors = _read(path)
        if kind == OWN:
            return Weights(sha256, OwnAutoencoder(_vae(config, tensors)))
        if kind in FOREIGN:
            return Weights(sha256, build_foreign(kind, config, tensors, path))
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        raise WeightsError(f"not sound ({error})", "Train or fetch others.", str(path)) from error
    raise WeightsError("not a weight file of this codec", "Train or fetch one.", str(path))


def load_vae(path: Path) -> Vae:
    """Our whole model, to train it further. Raises WeightsError."""
    autoencoder = load(path).autoencoder
    if not isinstance(autoencoder, OwnAutoencoder):
        raise WeightsError("is not one of our models", "Only these are trained here.", str(path))
    return autoencoder.model


def load_encoder(weights: Path | None = None, size: str = "f8c4") -> Encoder:
    """The encoder alone: pictures to mean and log-variance. Raises WeightsError."""
    return load_vae(find(weights, size)).encoder


def load_decoder(weights: Path | None = None, size: str = "f8c4") -> Decoder:
    """The decoder alone, for whoever holds latents. Raises WeightsError."""
    return load_vae(find(weights, size)).decoder


def save(path: Path, model: Vae) -> str:
    """Write a weight file; returns its sha256."""
    tensors = {
        name: (value.half() if value.numel() >= HALF_FROM else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(tensors, path, metadata(OWN, model.config.to_dict()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """Raises SafetensorError, ValueError, WeightsError (values that are not finite)."""
    with safe_open(path, "pt") as file:
        described = json.loads((file.metadata() or {}).get("vae", "{}"))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise WeightsError(f"{name} is not finite", "Use sound weights.", str(path))
    return described.get("kind", ""), described.get("config", {}), tensors


def _vae(config: dict[str, Any], tensors: dict[str, Tensor]) -> Vae:
    model = Vae(ModelConfig(**config))
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model
