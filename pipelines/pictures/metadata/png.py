"""PNG: ancillary chunks, wherever they stand."""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Iterator

from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, is_filling, number
from glassplate.pipelines.pictures.metadata.segment import Segment

MAX_INFLATED = 1 << 26
"""Bytes that a compressed chunk may become; more is taken for damage."""

_CODING = ("tRNS", "acTL", "fcTL", "fdAT", "iDOT")
_BESIDE_PIXELS = (
    *("bKGD", "cHRM", "cICP", "cLLI", "cLLi", "caBX", "gAMA", "iTXt", "mDCV", "mDCv", "oFFs"),
    *("pCAL", "pHYs", "sBIT", "sCAL", "sPLT", "sRGB", "sTER", "tEXt", "tIME", "zTXt", "eXIf"),
)
_CRITICAL = ("IHDR", "PLTE", "IDAT", "IEND")
_XMP = b"XML:com.adobe.xmp\0"
_EXIF = b"Exif\0\0"
_RAW_PROFILE = b"Raw profile type "
_GREY, _PALETTE = 0, 3


def read_png(data: bytes) -> Facts:
    """Metadata of a PNG file; any bytes can be read."""
    blocks: dict[str, bytes] = {}
    segments: list[Segment] = []
    losses: list[Loss] = []
    chunks = list(_chunks(data))
    proper = {name for kind, payload in chunks if (name := _block_of(kind, payload))}
    for kind, payload in chunks:
        name, block = _block(kind, payload, proper)
        if name == "icc" and not block:
            losses.append(Loss("colour-space", "a colour profile that cannot be read"))
        if name and block and name not in blocks:
            blocks[name] = block
        elif loss := _loss_of(kind):
            losses.append(loss)
        elif kind[:1].islower() and kind not in _CODING and name != "icc":
            segments.append(Segment(kind=kind, data=payload))
    if data[25:26] in (b"\0", b"\3"):
        segments = [_for_8_bit(segment, data, chunks) for segment in segments]
    return Facts(
        blocks.get("icc"), blocks.get("exif"), blocks.get("xmp"), tuple(segments), tuple(losses)
    )


def png_text(kind: str, data: bytes, limit: int = MAX_INFLATED) -> tuple[str, bytes]:
    """Keyword and text of a tEXt, zTXt or iTXt chunk.

    limit: Bytes of a packed text that are unpacked.

    Raises ValueError, zlib.error.
    """
    keyword, rest = data.split(b"\0", 1)
    packed = kind == "zTXt"
    if kind == "iTXt":
        packed = rest[0:1] == b"\1"
        _language, _translated, rest = rest[2:].split(b"\0", 2)
    elif packed:
        rest = rest[1:]
    if packed:
        rest = zlib.decompressobj().decompress(rest, limit)
    return keyword.decode("latin-1"), rest


def _chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(type, payload), but for those of pixels; at last what follows the picture, as 'trailer'."""
    position, kind = 8, ""
    while position + 12 <= len(data) and kind != "IEND":
        length = number(data, position, 4)
        kind = data[position + 4 : position + 8].decode("latin-1")
        yield kind, data[position + 8 : position + 8 + length] if kind != "IDAT" else b""
        position += 12 + length
    if not is_filling(data[position:]):
        yield "trailer", data[position:]


def _block_of(kind: str, payload: bytes) -> str | None:
    """Kind of block that a chunk is by PNG's own rules."""
    if kind == "iTXt" and payload.startswith(_XMP):
        return "xmp"
    return {"iCCP": "icc", "eXIf": "exif"}.get(kind)


def _block(kind: str, payload: bytes, proper: set[str]) -> tuple[str | None, bytes]:
    """Kind of block that a chunk holds, and the block.

    EXIF and XMP may stand in texts, too, as ImageMagick has long written them: those count where
    there is no chunk of its own.
    """
    name = _block_of(kind, payload)
    try:
        if name == "icc":
            return name, _inflated(payload.partition(b"\0")[2][1:])
        if name == "exif":
            return name, _EXIF + payload.removeprefix(_EXIF)
        if name == "xmp":
            return name, png_text(kind, payload)[1]
        if kind in ("tEXt", "zTXt") and payload.startswith(_RAW_PROFILE):
            keyword, text = png_text(kind, payload)
            raw = raw_profile(text)
            if raw.startswith(_EXIF) and "exif" not in proper:
                return "exif", raw
            if keyword.endswith(" xmp") and "xmp" not in proper:
                return "xmp", raw
    except (ValueError, zlib.error):
        return name, b""
    return None, b""


def raw_profile(text: bytes) -> bytes:
    """The bytes in ImageMagick's text form: a name, a length, hexadecimal digits in lines.

    Raises ValueError.
    """
    parts = text.split(None, 2)
    return binascii.unhexlify(b"".join(parts[2].split())) if len(parts) == 3 else b""


def _inflated(data: bytes) -> bytes:
    """Raises zlib.error."""
    inflater = zlib.decompressobj()
    block = inflater.decompress(data, MAX_INFLATED)
    return block if inflater.eof else b""


def _loss_of(kind: str) -> Loss | None:
    if kind == "trailer":
        return Loss("trailer", "bytes behind the picture")
    if len(kind) != 4 or kind in _CODING or kind in _BESIDE_PIXELS or kind == "iCCP":
        return None
    if kind[:1].isupper() and kind not in _CRITICAL:
        return Loss("metadata", f"a chunk without which the picture is another ({kind})")
    if kind == "hIST" or (kind[:1].islower() and kind[3:].isupper()):
        return Loss("metadata", f"a chunk that belongs to these very pixels ({kind})")
    return None


def _for_8_bit(segment: Segment, data: bytes, chunks: list[tuple[str, bytes]]) -> Segment:
    """A background colour as 8-bit pixels have it: no palette's index, no fewer bits."""
    if segment["kind"] != "bKGD":
        return segment
    value = segment["data"]
    if data[25] == _PALETTE:
        palette = next((payload for kind, payload in chunks if kind == "PLTE"), b"")
        colour = palette[3 * number(value, 0, 1) :][:3]
        value = b"".join(b"\0" + bytes([part]) for part in colour)
    elif data[25] == _GREY and 1 <= data[24] < 8:
        value = (number(value, 0, 2) * 255 // ((1 << data[24]) - 1) & 0xFFFF).to_bytes(2, "big")
    return Segment(kind="bKGD", data=value)
