"""The self-describing container around every bitstream.

Layout, little-endian, varint = unsigned LEB128 of at most 5 bytes:

    magic 4 bytes | format version u8 | codec name (u8 length, ASCII) | fingerprint 8 bytes
    | channels u8 (0: a file, not pixels) | width varint | height varint | tile size varint
    | params (varint length, bytes) | number of tiles varint
    | per tile: length varint, CRC-32 of the bytes u32, CRC-32 of the decoded symbols u32
    | CRC-32 of everything above u32 | tile payloads, one after the other

The decoder checks every declared size against the bytes at hand before it allocates, so damage is
located (header or tile number) and never guessed. Codecs whose entropy coding is opaque (a whole
JPEG, say) have the payload itself as their symbols.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from glassplate.codecs.errors import BitstreamError

MAGIC = b"\x89GPB"
FORMAT_VERSION = 1
MAX_SIDE = 1 << 20
MAX_PARAMS = 1 << 16
FINGERPRINT_BYTES = 8


@dataclass(frozen=True)
class Header:
    """What a container says about itself. channels 0 means that the payload is a file."""

    codec: str
    fingerprint: bytes
    width: int = 0
    height: int = 0
    channels: int = 0
    tile_size: int = 0
    params: bytes = b""


@dataclass(frozen=True)
class Tile:
    """One tile's entropy-coded bytes and the CRC-32 of the symbols they decode to."""

    payload: bytes
    symbols_crc: int

    @classmethod
    def opaque(cls, payload: bytes) -> Tile:
        """A tile whose symbols are its bytes."""
        return cls(payload, zlib.crc32(payload))


@dataclass(frozen=True)
class Container:
    """A parsed container: the header has been checked, the tiles are checked as they are read."""

    header: Header
    data: bytes
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    payload_crcs: tuple[int, ...]
    symbol_crcs: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lengths)

    def payload(self, tile: int) -> bytes:
        """The bytes of one tile. Raises BitstreamError if they are damaged."""
        start = self.offsets[tile]
        payload = self.data[start : start + self.lengths[tile]]
        if zlib.crc32(payload) != self.payload_crcs[tile]:
            raise BitstreamError("the bytes are damaged (CRC mismatch)", subject=f"tile {tile}")
        return payload

    def check_symbols(self, tile: int, symbols_crc: int) -> None:
        """Raises BitstreamError if a tile decoded to other symbols than were encoded."""
        if symbols_crc != self.symbol_crcs[tile]:
            raise BitstreamError(
                "decoded to other symbols than were encoded", subject=f"tile {tile}"
            )


def pack(header: Header, tiles: Sequence[Tile]) -> bytes:
    """Serialise a header and its tiles. Raises ValueError on fields that do not fit the format."""
    name = header.codec.encode("ascii")
    if len(header.fingerprint) != FINGERPRINT_BYTES or not 0 < len(name) < 256:
        raise ValueError("a container needs an 8-byte fingerprint and a name of 1-255 letters")
    if max(header.width, header.height) > MAX_SIDE or len(header.params) > MAX_PARAMS:
        raise ValueError(f"sides are at most {MAX_SIDE} pixels, params at most {MAX_PARAMS} bytes")
    head = bytearray(MAGIC)
    head += bytes([FORMAT_VERSION, len(name)]) + name + header.fingerprint
    head.append(header.channels)
    for number in (header.width, header.height, header.tile_size, len(header.params)):
        head += _varint(number)
    head += header.params + _varint(len(tiles))
    for tile in tiles:
        head += _varint(len(tile.payload))
        head += struct.pack("<II", zlib.crc32(tile.payload), tile.symbols_crc)
    head += struct.pack("<I", zlib.crc32(head))
    return bytes(head) + b"".join(tile.payload for tile in tiles)


def unpack(data: bytes) -> Container:
    """Parse and check a container's header and tile index. Raises BitstreamError.

    Never allocates more than a small multiple of len(data).
    """
    reader = _Reader(data)
    if reader.take(4) != MAGIC:
        raise BitstreamError("not a Glassplate bitstream (wrong magic)")
    version = reader.byte()
    if version != FORMAT_VERSION:
        raise BitstreamError(
            f"container format {version} is not known", "Read it with a newer Glassplate."
        )
    name = reader.take(reader.byte())
    fingerprint = reader.take(FINGERPRINT_BYTES)
    channels = reader.byte()
    width, height, tile_size = reader.varint(), reader.varint(), reader.varint()
    if channels > 4 or max(width, height) > MAX_SIDE:
        raise BitstreamError("the header declares an impossible picture", subject="header")
    params = reader.take(reader.varint())
    index = [
        (reader.varint(), *struct.unpack("<II", reader.take(8))) for _ in range(reader.count(9))
    ]
    head_end = reader.position
    if struct.unpack("<I", reader.take(4))[0] != zlib.crc32(data[:head_end]):
        raise BitstreamError("the header is damaged (CRC mismatch)", subject="header")
    lengths = tuple(length for length, _, _ in index)
    if reader.position + sum(lengths) != len(data):
        raise BitstreamError(
            f"{len(data)} bytes at hand, {reader.position + sum(lengths)} declared",
            subject="header",
        )
    return Container(
        header=Header(
            name.decode("ascii", "replace"), fingerprint, width, height, channels, tile_size, params
        ),
        data=data,
        offsets=_starts(reader.position, lengths),
        lengths=lengths,
        payload_crcs=tuple(crc for _, crc, _ in index),
        symbol_crcs=tuple(crc for _, _, crc in index),
    )


def unpack_own(data: bytes, codec: str, fingerprint: bytes) -> Container:
    """`unpack` for one codec. Raises BitstreamError if another one wrote the container.

    The fingerprint has to match as well, also where other options would do for decoding: an archive
    holds the spec of every codec that it used, so there is always a codec that matches.
    """
    container = unpack(data)
    header = container.header
    if (header.codec, header.fingerprint) != (codec, fingerprint):
        raise BitstreamError(
            f"written by {header.codec} {header.fingerprint.hex()}, not by {codec} "
            f"{fingerprint.hex()}",
            "Build the codec from the spec it was written with.",
            "header",
        )
    return container


def check_damage(data: bytes) -> None:
    """Check header and all payload CRCs without decoding. Raises BitstreamError."""
    container = unpack(data)
    for tile in range(len(container)):
        container.payload(tile)


def _starts(first: int, lengths: tuple[int, ...]) -> tuple[int, ...]:
    starts = [first]
    for length in lengths:
        starts.append(starts[-1] + length)
    return tuple(starts[:-1])


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Reader:
    """Bounds-checked reads from the front of a byte string."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise BitstreamError("truncated", subject="header")
        part = self.data[self.position : end]
        self.position = end
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        number = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise BitstreamError("a number is too long", subject="header")

    def count(self, bytes_each: int) -> int:
        """A declared number of records, bounded by the bytes that are left."""
        number = self.varint()
        if number * bytes_each > len(self.data) - self.position:
            raise BitstreamError("truncated", subject="header")
        return number
