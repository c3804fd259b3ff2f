"""Samples of a model as one picture."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

COLUMNS = 16
"""Columns of a sheet, so that samples can be found in it: they are a sixteenth of its width."""


def write_sheet(pictures: Tensor, path: Path) -> None:
    """Write square pictures row by row; the format is that of the suffix.

    Args:
        pictures: (N, 3, S, S) in [0, 1]. The rest of the last row stays black.
    """
    count, channels, _, side = pictures.shape
    rows = -(-count // COLUMNS)
    sheet = torch.zeros(rows * COLUMNS, channels, side, side)
    sheet[:count] = pictures.float().cpu().clamp(0, 1)
    sheet = sheet.reshape(rows, COLUMNS, channels, side, side).permute(0, 3, 1, 4, 2)
    pixels = (sheet * 255).round().byte().reshape(rows * side, COLUMNS * side, channels)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.numpy()).save(path)
