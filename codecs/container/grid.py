"""Tiles of a picture, and those that a part of it needs. All units are positions (rows
and columns) of the latent unless said otherwise; its stride is a position's side in pixels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from glassplate.codecs.base import Region

BATCH_MEGAPIXELS = {"cpu": 1, "cuda": 8}
"""How much goes through the transforms together: as fits the caches, or keeps a GPU busy."""

Job = TypeVar("Job")


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
    """The tiles of a picture, row by row. Sizes in pixels; tile is a multiple of the stride."""

    width: int
    height: int
    tile: int
    stride: int

    @property
    def whole(self) -> Rect:
        """The padded picture."""
        return Rect(0, 0, -(-self.height // self.stride), -(-self.width // self.stride))

    @property
    def columns(self) -> int:
        return -(-self.width // self.tile)

    def __len__(self) -> int:
        return -(-self.height // self.tile) * self.columns

    def rect(self, index: int) -> Rect:
        """What a tile covers."""
        side = self.tile // self.stride
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
        side = self.tile // self.stride
        for row in range(rect.top // side, -(-rect.bottom // side)):
            for column in range(rect.left // side, -(-rect.right // side)):
                yield row * self.columns + column

    def cover(self, region: Region) -> Rect:
        """The smallest rectangle that covers a region given in pixels."""
        return Rect(
            region.y // self.stride,
            region.x // self.stride,
            -(-(region.y + region.height) // self.stride),
            -(-(region.x + region.width) // self.stride),
        ).meet(self.whole)


def batches(
    jobs: Iterable[Job],
    window: Callable[[Job], Rect],
    stride: int,
    device: str,
    kind: Callable[[Job], Hashable] = lambda job: None,
) -> Iterator[list[Job]]:
    """Jobs of one kind whose windows have the same size, as many together as suit the device.

    A batch comes as soon as it is full, so that jobs keep about their order.
    """
    waiting: dict[Hashable, list[Job]] = {}
    for job in jobs:
        rect = window(job)
        group = waiting.setdefault((kind(job), rect.height, rect.width), [])
        group.append(job)
        pixels = rect.height * rect.width * stride**2
        if (len(group) + 1) * pixels > BATCH_MEGAPIXELS[device] << 20:
            yield waiting.pop((kind(job), rect.height, rect.width))
    yield from waiting.values()
