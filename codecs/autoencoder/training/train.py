"""From pictures to a weight file and its model card."""

from __future__ import annotations

from pathlib import Path

from glassplate.codecs.autoencoder.model import SIZES, Autoencoder
from glassplate.codecs.autoencoder.training.task import AutoencoderTask
from glassplate.codecs.autoencoder.weights import find, load, save
from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.card import model_card
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import train
from glassplate.codecs.training.start import start_weights


def train_autoencoder(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train, or go on training, and write weights and card into `config.out`.

    The folder can then be given to the codec as its weights. Raises ConfigError for an unknown
    size, InputError if there are no pictures, WeightsError for unsound weights to start from,
    StoppedError if it was stopped.
    """
    if config.size not in SIZES:
        raise ConfigError(
            f"no size {config.size!r}", f"Known: {', '.join(SIZES)}.", OptionName("size")
        )
    task = AutoencoderTask(SIZES[config.size], config.half, _start(config))
    model, records = train(task, config, callbacks)
    assert isinstance(model, Autoencoder)
    path = config.out / f"autoencoder-{config.size}.safetensors"
    sha256 = save(path, model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    path.with_suffix(".md").write_text(model_card(path.stem, sha256, parameters, config, records))
    return path


def _start(config: TrainConfig) -> Path | None:
    return start_weights(
        config,
        lambda named: find(named, config.size),
        lambda path: load(path).network.model.config,
        SIZES,
    )
