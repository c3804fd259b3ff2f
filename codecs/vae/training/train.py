"""From pictures to a weight file and its model card."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.card import model_card
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.data import open_crops
from glassplate.codecs.training.loop import train
from glassplate.codecs.training.start import start_weights
from glassplate.codecs.vae.model import SIZES, Vae
from glassplate.codecs.vae.training.task import VaeTask
from glassplate.codecs.vae.weights import find, load_vae, save

CALIBRATION_CROPS = 128


def train_vae(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train, or go on training, and write weights and card into `config.out`.

    The folder can then be given to the codec as its weights. Raises ConfigError for an unknown
    size, InputError if there are no pictures, WeightsError for unsound weights to start from,
    StoppedError if it was stopped.
    """
    if config.size not in SIZES:
        raise ConfigError(
            f"no size {config.size!r}", f"Known: {', '.join(SIZES)}.", OptionName("size")
        )
    task = VaeTask(SIZES[config.size], config.half, _start(config))
    model, records = train(task, config, callbacks)
    assert isinstance(model, Vae)
    store = open_crops(config)
    indices, _ = store.split()
    spread = indices[:: max(1, len(indices) // CALIBRATION_CROPS)]
    normalise(model, store.centres(spread, config.late_crop))
    path = config.out / f"vae-{config.size}.safetensors"
    sha256 = save(path, model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    path.with_suffix(".md").write_text(model_card(path.stem, sha256, parameters, config, records))
    return path


@torch.no_grad()
def normalise(model: Vae, crops: Tensor) -> None:
    """Scale and shift each channel of the latent to zero mean and unit variance on these crops.

    Folded into the layers on either side, so that the model as a whole stays the same.
    """
    mean = torch.cat([model.encoder(crop[None])[0] for crop in crops])
    shift, scale = mean.mean((0, 2, 3)), mean.std((0, 2, 3))
    channels = len(scale)
    encoder, decoder = model.encoder.head, model.decoder.head
    assert encoder.bias is not None
    assert decoder.bias is not None
    encoder.weight[:channels] /= scale[:, None, None, None]
    encoder.bias[:channels] = (encoder.bias[:channels] - shift) / scale
    encoder.bias[channels:] -= 2 * scale.log()
    decoder.bias += torch.einsum("oiyx,i->o", decoder.weight, shift)
    decoder.weight *= scale[:, None, None]


def _start(config: TrainConfig) -> Path | None:
    return start_weights(
        config, lambda named: find(named, config.size), lambda path: load_vae(path).config, SIZES
    )
