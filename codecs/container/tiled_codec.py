"""What codecs with one tiled latent grid share: header, checks, pictures they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from glassplate.codecs.base import CodecSpec, Pixels
from glassplate.codecs.container.bitstream import Container, Header, Tile, pack, unpack_own
from glassplate.codecs.container.grid import Grid
from glassplate.codecs.errors import BitstreamError, UnsupportedImageError


class TiledCodec(Protocol):
    """The part of such a codec that its containers depend on; config has a `tile_size`."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> CodecSpec: ...

    @property
    def config(self) -> Any: ...

    def refuses(self, width: int, height: int, channels: int) -> str | None: ...


def check_pictures(codec: TiledCodec, images: Sequence[Pixels]) -> None:
    """Raises UnsupportedImageError for the first (H, W, C) picture that the codec refuses."""
    for image in images:
        height, width, channels = image.shape
        if reason := codec.refuses(width, height, channels):
            raise UnsupportedImageError(reason, f"Use another codec than {codec.name}.")


def pack_tiles(
    codec: TiledCodec, shape: tuple[int, ...], tiles: Sequence[Tile], params: bytes
) -> bytes:
    """The container of a picture of shape (height, width, channels)."""
    height, width, channels = shape
    header = Header(
        codec=codec.name,
        fingerprint=codec.spec.short_fingerprint,
        width=width,
        height=height,
        channels=channels,
        tile_size=codec.config.tile_size,
        params=params,
    )
    return pack(header, tiles)


def open_tiles(codec: TiledCodec, bitstream: bytes, stride: int) -> Container:
    """A container that this codec wrote: one payload a tile, and one more with an alpha plane.

    stride: Stride of the latent, in pixels.

    Raises BitstreamError if it declares another picture than the codec ever writes.
    """
    container = unpack_own(bitstream, codec.name, codec.spec.short_fingerprint)
    header = container.header
    grid = Grid(header.width, header.height, codec.config.tile_size, stride)
    planes = 2 if header.channels in (2, 4) else 1
    if (
        codec.refuses(header.width, header.height, header.channels)
        or min(header.width, header.height) == 0
        or header.tile_size != codec.config.tile_size
        or len(container) != planes * len(grid)
    ):
        raise BitstreamError("declares a picture that this codec never writes", subject="header")
    return container
