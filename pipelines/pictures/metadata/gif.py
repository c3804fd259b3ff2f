"""GIF: extension blocks."""

from __future__ import annotations

from collections.abc import Iterator

from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, is_filling, number
from glassplate.pipelines.pictures.metadata.segment import Segment

_TEXT, _CONTROL, _COMMENT, _APPLICATION = 0x01, 0xF9, 0xFE, 0xFF
_ICC, _XMP = b"ICCRGBG1012", b"XMP DataXMP"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_XMP_TAIL = 257
"""Bytes behind a packet that make it skippable: 1, ff, fe, ... 0."""
_SQUARE = (0, 49)


def read_gif(data: bytes) -> Facts:
    """Metadata of a GIF file; any bytes can be read."""
    icc = xmp = None
    segments: list[Segment] = []
    losses: list[Loss] = []
    if number(data, 12, 1) not in _SQUARE:
        losses.append(Loss("metadata", "pixels that are not square"))
    for kind, name, payload in _extensions(data):
        if kind == _COMMENT:
            segments.append(Segment(kind="comment", data=payload))
        elif kind == _APPLICATION and name == _ICC and not icc:
            icc = payload
        elif kind == _APPLICATION and name == _XMP and not xmp:
            xmp = payload
        elif kind == _TEXT:
            losses.append(Loss("metadata", "a text to be drawn over the picture"))
        elif kind == _APPLICATION and name not in _LOOPS:
            losses.append(Loss("metadata", f"an extension of {name.decode('latin-1')}"))
        elif kind == 0:
            losses.append(Loss("trailer", "bytes behind the picture"))
    return Facts(icc, None, xmp, tuple(segments), tuple(losses))


def _extensions(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(label, name of the application, payload); label 0: what follows the picture."""
    position = 13 + _table_size(number(data, 10, 1))
    while position < len(data):
        introducer = data[position]
        if introducer == 0x2C:  # a picture
            position += 10 + _table_size(number(data, position + 9, 1)) + 1
            _, position = _sub_blocks(data, position)
        elif introducer == 0x21:
            label, position = number(data, position + 1, 1), position + 2
            name = b""
            if label == _APPLICATION:
                size = number(data, position, 1)
                name, position = data[position + 1 : position + 1 + size], position + 1 + size
            start = position
            payload, position = _sub_blocks(data, position)
            if name == _XMP:  # not cut into blocks
                payload = data[start : max(start, position - 1 - _XMP_TAIL)]
            yield label, name, payload
        elif introducer == 0x3B:
            if not is_filling(data[position + 1 :]):
                yield 0, b"", data[position + 1 :]
            return
        else:
            position += 1  # filling, which decoders pass over


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(data: bytes, position: int) -> tuple[bytes, int]:
    parts = []
    while size := number(data, position, 1):
        parts.append(data[position + 1 : position + 1 + size])
        position += 1 + size
    return b"".join(parts), position + 1
