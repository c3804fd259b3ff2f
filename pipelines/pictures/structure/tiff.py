"""TIFF and BigTIFF in either byte order: directories, and where their pixels lie (TIFF 6.0)."""

from __future__ import annotations

from typing import NamedTuple

from glassplate.pipelines.pictures.structure.found import (
    BrokenError,
    Found,
    Order,
    Size,
    number,
    part,
)

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES, _SUB_DIRECTORIES = 277, 330
_PLACES = ((273, 279), (324, 325), (513, 514))
"""Tags of offsets and lengths: strips, tiles, an old-style JPEG stream."""
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8} | {
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_INTEGERS = (1, 3, 4, 13, 16, 18)
_WANTED = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _SUB_DIRECTORIES} | {
    tag for places in _PLACES for tag in places
}
_UNCOMPRESSED, _YCBCR = 1, 6
_COMMON_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34925, 50000}
_MAX_DIRECTORIES = 1 << 16
_DIRECTORY = "a directory"


class _Layout(NamedTuple):
    """Sizes in bytes of a TIFF's numbers: their order, an offset, the number of entries."""

    order: Order
    offset: int
    number: int

    @property
    def entry(self) -> int:
        return 4 + 2 * self.offset


def walk_tiff(data: bytes, found: Found) -> None:
    """Walk through all directories, those of thumbnails and raw pictures, too.

    Raises BrokenError.
    """
    order: Order = "little" if data[:2] == b"II" else "big"
    is_big = number(data, 2, 2, order) == 43
    layout = _Layout(order, 8, 8) if is_big else _Layout(order, 4, 2)
    waiting = [number(data, 8 if is_big else 4, layout.offset, order)]
    seen: set[int] = set()
    while waiting:
        start = waiting.pop(0)
        if start in seen:
            raise BrokenError("has directories that lead in a circle")
        seen.add(start)
        if len(seen) > _MAX_DIRECTORIES:
            raise BrokenError(f"has more than {_MAX_DIRECTORIES} directories")
        found.is_silent = True  # Pillow leaves out tags that it cannot read
        tags, following = _directory(data, start, layout)
        found.is_silent = False
        _check_pixels(data, tags, found)
        waiting += [*([following] if following else []), *tags.get(_SUB_DIRECTORIES, ())]
    found.pictures = len(seen)


def _directory(data: bytes, start: int, layout: _Layout) -> tuple[dict[int, list[int]], int]:
    """The wanted tags of a directory, and where the next one begins; 0: nowhere."""
    count = number(data, start, layout.number, layout.order, _DIRECTORY)
    if count == 0:
        raise BrokenError("has an empty directory")
    first = start + layout.number
    part(data, first, count * layout.entry, _DIRECTORY)
    tags = {}
    for position in range(first, first + count * layout.entry, layout.entry):
        tag = number(data, position, 2, layout.order)
        if tag in _WANTED:
            tags[tag] = _values(data, position, layout)
    end = first + count * layout.entry
    return tags, number(data, end, layout.offset, layout.order, _DIRECTORY)


def _values(data: bytes, entry: int, layout: _Layout) -> list[int]:
    kind = number(data, entry + 2, 2, layout.order)
    count = number(data, entry + 4, layout.offset, layout.order)
    size = _TYPE_SIZES.get(kind, 0)
    if kind not in _INTEGERS:
        raise BrokenError(f"has a tag of an impossible type ({kind})")
    place = entry + 4 + layout.offset
    if count * size > layout.offset:
        place = number(data, place, layout.offset, layout.order)
    values = part(data, place, count * size, "the values of a tag")
    return [int.from_bytes(values[i : i + size], layout.order) for i in range(0, len(values), size)]


def _check_pixels(data: bytes, tags: dict[int, list[int]], found: Found) -> None:
    """Raises BrokenError if pixels of a directory lie outside of the file, or are too few."""
    width, height = (tags.get(tag, [0])[:1] or [0] for tag in (_WIDTH, _HEIGHT))
    found.sizes.append(Size(width[0], height[0]))
    stored = 0
    for offsets, lengths in _PLACES:
        pieces = list(zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False))
        if any(start + length > len(data) for start, length in pieces):
            raise BrokenError("ends before the last of its pixels")
        stored += sum(length for _, length in pieces)
    compression = tags.get(_COMPRESSION, [_UNCOMPRESSED])[0]
    photometric = tags.get(_PHOTOMETRIC, [0])[0]
    if compression not in _COMMON_COMPRESSIONS:
        found.unusual = f"compression {compression}"
    elif compression == _UNCOMPRESSED and photometric == _YCBCR:
        found.unusual = "YCbCr samples without compression"
    elif compression == _UNCOMPRESSED:
        samples, bits = tags.get(_SAMPLES, [1])[0], tags.get(_BITS, [1])
        of_pixel = sum(bits) if len(bits) == samples else bits[0] * samples
        if stored and 8 * stored < width[0] * height[0] * of_pixel:
            raise BrokenError("has fewer pixels than its size says")
