"""Boxes of ISO base media files, of which JPEG 2000 and AVIF are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from glassplate.pipelines.pictures.metadata.facts import number

_PIXELS = (b"jp2c", b"mdat")


class Box(NamedTuple):
    """A box; `data` without its header."""

    kind: bytes
    data: bytes

    @property
    def name(self) -> str:
        """The kind for a reader."""
        return self.kind.decode("latin-1").strip()


def end_of_boxes(data: bytes) -> int:
    """Where the last whole box ends; at most the length of the data."""
    position = 0
    while position + 8 <= len(data):
        size = number(data, position, 4)
        if size == 1:
            size = number(data, position + 8, 8)
        if size == 0:
            return len(data)
        if size < 8 or position + size > len(data):
            break
        position += size
    return position


def boxes(data: bytes, start: int = 0, *, pixels: bool = False) -> Iterator[Box]:
    """The boxes that lie one behind the other; any bytes can be read.

    pixels: With the payload of those that hold pixels, too.
    """
    position = start
    while position + 8 <= len(data):
        size, kind, header = number(data, position, 4), data[position + 4 : position + 8], 8
        if size == 1:
            size, header = number(data, position + 8, 8), 16
        elif size == 0:
            size = len(data) - position
        if size < header:
            return
        end = position + (size if pixels or kind not in _PIXELS else header)
        yield Box(kind, data[position + header : end])
        position += size
