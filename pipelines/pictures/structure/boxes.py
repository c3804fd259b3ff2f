"""Formats made of boxes (ISO/IEC 14496-12): AVIF, HEIF, JPEG 2000, JPEG XL, and codestreams."""

from __future__ import annotations

from collections.abc import Iterator

from glassplate.codecs.container.declared import jxl_size
from glassplate.codecs.errors import BitstreamError
from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size, number, part

_JP2_CODESTREAM, _START_OF_TILE, _END = b"\xff\x4f\xff\x51", 0xFF90, 0xFFD9
_TO_THE_END, _LONG = 0, 1


def walk_boxes(data: bytes, found: Found) -> None:
    """Look whether all boxes are whole. Raises BrokenError."""
    for _ in _boxes(data):
        pass


def walk_jpeg2000(data: bytes, found: Found) -> None:
    """Walk through all codestreams of a JP2 or JPX file, or a bare one. Raises BrokenError."""
    if data.startswith(_JP2_CODESTREAM):
        _walk_codestream(data, 0, len(data), found)
        return
    for kind, start, end in _boxes(data):
        if kind == b"jp2c":
            _walk_codestream(data, start, end, found)
    if not found.pictures:
        raise BrokenError("has no pixels")


def walk_jxl(data: bytes, found: Found) -> None:
    """Look for the size, and whether all boxes of a container are whole. Raises BrokenError."""
    try:
        found.sizes.append(Size(*jxl_size(data)[:2]))
    except BitstreamError as error:
        raise BrokenError("has a header that does not say its size") from error
    if not data.startswith(b"\xff\x0a"):
        walk_boxes(data, found)


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, where the content begins, where it ends) of each box. Raises BrokenError."""
    position = 0
    while position < len(data) and data[position:].strip(b"\0"):
        size, header = number(data, position, 4, what="a box"), 8
        kind = part(data, position + 4, 4, "a box")
        if size == _LONG:
            size, header = number(data, position + 8, 8, what="a box"), 16
        elif size == _TO_THE_END:
            size = len(data) - position
        if size < header:
            raise BrokenError(f"has other bytes where a box is due (at byte {position})")
        part(data, position, size, f"box {kind.decode('latin-1')!r}")
        yield kind, position + header, position + size
        position += size


def _walk_codestream(data: bytes, start: int, end: int, found: Found) -> None:
    """Marker segments and tile-parts (ISO/IEC 15444-1, A). Raises BrokenError."""
    if data[start : start + 4] != _JP2_CODESTREAM:
        raise BrokenError("has other bytes where a codestream is due")
    found.pictures += 1
    right, bottom, left, top = (number(data, start + 8 + 4 * i, 4) for i in range(4))
    found.sizes.append(Size(max(0, right - left), max(0, bottom - top)))
    position = start + 2
    while (marker := number(data, position, 2, what="its pixels")) != _END:
        if marker == _START_OF_TILE:
            length = number(data, position + 6, 4, what="its pixels")
            if length == 0:  # up to the end
                length = end - 2 - position
            if length < 12:
                raise BrokenError("has a part of no length")
        else:
            length = 2 + number(data, position + 2, 2)
        position += length
        if position + 2 > end:
            raise BrokenError("ends in the middle of its pixels")
