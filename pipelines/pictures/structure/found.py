"""What a walk through a file finds, and how it says that the file is broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Order = Literal["big", "little"]


class Size(NamedTuple):
    """Width and height in pixels, as stored: not turned upright."""

    width: int
    height: int


class BrokenError(Exception):
    """A file is not whole; the message is a clause that goes on from the file's name."""


@dataclass
class Found:
    """What a walk has come by, up to the place where the file breaks if it does.

    sizes: Sizes of every picture, frame or canvas that a decoder would make room for; the first is
        the picture's own.
    pictures: How many pictures of their own the file holds; 0: not counted.
    is_silent: Whether decoders would pass over a fault here in silence.
    unusual: A property that decoders often lack, as a noun phrase.
    """

    sizes: list[Size] = field(default_factory=list)
    pictures: int = 0
    is_silent: bool = False
    unusual: str | None = None


def part(data: bytes, start: int, size: int, what: str = "its header") -> bytes:
    """Bytes that have to be there. Raises BrokenError."""
    if size < 0 or start < 0 or start + size > len(data):
        raise BrokenError(f"ends in the middle of {what}")
    return data[start : start + size]


def number(
    data: bytes, start: int, size: int, order: Order = "big", what: str = "its header"
) -> int:
    """An unsigned number that has to be there. Raises BrokenError."""
    return int.from_bytes(part(data, start, size, what), order)
