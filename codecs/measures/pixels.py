"""Peak signal-to-noise ratio of two 8-bit pictures, and what measures of two pictures ask for."""

from __future__ import annotations

import math

import numpy as np

from glassplate.codecs.base import Pixels

_ERROR_CHUNK = 1 << 15  # so that a chunk's sum of squares, at most 2^15 * 255^2, fits int32


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two (H, W, C) pictures, peak 255; +inf if they are equal.

    The squared error is summed in integers, so the value is the same everywhere. Raises ValueError
    on unequal shapes.
    """
    check_shapes(a, b)
    left, right = a.reshape(-1), b.reshape(-1)
    squared = 0
    for start in range(0, left.size, _ERROR_CHUNK):
        part = slice(start, start + _ERROR_CHUNK)
        error = left[part].astype(np.int32) - right[part]
        squared += int(np.dot(error, error))
    return math.inf if squared == 0 else 10 * math.log10(255.0**2 * left.size / squared)


def check_shapes(a: Pixels, b: Pixels) -> None:
    """Raises ValueError unless the two have one shape."""
    if a.shape != b.shape:
        raise ValueError(f"pictures of unequal shape: {a.shape} and {b.shape}")
