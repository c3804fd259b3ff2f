"""Parts of the pictures of an evaluation, through every codec, to be looked at pixel for pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.measures.pixels import psnr
from glassplate.pipelines.codec_choice import build_choice
from glassplate.pipelines.evaluate.codec_curves import Evaluation
from glassplate.pipelines.evaluate.measure import load_pixels
from glassplate.pipelines.evaluate.summary import Summary

COMPARED_PICTURES = 3
CROP = (224, 320)
"""Rows and columns of crops at most."""
BLOCK = 32

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Crop:
    """One codec's version of a part of a picture, (H, W, 1 to 4); None if it cannot go so low.

    bpp, psnr: Those of the whole picture; None for the original.
    """

    choice: str
    pixels: Pixels | None
    bpp: float | None = None
    psnr: float | None = None


def compared_crops(evaluation: Evaluation, summary: Summary) -> list[tuple[str, list[Crop]]]:
    """The worst pictures through every codec at one rate, where the anchor's error is greatest.

    By name, each with the original first. Raises InputError, EncodeError, BitstreamError.
    """
    refs = {picture.name: picture.ref for picture in evaluation.pictures}
    rows = []
    for row in summary.pictures[:COMPARED_PICTURES]:
        original = load_pixels(refs[row.picture], evaluation.config.max_pixels)
        decoded = {
            codec.choice: _at_rate(evaluation, codec.choice, original, summary.bpp)
            for codec in evaluation.codecs
        }
        marked = decoded[summary.anchor]
        window = worst_window(original, marked[0] if marked else original, CROP)
        crops = [Crop("original", original[window].copy())]
        for choice, found in decoded.items():
            if found is None:
                crops.append(Crop(choice, None))
            else:
                pixels, bpp = found
                crops.append(Crop(choice, pixels[window].copy(), bpp, psnr(original, pixels)))
        rows.append((row.picture, crops))
    return rows


def worst_window(original: Pixels, decoded: Pixels, size: tuple[int, int]) -> Window:
    """Rows and columns of the window with the greatest squared error.

    size: Rows and columns at most; windows are whole blocks of 32, on a grid of them.
    """
    error = np.square(original.astype(np.float32) - decoded).sum(axis=2)
    height, width = (side // BLOCK * BLOCK for side in error.shape)
    rows, columns = (min(most, side) // BLOCK for most, side in zip(size, error.shape, strict=True))
    if not (rows and columns):
        return slice(None), slice(None)
    blocks = error[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    windows = np.lib.stride_tricks.sliding_window_view(blocks.sum(axis=(1, 3)), (rows, columns))
    sums = windows.sum(axis=(2, 3))
    top, left = (BLOCK * int(at) for at in np.unravel_index(sums.argmax(), sums.shape))
    return slice(top, top + rows * BLOCK), slice(left, left + columns * BLOCK)


def _at_rate(
    evaluation: Evaluation, choice: str, original: Pixels, bpp: float
) -> tuple[Pixels, float] | None:
    """The decoded picture and its real rate, at most `bpp`; None if the codec cannot go so low."""
    codec = build_choice(choice, evaluation.config.device, evaluation.config.plugins)
    try:
        (encoded,) = codec.encode([original], Target(max_bpp=bpp))
    except TargetMissedError:
        return None
    (pixels,) = codec.decode([encoded.bitstream])
    return pixels, 8 * len(encoded.bitstream) / (original.shape[0] * original.shape[1])
