"""From a finished training run to a weight file and its model card."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from glassplate.codecs.hyperprior.calibrate import calibrate
from glassplate.codecs.hyperprior.model import Hyperprior
from glassplate.codecs.hyperprior.weights import HALF_FROM, INTEGERS, save
from glassplate.codecs.training.data import CropStore

CALIBRATION_CROPS = 330


def export(model: Hyperprior, store: CropStore, path: Path, size: int = 256) -> str:
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
