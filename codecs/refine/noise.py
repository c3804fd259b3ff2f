"""Noise that is a function of the stream, the seed, the step and the pixel's place, nothing else.

A counter-based generator (Philox, Salmon et al., SC 2011) is asked for blocks of a fixed grid, so
that neither tiles nor regions, batches nor devices change what a pixel gets. Its words are turned
into normal numbers here (Box and Muller, 1958), because NumPy promises to keep the words for ever,
and nothing about its own normal numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassplate.codecs.container.grid import Rect

BLOCK = 64
"""Side of a block in pixels."""
CHANNELS = 3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PictureNoise:
    """The noise of one picture.

    key: 16 bytes; see `noise_of`.
    """

    key: bytes

    def window(self, rect: Rect, step: int) -> Floats:
        """Standard normal noise under a rectangle in pixels: (3, height, width)."""
        out = np.empty((CHANNELS, rect.height, rect.width), np.float32)
        for row in range(rect.top // BLOCK, -(-rect.bottom // BLOCK)):
            for column in range(rect.left // BLOCK, -(-rect.right // BLOCK)):
                block = Rect(row, column, row + 1, column + 1).scaled(BLOCK)
                common = block.meet(rect)
                rows, columns = common.within(block)
                part = self._block(step, row, column)[:, rows, columns]
                rows, columns = common.within(rect)
                out[:, rows, columns] = part
        return out

    def _block(self, step: int, row: int, column: int) -> Floats:
        """(3, BLOCK, BLOCK). The counter's first word counts on within the block."""
        generator = np.random.Philox(
            key=int.from_bytes(self.key, "little"),
            counter=step << 64 | row << 128 | column << 192,
        )
        count = CHANNELS * BLOCK * BLOCK
        words = generator.random_raw(count // 2)
        first = (words >> np.uint64(32)).astype(np.float64)
        second = (words & np.uint64(0xFFFFFFFF)).astype(np.float64)
        radius = np.sqrt(-2 * np.log((first + 0.5) / 2**32))
        angle = 2 * np.pi * second / 2**32
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
        return normal.reshape(CHANNELS, BLOCK, BLOCK).astype(np.float32)


def noise_of(bitstream: bytes, seed: int) -> PictureNoise:
    """The noise of a stream under a seed (not negative)."""
    digest = hashlib.sha256(bitstream).digest() + seed.to_bytes(16, "little")
    return PictureNoise(hashlib.sha256(digest).digest()[:16])
