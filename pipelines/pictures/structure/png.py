"""PNG and APNG: chunks and their checksums (W3C PNG, 5)."""

from __future__ import annotations

import zlib

from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size, number, part

_SIGNATURE_SIZE = 8


def walk_png(data: bytes, found: Found) -> None:
    """Walk through all chunks. Raises BrokenError."""
    found.is_silent = True  # decoders do not look at the checksums of pixels
    position, kind, pixels = _SIGNATURE_SIZE, b"", False
    while kind != b"IEND":
        if position >= len(data):
            raise BrokenError("ends before its last chunk")
        length = number(data, position, 4, what="a chunk")
        kind = part(data, position + 4, 4, "a chunk")
        name = f"chunk {kind.decode('latin-1')!r}"
        payload = part(data, position + 8, length, name)
        checksum = number(data, position + 8 + length, 4, what=name)
        if checksum != zlib.crc32(payload, zlib.crc32(kind)):
            raise BrokenError(f"does not match its own checksum in {name}")
        if position == _SIGNATURE_SIZE and kind != b"IHDR":
            raise BrokenError("does not begin with its header")
        if kind == b"IHDR":
            found.sizes.append(Size(number(payload, 0, 4), number(payload, 4, 4)))
        elif kind == b"fcTL":
            found.sizes.append(Size(number(payload, 4, 4), number(payload, 8, 4)))
        pixels = pixels or kind == b"IDAT"
        position += 12 + length
    if not pixels:
        raise BrokenError("has no pixels")
