"""EXIF orientation, read and reset without touching any other byte of the block."""

from __future__ import annotations

import re
import struct

from PIL import Image

_TAG = 0x0112
_SHORT = 3
_PREFIX = b"Exif\x00\x00"
_XMP = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)([1-8])")

_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(exif: bytes | None, xmp: bytes | None) -> int:
    """1-8; from the EXIF block, else from the XMP packet; 1 if neither tells."""
    place = _find(exif) if exif else None
    if exif and place:
        position, order = place
        value = int(struct.unpack_from(order + "H", exif, position)[0])
        return value if 1 <= value <= 8 else 1
    match = _XMP.search(xmp) if xmp else None
    return int(match[2]) if match else 1


def reset_exif(exif: bytes) -> bytes:
    """The same block with orientation 1; unchanged if it cannot be parsed or has none."""
    place = _find(exif)
    if not place:
        return exif
    position, order = place
    return exif[:position] + struct.pack(order + "H", 1) + exif[position + 2 :]


def reset_xmp(xmp: bytes) -> bytes:
    """The same packet with orientation 1."""
    return _XMP.sub(rb"\g<1>1", xmp)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is meant to be seen."""
    return image.transpose(_METHODS[orientation]) if orientation in _METHODS else image


def _find(exif: bytes) -> tuple[int, str] | None:
    """Where the value of the orientation tag lies, and the byte order; None: nowhere."""
    start = len(_PREFIX) if exif.startswith(_PREFIX) else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return None
    directory = start + int(struct.unpack_from(order + "I", exif, start + 4)[0])
    if directory + 2 > len(exif):
        return None
    (count,) = struct.unpack_from(order + "H", exif, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        if entry + 12 > len(exif):
            return None
        tag, kind, values = struct.unpack_from(order + "HHI", exif, entry)
        if (tag, kind, values) == (_TAG, _SHORT, 1):
            return entry + 8, order
    return None
