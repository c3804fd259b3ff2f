"""Windows with overlap: pictures of any size in bounded memory, without visible seams.

The windows lie on a grid that is fixed to the picture, so that a region gets the very pixels that
the whole picture has there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Pixels, Region
from glassplate.codecs.container.grid import Rect

STRIDE = 16
"""Sides of what goes through a network in windows are multiples of this."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Windows:
    """The windows of a picture, row by row. Sizes in pixels, window and overlap multiples of 16.

    Neighbours share `overlap` pixels, over the middle half of which the earlier one fades into the
    later; the outer quarters are context alone.
    """

    width: int
    height: int
    window: int = 768
    overlap: int = 128

    def __post_init__(self) -> None:
        if self.window % STRIDE or self.overlap % STRIDE or self.window <= 2 * self.overlap:
            raise ValueError(f"windows of {self.window} pixels with an overlap of {self.overlap}")

    def touching(self, region: Region | None = None) -> list[Rect]:
        """The windows that make up a region, clipped to the picture, in the order of fading."""
        wanted = region or Region(x=0, y=0, width=self.width, height=self.height)
        rows = self._spans(self.height, wanted.y, wanted.y + wanted.height)
        columns = list(self._spans(self.width, wanted.x, wanted.x + wanted.width))
        return [Rect(top, left, bottom, right) for top, bottom in rows for left, right in columns]

    def cover(self, region: Region | None = None) -> Region:
        """The smallest region that holds the windows of a region; it begins at multiples of 16."""
        rects = self.touching(region)
        top, left, bottom, right = rects[0].top, rects[0].left, rects[-1].bottom, rects[-1].right
        return Region(x=left, y=top, width=right - left, height=bottom - top)

    def fade(self, rect: Rect) -> Floats:
        """How much a window counts against the earlier ones: (height, width) in [0, 1]."""
        down, across = self._ramp(rect.top, rect.height), self._ramp(rect.left, rect.width)
        fade: Floats = down[:, None] * across
        return fade

    def _ramp(self, start: int, length: int) -> Floats:
        if start == 0:
            return np.ones(length, np.float32)
        place = np.arange(length, dtype=np.float32) + 0.5 - self.overlap / 4
        ramp: Floats = np.clip(place / (self.overlap / 2), 0, 1)
        return ramp

    def _spans(self, side: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(start, end) of the windows along one side that touch [first, last)."""
        stride = self.window - self.overlap
        for start in range(0, max(side - self.overlap, 1), stride):
            end = min(start + self.window, side)
            if start < last and end > first:
                yield start, end


def blend(canvas: Pixels, part: Floats, fade: Floats) -> None:
    """Lay a part over a canvas, in place: both (height, width, C), values 0 to 255."""
    mixed = canvas + fade[:, :, None] * (part - canvas)
    canvas[:] = np.round(mixed)
