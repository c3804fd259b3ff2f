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
    config: 'module:class', the options that this kind has. example: Of options, for its help.
    """

    target: str
    summary: str
    size: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    config: str = "glassplate.codecs.training.config:TrainConfig"
    example: str = "--start shipped"

    def load(self) -> Callable[..., Path]:
        """The function that trains; its module is imported here."""
        train: Callable[..., Path] = _imported(self.target)
        return train

    def options(self) -> Any:
        """The class of its configuration, a `TrainConfig` or one that is made from it."""
        return _imported(self.config)


def _imported(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)


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
        example="--size 64",
    ),
    "hyperprior": Trainer(
        "glassplate.codecs.hyperprior.training.train:train_hyperprior",
        "The learned codec; size small for a CPU and some hours, or base for a GPU.",
        "small",
        config="glassplate.codecs.hyperprior.training.config:HyperpriorTrainConfig",
        example="--start shipped --ms-ssim 0.3 --ssimulacra2 0.3",
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
        config="glassplate.codecs.refine.training.config:RefinerTrainConfig",
        example="--kind diffusion",
    ),
    "restorer": Trainer(
        "glassplate.codecs.restore.training.train:train_restorer",
        "A denoiser, or a network for super-resolution; size small, for a CPU.",
        "small",
        {"average": 0.998, "late_from": 1},
        config="glassplate.codecs.restore.training.config:RestorerTrainConfig",
        example="--task upscale",
    ),
}
