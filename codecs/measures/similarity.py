"""MS-SSIM as a loss: batches of float pictures, differentiable; `pixels.ms_ssim` for 8-bit ones."""

from __future__ import annotations

import torch
from torch import Tensor

from glassplate.codecs.measures.blur import REACH, blur, halve
from glassplate.codecs.measures.structure import SCALE_WEIGHTS

MULTIPLE = 1 << (len(SCALE_WEIGHTS) - 1)
SMALLEST = 176
"""The smallest multiple of `MULTIPLE` whose last scale is as wide as the filter."""
_C1, _C2 = 0.01**2, 0.03**2


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Multi-scale SSIM of each pair of pictures, mean over the channels: (N,), at most 1.

    a, b: (N, C, H, W) in [0, 1], sides multiples of 16, at least 176. Raises ValueError on others.
    """
    if a.shape != b.shape or any(side % MULTIPLE or side < SMALLEST for side in a.shape[2:]):
        raise ValueError(f"not two batches with sides that MS-SSIM halves: {a.shape}, {b.shape}")
    a, b = (x.permute(2, 0, 1, 3) for x in (a, b))
    score: Tensor | float = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        last = scale == len(SCALE_WEIGHTS) - 1
        score = score * _similarity(a, b, luminance=last).clamp(min=1e-6) ** weight
        if not last:
            a, b = halve(a), halve(b)
    assert isinstance(score, Tensor)
    return score.mean(1)


def _similarity(a: Tensor, b: Tensor, *, luminance: bool) -> Tensor:
    """Mean contrast-structure term, times luminance on request: (N, C)."""
    blurred = blur(torch.stack([a, b, a * a + b * b, a * b], 1))
    mean_a, mean_b, squares, product = blurred[REACH:-REACH, ..., REACH:-REACH].unbind(1)
    mean_squares, mean_product = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
    term = (2 * (product - mean_product) + _C2) / (squares - mean_squares + _C2)
    if luminance:
        term = term * (2 * mean_product + _C1) / (mean_squares + _C1)
    return term.mean((0, 3))
