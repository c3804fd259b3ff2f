"""GIF: blocks up to the trailer (GIF89a, 12 to 27)."""

from __future__ import annotations

from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size, number

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_BLOCK = "a block"


def walk_gif(data: bytes, found: Found) -> None:
    """Walk through all blocks; a frame that reaches beyond the canvas makes it larger.

    Raises BrokenError.
    """
    found.sizes.append(_size(data, 6))
    position = 13 + _table(data, 10)
    while (kind := number(data, position, 1, what=_BLOCK)) != _TRAILER:
        if kind == _EXTENSION:
            position = _behind_sub_blocks(data, position + 2)
        elif kind == _IMAGE:
            left, top = _size(data, position + 1)
            width, height = _size(data, position + 5)
            found.sizes.append(Size(left + width, top + height))
            table = _table(data, position + 9)
            position = _behind_sub_blocks(data, position + 11 + table)
        else:
            raise BrokenError(f"has other bytes where a block is due (at byte {position})")


def _size(data: bytes, start: int) -> Size:
    return Size(number(data, start, 2, "little"), number(data, start + 2, 2, "little"))


def _table(data: bytes, flags: int) -> int:
    """Bytes of the colour table that the flags at this place tell of."""
    value = number(data, flags, 1)
    return 3 << (value % 8 + 1) if value & 0x80 else 0


def _behind_sub_blocks(data: bytes, position: int) -> int:
    while size := number(data, position, 1, what=_BLOCK):
        position += 1 + size
    return position + 1
