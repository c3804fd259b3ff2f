"""The learned codec behind the codec protocol."""

from __future__ import annotations

import copy
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import (
    CodecSpec,
    Device,
    Encoded,
    Latent,
    Pixels,
    Region,
    Target,
    colour,
    has_alpha,
    resolve_device,
)
from glassplate.codecs.container.bitstream import MAX_SIDE, Tile
from glassplate.codecs.container.grid import Grid
from glassplate.codecs.container.tiled_codec import check_pictures, open_tiles, pack_tiles
from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.hyperprior.alpha import encode_alpha
from glassplate.codecs.hyperprior.decoder import PictureDecoder, decode_pictures
from glassplate.codecs.hyperprior.encoder import encode_pictures
from glassplate.codecs.hyperprior.network.model import Y_STRIDE, Z_STRIDE
from glassplate.codecs.hyperprior.runtime import Runtime
from glassplate.codecs.hyperprior.weights import Tune, find, load
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS
from glassplate.codecs.option import Option
from glassplate.codecs.search import encode_all_to_target


class HyperpriorConfig(BaseModel):
    """Options of the codec.

    Streams name their weights by sha256, so tune is not in the spec. Parsing never depends on
    bfloat16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[str, Option("Name of the weights; small is shipped.", metavar="NAME")] = "small"
    tune: Annotated[
        Tune,
        Option(
            "What the weights were trained for. Those for the eye need a quarter fewer bits for the"
            " same MS-SSIM, two fifths fewer for the same SSIMULACRA2, a tenth more for the same"
            " PSNR."
        ),
    ] = "psnr"
    tile_size: Annotated[
        int,
        Option(
            "Side of a tile in pixels; smaller ones make regions cheaper to read, and files larger."
        ),
        Field(ge=Z_STRIDE, le=4096, multiple_of=Z_STRIDE),
    ] = 1024
    bfloat16: Annotated[
        bool, Option("Compute in bfloat16 where the processor has it; streams can be read anyhow.")
    ] = True


class HyperpriorCodec:
    """Learned transform coding: one set of weights for every rate, tiles, exact parsing.

    Each tile's stream stands alone; the transforms see a halo of neighbouring tiles, so there are
    no seams. Quality is continuous, in tenths from 0 to 100. Alpha is lossless.
    """

    Config: ClassVar[type[BaseModel]] = HyperpriorConfig
    name: ClassVar[str] = "hyperprior"
    summary: ClassVar[str] = "Learned transform, hyperprior and context; parsed by integers alone"
    source: ClassVar[str] = "Ballé et al., ICLR 2018; Li, Li and Lu, CVPR 2023"
    default_quality: ClassVar[float] = 90  # an archive is to be looked at closely

    def __init__(
        self,
        config: HyperpriorConfig | None = None,
        device: Device = "auto",
        weights: Path | None = None,
    ) -> None:
        """weights: a file, or a folder that holds one. Raises WeightsError, DeviceError."""
        self.config = config or HyperpriorConfig()
        self.weights_path = find(weights, self.config.size, self.config.tune)
        loaded = load(self.weights_path)
        self.device = place = resolve_device(device)
        self.runtime = Runtime(
            model=loaded.model if place == "cpu" else copy.deepcopy(loaded.model).to(place),
            coder=loaded.coder,
            device=place,
            bfloat16=self.config.bfloat16,
        )
        self.spec = CodecSpec(
            self.name,
            params=self.config.model_dump(exclude={"tune"}),
            weights_sha256=loaded.sha256,
        )

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        """Anything but 8-bit grey or RGB, with or without alpha, or a side over the container's."""
        if not 1 <= channels <= 4:
            return f"has {channels} channels, not 1 to 4"
        if max(width, height) > MAX_SIDE:
            return f"a side is over {MAX_SIDE} pixels"
        return None

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        """Pictures of any sizes; a target other than a quality is searched for each."""
        check_pictures(self, images)
        colours = [colour(image) for image in images]
        alphas = [self._alpha(image) for image in images]

        def encode_at(places: Sequence[int], qualities: Sequence[float]) -> list[Encoded]:
            tenths = [round(quality * QUALITY_STEPS / 100) for quality in qualities]
            pictures = [colours[place] for place in places]
            done = encode_pictures(self.runtime, pictures, tenths, self.config.tile_size)
            return [
                self._pack(images[place].shape, [*tiles, *alphas[place]], quality)
                for place, tiles, quality in zip(places, done, tenths, strict=True)
            ]

        return encode_all_to_target(
            encode_at, self.decode, images, target, self.default_quality, self.name
        )

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        """Whole pictures, or the same region of each, from the tiles that it needs."""
        return decode_pictures(self.runtime, [self.open(data, region) for data in bitstreams])

    def latent(self, bitstream: bytes) -> Latent:
        """y at the scale of pixels, (Y, h, w) float16; ten times the bitstream, so never stored.

        Raises BitstreamError.
        """
        picture = self.open(bitstream)
        with torch.inference_mode():
            y = picture.latent(picture.grid.whole)
            y = y * self.runtime.tile_nets(picture.quality).inverse_gain
        return Latent(y.half().cpu().numpy(), "float16")

    def open(self, bitstream: bytes, region: Region | None = None) -> PictureDecoder:
        """Check a container and get ready to decode. Raises BitstreamError, ValueError."""
        container = open_tiles(self, bitstream, Y_STRIDE)
        params = container.header.params
        if len(params) != 2:
            raise BitstreamError(
                "declares parameters that this codec never writes", subject="header"
            )
        (quality,) = struct.unpack("<H", params)
        if quality > QUALITY_STEPS:
            raise BitstreamError(f"declares quality {quality / 10}, over 100", subject="header")
        return PictureDecoder(self.runtime, container, quality, region)

    def _alpha(self, image: Pixels) -> list[Tile]:
        if not has_alpha(image):
            return []
        grid = Grid(image.shape[1], image.shape[0], self.config.tile_size, Y_STRIDE)
        return encode_alpha(image, grid)

    def _pack(self, shape: tuple[int, ...], tiles: Sequence[Tile], tenths: int) -> Encoded:
        bitstream = pack_tiles(self, shape, tiles, struct.pack("<H", tenths))
        return Encoded(bitstream, tenths * 100 / QUALITY_STEPS)
