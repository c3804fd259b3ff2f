"""What Pillow leaves out of AVIF, BMP, GIF and JPEG 2000 files, put into what it wrote.

Each function takes the bytes, the picture with its `info`, and its segments; it gives bytes back.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from PIL import Image

from glassplate.pipelines.pictures.metadata.boxes import boxes
from glassplate.pipelines.pictures.metadata.colour import colour_code
from glassplate.pipelines.pictures.metadata.segment import Segment

_XMP_ID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_ID = b"JpgTiffExif->JP2"
_BMP_V3, _BMP_V5, _PERCEPTUAL = 40, 124, 4


def finish_avif(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    """Primaries and transfer, where the colour is none of Pillow's."""
    code = colour_code(segments)
    if not code or image.info.get("icc_profile"):
        return data
    named = struct.pack(">HH", *code)
    parts = data.split(b"colrnclx")
    return b"colrnclx".join([parts[0], *(named + part[4:] for part in parts[1:])])


def finish_bmp(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    """With the longer header of version 5, and the ICC profile behind the pixels."""
    icc: bytes = image.info.get("icc_profile", b"")
    if not icc or struct.unpack_from("<I", data, 14)[0] != _BMP_V3:
        return data
    rest, added = data[14 + _BMP_V3 :], _BMP_V5 - _BMP_V3
    start = struct.unpack_from("<I", data, 10)[0] + added
    size = len(data) + added + len(icc)
    header = struct.pack("<I", _BMP_V5) + data[18 : 14 + _BMP_V3] + bytes(16) + b"DEBM" + bytes(48)
    header += struct.pack("<IIII", _PERCEPTUAL, _BMP_V5 + len(rest), len(icc), 0)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, start) + header + rest + icc


def finish_gif(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    """ICC and XMP in extensions of applications, behind the table of colours."""
    icc, xmp = image.info.get("icc_profile"), image.info.get("xmp")
    extensions = b""
    if icc:
        parts = [icc[start : start + 255] for start in range(0, len(icc), 255)]
        blocks = b"".join(bytes([len(part)]) + part for part in parts)
        extensions += b"!\xff\x0bICCRGBG1012" + blocks + b"\0"
    if xmp:  # not in blocks: the tail leads every reader to its end
        extensions += b"!\xff\x0bXMP DataXMP" + xmp + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    place = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    return b"GIF89a" + data[6:place] + extensions + data[place:] if extensions else data


def finish_jpeg2000(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    """ICC in the place of the enumerated colour space, resolution, and EXIF and XMP in boxes."""
    icc, exif, xmp, dpi = (image.info.get(name) for name in ("icc_profile", "exif", "xmp", "dpi"))
    if not data.startswith(b"\0\0\0\x0cjP  "):
        return data
    parts = []
    for box in boxes(data, pixels=True):
        value = box.data
        if box.kind == b"jp2h":
            inner = [
                _box(part.kind, b"\2\0\0" + icc if icc and part.kind == b"colr" else part.data)
                for part in boxes(value)
            ]
            value = b"".join([*inner, _resolution(dpi) if dpi else b""])
        if box.kind == b"jp2c" and exif:
            parts.append(_box(b"uuid", _EXIF_ID + exif.removeprefix(b"Exif\0\0")))
        if box.kind == b"jp2c" and xmp:
            parts.append(_box(b"uuid", _XMP_ID + xmp))
        parts.append(_box(box.kind, value))
    return b"".join(parts)


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def _resolution(dpi: tuple[float, float]) -> bytes:
    """Resolution of capture, in pixels for each metre, as hundredths where they have a place."""
    down, across = (min(round(value / 0.0254), 65535) for value in (dpi[1], dpi[0]))
    return _box(b"res ", _box(b"resc", struct.pack(">HHHHBB", down, 1, across, 1, 0, 0)))
