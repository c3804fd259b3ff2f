"""A codec that is real in every way but compression ratio: makes pipelines testable in ms."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from glassplate.codecs import CodecSpec, Encoded, Pixels, Region, Target, register
from glassplate.codecs.base import Device, crop
from glassplate.codecs.container.bitstream import FINGERPRINT_BYTES, Header, Tile, pack, unpack


class FakeCodec:
    """Stores zlib of the pixels: lossless, one tile, no weights."""

    summary = "zlib, for tests"
    source = "RFC 1950"

    class Config(BaseModel):
        """level: zlib's."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        level: int = 1

    def __init__(
        self, config: Config, device: Device = "auto", weights: Path | None = None
    ) -> None:
        self.config = config
        self.spec = CodecSpec("fake", params=config.model_dump())

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        return None

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        return [Encoded(self._pack(image), quality=100.0) for image in images]

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        return [crop(self._unpack(data), region) for data in bitstreams]

    def _pack(self, image: Pixels) -> bytes:
        height, width, channels = image.shape
        fingerprint = bytes.fromhex(self.spec.fingerprint)[:FINGERPRINT_BYTES]
        header = Header("fake", fingerprint, width, height, channels)
        return pack(header, [Tile.opaque(zlib.compress(image.tobytes(), self.config.level))])

    @staticmethod
    def _unpack(data: bytes) -> Pixels:
        container = unpack(data)
        header = container.header
        pixels = np.frombuffer(zlib.decompress(container.payload(0)), np.uint8)
        return pixels.reshape(header.height, header.width, header.channels)


register("fake", "tests.fakes:FakeCodec")
