"""WebP: RIFF chunks."""

from __future__ import annotations

from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, is_filling, number

_CODING = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF")
_EXIF = b"Exif\0\0"


def read_webp(data: bytes) -> Facts:
    """Metadata of a WebP file; any bytes can be read."""
    blocks: dict[bytes, bytes] = {}
    losses: list[Loss] = []
    position, end = 12, 8 + number(data, 4, 4, "little")
    while position + 8 <= min(end, len(data)):
        kind, size = data[position : position + 4], number(data, position + 4, 4, "little")
        if kind in (b"ICCP", b"EXIF", b"XMP ") and kind not in blocks:
            blocks[kind] = data[position + 8 : position + 8 + size]
        elif kind not in _CODING:
            losses.append(Loss("metadata", f"an unknown chunk ({kind.decode('latin-1').strip()})"))
        position += 8 + size + size % 2
    if not is_filling(data[end:]):
        losses.append(Loss("trailer", "bytes behind the picture"))
    exif = blocks.get(b"EXIF")
    if exif and not exif.startswith(_EXIF):
        exif = _EXIF + exif
    return Facts(blocks.get(b"ICCP"), exif, blocks.get(b"XMP "), (), tuple(losses))
