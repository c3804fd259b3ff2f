"""From pictures to a weight file and its model card."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.hyperprior.network.model import SIZES, Hyperprior
from glassplate.codecs.hyperprior.training.calibrate import calibrate
from glassplate.codecs.hyperprior.training.config import HyperpriorTrainConfig
from glassplate.codecs.hyperprior.training.objective import SQUARED_ERRORS
from glassplate.codecs.hyperprior.training.task import HyperpriorTask
from glassplate.codecs.hyperprior.weights import INTEGERS, Tune, find, load, save
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.card import model_card
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.data import CropStore, open_crops
from glassplate.codecs.training.loop import train
from glassplate.codecs.training.start import start_weights
from glassplate.codecs.weight_file import HALF_FROM

CALIBRATION_CROPS = 330


def train_hyperprior(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train, or go on training, and write weights and card into `config.out`.

    The folder can then be given to the codec as its weights. Raises ConfigError for an unknown
    size, InputError if there are no pictures, WeightsError for unsound weights to start from,
    StoppedError if it was stopped.
    """
    if not isinstance(config, HyperpriorTrainConfig):
        config = HyperpriorTrainConfig.model_validate(config.model_dump())
    if config.size not in SIZES:
        raise ConfigError(
            f"no size {config.size!r}", f"Known: {', '.join(SIZES)}.", OptionName("size")
        )
    task = HyperpriorTask(SIZES[config.size], config.half, _start(config), config.mix)
    model, records = train(task, config, callbacks)
    assert isinstance(model, Hyperprior)
    path = config.out / f"hyperprior-{config.size}.safetensors"
    sha256 = export(model, open_crops(config), path, config.late_crop)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    shares = [("--ms-ssim", config.ms_ssim), ("--ssimulacra2", config.ssimulacra2)]
    options = "".join(f" {option} {share:g}" for option, share in shares if share)
    card = model_card(path.stem, sha256, parameters, config, records, options)
    path.with_suffix(".md").write_text(card)
    return path


def _start(config: HyperpriorTrainConfig) -> Path | None:
    """Shipped ones are those of the mix that is trained for."""
    shipped: Tune = "psnr" if config.mix == SQUARED_ERRORS else "eye"
    return start_weights(
        config,
        lambda named: find(named, config.size, "psnr" if named else shipped),
        lambda path: load(path).model.config,
        SIZES,
    )


def export(model: Hyperprior, store: CropStore, path: Path, size: int) -> str:
    """Fit the frequency tables on training crops and write the weight file.

    Args:
        model: A trained model.
        store: Crops; only those for training are used.
        path: Where to write.
        size: Side of the calibration crops in pixels.

    Returns:
        sha256 of the file.
    """
    model = copy.deepcopy(model).cpu().eval()
    _as_stored(model)
    indices, _ = store.split()
    spread = indices[:: max(1, len(indices) // CALIBRATION_CROPS)]
    y_tables, z_tables = calibrate(model, store.centres(spread, size))
    return save(path, model, y_tables, z_tables)


@torch.no_grad()
def _as_stored(model: Hyperprior) -> None:
    """Round large tensors as the file will, so that tables fit the model that will be loaded."""
    for name, value in model.state_dict().items():
        if value.numel() >= HALF_FROM and not name.startswith(INTEGERS):
            value.copy_(value.half().float())
