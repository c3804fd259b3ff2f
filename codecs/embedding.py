"""A small vector for finding similar pictures: what it looks like from far away.

An 8x8 thumbnail of luma and 4x4 ones of both colour differences (BT.601, full range), averaged by
area, luma without its mean, so that brightness as such does not count, and scaled to unit length.
The inner product of two embeddings is their cosine similarity.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Pixels

DIMENSIONS = 96

_YCBCR = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168736, -0.331264, 0.5],
        [0.5, -0.418688, -0.081312],
    ],
    dtype=np.float32,
)


def embedding(image: Pixels) -> npt.NDArray[np.float32]:
    """Unit vector (96,) of a (H, W, 1 or 3) picture of any size: 64 luma, 16 Cb, 16 Cr.

    All zeros for a flat grey picture, which has no direction.
    """
    rgb = np.repeat(_area_average(image, 8), 3 // image.shape[2], axis=2)
    luma, blue, red = np.moveaxis(rgb @ _YCBCR.T, 2, 0)
    quarters = [plane.reshape(4, 2, 4, 2).mean(axis=(1, 3)) for plane in (blue, red)]
    parts = [luma - luma.mean(), *quarters]
    vector = np.concatenate([part.reshape(-1) for part in parts])
    length = float(np.linalg.norm(vector))
    if length < 1e-3:  # rounding noise of a flat grey picture, in units of 1/255
        return np.zeros(DIMENSIONS, dtype=np.float32)
    return (vector / length).astype(np.float32)


def _area_average(image: Pixels, size: int) -> npt.NDArray[np.float32]:
    """Mean of each cell of a size x size grid over (H, W, C); float32 (size, size, C)."""
    height, width, channels = image.shape
    rows = np.empty((size, width * channels), dtype=np.float32)
    flat = image.reshape(height, width * channels)
    for cell, part in enumerate(_cells(height, size)):
        rows[cell] = flat[part].mean(axis=0, dtype=np.float32)
    grid = rows.reshape(size, width, channels)
    return np.stack([grid[:, part].mean(axis=1) for part in _cells(width, size)], axis=1)


def _cells(length: int, count: int) -> list[slice]:
    """`count` slices that cover `length`, overlapping where there are fewer pixels than cells."""
    starts = [length * i // count for i in range(count)]
    ends = [-(-length * (i + 1) // count) for i in range(count)]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]
