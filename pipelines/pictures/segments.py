"""Metadata that has no column of its own, in the pieces in which the file holds it.

JPEG: APPn and COM segments (IPTC in Photoshop's APP13, comments, dots per inch in JFIF's APP0) and
what follows the picture. PNG: ancillary chunks (texts, time, gamma, dots per inch). GIF, PPM and
JPEG 2000: comments. Colour and resolution of other formats stand in the words of PNG (cICP, pHYs).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

from glassplate.pipelines.pictures.metadata.png import png_text, raw_profile
from glassplate.pipelines.pictures.metadata.segment import Segment

_PHOTOSHOP = b"Photoshop 3.0\0"
_RAW_IPTC = "Raw profile type iptc"
_COMMENT = 0xFE
_MAX_TEXT = 1 << 20
_INCH, _CENTIMETRE, _METRE = 1, 2, 1


def texts(segments: Sequence[Segment]) -> Iterator[tuple[str, str]]:
    """(keyword, text) of comments and PNG's texts; what cannot be read is passed over."""
    for segment in segments:
        kind, data = segment["kind"], segment["data"]
        if kind in ("COM", "comment"):
            yield "Comment", _text(data.rstrip(b"\0"))
        elif kind in ("tEXt", "zTXt", "iTXt"):
            with suppress(ValueError, zlib.error):
                keyword, text = png_text(kind, data, _MAX_TEXT)
                yield keyword, _text(text)


def photoshop(segments: Sequence[Segment]) -> bytes:
    """Photoshop's image resources (IPTC is one of them), joined; b'' if there are none."""
    parts = (s["data"] for s in segments if s["kind"] == "APP13")
    joined = b"".join(part[len(_PHOTOSHOP) :] for part in parts if part.startswith(_PHOTOSHOP))
    if not joined:
        with suppress(ValueError):
            for keyword, text in texts(segments):
                if keyword == _RAW_IPTC:
                    return raw_profile(text.encode("latin-1", "replace"))
    return joined


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


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
