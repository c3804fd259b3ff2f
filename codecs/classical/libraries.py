"""Standard codecs behind the same protocol: honest baselines, and tiers of their own.

Each writes its standard stream as the single tile of a container. Encoders and decoders run on one
thread, so that bytes are the same everywhere that has the same library versions. A region is cut
from the decoded picture.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import imagecodecs
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import (
    CodecSpec,
    Device,
    Encoded,
    Pixels,
    Region,
    Target,
    crop,
)
from glassplate.codecs.container.bitstream import MAX_SIDE, Header, Tile, pack, unpack_own
from glassplate.codecs.container.declared import (
    Size,
    check_declared,
    jxl_size,
    pillow_size,
    webp_size,
)
from glassplate.codecs.errors import BitstreamError, EncodeError, UnsupportedImageError
from glassplate.codecs.memory import empty_picture, memory_errors
from glassplate.codecs.option import Option
from glassplate.codecs.search import encode_to_target

Subsampling = Annotated[
    Literal["4:2:0", "4:4:4"],
    Option("Sampling of colour: 4:2:0 is smaller, 4:4:4 keeps fine coloured detail."),
]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassicalCodec(ABC):
    """One whole picture through a standard codec; subclasses say how.

    Raises: UnsupportedImageError for sizes that the standard or library cannot hold, EncodeError
    where the library fails, BitstreamError for everything that does not decode as declared.
    """

    Config: ClassVar[type[BaseModel]] = _Config
    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    max_side: ClassVar[int] = MAX_SIDE
    default_quality: ClassVar[float] = 75

    def __init__(
        self, config: Any = None, device: Device = "auto", weights: Path | None = None
    ) -> None:
        self.config: Any = config or self.Config()
        self.spec = CodecSpec(self.name, params=self.config.model_dump())

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        if channels not in (1, 3):
            return f"has {channels} channels, not 1 or 3"
        if max(width, height) > self.max_side:
            return f"a side is over {self.max_side} pixels"
        return None

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        return [self._encode_one(image, target) for image in images]

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        return [crop(self._decode_one(bitstream), region) for bitstream in bitstreams]

    @abstractmethod
    def _compress(self, image: Pixels, quality: float) -> bytes:
        """(H, W), or (H, W, 3), to the standard's own stream."""

    @abstractmethod
    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        """The inverse. `out` has the declared shape; anything else is refused by the library."""

    @abstractmethod
    def _declared(self, payload: bytes, channels: int) -> Size:
        """Width and height by the stream's own header; raises BitstreamError."""

    def _encode_one(self, image: Pixels, target: Target) -> Encoded:
        height, width, channels = image.shape
        if reason := self.refuses(width, height, channels):
            raise UnsupportedImageError(reason, f"Use another codec than {self.name}.")
        encode_at = partial(self._encode_at, image)
        return encode_to_target(
            encode_at, self._decode_one, image, target, self.default_quality, self.name
        )

    def _encode_at(self, image: Pixels, quality: float) -> Encoded:
        height, width, channels = image.shape
        planes = image[..., 0] if channels == 1 else image
        try:
            payload = self._compress(np.ascontiguousarray(planes), quality)
        except (RuntimeError, ValueError, OSError) as error:
            raise EncodeError(f"{self.name} failed ({error})") from error
        header = Header(self.name, self.spec.short_fingerprint, width, height, channels)
        return Encoded(pack(header, [Tile.opaque(payload)]), quality)

    def _decode_one(self, bitstream: bytes) -> Pixels:
        container = unpack_own(bitstream, self.name, self.spec.short_fingerprint)
        header = container.header
        if self.refuses(header.width, header.height, header.channels) or len(container) != 1:
            raise BitstreamError(
                "declares a picture that this codec never writes", subject="header"
            )
        payload = container.payload(0)
        check_declared(self._declared(payload, header.channels), (header.width, header.height))
        out = empty_picture(header.height, header.width, header.channels)
        try:
            with memory_errors():
                planes = self._decompress(payload, out[..., 0] if header.channels == 1 else out)
        except (RuntimeError, ValueError, OSError) as error:
            raise BitstreamError(
                f"{self.name} cannot be decoded ({error})", "", "tile 0"
            ) from error
        return planes.reshape(out.shape)


