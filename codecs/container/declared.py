"""What a standard stream's own header says of the picture in it, before anything is allocated.

A decoder allocates by its own stream's header, so that one has to agree with the container's.
Pillow reads the headers of JPEG, AVIF and JPEG 2000 without a pixel; it opens WebP by allocating
the canvas, and does not know JPEG XL.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.memory import memory_errors

Size = tuple[int, int]
"""Width and height."""

_CHANNELS = {"L": 1, "RGB": 3}
_JXL_BOXES = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_SIZE_BITS = (9, 13, 18, 30)


def check_declared(found: Size, wanted: Size, subject: str = "tile 0") -> None:
    """Raises BitstreamError if a stream declares another size than its container."""
    if found != wanted:
        raise BitstreamError(
            f"the stream inside is of {found[0]} x {found[1]} pixels, {wanted[0]} x {wanted[1]}"
            " are declared",
            subject=subject,
        )


def pillow_size(kind: str, payload: bytes, channels: int) -> Size:
    """Size of a 'jpeg', 'avif', 'jp2' codestream. Raises BitstreamError, so for other channels."""
    from PIL import AvifImagePlugin, Jpeg2KImagePlugin, JpegImagePlugin

    plugins = {  # not by `Image.open`, which has a limit of its own
        "jpeg": JpegImagePlugin.JpegImageFile,
        "avif": AvifImagePlugin.AvifImageFile,
        "jp2": Jpeg2KImagePlugin.Jpeg2KImageFile,
    }
    try:
        with memory_errors(), plugins[kind](io.BytesIO(payload)) as image:
            size, found = image.size, _CHANNELS.get(image.mode)
    except (OSError, SyntaxError, ValueError, OverflowError, RuntimeError) as error:
        raise _unreadable(str(error)) from error
    if found != channels:
        raise BitstreamError(
            f"the stream inside has pixels of mode {image.mode}, not {channels} channels",
            subject="tile 0",
        )
    return size


def webp_size(payload: bytes) -> Size:
    """Size of a simple lossy WebP file (RFC 9649, RFC 6386 section 9.1). Raises BitstreamError."""
    if payload[:4] + payload[8:16] + payload[23:26] != b"RIFFWEBPVP8 \x9d\x01\x2a":
        raise _unreadable("no lossy WebP")
    if len(payload) < 30:
        raise _unreadable("truncated")
    width, height = struct.unpack("<HH", payload[26:30])
    return width & 0x3FFF, height & 0x3FFF


def jxl_size(payload: bytes, subject: str = "tile 0") -> Size:
    """Size of a JPEG XL codestream or file (ISO/IEC 18181-1, SizeHeader). Raises BitstreamError."""
    try:
        return _jxl_size(payload)
    except ValueError as error:
        raise _unreadable(str(error), subject) from error


def _jxl_size(payload: bytes) -> Size:
    stream = payload
    if payload.startswith(_JXL_BOXES):
        stream = b"".join(_codestream_parts(payload))
    if stream[:2] != b"\xff\x0a":
        raise ValueError("no JPEG XL codestream")
    head = _Bits(stream[2:14])
    small = head.take(1)
    height = _jxl_side(head, small)
    ratio = head.take(3)
    if ratio:
        numerator, denominator = _JXL_RATIOS[ratio - 1]
        return height * numerator // denominator, height
    return _jxl_side(head, small), height


def _jxl_side(head: _Bits, small: int) -> int:
    if small:
        return 8 * (1 + head.take(5))
    return 1 + head.take(_JXL_SIZE_BITS[head.take(2)])


def _codestream_parts(payload: bytes) -> Iterator[bytes]:
    """The boxes that hold the codestream, up to the first that has enough of it."""
    position = len(_JXL_BOXES)
    while position + 8 <= len(payload):
        length, kind = struct.unpack(">I4s", payload[position : position + 8])
        head = 8
        if length == 1:
            length = int.from_bytes(payload[position + 8 : position + 16])
            head = 16
        end = position + length if length else len(payload)
        if length and length < head:
            break
        if kind in (b"jxlc", b"jxlp"):
            start = position + head + (4 if kind == b"jxlp" else 0)
            yield payload[start : min(end, start + 64)]
        position = end


class _Bits:
    """Bits from the front of a byte string, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("truncated")
        part = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        return part


def _unreadable(cause: str, subject: str = "tile 0") -> BitstreamError:
    return BitstreamError(f"the header of the stream inside cannot be read ({cause})", "", subject)
