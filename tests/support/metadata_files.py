"""One small file for every format and every kind of metadata that the format has a place for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import odd_inputs
from PIL import Image, ImageCms, TiffImagePlugin

Maker = Callable[[], bytes]

IPTC = b"\x1c\x02\x78\x00\x0bA caption \xe9"
RESOURCES = b"8BIM\x04\x04\0\0" + len(IPTC).to_bytes(4, "big") + IPTC + b"\0"
XMP = odd_inputs.XMP
EXIF = odd_inputs.exif(1)
TURNED = odd_inputs.exif(6)
TEXT = b"found in the attic"
PRIVATE = b"private words"
PRIVATE_TAG = 65000
MOVIE = b"\0\0\0\x18ftypmp42" + bytes(range(64))
GEO = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 6e5, 5.4e6, 0.0)}
P3 = 12
"""Primaries of Display P3, as H.273 numbers them."""


def _profile() -> bytes:
    """A sound RGB profile that is not called sRGB."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"sRGB", b"wide").replace(
        "sRGB".encode("utf-16-be"), "wide".encode("utf-16-be")
    )


ICC = _profile()


def photo() -> Image.Image:
    """A picture with no metadata at all."""
    image = odd_inputs.photo(48, 32)
    image.info.clear()
    return image


def thumbnailed(orientation: int = 6) -> bytes:
    """EXIF of a picture, turned or not, with a thumbnail that lies as the pixels do."""
    thumbnail = odd_inputs.save(photo().resize((24, 16)), "JPEG")
    tags = struct.pack(">HHIHH", 274, 3, 1, orientation, 0)
    second = 8 + 2 + 12 + 4
    place = second + 2 + 24 + 4
    first = b"MM\0*\0\0\0\x08\0\1" + tags + struct.pack(">I", second)
    links = struct.pack(">HHII", 0x0201, 4, 1, place) + struct.pack(
        ">HHII", 0x0202, 4, 1, len(thumbnail)
    )
    return b"Exif\0\0" + first + b"\0\2" + links + bytes(4) + thumbnail


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def jpeg(*segments: bytes, **options: Any) -> bytes:
    data = odd_inputs.save(photo(), "JPEG", quality=95, **options)
    head = 4 + struct.unpack(">H", data[4:6])[0]  # JFIF stays in front
    return data[:head] + b"".join(segments) + data[head:]


def jfif(unit: int, across: int, down: int, thumbnail: bytes = b"") -> bytes:
    data = jpeg()
    side = round((len(thumbnail) / 3) ** 0.5)
    payload = b"JFIF\0\1\1" + struct.pack(">BHHBB", unit, across, down, side, side) + thumbnail
    return data[:2] + segment(0xE0, payload) + data[20:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    *chunks: tuple[bytes, bytes], behind: bool = False, image: Image.Image | None = None
) -> bytes:
    """With chunks in front of the pixels, or behind them."""
    data = odd_inputs.save(photo(), "PNG")
    place = len(data) - 12 if behind else 33
    return data[:place] + b"".join(chunk(*one) for one in chunks) + data[place:]


def gif(extension: bytes) -> bytes:
    data = odd_inputs.save(photo().quantize(16), "GIF")
    place = 13 + (3 << ((data[10] & 7) + 1))
    return b"GIF89a" + data[6:place] + extension + data[place:]


def blocks(data: bytes) -> bytes:
    """A GIF's payload in blocks of at most 255 bytes."""
    parts = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def application(name: bytes, payload: bytes) -> bytes:
    return b"!\xff\x0b" + name + payload


def webp(kind: bytes, payload: bytes) -> bytes:
    data = odd_inputs.save(photo(), "WEBP", lossless=True, exif=EXIF)
    body = data[8:] + kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(tags: dict[int, tuple[int, Any]], **options: Any) -> bytes:
    """With tags: number -> (type, value)."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, (kind, value) in tags.items():
        directory.tagtype[tag] = kind
        directory[tag] = value
    return odd_inputs.save(photo(), "TIFF", tiffinfo=directory, **options)


def bmp(space: bytes, profile: bytes = b"", points: bytes = bytes(48)) -> bytes:
    """With a V5 header."""
    pixels = odd_inputs.save(photo(), "BMP")[54:]
    start = 14 + 124
    header = struct.pack("<IiiHHIIiiII", 124, 48, 32, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    header += bytes(16) + space + points
    header += struct.pack("<IIII", 4, 124 + len(pixels), len(profile), 0)
    size = start + len(pixels) + len(profile)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, start) + header + pixels + profile


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def jp2(outer: bytes = b"", inner: bytes = b"", colour: bytes | None = None) -> bytes:
    """With boxes before the codestream, or in the header, or another colour specification."""
    data = odd_inputs.save(photo(), "JPEG2000")
    start = data.index(b"jp2h") - 4
    end = start + struct.unpack(">I", data[start : start + 4])[0]
    header = data[start + 8 : end]
    if colour is not None:
        place = header.index(b"colr") - 4
        header = header[:place] + box(b"colr", colour) + header[place + 15 :]
    return data[:start] + box(b"jp2h", header + inner) + outer + data[end:]


def paletted(colours: list[tuple[int, ...]], columns: bytes = b"\0\1\2") -> bytes:
    """A JP2 whose samples are places in a palette. columns: in the order of channels."""
    data = odd_inputs.save(photo().convert("L").point(lambda v: v % len(colours)), "JPEG2000")
    count = len(colours[0])
    header = box(b"ihdr", struct.pack(">IIHBBBB", 32, 48, 1, 7, 7, 0, 0))
    header += box(b"colr", b"\1\0\0" + struct.pack(">I", 16))
    entries = b"".join(map(bytes, colours))
    header += box(b"pclr", struct.pack(">HB", len(colours), count) + b"\7" * count + entries)
    header += box(b"cmap", b"".join(bytes([0, 0, 1, column]) for column in columns))
    start = data.index(b"jp2h") - 4
    end = start + struct.unpack(">I", data[start : start + 4])[0]
    return data[:start] + box(b"jp2h", header) + data[end:]


def signed_codestream() -> bytes:
    """A JP2 whose header says that its samples are signed."""
    data = bytearray(odd_inputs.save(photo().convert("L"), "JPEG2000"))
    data[data.index(b"\xff\x4f\xff\x51") + 42] |= 0x80
    return bytes(data)


def avif(primaries: int = 1, transfer: int = 13, **options: Any) -> bytes:
    data = odd_inputs.save(photo(), "AVIF", quality=95, **options)
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def ppm(comment: bytes = b"") -> bytes:
    data = odd_inputs.save(photo(), "PPM")
    return data[:3] + comment + data[3:]


def exif_profile() -> bytes:
    """EXIF in a text, as ImageMagick has long written it."""
    return b"Raw profile type exif\0" + f"\nexif\n{len(EXIF):8}\n{EXIF.hex()}\n".encode()
