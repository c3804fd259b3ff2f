"""The order in which symbols of y are coded: four steps over 2x2 cells and four channel groups.

Step s codes, for each group g, one corner of every cell; the corner rotates with the group (Li, Li,
Lu, "Neural video compression with diverse contexts", CVPR 2023). So from the second step on, both
neighbours and other channels of a position are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

STEPS = 4
_CORNERS = ((0, 0), (1, 1), (0, 1), (1, 0))

Index = tuple[slice, slice, slice]
Scalar = TypeVar("Scalar", bound=np.generic)


def cells(channels: int, step: int) -> Iterator[Index]:
    """The strided slices of a (channels, H, W) array that a step codes, in coding order."""
    width = channels // STEPS
    for group in range(STEPS):
        row, column = _CORNERS[(step - group) % STEPS]
        part = slice(group * width, (group + 1) * width)
        yield part, slice(row, None, 2), slice(column, None, 2)


def gather(array: npt.NDArray[Scalar], step: int) -> npt.NDArray[Scalar]:
    """The entries of a (C, H, W) array that a step codes, as one vector in coding order."""
    return np.concatenate([array[cell].ravel() for cell in cells(len(array), step)])


def scatter(vector: npt.NDArray[Any], step: int, out: npt.NDArray[Any]) -> None:
    """Inverse of `gather`: writes the entries of a step into out (C, H, W)."""
    start = 0
    for cell in cells(len(out), step):
        part = out[cell]
        out[cell] = vector[start : start + part.size].reshape(part.shape)
        start += part.size


def step_masks(channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """Positions that each step codes, as bool (STEPS, channels, height, width)."""
    masks = torch.zeros(STEPS, channels, height, width, dtype=torch.bool, device=device)
    for step in range(STEPS):
        for cell in cells(channels, step):
            masks[step][cell] = True
    return masks
