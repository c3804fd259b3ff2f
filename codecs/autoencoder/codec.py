"""The lab autoencoder behind the codec protocol: whole levels, adaptively range coded."""

from __future__ import annotations

import copy
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.autoencoder.range_coder import Symbols, decode, encode
from glassplate.codecs.autoencoder.weights import find, load
from glassplate.codecs.base import (
    CodecSpec,
    Device,
    Encoded,
    Latent,
    Pixels,
    Region,
    Target,
    resolve_device,
)
from glassplate.codecs.container.bitstream import MAX_SIDE, Tile
from glassplate.codecs.container.grid import Grid
from glassplate.codecs.container.tiled_codec import check_pictures, open_tiles, pack_tiles
from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.layers.latent_pictures import (
    Floats,
    PictureDecoder,
    decode_pictures,
    encode_pictures,
)
from glassplate.codecs.option import Option
from glassplate.codecs.search import encode_to_target

SHIPPED_SIZE = "residual-b3"
_PARAMS = struct.Struct("<BB")
"""Levels, channels of the latent."""


class AutoencoderConfig(BaseModel):
    """Options of the codec."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[
        str,
        Option(
            "Name of weights; the default is shipped, `glassplate train autoencoder` makes all.",
            metavar="NAME",
        ),
    ] = SHIPPED_SIZE
    tile_size: Annotated[
        int,
        Option("Side of a tile in pixels: what a region is read in, and what bounds the memory."),
        Field(ge=64, le=4096, multiple_of=64),
    ] = 1024


class AutoencoderCodec:
    """A small convolutional autoencoder whose latent has 2^bits levels.

    Quality chooses the number of levels: half of those that the network was trained for at 0, all
    of them at 100. Each tile's stream stands alone and adapts to itself.
    """

    Config: ClassVar[type[BaseModel]] = AutoencoderConfig
    name: ClassVar[str] = "autoencoder"
    summary: ClassVar[str] = "Lab autoencoder: latents of a few levels, adaptive range coder"
    source: ClassVar[str] = "Hinton and Salakhutdinov, Science 2006; Ballé et al., ICLR 2017"
    default_quality: ClassVar[float] = 100

    def __init__(
        self,
        config: AutoencoderConfig | None = None,
        device: Device = "auto",
        weights: Path | None = None,
    ) -> None:
        """weights: a file, or a folder that holds one. Raises WeightsError, DeviceError."""
        self.config = config or AutoencoderConfig()
        self.weights_path = find(weights, self.config.size)
        loaded = load(self.weights_path)
        self.device = resolve_device(device)
        network = loaded.network
        self.network = network if self.device == "cpu" else copy.deepcopy(network).to(self.device)
        self.levels = network.model.config.levels
        self.spec = CodecSpec(
            self.name, params=self.config.model_dump(), weights_sha256=loaded.sha256
        )

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        """Anything but 8-bit grey or RGB, or a side that the container cannot declare."""
        if channels not in (1, 3):
            return f"has {channels} channels, not 1 or 3"
        if max(width, height) > MAX_SIDE:
            return f"a side is over {MAX_SIDE} pixels"
        return None

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        """Pictures of any sizes; the network runs once, a search only changes the levels."""
        check_pictures(self, images)
        latents = encode_pictures(self.network, self.device, images, self.config.tile_size)
        return [self._encode(*pair, target) for pair in zip(images, latents, strict=True)]

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        """Whole pictures, or the same region of each, from the tiles that it needs."""
        pictures = [self.open(data, region) for data in bitstreams]
        return decode_pictures(self.network, self.device, pictures)

    def open(self, bitstream: bytes, region: Region | None = None) -> PictureDecoder:
        """Check a container and get ready to decode. Raises BitstreamError, ValueError."""
        container = open_tiles(self, bitstream, self.network.stride)
        params = container.header.params
        if len(params) != _PARAMS.size:
            raise BitstreamError(
                "declares parameters that this codec never writes", subject="header"
            )
        levels, channels = _PARAMS.unpack(params)
        if not 2 <= levels <= self.levels or channels != self.network.channels:
            raise BitstreamError(
                f"declares {levels} levels of {channels} channels", subject="header"
            )

        def read(payload: bytes, shape: tuple[int, int, int]) -> tuple[Floats, int]:
            symbols = decode(payload, levels, shape)
            return _floats(symbols, levels), zlib.crc32(symbols.tobytes())

        return PictureDecoder(container, self.network, read, region)

    def _encode(self, image: Pixels, latent: Floats, target: Target) -> Encoded:
        return encode_to_target(
            lambda quality: self._pack(image, latent, quality),
            lambda data: self.decode([data])[0],
            image,
            target,
            self.default_quality,
            self.name,
        )

    def _pack(self, image: Pixels, latent: Floats, quality: float) -> Encoded:
        height, width, _ = image.shape
        levels = max(2, round(self.levels / 2 * 2 ** (quality / 100)))
        symbols = np.rint(latent * (levels - 1)).astype(np.uint8)
        grid = Grid(width, height, self.config.tile_size, self.network.stride)
        tiles = []
        for tile in range(len(grid)):
            rows, columns = grid.rect(tile).within(grid.whole)
            part = np.ascontiguousarray(symbols[:, rows, columns])
            tiles.append(Tile(encode(part, levels), zlib.crc32(part.tobytes())))
        params = _PARAMS.pack(levels, self.network.channels)
        bitstream = pack_tiles(self, image.shape, tiles, params)
        scale = np.full(len(symbols), 1 / (levels - 1), np.float32)
        return Encoded(bitstream, quality, Latent(symbols, "uint8", scale))


def _floats(symbols: Symbols, levels: int) -> Floats:
    return symbols.astype(np.float32) / np.float32(levels - 1)
