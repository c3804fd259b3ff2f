"""Containers to pixels: only the tiles that the wanted part and its halo touch are parsed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glassplate.codecs.base import Pixels, Region
from glassplate.codecs.cache import ByteBoundedCache
from glassplate.codecs.container.bitstream import Container
from glassplate.codecs.container.grid import Grid, Rect, batches
from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.hyperprior.alpha import decode_alpha
from glassplate.codecs.hyperprior.latents import decode_tile
from glassplate.codecs.hyperprior.network.model import Y_STRIDE
from glassplate.codecs.hyperprior.parsing.tile_coder import TileSymbols
from glassplate.codecs.hyperprior.runtime import Runtime
from glassplate.codecs.memory import empty_picture
from glassplate.codecs.read_ahead import ahead

LATENTS: ByteBoundedCache[Tensor] = ByteBoundedCache(0)
"""Tiles' latents of this process, by what they are decoded from. A service that is asked for the
regions of a picture one after the other gives it a capacity; elsewhere nothing is kept."""


class PictureDecoder:
    """One picture, or a region of it. `parsed` names the tiles that had to be parsed for it.

    A tile's latent is kept for as long as windows that touch it are to come.
    """

    def __init__(
        self, runtime: Runtime, container: Container, quality: int, region: Region | None = None
    ) -> None:
        """Parses nothing yet, but checks the bytes of every tile that will be needed.

        Raises BitstreamError for damaged bytes, ValueError for a region outside the picture.
        """
        header = container.header
        self.runtime, self.container, self.quality = runtime, container, quality
        self.grid = Grid(header.width, header.height, header.tile_size, Y_STRIDE)
        whole = Region(x=0, y=0, width=header.width, height=header.height)
        self.region = _clip(region or whole, whole)
        self.wanted = self.grid.cover(self.region)
        self.parsed: list[int] = []
        self._latents: dict[int, Tensor] = {}
        self._uses = Counter(
            tile for part in self.parts() for tile in self.grid.touching(self.window(part))
        )
        self.colours = 1 if header.channels < 3 else 3
        has_alpha = self.colours < header.channels
        alphas = self.grid.touching(self.wanted) if has_alpha else ()
        for tile in (*self._uses, *(len(self.grid) + alpha for alpha in alphas)):
            container.payload(tile)
        self.out = empty_picture(self.region.height, self.region.width, header.channels)

    def parts(self) -> Iterator[Rect]:
        """What the wanted rectangle takes of each tile."""
        for tile in self.grid.touching(self.wanted):
            yield self.grid.rect(tile).meet(self.wanted)

    def window(self, part: Rect) -> Rect:
        """A part and the halo that its synthesis needs."""
        return self.grid.grown(part, self.runtime.synthesis_halo)

    def latent(self, window: Rect) -> Tensor:
        """y under a window, in quantisation steps, (Y, h, w). Raises BitstreamError."""
        channels = self.runtime.model.config.y
        y = torch.empty(channels, window.height, window.width, device=self.runtime.device)
        for tile in self.grid.touching(window):
            rect = self.grid.rect(tile)
            common = rect.meet(window)
            rows, columns = common.within(rect)
            part = self._latent(tile)[:, rows, columns]
            rows, columns = common.within(window)
            y[:, rows, columns] = part
        return y

    def place(self, part: Rect, pixels: Pixels) -> None:
        """Take a part from the pixels of its window, (H, W, colours)."""
        asked = Rect(
            self.region.y,
            self.region.x,
            self.region.y + self.region.height,
            self.region.x + self.region.width,
        )
        common = part.scaled(Y_STRIDE).meet(asked)
        rows, columns = common.within(self.window(part).scaled(Y_STRIDE))
        to_rows, to_columns = common.within(asked)
        self.out[to_rows, to_columns, : self.colours] = pixels[rows, columns]

    def picture(self) -> Pixels:
        """The region, once every part is placed, with its alpha. Raises BitstreamError."""
        if self.colours < self.out.shape[2]:
            self.out[..., -1] = decode_alpha(self.container, self.grid, self.region)
        return self.out

    def symbols(self, tile: int) -> TileSymbols:
        """Parse a tile, integers only. Raises BitstreamError that names the tile."""
        rect = self.grid.rect(tile)
        payload = self.container.payload(tile)
        try:
            symbols = self.runtime.coder.decode(payload, rect.height, rect.width, self.quality)
        except BitstreamError as error:
            raise BitstreamError(error.cause, error.fix, f"tile {tile}") from error
        self.container.check_symbols(tile, symbols.crc())
        return symbols

    def _latent(self, tile: int) -> Tensor:
        """Latent of one tile, which is let go after its last use."""
        if tile not in self._latents:
            self._latents[tile] = self._kept_latent(tile) if LATENTS.capacity else self._parse(tile)
        self._uses[tile] -= 1
        return self._latents[tile] if self._uses[tile] else self._latents.pop(tile)

    def _parse(self, tile: int) -> Tensor:
        self.parsed.append(tile)
        return decode_tile(self.runtime.tile_nets(self.quality), self.symbols(tile))

    def _kept_latent(self, tile: int) -> Tensor:
        digest = hashlib.sha256(self.container.payload(tile)).digest()
        codec = self.container.header.fingerprint, self.runtime.device
        key = (digest, codec, self.grid.rect(tile), self.quality)
        latent = LATENTS.get(key)
        if latent is None:
            latent = self._parse(tile)
            LATENTS.put(key, latent, latent.nbytes)
        return latent


@dataclass(frozen=True)
class _Job:
    picture: PictureDecoder
    part: Rect

    @property
    def window(self) -> Rect:
        return self.picture.window(self.part)

    @property
    def kind(self) -> tuple[int, int]:
        return self.picture.quality, self.picture.colours


@torch.inference_mode()
def decode_pictures(runtime: Runtime, pictures: Sequence[PictureDecoder]) -> list[Pixels]:
    """Run everything that was opened; windows of equal size go together.

    While pixels are made of a batch, the next one is parsed.
    """
    jobs = (_Job(picture, part) for picture in pictures for part in picture.parts())

    def parsed() -> Iterator[tuple[list[_Job], Tensor]]:
        for batch in batches(
            jobs, lambda job: job.window, Y_STRIDE, runtime.device, lambda job: job.kind
        ):
            yield batch, torch.stack([job.picture.latent(job.window) for job in batch])

    for batch, y in ahead(parsed()):
        pixels = runtime.synthesise(y, *batch[0].kind).numpy()
        for job, window in zip(batch, pixels, strict=True):
            job.picture.place(job.part, window)
    return [picture.picture() for picture in pictures]


def _clip(region: Region, whole: Region) -> Region:
    if region.x >= whole.width or region.y >= whole.height:
        raise ValueError(f"the region lies outside the {whole.width} x {whole.height} picture")
    width = min(region.width, whole.width - region.x)
    return Region(
        x=region.x, y=region.y, width=width, height=min(region.height, whole.height - region.y)
    )
