"""Which tiles a picture has, and which of them a part of it needs. All units are rows and columns
of y, 16 pixels each, unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glassplate.codecs.base import Region
from glassplate.codecs.hyperprior.model import Y_STRIDE


@dataclass(frozen=True)
class Rect:
    """Half-open: rows top to bottom, columns left to right."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def within(self, other: Rect) -> tuple[slice, slice]:
        """The slices of an array that covers `other` which this rectangle takes."""
        rows = slice(self.top - other.top, self.bottom - other.top)
        return rows, slice(self.left - other.left, self.right - other.left)

    def meet(self, other: Rect) -> Rect:
        """The intersection; empty or inside out if there is none."""
        return Rect(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def scaled(self, factor: int) -> Rect:
        """In units that are `factor` times finer."""
        return Rect(
            self.top * factor, self.left * factor, self.bottom * factor, self.right * factor
        )


@dataclass(frozen=True)
class Grid:
    """The tiles of a picture, row by row. Sizes in pixels; tile is a multiple of 64."""

    width: int
    height: int
    tile: int

    @property
    def whole(self) -> Rect:
        """The padded picture."""
        return Rect(0, 0, -(-self.height // Y_STRIDE), -(-self.width // Y_STRIDE))

    @property
    def columns(self) -> int:
        return -(-self.width // self.tile)

    def __len__(self) -> int:
        return -(-self.height // self.tile) * self.columns

    def rect(self, index: int) -> Rect:
        """What a tile covers."""
        side = self.tile // Y_STRIDE
        row, column = divmod(index, self.columns)
        return Rect(row * side, column * side, (row + 1) * side, (column + 1) * side).meet(
            self.whole
        )

    def pixels(self, index: int) -> tuple[slice, slice]:
        """The rows and columns of the picture, in pixels, that a tile covers."""
        row, column = divmod(index, self.columns)
        top, left = row * self.tile, column * self.tile
        return (
            slice(top, min(top + self.tile, self.height)),
            slice(left, min(left + self.tile, self.width)),
        )

    def grown(self, rect: Rect, halo: int) -> Rect:
        """A rectangle and its neighbourhood, as far as the picture goes."""
        wide = Rect(rect.top - halo, rect.left - halo, rect.bottom + halo, rect.right + halo)
        return wide.meet(self.whole)

    def touching(self, rect: Rect) -> Iterator[int]:
        """The tiles that a rectangle needs."""
        side = self.tile // Y_STRIDE
        for row in range(rect.top // side, -(-rect.bottom // side)):
            for column in range(rect.left // side, -(-rect.right // side)):
                yield row * self.columns + column

    def cover(self, region: Region) -> Rect:
        """The smallest rectangle that covers a region given in pixels."""
        return Rect(
            region.y // Y_STRIDE,
            region.x // Y_STRIDE,
            -(-(region.y + region.height) // Y_STRIDE),
            -(-(region.x + region.width) // Y_STRIDE),
        ).meet(self.whole)
