"""Bit-exact tiers: the source file itself, as it is or losslessly transcoded.

What no pixel codec may touch (alpha, 16 bit, CMYK, animations, files that would grow) is kept by
these. A CRC over the whole file, and not only over the packed bytes, says that it came back.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Annotated, ClassVar

import imagecodecs
import zstandard
from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import CodecSpec, Device
from glassplate.codecs.container.bitstream import Container, Header, Tile, pack, unpack_own
from glassplate.codecs.container.declared import jxl_size
from glassplate.codecs.errors import BitstreamError, EncodeError
from glassplate.codecs.memory import check_fits, memory_errors
from glassplate.codecs.option import Option

MAX_FILE_BYTES = (1 << 31) - (1 << 20)
"""A value in a Parquet binary column stays under 2 GiB."""

_COEFFICIENT_BYTES = 6
"""Bytes of memory, at least, for each pixel of a JPEG that is rebuilt."""

_JPEG_MAGIC = b"\xff\xd8\xff"


class OriginalCodec:
    """The bytes of the file, through zstd where that makes them fewer.

    Container params: method u8 (0 stored, 1 zstd), size of the file u64.
    """

    class Config(BaseModel):
        """Options of the codec."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        zstd_level: Annotated[
            int, Option("Of Zstandard: from fast to small."), Field(ge=1, le=22)
        ] = 12

    name: ClassVar[str] = "original"
    summary: ClassVar[str] = "the file itself, bit-exact, with zstd where it helps"
    source: ClassVar[str] = "RFC 8878 (Zstandard)"

    def __init__(
        self, config: Config | None = None, device: Device = "auto", weights: Path | None = None
    ) -> None:
        self.config = config or self.Config()
        self.spec = CodecSpec(self.name, params=self.config.model_dump())

    def refuses_file(self, data: bytes) -> str | None:
        return "larger than 2 GiB" if len(data) > MAX_FILE_BYTES else None

    def encode_file(self, data: bytes) -> bytes:
        if reason := self.refuses_file(data):
            raise EncodeError(f"the file is {reason}")
        packed = zstandard.ZstdCompressor(level=self.config.zstd_level).compress(data)
        method = int(len(packed) < len(data))
        tile = Tile(packed if method else data, zlib.crc32(data))
        return pack(_file_header(self.spec, struct.pack("<BQ", method, len(data))), [tile])

    def decode_file(self, bitstream: bytes) -> bytes:
        container = _unpack_file(bitstream, self.spec)
        method, size = _read_params(container, "<BQ")
        payload = container.payload(0)
        if method == 1:
            payload = _decompress(payload, _bounded(size))
        elif method != 0:
            raise BitstreamError(
                f"method {method} is not known", "Read it with a newer Glassplate."
            )
        return _checked(container, payload, size)


class JxlJpegCodec:
    """A JPEG file as JPEG XL, about a fifth smaller; the very file comes back.

    Container params: size of the file u64.
    """

    class Config(BaseModel):
        """There are no options."""

        model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "jxl-jpeg"
    summary: ClassVar[str] = "lossless transcode of JPEG files, bit-exact, about 20 % smaller"
    source: ClassVar[str] = "ISO/IEC 18181-2 (JPEG bitstream reconstruction data)"

    def __init__(
        self, config: Config | None = None, device: Device = "auto", weights: Path | None = None
    ) -> None:
        self.config = config or self.Config()
        self.spec = CodecSpec(self.name, params=self.config.model_dump())

    def refuses_file(self, data: bytes) -> str | None:
        """Looks at the first bytes only: some JPEGs (CMYK, arithmetic coding, damage) turn
        out at encoding not to come back exactly, which is an EncodeError."""
        if not data.startswith(_JPEG_MAGIC):
            return "not a JPEG file"
        return "larger than 2 GiB" if len(data) > MAX_FILE_BYTES else None

    def encode_file(self, data: bytes) -> bytes:
        if reason := self.refuses_file(data):
            raise EncodeError(f"the file is {reason}")
        try:
            payload = bytes(imagecodecs.jpegxl_encode_jpeg(data, numthreads=1))
            restored = imagecodecs.jpegxl_decode_jpeg(payload, numthreads=1)
        except RuntimeError as error:
            raise EncodeError(f"this kind of JPEG cannot be transcoded ({error})") from error
        if restored != data:
            raise EncodeError("this JPEG would not come back byte for byte")
        header = _file_header(self.spec, struct.pack("<Q", len(data)))
        return pack(header, [Tile(payload, zlib.crc32(data))])

    def decode_file(self, bitstream: bytes) -> bytes:
        container = _unpack_file(bitstream, self.spec)
        (size,) = _read_params(container, "<Q")
        payload = container.payload(0)
        _check_jpeg(payload, _bounded(size))
        try:
            with memory_errors():
                restored = imagecodecs.jpegxl_decode_jpeg(payload, out=size, numthreads=1)
        except (RuntimeError, ValueError) as error:
            raise BitstreamError(f"the JPEG cannot be rebuilt ({error})") from error
        return _checked(container, bytes(restored), size)


def _file_header(spec: CodecSpec, params: bytes) -> Header:
    return Header(spec.name, spec.short_fingerprint, params=params)


def _unpack_file(bitstream: bytes, spec: CodecSpec) -> Container:
    container = unpack_own(bitstream, spec.name, spec.short_fingerprint)
    if container.header.channels != 0 or len(container) != 1:
        raise BitstreamError("holds pixels where a file was expected", subject="header")
    return container


def _read_params(container: Container, layout: str) -> tuple[int, ...]:
    try:
        return struct.unpack(layout, container.header.params)
    except struct.error as error:
        raise BitstreamError("the params have the wrong length", subject="header") from error


def _bounded(size: int) -> int:
    if size > MAX_FILE_BYTES:
        raise BitstreamError(f"declares a file of {size} bytes", subject="header")
    check_fits(size, "the file")
    return size


def _decompress(payload: bytes, size: int) -> bytes:
    """zstd, whose frame has to declare the same size: no more is ever allocated."""
    try:
        if zstandard.frame_content_size(payload) != size:
            raise BitstreamError(
                f"zstd declares a file of another size than {size}", subject="tile 0"
            )
        with memory_errors():
            return zstandard.ZstdDecompressor().decompress(payload)
    except zstandard.ZstdError as error:
        raise BitstreamError(f"zstd: {error}", subject="tile 0") from error


def _check_jpeg(payload: bytes, size: int) -> None:
    """A JPEG takes at least a bit for 64 pixels, so that its pixels are bounded by its size."""
    width, height = jxl_size(payload)
    if max(width, height) >= 1 << 16 or width * height > 512 * size:
        raise BitstreamError(
            f"{width} x {height} pixels are no JPEG of {size} bytes", subject="tile 0"
        )
    check_fits(_COEFFICIENT_BYTES * width * height, f"a JPEG of {width} x {height} pixels")


def _checked(container: Container, data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise BitstreamError(f"holds {len(data)} bytes, {size} declared", subject="tile 0")
    container.check_symbols(0, zlib.crc32(data))
    return data
