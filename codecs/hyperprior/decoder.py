"""Containers to pixels: only the tiles that the wanted part and its halo touch are parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glassplate.codecs.base import Pixels, Region
from glassplate.codecs.bitstream import Container
from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.hyperprior.alpha import decode_alpha
from glassplate.codecs.hyperprior.entropy import TileSymbols
from glassplate.codecs.hyperprior.latents import decode_tile
from glassplate.codecs.hyperprior.model import Y_STRIDE
from glassplate.codecs.hyperprior.runtime import Runtime
from glassplate.codecs.tiles import Grid, Rect, batches


class PictureDecoder:
    """One picture, or a region of it; `tiles` holds what had to be parsed."""

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
        self.tiles: dict[int, Tensor] = {}
        for tile in self.grid.touching(self.grid.grown(self.wanted, runtime.synthesis_halo)):
            container.payload(tile)
        pixels = self.wanted.scaled(Y_STRIDE)
        colours = 1 if header.channels < 3 else 3
        self.out = np.empty((pixels.height, pixels.width, colours), np.uint8)

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
            part = self._tile(tile)[:, rows, columns]
            rows, columns = common.within(window)
            y[:, rows, columns] = part
        return y

    def place(self, part: Rect, x: Tensor) -> None:
        """Take the pixels of a part from its synthesised window, (3, H, W) in 0..255."""
        rows, columns = part.within(self.window(part))
        rows, columns = _pixels(rows), _pixels(columns)
        x = x[:, rows, columns]
        if self.out.shape[2] == 1:
            x = x.mean(0, keepdim=True)
        rows, columns = part.within(self.wanted)
        out = self.out[_pixels(rows), _pixels(columns)]
        out[:] = x.round().to(torch.uint8).permute(1, 2, 0).numpy()

    def picture(self) -> Pixels:
        """The region, once every part is placed, with its alpha. Raises BitstreamError."""
        top = self.region.y - self.wanted.top * Y_STRIDE
        left = self.region.x - self.wanted.left * Y_STRIDE
        part = self.out[top : top + self.region.height, left : left + self.region.width]
        if self.container.header.channels in (2, 4):
            alpha = decode_alpha(self.container, self.grid, self.region)
            return np.concatenate([part, alpha[..., None]], axis=2)
        return np.ascontiguousarray(part)

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

    def _tile(self, tile: int) -> Tensor:
        if tile not in self.tiles:
            symbols = self.symbols(tile)
            runtime = self.runtime
            y = decode_tile(runtime.model, symbols, self.quality, runtime.device)
            self.tiles[tile] = torch.from_numpy(y).to(runtime.device)
        return self.tiles[tile]


@dataclass(frozen=True)
class _Job:
    picture: PictureDecoder
    part: Rect


@torch.inference_mode()
def decode_pictures(runtime: Runtime, pictures: Sequence[PictureDecoder]) -> list[Pixels]:
    """Run everything that was opened; windows of equal size go together."""
    jobs = [_Job(picture, part) for picture in pictures for part in picture.parts()]
    windows = batches(jobs, lambda job: job.picture.window(job.part), Y_STRIDE, runtime.device)
    for batch in windows:
        y = torch.stack([job.picture.latent(job.picture.window(job.part)) for job in batch])
        x = runtime.synthesise(y, [job.picture.quality for job in batch])
        for job, pixels in zip(batch, x, strict=True):
            job.picture.place(job.part, pixels)
    return [picture.picture() for picture in pictures]


def _clip(region: Region, whole: Region) -> Region:
    if region.x >= whole.width or region.y >= whole.height:
        raise ValueError(f"the region lies outside the {whole.width} x {whole.height} picture")
    width = min(region.width, whole.width - region.x)
    return Region(
        x=region.x, y=region.y, width=width, height=min(region.height, whole.height - region.y)
    )


def _pixels(part: slice) -> slice:
    return slice(part.start * Y_STRIDE, part.stop * Y_STRIDE)