class JpegCodec(ClassicalCodec):
    """The oldest baseline: progressive, optimal Huffman tables. Quality: libjpeg's, from 1."""

    class Config(_Config):
        """Options of the codec."""

        subsampling: Subsampling = "4:2:0"

    name = "jpeg"
    summary = "JPEG, progressive, optimised (libjpeg-turbo)"
    source = "ITU-T T.81"
    max_side = 65500  # libjpeg's own limit, under the standard's 65535

    def _compress(self, image: Pixels, quality: float) -> bytes:
        return _save_with_pillow(
            image,
            "JPEG",
            quality=max(1, round(quality)),
            subsampling=self.config.subsampling,
            optimize=True,
            progressive=True,
        )

    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        return _decoded(imagecodecs.jpeg8_decode, payload, out)

    def _declared(self, payload: bytes, channels: int) -> Size:
        return pillow_size("jpeg", payload, channels)


class WebpCodec(ClassicalCodec):
    """Lossy WebP, slowest and best method. Quality: libwebp's. Chroma is always 4:2:0."""

    name = "webp"
    summary = "WebP, lossy, method 6 (libwebp)"
    source = "RFC 9649"
    max_side = 16383

    def _compress(self, image: Pixels, quality: float) -> bytes:
        return _save_with_pillow(image, "WEBP", quality=quality, method=6)

    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        if out.ndim == 3:
            return _decoded(imagecodecs.webp_decode, payload, out)
        rgb = empty_picture(out.shape[0], out.shape[1], 3)
        _decoded(imagecodecs.webp_decode, payload, rgb)
        return rgb[..., 1]  # WebP has no grey: it comes back with three equal channels

    def _declared(self, payload: bytes, channels: int) -> Size:
        return webp_size(payload)


class AvifCodec(ClassicalCodec):
    """AV1 still pictures. Quality: libavif's; 100 is lossless."""

    class Config(_Config):
        """Options of the codec."""

        subsampling: Subsampling = "4:2:0"
        speed: Annotated[int, Option("From small files to fast encoding."), Field(ge=0, le=10)] = 6
        tune: Annotated[
            Literal["iq", "psnr"], Option("Tuning: for the eye, or squared errors.")
        ] = "iq"

    name = "avif"
    summary = "AVIF (libavif, AOM AV1)"
    source = "AV1 Image File Format 1.1"
    max_side = 32768
    default_quality = 60

    def __init__(
        self, config: Any = None, device: Device = "auto", weights: Path | None = None
    ) -> None:
        super().__init__(config, device, weights)
        if self.config.tune == "iq":  # as in specs that are older than the option
            self.spec = CodecSpec(self.name, params=self.config.model_dump(exclude={"tune"}))

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        if width * height > 1 << 28:
            return "over 2^28 pixels, the limit of libavif"
        return super().refuses(width, height, channels)

    def _compress(self, image: Pixels, quality: float) -> bytes:
        if self.config.tune == "psnr" and quality < 100:  # imagecodecs has no way to say it
            return _save_with_pillow(
                image,
                "AVIF",
                quality=round(quality),
                subsampling="4:0:0" if image.ndim == 2 else self.config.subsampling,
                speed=self.config.speed,
                max_threads=1,
                advanced={"tune": "psnr"},
            )
        pixel_format = "400" if image.ndim == 2 else self.config.subsampling.replace(":", "")
        speed = self.config.speed
        return bytes(
            imagecodecs.avif_encode(
                image, round(quality), speed=speed, pixelformat=pixel_format, numthreads=1
            )
        )

    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        return _decoded(partial(imagecodecs.avif_decode, numthreads=1), payload, out)

    def _declared(self, payload: bytes, channels: int) -> Size:
        return pillow_size("avif", payload, channels)


