"""Decoding for a refiner: the picture, and where in it detail was rounded away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Region
from glassplate.codecs.hyperprior.codec import HyperpriorCodec
from glassplate.codecs.hyperprior.decoder import PictureDecoder, decode_pictures
from glassplate.codecs.hyperprior.network.order import STEPS, gather, scatter
from glassplate.codecs.hyperprior.network.scale_net import SCALES
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet
from glassplate.codecs.hyperprior.parsing.tile_coder import TileSymbols
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS
from glassplate.codecs.refine.plain_decode import Plain

Floats = npt.NDArray[np.float32]


def decode_plain(codec: HyperpriorCodec, bitstream: bytes, region: Region | None = None) -> Plain:
    """Decode a picture, or a region that begins at multiples of 16.

    Raises BitstreamError, ValueError for a region outside of the picture.
    """
    picture = codec.open(bitstream, region)
    pixels = decode_pictures(codec.runtime, [picture])[0]
    top, left = (region.y, region.x) if region else (0, 0)
    return Plain(pixels, _scale_map(picture), picture.quality / QUALITY_STEPS, top, left)


def _scale_map(picture: PictureDecoder) -> Floats:
    """Mean scale index, from 0 to 1, at each position of y that is wanted."""
    wanted = picture.wanted
    means = np.empty((wanted.height, wanted.width), np.float32)
    for tile in picture.grid.touching(wanted):
        rect = picture.grid.rect(tile)
        part = rect.meet(wanted)
        scales = picture.runtime.coder.scales
        found = _mean_indices(scales, picture.symbols(tile), picture.quality)
        means[part.within(wanted)] = found[part.within(rect)]
    return means / np.float32(SCALES - 1)


def _mean_indices(scales: IntegerScaleNet, symbols: TileSymbols, quality: int) -> Floats:
    """What the parser used, from the symbols that it found: (H, W)."""
    indices = np.empty(symbols.y.shape, np.uint8)
    _, height, width = symbols.y.shape
    state = scales.begin(symbols.z, height, width, quality)
    for step in range(STEPS):
        scatter(state.indices(step), step, indices)
        state.reveal(step, gather(symbols.y, step))
    mean: Floats = indices.mean(0, dtype=np.float32)
    return mean
