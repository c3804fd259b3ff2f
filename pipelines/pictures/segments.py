"""Metadata that has no column of its own, in the pieces in which the file holds it.

JPEG: APPn and COM segments (IPTC in Photoshop's APP13, comments, dots per inch in JFIF's APP0) and
what follows the picture. PNG: ancillary chunks (texts, time, gamma, dots per inch). GIF: comments.
Left out are ICC, EXIF and XMP, which have columns, and what only says how the pixels are coded.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

from PIL import Image

from glassplate.pipelines.pictures.segment import Segment

_PHOTOSHOP = b"Photoshop 3.0\0"
_CODING_OR_COLUMN = (
    ("APP1", b"Exif\0\0"),
    ("APP1", b"http://ns.adobe.com/xap/1.0/\0"),
    ("APP2", b"ICC_PROFILE\0"),
    ("APP2", b"MPF\0"),
    ("APP14", b"Adobe"),
)
_START_OF_SCAN, _END_OF_IMAGE, _COMMENT = 0xDA, 0xD9, 0xFE
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COLUMN_CHUNKS = ("iCCP", "eXIf", "tRNS", "acTL", "fcTL", "fdAT")
_PNG_XMP = b"XML:com.adobe.xmp\0"
_MAX_TEXT = 1 << 20
_INCH, _CENTIMETRE, _METRE = 1, 2, 1


def read_segments(data: bytes, label: str) -> list[Segment]:
    """The segments of a sound file, in its order; `label` is its format."""
    if label == "JPEG":
        return list(_of_jpeg(data))
    if label == "PNG":
        return list(_of_png(data))
    if label == "GIF":
        with Image.open(io.BytesIO(data), formats=("GIF",)) as image:
            comment = image.info.get("comment")
        return [Segment(kind="comment", data=comment)] if comment else []
    return []


def texts(segments: Sequence[Segment]) -> Iterator[tuple[str, str]]:
    """(keyword, text) of comments and PNG's texts; what cannot be read is passed over."""
    for segment in segments:
        kind, data = segment["kind"], segment["data"]
        if kind in ("COM", "comment"):
            yield "Comment", _text(data.rstrip(b"\0"))
        elif kind in ("tEXt", "zTXt", "iTXt"):
            with suppress(ValueError, zlib.error):
                yield _png_text(kind, data)


def photoshop(segments: Sequence[Segment]) -> bytes:
    """Photoshop's image resources (IPTC is one of them), joined; b'' if there are none."""
    parts = (s["data"] for s in segments if s["kind"] == "APP13")
    return b"".join(part[len(_PHOTOSHOP) :] for part in parts if part.startswith(_PHOTOSHOP))


def dots_per_inch(segments: Sequence[Segment]) -> tuple[float, float] | None:
    """Across and down, where the file says so."""
    for segment in segments:
        kind, data = segment["kind"], segment["data"]
        if kind == "APP0" and data.startswith(b"JFIF\0") and len(data) >= 12:
            unit, across, down = struct.unpack_from(">BHH", data, 7)
            scale = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(unit)
        elif kind == "pHYs" and len(data) == 9:
            across, down, unit = struct.unpack(">IIB", data)
            scale = 0.0254 if unit == _METRE else None
        else:
            continue
        if scale and across and down:
            return across * scale, down * scale
    return None


def jpeg_segment(kind: str, data: bytes) -> bytes:
    """A segment with its marker and length; `data` under 64 KB."""
    marker = _COMMENT if kind == "COM" else 0xE0 + int(kind.removeprefix("APP"))
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def _of_jpeg(data: bytes) -> Iterator[Segment]:
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        marker = data[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        if marker == _END_OF_IMAGE:
            break
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        payload = data[position + 4 : end]
        kind = "COM" if marker == _COMMENT else f"APP{marker - 0xE0}"
        if (marker == _COMMENT or 0xE0 <= marker <= 0xEF) and not _is_left_out(kind, payload):
            yield Segment(kind=kind, data=payload)
        if marker == _START_OF_SCAN:
            found = _AFTER_SCAN.search(data, end)
            end = found.start() if found else len(data)
        position = end
    if (trailer := data[position + 2 :]).strip(b"\0"):
        yield Segment(kind="trailer", data=trailer)


def _is_left_out(kind: str, data: bytes) -> bool:
    if kind == "APP0" and data.startswith(b"JFIF\0"):
        return data[7:8] == b"\0"  # no unit: it says nothing about the picture
    return any(kind == known and data.startswith(start) for known, start in _CODING_OR_COLUMN)


def _of_png(data: bytes) -> Iterator[Segment]:
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8].decode("latin-1")
        payload = data[position + 8 : position + 8 + length]
        is_xmp = kind == "iTXt" and payload.startswith(_PNG_XMP)
        if kind[0].islower() and kind not in _COLUMN_CHUNKS and not is_xmp:
            yield Segment(kind=kind, data=payload)
        position += 12 + length


def _png_text(kind: str, data: bytes) -> tuple[str, str]:
    keyword, rest = data.split(b"\0", 1)
    packed = kind == "zTXt"
    if kind == "iTXt":
        packed = rest[0:1] == b"\1"
        _language, _translated, rest = rest[2:].split(b"\0", 2)
    elif packed:
        rest = rest[1:]
    if packed:
        rest = zlib.decompressobj().decompress(rest, _MAX_TEXT)
    return keyword.decode("latin-1"), _text(rest)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
