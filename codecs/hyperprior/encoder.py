"""Pictures to tiles: analysis in batches of windows, then one entropy stream per tile.

While the tiles of a batch are coded, the next batch is analysed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glassplate.codecs.base import Pixels
from glassplate.codecs.container.bitstream import Tile
from glassplate.codecs.container.grid import Grid, Rect, batches
from glassplate.codecs.hyperprior.latents import encode_tile
from glassplate.codecs.hyperprior.network.model import Y_STRIDE
from glassplate.codecs.hyperprior.runtime import Runtime
from glassplate.codecs.read_ahead import ahead


@dataclass(frozen=True)
class _Job:
    picture: int
    tile: int
    rect: Rect
    window: Rect


@torch.inference_mode()
def encode_pictures(
    runtime: Runtime, images: Sequence[Pixels], qualities: Sequence[int], tile_size: int
) -> list[list[Tile]]:
    """The tiles of (H, W, 1 or 3) pictures of any sizes, each at its quality in tenths."""
    grids = [Grid(image.shape[1], image.shape[0], tile_size, Y_STRIDE) for image in images]
    done = [[Tile(b"", 0)] * len(grid) for grid in grids]
    jobs = (
        _Job(picture, tile, grid.rect(tile), grid.grown(grid.rect(tile), runtime.analysis_halo))
        for picture, grid in enumerate(grids)
        for tile in range(len(grid))
    )

    def kind(job: _Job) -> tuple[int, int]:
        return qualities[job.picture], images[job.picture].shape[2]

    def analysed() -> Iterator[tuple[list[_Job], Tensor]]:
        for batch in batches(jobs, lambda job: job.window, Y_STRIDE, runtime.device, kind):
            x = np.stack([window_pixels(images[job.picture], job.window) for job in batch])
            yield batch, runtime.analyse(torch.from_numpy(x), kind(batch[0])[0])

    for batch, y in ahead(analysed()):
        quality, _ = kind(batch[0])
        for job, window in zip(batch, y, strict=True):
            rows, columns = job.rect.within(job.window)
            y_tile = window[None, :, rows, columns]
            done[job.picture][job.tile] = _encode_tile(runtime, y_tile, quality)
    return done


def window_pixels(image: Pixels, window: Rect) -> Pixels:
    """The pixels under a window of positions of y; edges repeat."""
    pixels = window.scaled(Y_STRIDE)
    part = image[pixels.top : pixels.bottom, pixels.left : pixels.right]
    missing = (pixels.height - part.shape[0], pixels.width - part.shape[1])
    return (
        np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        if any(missing)
        else part
    )


def _encode_tile(runtime: Runtime, y: Tensor, quality: int) -> Tile:
    scales, nets = runtime.coder.scales, runtime.tile_nets(quality)
    symbols, indices = encode_tile(nets, scales, runtime.quantizer, y)
    return Tile(runtime.coder.encode(symbols, indices, quality), symbols.crc())
