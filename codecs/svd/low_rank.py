"""Low-rank approximation of pictures, as in textbooks: how many numbers, how much energy.

By Eckart and Young (1936), keeping the r largest singular values of a matrix gives its nearest
matrix of rank r, and the squared error is the sum of the squared singular values left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from glassplate.codecs.base import Pixels

Floats = npt.NDArray[np.float64]


def element_count(m: int, n: int, rank: int, channels: int = 1) -> int:
    """Numbers in a rank-r approximation: r(m + n + 1) for each channel."""
    return channels * rank * (m + n + 1)


def rank_for_factor(m: int, n: int, factor: float) -> int:
    """The greatest rank with at most `factor` times m n numbers: floor(c m n / (m + n + 1))."""
    return int(factor * m * n / (m + n + 1))


def rank_for_energy(singular_values: npt.ArrayLike, energy: float) -> int:
    """The smallest rank whose squared singular values are at least this share (0-1) of all."""
    squares = np.square(np.asarray(singular_values, dtype=np.float64))
    captured = np.cumsum(squares)
    if not captured.size or captured[-1] == 0:
        return 0
    rank = int(np.searchsorted(captured, energy * captured[-1])) + 1 if energy > 0 else 0
    return min(rank, captured.size)


def singular_values(image: Pixels) -> Floats:
    """(channels, min(H, W)) of a (H, W, channels) picture, descending, in units of 0-255."""
    values: Floats = torch.linalg.svdvals(_planes(image)).numpy()
    return values


def low_rank(image: Pixels, rank: int) -> Floats:
    """The nearest (H, W, channels) array of this rank in each channel; neither rounded nor
    clipped to 0-255."""
    u, s, v = torch.linalg.svd(_planes(image), full_matrices=False)
    approximation = (u[:, :, :rank] * s[:, None, :rank]) @ v[:, :rank]
    return np.ascontiguousarray(np.moveaxis(approximation.numpy(), 0, 2), dtype=np.float64)


def _planes(image: Pixels) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(image, 2, 0).astype(np.float64))
