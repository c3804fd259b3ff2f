"""The autoencoder behind the codec protocol: small latents, stored as integers or halves."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

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
from glassplate.codecs.container.bitstream import MAX_SIDE
from glassplate.codecs.container.grid import Grid
from glassplate.codecs.container.tiled_codec import check_pictures, open_tiles, pack_tiles
from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.layers.latent_pictures import (
    PictureDecoder,
    decode_pictures,
    encode_pictures,
    picture_of,
)
from glassplate.codecs.option import Option
from glassplate.codecs.search import encode_to_target
from glassplate.codecs.vae.latents import (
    Floats,
    LatentType,
    StoredLatent,
    read_floats,
    store,
    write_tile,
)
from glassplate.codecs.vae.weights import find, load


class VaeConfig(BaseModel):
    """Options of the codec."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[str, Option("Name of the weights; f8c4 is shipped.", metavar="NAME")] = "f8c4"
    dtype: Annotated[
        LatentType, Option("How latents are stored; int8 has a scale per channel, and is coded.")
    ] = "int8"
    tile_size: Annotated[
        int,
        Option("Side of a tile in pixels: what a region is read in, and what bounds the memory."),
        Field(ge=64, le=4096, multiple_of=64),
    ] = 1024


class VaeCodec:
    """Latents of a variational autoencoder, ours or one of the Stable Diffusion family.

    Quality sets the step of int8 latents, on a scale from 0 (one standard deviation) to 100 (1/32
    of it); the network alone decides how close the best is. Halves have one quality.
    """

    Config: ClassVar[type[BaseModel]] = VaeConfig
    name: ClassVar[str] = "vae"
    summary: ClassVar[str] = "Latents of a variational autoencoder, 48 times fewer values, by dtype"
    source: ClassVar[str] = "Kingma and Welling, ICLR 2014; Rombach et al., CVPR 2022"
    default_quality: ClassVar[float] = 75

    def __init__(
        self,
        config: VaeConfig | None = None,
        device: Device = "auto",
        weights: Path | None = None,
    ) -> None:
        """weights: see `find`. Raises WeightsError, DeviceError, MissingExtraError."""
        self.config = config or VaeConfig()
        self.weights_path = find(weights, self.config.size)
        loaded = load(self.weights_path)
        self.device = resolve_device(device)
        self.model = (
            loaded.autoencoder
            if self.device == "cpu"
            else copy.deepcopy(loaded.autoencoder).to(self.device)
        )
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
        """Pictures of any sizes; the networks run once, a search only changes the step."""
        check_pictures(self, images)
        latents = self.latents_of(images)
        return [self._encode(*pair, target) for pair in zip(images, latents, strict=True)]

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        """Whole pictures, or the same region of each, from the tiles that it needs."""
        pictures = [self.open(data, region) for data in bitstreams]
        return decode_pictures(self.model, self.device, pictures)

    def latents_of(self, images: Sequence[Pixels]) -> list[Floats]:
        """(H, W, 1 or 3) pictures to latents, (C, ceil(H/stride), ceil(W/stride)) float32 each."""
        return encode_pictures(self.model, self.device, images, self.config.tile_size)

    def stored_latents(self, images: Sequence[Pixels]) -> list[Latent]:
        """The latents of pictures as they are stored at the default quality, without bitstreams."""
        stored = (
            store(latent, self.config.dtype, self.default_quality)
            for latent in self.latents_of(images)
        )
        return [self._latent(one) for one in stored]

    def picture_of(self, latent: Floats) -> Pixels:
        """A latent to a picture, (H, W, 3), at once: for those that are not large."""
        return picture_of(self.model, self.device, latent)

    def open(self, bitstream: bytes, region: Region | None = None) -> PictureDecoder:
        """Check a container and get ready to decode. Raises BitstreamError, ValueError."""
        container = open_tiles(self, bitstream, self.model.stride)
        scale = self._scale(container.header.params)
        read = partial(read_floats, dtype=self.config.dtype, scale=scale)
        return PictureDecoder(container, self.model, read, region)

    def _encode(self, image: Pixels, latent: Floats, target: Target) -> Encoded:
        if self.config.dtype != "int8":  # nothing to search: the tiers judge what came out
            return self._pack(image, latent, 100)
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
        stored = store(latent, self.config.dtype, quality)
        grid = Grid(width, height, self.config.tile_size, self.model.stride)
        tiles = []
        for tile in range(len(grid)):
            rows, columns = grid.rect(tile).within(grid.whole)
            tiles.append(write_tile(stored.values[:, rows, columns], stored.dtype))
        params = b"" if stored.scale is None else stored.scale.astype("<f4").tobytes()
        bitstream = pack_tiles(self, image.shape, tiles, params)
        return Encoded(bitstream, quality, self._latent(stored))

    def _latent(self, stored: StoredLatent) -> Latent:
        return Latent(
            stored.values,
            stored.dtype,
            stored.scale,
            self.model.scaling_factor,
            self.model.shift_factor,
        )

    def _scale(self, params: bytes) -> Floats | None:
        if self.config.dtype != "int8":
            scale = None
        elif len(params) == 4 * self.model.channels:
            scale = np.frombuffer(params, "<f4").astype(np.float32)
            if np.isfinite(scale).all() and (scale > 0).all():
                return scale
        if self.config.dtype == "int8" or params:
            raise BitstreamError("declares scales that this codec never writes", subject="header")
        return scale
