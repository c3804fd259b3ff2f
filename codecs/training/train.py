"""Train what a configuration names."""

from __future__ import annotations

from pathlib import Path

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.trainers import TRAINERS


def train_model(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train what the configuration says; returns the weight file.

    Raises ConfigError for an unknown kind or size, or for options that contradict the checkpoint;
    InputError if there are no pictures; WeightsError for unsound weights to start from;
    StoppedError when it was stopped.
    """
    if config.kind not in TRAINERS:
        raise ConfigError(f"nothing named {config.kind!r}", f"Known: {', '.join(TRAINERS)}.")
    return TRAINERS[config.kind].load()(config, callbacks)