class JxlCodec(ClassicalCodec):
    """JPEG XL. Quality maps to Butteraugli distance as in libjxl's cjxl; 100 is lossless."""

    class Config(_Config):
        """Options of the codec."""

        effort: Annotated[int, Option("From fast encoding to small files."), Field(ge=1, le=9)] = 7

    name = "jxl"
    summary = "JPEG XL; quality 100 is lossless (libjxl)"
    source = "ISO/IEC 18181-1"
    default_quality = 90  # Butteraugli distance 1: the archive's default is visually lossless

    def _compress(self, image: Pixels, quality: float) -> bytes:
        return bytes(
            imagecodecs.jpegxl_encode(
                image,
                effort=self.config.effort,
                distance=jxl_distance(quality),
                lossless=quality >= 100,
                numthreads=1,
            )
        )

    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        return _decoded(partial(imagecodecs.jpegxl_decode, numthreads=1), payload, out)

    def _declared(self, payload: bytes, channels: int) -> Size:
        return jxl_size(payload)


class Jp2Codec(ClassicalCodec):
    """JPEG 2000, wavelet 9/7. Quality q asks OpenJPEG for 20 + 0.3 q dB; 100 is reversible 5/3."""

    name = "jp2"
    summary = "JPEG 2000 codestream; quality 100 is lossless (OpenJPEG)"
    source = "ITU-T T.800"
    default_quality = 50

    def _compress(self, image: Pixels, quality: float) -> bytes:
        lossless = quality >= 100
        return bytes(
            imagecodecs.jpeg2k_encode(
                image,
                0 if lossless else 20 + 0.3 * quality,  # type: ignore[arg-type]  # takes floats
                codecformat="j2k",
                reversible=lossless,
                numthreads=1,
            )
        )

    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        return _decoded(partial(imagecodecs.jpeg2k_decode, numthreads=1), payload, out)

    def _declared(self, payload: bytes, channels: int) -> Size:
        return pillow_size("jp2", payload, channels)


class Htj2kCodec(ClassicalCodec):
    """High-throughput JPEG 2000, wavelet 9/7: ten times as fast as `jp2` for a few more bits.

    Quality q sets the quantisation step to 2^-(1 + 0.08 q) of the range; 100 is reversible 5/3.
    Decoded by OpenJPEG, because OpenJPH's decoder (0.26, as bound here) lets overshoots wrap
    around: white turns black.
    """

    name = "htj2k"
    summary = "High-throughput JPEG 2000; quality 100 is lossless (OpenJPH, OpenJPEG)"
    source = "ITU-T T.814"
    default_quality = 40

    def _compress(self, image: Pixels, quality: float) -> bytes:
        if quality >= 100:
            return bytes(imagecodecs.htj2k_encode(image, reversible=True))
        step = 2.0 ** -(1 + 0.08 * quality)
        return bytes(imagecodecs.htj2k_encode(image, step, reversible=False))

    def _decompress(self, payload: bytes, out: Pixels) -> Pixels:
        return _decoded(partial(imagecodecs.jpeg2k_decode, numthreads=1), payload, out)

    def _declared(self, payload: bytes, channels: int) -> Size:
        return pillow_size("jp2", payload, channels)


def jxl_distance(quality: float) -> float:
    """Butteraugli distance of a JPEG-like quality 0-100: libjxl's JxlEncoderDistanceFromQuality."""
    if quality >= 100:
        return 0.0
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _save_with_pillow(image: Pixels, format_name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format_name, **options)
    return buffer.getvalue()


def _decoded(decode: Callable[..., Any], payload: bytes, out: Pixels) -> Pixels:
    """Decode into an array of the declared shape: the library raises ValueError on any other."""
    decode(payload, out=out)
    return out
