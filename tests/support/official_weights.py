"""Weight files of the measures LPIPS, DISTS and FID, in their shapes, with numbers at random."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glassplate.codecs.measures.official_measures import Measure
from glassplate.codecs.measures.official_weights import OfficialFile

SPREAD = 0.02


def random_tensors(file: OfficialFile, seed: int = 0) -> dict[str, Tensor]:
    """Every tensor that is needed: kernels that keep the size of what goes through, the rest near
    1 (weights, variances) or 0 (biases, means)."""
    random = np.random.default_rng(seed)
    tensors = {}
    for name, shape in file.shapes.items():
        values = random.standard_normal(shape, np.float32)
        if len(shape) == 4 and shape[0] > 1:
            values *= (2 / np.prod(shape[1:])) ** 0.5
        elif name.endswith(("bias", "mean")):
            values *= SPREAD
        else:
            values = 0.1 * (1 + 0.5 * np.abs(values)) if len(shape) == 4 else 1 + SPREAD * values
        tensors[name] = torch.from_numpy(values.astype(np.float32))
    return tensors


def write_random(file: OfficialFile, folder: Path, seed: int = 0) -> OfficialFile:
    """Put random weights under a file's name, and return what makes them its official ones."""
    torch.save(random_tensors(file, seed), folder / file.name)
    return replace(file, sha256=replace(file, sha256="").digest(folder))


def randomised(measure: Measure, folder: Path) -> Measure:
    """A measure whose official files are the random ones that this puts into a folder."""
    return replace(measure, files=tuple(write_random(file, folder) for file in measure.files))
