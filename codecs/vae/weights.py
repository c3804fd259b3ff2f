"""The weight file: everything in one safetensors file, so that an archive can carry it.

Ours: `encoder.*` and `decoder.*`, large tensors in float16. Another's: its tensors as they were.
The metadata hold the kind of model and its config; nothing in a weight file is ever executed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.layers.autoencoder import Autoencoder
from glassplate.codecs.vae.foreign.bundle import FOREIGN, build_foreign, bundle, metadata
from glassplate.codecs.vae.model import Decoder, Encoder, ModelConfig, Vae
from glassplate.codecs.vae.own import OwnAutoencoder
from glassplate.codecs.weight_file import (
    WeightFile,
    find_size,
    loader,
    save_weights,
    shipped_or_given,
)

OWN = "vae"


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
        size: Name of one of ours.

    Raises WeightsError.
    """
    if weights is not None and not shipped_or_given(weights, f"vae-{size}.safetensors").is_file():
        return bundle(weights)
    return find_size("vae", weights, size)


@loader
def load(file: WeightFile) -> Weights:
    """Read a weight file. Raises WeightsError for anything but a sound one."""
    described = json.loads(file.metadata.get("vae", "{}"))
    kind, config = described.get("kind", ""), described.get("config", {})
    if kind == OWN:
        model = Vae(ModelConfig(**config))
        model.load_state_dict(file.floats())
        return Weights(file.sha256, OwnAutoencoder(model))
    if kind in FOREIGN:
        foreign = build_foreign(kind, config, dict(file.tensors), file.path)
        return Weights(file.sha256, foreign)
    raise WeightsError("not a weight file of this codec", "Train or fetch one.", str(file.path))


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
    return save_weights(path, model.state_dict(), metadata(OWN, model.config.to_dict()))
