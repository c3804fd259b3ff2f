"""Multi-scale structural similarity of two 8-bit pictures of equal shape.

MS-SSIM is that of Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality
assessment" (Asilomar 2003): five scales, an 11-tap Gaussian window of sigma 1.5, the mean over the
channels. Its values are those of `pytorch_msssim` (a test compares them); the filters here are
separable and channels-last, in strips, which takes a seventh of the time and bounded memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.measures.pixels import check_shapes

MIN_SIDE = 161
"""MS-SSIM halves the picture four times and needs more than 10 pixels after that."""

MAX_WHOLE_PIXELS = 1 << 24
"""Larger pictures are measured in tiles of at most `TILE_SIDE`."""

TILE_SIDE = 4096
_STRIP_PIXELS = 1 << 15
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Planes: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """Multi-scale SSIM in [0, 1] of two (H, W, C) pictures, mean over the channels.

    None when a side is under 161 pixels. Above 16 megapixels: the mean over tiles of at most
    4096 x 4096, weighted by area, which keeps memory bounded. Raises ValueError on unequal shapes.
    """
    check_shapes(a, b)
    height, width = a.shape[:2]
    if min(height, width) < MIN_SIDE:
        return None
    if height * width <= MAX_WHOLE_PIXELS:
        return _ms_ssim_whole(a, b)
    total: float = 0
    for rows in _even_parts(height):
        for columns in _even_parts(width):
            tile_a, tile_b = a[rows, columns], b[rows, columns]
            total += _ms_ssim_whole(tile_a, tile_b) * tile_a.shape[0] * tile_a.shape[1]
    return float(total / (height * width))


def _even_parts(length: int) -> Iterator[slice]:
    """Slices of nearly equal size, at most TILE_SIDE long."""
    count = -(-length // TILE_SIDE)
    edges = [length * i // count for i in range(count + 1)]
    return (slice(start, end) for start, end in itertools.pairwise(edges))


def _ms_ssim_whole(a: Planes, b: Planes) -> float:
    score = np.ones(a.shape[2])
    x, y = a, b
    for scale, weight in enumerate(SCALE_WEIGHTS):
        last = scale == len(SCALE_WEIGHTS) - 1
        score *= np.maximum(_similarity(x, y, luminance=last), 0) ** weight
        if not last:
            x, y = _halve(x), _halve(y)
    return float(score.mean())


@torch.inference_mode()
def _similarity(x: Planes, y: Planes, *, luminance: bool) -> npt.NDArray[np.float64]:
    """Mean contrast-structure term for each channel, times luminance on request: float64 (C,)."""
    height, width, channels = x.shape
    kernel = _gaussian().repeat(4 * channels, 1, 1, 1)
    rows = max(32, _STRIP_PIXELS // width)
    total: npt.NDArray[np.float64] = np.zeros(channels)
    for top in range(0, height - 10, rows):
        strip = slice(top, min(top + rows, height - 10) + 10)
        p, q = _tensor(x[strip]), _tensor(y[strip])
        moments = torch.cat([p, q, p * p + q * q, p * q], dim=1)
        moments = F.conv2d(moments, kernel, groups=4 * channels)
        moments = F.conv2d(moments, kernel.transpose(2, 3), groups=4 * channels)
        mean_p, mean_q, squares, product = torch.chunk(moments, 4, dim=1)
        mean_squares, mean_product = mean_p * mean_p + mean_q * mean_q, mean_p * mean_q
        # The two variances are only ever added, so their sum is filtered, not each.
        term = 2 * (product - mean_product) + _C2
        term /= squares - mean_squares + _C2
        if luminance:
            term *= (2 * mean_product + _C1) / (mean_squares + _C1)
        total += term.sum(dim=(0, 2, 3), dtype=torch.float64).numpy()
    total /= (height - 10) * (width - 10)
    return total


def _gaussian() -> torch.Tensor:
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    return torch.from_numpy(taps / taps.sum()).float().view(1, 1, 11, 1)


def _tensor(planes: Planes) -> torch.Tensor:
    """(H, W, C) to (1, C, H, W) float32 in channels-last memory, which the filters like best."""
    return torch.from_numpy(planes.astype(np.float32)).permute(2, 0, 1)[None]


def _halve(planes: npt.NDArray[Any]) -> Planes:
    """Mean of 2x2 blocks; an odd side is padded in front with zeros, as `pytorch_msssim` does."""
    height, width, channels = planes.shape
    even = np.pad(planes, ((height % 2, 0), (width % 2, 0), (0, 0)))
    rows = np.add(even[0::2], even[1::2], dtype=np.float32)
    pairs = rows.reshape(rows.shape[0], -1, 2, channels)
    halved: Planes = np.add(pairs[:, :, 0], pairs[:, :, 1]) * np.float32(0.25)
    return halved
