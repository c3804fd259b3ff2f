"""The `svd` codec: a low-rank approximation of every tile and channel.

    tile (m, n) of a channel ── SVD ── first r components ── quantise ── range coder ── payload

The classic teaching example of compression, complete: bits per pixel are those of the file. Factors
are found by `torch.linalg.svd` on the CPU or a GPU and quantised; decoding is integers and one
matrix product. Tiles stand alone, so a region is decoded from the tiles that it touches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import (
    CodecSpec,
    Device,
    Encoded,
    Pixels,
    Region,
    Target,
    resolve_device,
)
from glassplate.codecs.container.bitstream import (
    MAX_SIDE,
    Container,
    Header,
    Tile,
    pack,
    unpack_own,
)
from glassplate.codecs.errors import BitstreamError, UnsupportedImageError
from glassplate.codecs.memory import empty_picture
from glassplate.codecs.option import Option
from glassplate.codecs.search import encode_to_target
from glassplate.codecs.svd.low_rank import element_count, rank_for_energy, rank_for_factor
from glassplate.codecs.svd.tile import (
    Floats32,
    quantise,
    read_tile,
    reconstruct,
    symbols_crc,
    write_tile,
)

MAX_PIXELS = 1 << 26
BATCH_PIXELS = 1 << 22
MAX_WHOLE_SIDE = 1 << 13
"""Without tiles: the SVD of a larger matrix takes many minutes."""


@dataclass(frozen=True)
class _Factors:
    """Factors of one tile: u (C, m, k), s (C, min(m, n)), v (C, k, n), k the rank at factor 1."""

    u: Floats32
    s: Floats32
    v: Floats32


class SvdCodec:
    """Rank-r approximation of each tile and channel, with quantised, entropy-coded factors.

    Quality q is the compression factor in percent: r = floor(q/100 * m n / (m + n + 1)), at least
    1; at 100 there are as many numbers as pixels.
    """

    class Config(BaseModel):
        """Options of the codec."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        tile_size: Annotated[
            int,
            Option("Side of a tile in pixels; 0: the picture is one matrix, as in textbooks."),
            Field(ge=0, le=4096),
        ] = 256
        bits: Annotated[
            int | None,
            Option(
                "Bits of the largest factor element; null: so many that the quantisation error is a"
                " quarter of the truncation error."
            ),
            Field(ge=2, le=16),
        ] = None
        energy: Annotated[
            float | None,
            Option(
                "Without a target, keep this share of each tile's squared singular values, instead"
                " of the default quality."
            ),
            Field(gt=0, le=1),
        ] = None

    name: ClassVar[str] = "svd"
    summary: ClassVar[str] = "low-rank approximation; a region decodes from its tiles"
    source: ClassVar[str] = "Eckart and Young, Psychometrika 1936"
    default_quality: ClassVar[float] = 15

    def __init__(
        self, config: Config | None = None, device: Device = "auto", weights: Path | None = None
    ) -> None:
        self.config = config or self.Config()
        self.device = resolve_device(device)
        self.spec = CodecSpec(self.name, params=self.config.model_dump())

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        if channels not in (1, 3):
            return f"has {channels} channels, not 1 or 3"
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            return f"over {MAX_PIXELS} pixels, or a side over {MAX_SIDE}"
        if self.config.tile_size == 0 and max(width, height) > MAX_WHOLE_SIDE:
            return f"a side is over {MAX_WHOLE_SIDE} pixels, without tiles"
        return None

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        return [self._encode_one(image, target) for image in images]

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        return [self._decode_one(bitstream, region) for bitstream in bitstreams]

    def _encode_one(self, image: Pixels, target: Target) -> Encoded:
        height, width, channels = image.shape
        if reason := self.refuses(width, height, channels):
            raise UnsupportedImageError(reason, "Use another codec than svd.")
        grid = tile_grid(width, height, self.config.tile_size)
        factors = self._factorise([image[rows, columns] for rows, columns in grid])
        if self.config.energy is not None and target == Target():
            return self._encode_energy(image, factors, self.config.energy)
        encode_at = partial(self._encode_factor, image, factors)
        return encode_to_target(
            encode_at,
            partial(self._decode_one, region=None),
            image,
            target,
            self.default_quality,
            self.name,
        )

    def _factorise(self, tiles: Sequence[Pixels]) -> list[_Factors]:
        """The factors of every tile, in batches of equal shape."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for number, tile in enumerate(tiles):
            by_shape.setdefault(tile.shape, []).append(number)
        factors: dict[int, _Factors] = {}
        for shape, numbers in by_shape.items():
            size = max(1, BATCH_PIXELS // (shape[0] * shape[1]))
            for start in range(0, len(numbers), size):
                batch = numbers[start : start + size]
                parts = self._factorise_batch(np.stack([tiles[number] for number in batch]))
                factors.update(zip(batch, parts, strict=True))
        return [factors[number] for number in range(len(tiles))]

    def _factorise_batch(self, tiles: Pixels) -> list[_Factors]:
        """(B, m, n, C) to the factors of each."""
        planes = torch.from_numpy(np.moveaxis(tiles, 3, 1).astype(np.float32)).to(self.device)
        rank = max(1, rank_for_factor(tiles.shape[1], tiles.shape[2], 1))
        u, s, v = (part.cpu() for part in torch.linalg.svd(planes, full_matrices=False))
        u, v = u[..., :rank].clone(), v[..., :rank, :].clone()  # frees what no quality needs
        arrays = zip(u.numpy(), s.numpy(), v.numpy(), strict=True)
        return [_Factors(*parts) for parts in arrays]

    def _encode_factor(self, image: Pixels, factors: list[_Factors], quality: float) -> Encoded:
        tiles = []
        for tile in factors:
            rank = max(1, rank_for_factor(tile.u.shape[1], tile.v.shape[2], quality / 100))
            tiles.append(self._write(tile, [rank] * len(tile.s)))
        return Encoded(self._pack(image, tiles), quality)

    def _encode_energy(self, image: Pixels, factors: list[_Factors], energy: float) -> Encoded:
        tiles = []
        elements = 0
        for tile in factors:
            height, rank_limit, width = tile.u.shape[1], tile.v.shape[1], tile.v.shape[2]
            ranks = [min(rank_for_energy(s, energy), rank_limit) for s in tile.s]
            elements += sum(element_count(height, width, rank) for rank in ranks)
            tiles.append(self._write(tile, ranks))
        return Encoded(self._pack(image, tiles), min(100.0, 100 * elements / image.size))

    def _write(self, tile: _Factors, ranks: list[int]) -> Tile:
        parts = zip(tile.u, tile.s, tile.v, ranks, strict=True)
        return write_tile([quantise(u, s, v, rank, self.config.bits) for u, s, v, rank in parts])

    def _pack(self, image: Pixels, tiles: list[Tile]) -> bytes:
        height, width, channels = image.shape
        fingerprint, tile_size = self.spec.short_fingerprint, self.config.tile_size
        return pack(Header(self.name, fingerprint, width, height, channels, tile_size), tiles)

    def _decode_one(self, bitstream: bytes, region: Region | None) -> Pixels:
        container = unpack_own(bitstream, self.name, self.spec.short_fingerprint)
        header = container.header
        grid = self._checked_grid(container)
        rows, columns = _window(header, region)
        size = (rows.stop - rows.start, columns.stop - columns.start)
        out = empty_picture(*size, header.channels)
        for number, (tile_rows, tile_columns) in enumerate(grid):
            y, x = _overlap(rows, tile_rows), _overlap(columns, tile_columns)
            if y.start >= y.stop or x.start >= x.stop:
                continue
            tile = _decode_tile(container, number, tile_rows, tile_columns)
            part = tile[_moved(y, tile_rows.start), _moved(x, tile_columns.start)]
            out[_moved(y, rows.start), _moved(x, columns.start)] = part
        return out

    def _checked_grid(self, container: Container) -> list[tuple[slice, slice]]:
        """The tiles' places, once the header is known to be one that this codec writes."""
        header = container.header
        size = self.config.tile_size
        if header.tile_size != size or min(header.width, header.height) < 1:
            raise BitstreamError("declares an impossible picture", subject="header")
        if self.refuses(header.width, header.height, header.channels):
            raise BitstreamError("declares a picture that svd never writes", subject="header")
        count = 1 if size == 0 else -(-header.width // size) * -(-header.height // size)
        if len(container) != count:
            raise BitstreamError(f"{len(container)} tiles instead of {count}", subject="header")
        return list(tile_grid(header.width, header.height, size))


def tile_grid(width: int, height: int, tile_size: int) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of every tile, row by row. tile_size 0: one tile."""
    size = tile_size or max(width, height)
    for top in range(0, height, size):
        for left in range(0, width, size):
            yield (
                slice(top, min(top + size, height)),
                slice(left, min(left + size, width)),
            )


def _decode_tile(container: Container, number: int, rows: slice, columns: slice) -> Pixels:
    payload = container.payload(number)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    try:
        channels = read_tile(payload, container.header.channels, *shape)
    except BitstreamError as error:
        raise BitstreamError(error.cause, error.fix, f"tile {number}") from error
    container.check_symbols(number, symbols_crc(channels))
    return reconstruct(channels)


def _window(header: Header, region: Region | None) -> tuple[slice, slice]:
    """Rows and columns of the region, clipped to the picture."""
    if region is None:
        return slice(0, header.height), slice(0, header.width)
    if region.y >= header.height or region.x >= header.width:
        raise ValueError(f"the region lies outside the {header.width} x {header.height} picture")
    return (
        slice(region.y, min(region.y + region.height, header.height)),
        slice(region.x, min(region.x + region.width, header.width)),
    )


def _overlap(a: slice, b: slice) -> slice:
    return slice(max(a.start, b.start), min(a.stop, b.stop))


def _moved(part: slice, origin: int) -> slice:
    return slice(part.start - origin, part.stop - origin)
