"""What can be trained, by kind. Modules are imported on first use, so that help costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trainer:
    """How a kind of model is trained.

    target: 'module:function'. The function is called with a TrainConfig and Callbacks, trains or
        goes on training in `config.out`, writes weights and model card there, and returns the
        weight file. summary: A line for people, with the sizes that there are. size: The one that
        is trained if none is asked for. defaults: Of `TrainConfig`, where this kind has its own.
    """

    target: str
    summary: str
    size: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Callable[..., Path]:
        """The function that trains; its module is imported here."""
        module, function = self.target.split(":")
        train: Callable[..., Path] = getattr(import_module(module), function)
        return train


TRAINERS: dict[str, Trainer] = {
    "autoencoder": Trainer(
        "glassplate.codecs.autoencoder.training.train:train_autoencoder",
        "A lab autoencoder; sizes maxpool-b1 to -b4, stride-, residual- and variational- likewise.",
        "residual-b3",
    ),
    "gan": Trainer(
        "glassplate.codecs.gan.train:train_gan",
        "A GAN, which makes small pictures up from noise; size 32 or 64, their side in pixels.",
        "32",
        {
            "batch": 64,
            "learning_rate": 4e-4,
            "momentum": 0.5,
            "average": 0.995,
            "late_from": 1,
            "validate_minutes": 1,
        },
    ),
    "hyperprior": Trainer(
        "glassplate.codecs.hyperprior.training.train:train_hyperprior",
        "The learned codec; size small for a CPU and some hours, or base for a GPU.",
        "small",
    ),
    "vae": Trainer(
        "glassplate.codecs.vae.training.train:train_vae",
        "A variational autoencoder, pictures as small latents; size f8c4: 3x512x512 to 4x64x64.",
        "f8c4",
    ),
    "refiner": Trainer(
        "glassplate.codecs.refine.training.train:train_refiner",
        "A refiner for hyperprior's pictures; size small for a CPU, or base for a GPU.",
        "small",
    ),
    "restorer": Trainer(
        "glassplate.codecs.restore.training.train:train_restorer",
        "A denoiser, or a network for super-resolution; size small, for a CPU.",
        "small",
        {"average": 0.998, "late_from": 1},
    ),
}
