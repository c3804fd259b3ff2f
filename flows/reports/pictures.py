"""Pictures inside a page: data URLs, scaled down where the page shows them small, and crops."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from glassplate.codecs import Pixels

BLOCK = 32


def data_url(image: Image.Image, side: int, *, lossless: bool = False) -> str:
    """A picture of at most `side` pixels as a data URL; small ones in full quality."""
    shown = image.convert("RGBA" if image.mode in ("RGBA", "LA", "PA") else "RGB")
    shown.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=90, method=4, lossless=lossless)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def worst_window(original: Pixels, decoded: Pixels, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the window with the greatest squared error.

    size: Rows and columns at most; windows are whole blocks of 32, on a grid of them.
    """
    error = np.square(original.astype(np.float32) - decoded).sum(axis=2)
    height, width = (side // BLOCK * BLOCK for side in error.shape)
    rows, columns = (min(most, side) // BLOCK for most, side in zip(size, error.shape, strict=True))
    if not (rows and columns):
        return slice(None), slice(None)
    blocks = error[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    windows = np.lib.stride_tricks.sliding_window_view(blocks.sum(axis=(1, 3)), (rows, columns))
    sums = windows.sum(axis=(2, 3))
    top, left = (BLOCK * int(at) for at in np.unravel_index(sums.argmax(), sums.shape))
    return slice(top, top + rows * BLOCK), slice(left, left + columns * BLOCK)
