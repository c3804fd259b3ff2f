"""WebP: RIFF chunks (RFC 9649)."""

from __future__ import annotations

from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size, number, part


def walk_webp(data: bytes, found: Found) -> None:
    """Walk through all chunks. Raises BrokenError."""
    end = 8 + number(data, 4, 4, "little")
    if end > len(data):
        raise BrokenError(f"has {len(data)} bytes of the {end} that it declares")
    position, pixels = 12, False
    while position < end:
        kind = part(data, position, 4, "a chunk")
        length = number(data, position + 4, 4, "little", "a chunk")
        payload = part(data, position + 8, length, f"chunk {kind.decode('latin-1')!r}")
        if size := _size(kind, payload):
            found.sizes.append(size)
        pixels = pixels or kind in (b"VP8 ", b"VP8L", b"ANMF")
        position += 8 + length + length % 2
    if not pixels:
        raise BrokenError("has no pixels")


def _size(kind: bytes, payload: bytes) -> Size | None:
    if kind == b"VP8X":
        return Size(1 + number(payload, 4, 3, "little"), 1 + number(payload, 7, 3, "little"))
    if kind == b"ANMF":
        return Size(1 + number(payload, 6, 3, "little"), 1 + number(payload, 9, 3, "little"))
    if kind == b"VP8L":
        bits = number(payload, 1, 4, "little")
        return Size(1 + bits % (1 << 14), 1 + (bits >> 14) % (1 << 14))
    if kind == b"VP8 ":
        sides = (number(payload, at, 2, "little") % (1 << 14) for at in (6, 8))
        return Size(*sides)
    return None
