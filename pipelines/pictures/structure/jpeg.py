"""JPEG: marker segments up to the end of the picture (ISO/IEC 10918-1, B.1; 14495-1, C.1)."""

from __future__ import annotations

import re

from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size, number, part

_END, _SCAN, _HEIGHT_LATER = 0xD9, 0xDA, 0xDC
_HIERARCHICAL, _LS_FRAME = (0xDE, 0xDF), 0xF7
_HEIGHT_UNKNOWN = "a height that is told behind the pixels"
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {*range(0xC0, 0xD0), _LS_FRAME} - {0xC4, 0xC8, 0xCC}
_COMMON = (0xC0, 0xC1, 0xC2)
_KINDS = {0xC3: "lossless coding", _LS_FRAME: "JPEG-LS coding"} | dict.fromkeys(
    (0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF), "arithmetic coding"
)
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MARKER_OF_LS = re.compile(rb"\xff[\x80-\xfe]")
_PIXELS = "its pixels"


def walk_jpeg(data: bytes, found: Found, start: int = 0) -> int:
    """Walk through the picture that begins at `start`. Returns where it ends.

    Raises BrokenError.
    """
    if data[start : start + 2] != b"\xff\xd8":
        raise BrokenError("has no picture where one is due")
    position, after_scan, pixels = start + 2, _MARKER, False
    while True:
        marker, position = _marker(data, position)
        if marker == _END:
            break
        length = number(data, position, 2)
        payload = part(data, position + 2, length - 2)
        position += length
        _take_segment(marker, payload, found)
        if marker == _LS_FRAME:
            after_scan = _MARKER_OF_LS
        if marker == _SCAN:
            end = after_scan.search(data, position)
            if not end:
                raise BrokenError(f"ends in the middle of {_PIXELS}")
            position, pixels = end.start(), True
    if not (pixels and found.sizes):
        raise BrokenError("has no pixels")
    return position


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """The next marker that is not filling and not alone, and where its segment begins."""
    while True:
        if number(data, position, 1, what=_PIXELS) != 0xFF:
            raise BrokenError(f"has other bytes where a marker is due (at byte {position})")
        marker = number(data, position + 1, 1, what=_PIXELS)
        position += 1 if marker == 0xFF else 2
        if marker != 0xFF and marker not in _WITHOUT_LENGTH:
            return marker, position


def _take_segment(marker: int, payload: bytes, found: Found) -> None:
    if marker in _FRAMES:
        _take_frame(marker, payload, found)
    elif marker in _HIERARCHICAL:
        found.unusual = "hierarchical coding"
    elif marker == _HEIGHT_LATER:
        found.unusual = _HEIGHT_UNKNOWN


def _take_frame(marker: int, payload: bytes, found: Found) -> None:
    depth, height, width = (number(payload, at, n) for at, n in ((0, 1), (1, 2), (3, 2)))
    channels = number(payload, 5, 1)
    found.sizes.append(Size(width, height))
    if marker not in _COMMON:
        found.unusual = found.unusual or _KINDS.get(marker, "differential coding")
    elif depth != 8:
        found.unusual = f"{depth}-bit samples"
    elif channels not in (1, 3, 4):
        found.unusual = f"{channels} channels"
    elif height == 0:
        found.unusual = _HEIGHT_UNKNOWN
