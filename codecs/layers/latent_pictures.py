"""Pictures of any size to latents and back, window by window, so that memory stays bounded.

Each tile goes through the networks with a halo of its neighbours, so there are no seams, and always
as a whole, so that a region is exactly what the whole picture would show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.base import Pixels, Region
from glassplate.codecs.container.bitstream import Container
from glassplate.codecs.container.grid import Grid, Rect, batches
from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.layers.autoencoder import Autoencoder
from glassplate.codecs.memory import empty_picture

Floats: TypeAlias = npt.NDArray[np.float32]
ReadTile: TypeAlias = Callable[[bytes, tuple[int, int, int]], tuple[Floats, int]]
"""Payload and shape (C, h, w) of a tile to its latent and the CRC-32 of its symbols; raises
BitstreamError."""


@dataclass(frozen=True)
class _EncodeJob:
    picture: int
    rect: Rect
    window: Rect


@torch.inference_mode()
def encode_pictures(
    model: Autoencoder, device: str, images: Sequence[Pixels], tile_size: int
) -> list[Floats]:
    """(H, W, 1 or 3) pictures of any sizes to latents, (C, ceil(H/stride), ceil(W/stride)) each."""
    grids = [Grid(image.shape[1], image.shape[0], tile_size, model.stride) for image in images]
    latents = [
        np.empty((model.channels, grid.whole.height, grid.whole.width), np.float32)
        for grid in grids
    ]
    jobs = [
        _EncodeJob(picture, grid.rect(tile), grid.grown(grid.rect(tile), model.encoder_halo))
        for picture, grid in enumerate(grids)
        for tile in range(len(grid))
    ]
    for batch in batches(jobs, lambda job: job.window, model.stride, device):
        x = torch.stack(
            [_window_pixels(images[job.picture], job.window.scaled(model.stride)) for job in batch]
        )
        z = model.encode(x.to(device)).float().cpu().numpy()
        for job, latent in zip(batch, z, strict=True):
            to_rows, to_columns = job.rect.within(grids[job.picture].whole)
            rows, columns = job.rect.within(job.window)
            latents[job.picture][:, to_rows, to_columns] = latent[:, rows, columns]
    return latents


class PictureDecoder:
    """One picture, or a region of it; only the tiles that it needs are read."""

    def __init__(
        self, container: Container, model: Autoencoder, read: ReadTile, region: Region | None
    ) -> None:
        """Raises ValueError for a region outside the picture."""
        header = container.header
        self.container, self.model, self.read = container, model, read
        self.grid = Grid(header.width, header.height, header.tile_size, model.stride)
        whole = Region(x=0, y=0, width=header.width, height=header.height)
        self.region = _clip(region or whole, whole)
        self.out = empty_picture(self.region.height, self.region.width, header.channels)
        self._parsed: dict[int, Floats] = {}

    def tiles(self) -> list[int]:
        """The tiles that the region touches."""
        return list(self.grid.touching(self.grid.cover(self.region)))

    def window(self, tile: int) -> Rect:
        """A tile and the halo that decoding it needs."""
        return self.grid.grown(self.grid.rect(tile), self.model.decoder_halo)

    def latent(self, window: Rect) -> Tensor:
        """The latent of a window, (C, h, w) float32. Raises BitstreamError that names the tile."""
        parts = np.empty((self.model.channels, window.height, window.width), np.float32)
        for tile in self.grid.touching(window):
            rect = self.grid.rect(tile)
            common = rect.meet(window)
            rows, columns = common.within(rect)
            to_rows, to_columns = common.within(window)
            parts[:, to_rows, to_columns] = self._tile(tile)[:, rows, columns]
        return torch.from_numpy(parts)

    def place(self, tile: int, x: Tensor) -> None:
        """Take what the region has of a tile from its decoded window, (3, H, W) in [0, 1]."""
        stride, region = self.model.stride, self.region
        window = self.window(tile).scaled(stride)
        wanted = Rect(region.y, region.x, region.y + region.height, region.x + region.width)
        part = self.grid.rect(tile).scaled(stride).meet(wanted)
        rows, columns = part.within(window)
        x = x[:, rows, columns]
        if self.container.header.channels == 1:
            x = x.mean(0, keepdim=True)
        rows, columns = part.within(wanted)
        pixels = (x * 255).round().clamp(0, 255).to(torch.uint8)
        self.out[rows, columns] = pixels.permute(1, 2, 0).numpy()

    def _tile(self, tile: int) -> Floats:
        if tile not in self._parsed:
            rect = self.grid.rect(tile)
            shape = (self.model.channels, rect.height, rect.width)
            try:
                latent, crc = self.read(self.container.payload(tile), shape)
            except BitstreamError as error:
                raise BitstreamError(error.cause, error.fix, f"tile {tile}") from error
            self.container.check_symbols(tile, crc)
            self._parsed[tile] = latent
        return self._parsed[tile]


@dataclass(frozen=True)
class _DecodeJob:
    picture: PictureDecoder
    tile: int

    @property
    def window(self) -> Rect:
        return self.picture.window(self.tile)


@torch.inference_mode()
def decode_pictures(
    model: Autoencoder, device: str, pictures: Sequence[PictureDecoder]
) -> list[Pixels]:
    """Run everything that was opened; windows of equal size go together."""
    jobs = [_DecodeJob(picture, tile) for picture in pictures for tile in picture.tiles()]
    for batch in batches(jobs, lambda job: job.window, model.stride, device):
        z = torch.stack([job.picture.latent(job.window) for job in batch])
        x = model.decode(z.to(device)).float().cpu()
        for job, pixels in zip(batch, x, strict=True):
            job.picture.place(job.tile, pixels)
    return [picture.out for picture in pictures]


@torch.inference_mode()
def picture_of(model: Autoencoder, device: str, latent: Floats) -> Pixels:
    """A latent (C, h, w) to a picture, (H, W, 3), at once: for those that are not large."""
    x = model.decode(torch.from_numpy(latent)[None].to(device))[0]
    pixels = (x.float() * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy())


def _window_pixels(image: Pixels, window: Rect) -> Tensor:
    """The pixels under a window, (3, H, W) float32 in [0, 1]; edges repeat, grey becomes RGB."""
    part = image[window.top : window.bottom, window.left : window.right]
    missing = (window.height - part.shape[0], window.width - part.shape[1])
    if any(missing):
        part = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    x = torch.from_numpy(np.array(part)).permute(2, 0, 1)
    return x.expand(3, -1, -1).float() / 255


def _clip(region: Region, whole: Region) -> Region:
    if region.x >= whole.width or region.y >= whole.height:
        raise ValueError(f"the region lies outside the {whole.width} x {whole.height} picture")
    width = min(region.width, whole.width - region.x)
    height = min(region.height, whole.height - region.y)
    return Region(x=region.x, y=region.y, width=width, height=height)
