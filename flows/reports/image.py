"""What the page on one picture shows: its singular values, and approximations at some ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import ConfigError, DamagedImageError, NotAnImageError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.pillow import open_picture
from glassplate.codecs.svd.codec import SvdCodec
from glassplate.codecs.svd.low_rank import element_count, rank_for_factor, singular_values
from glassplate.flows.reports.figures import (
    Figure,
    energy_figure,
    factor_figure,
    singular_value_figure,
)
from glassplate.flows.reports.pictures import data_url
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS

DEFAULT_FACTORS = (0.4, 0.2, 0.1, 0.02)
MAX_SIDE = 2048
SHOWN_SIDE = 900
ERROR_GAIN = 4


@dataclass(frozen=True)
class Approximation:
    """The picture at one rank: numbers to store, the share of energy, and the real bitstream.

    exact_psnr: dB, from the singular values left out. psnr, bpp, bytes: of the `svd` codec, whose
    factors are quantised and entropy coded. picture, error: data URLs.
    """

    rank: int
    elements: int
    factor: float
    energy: float
    exact_psnr: float
    psnr: float
    bpp: float
    bytes: int
    picture: str
    error: str


def image_page(path: Path, ranks: list[int] | None) -> dict[str, Any]:
    """Everything that the template shows. Raises InputError, ConfigError, OSError."""
    image, scaled_from = _load(path)
    values = singular_values(image)
    chosen = _ranks(image, ranks)
    return {
        "title": path.name,
        "height": image.shape[0],
        "width": image.shape[1],
        "channels": image.shape[2],
        "scaled_from": scaled_from,
        "elements": image.size,
        "file_bytes": path.stat().st_size,
        "file_bpp": None if scaled_from else 8 * path.stat().st_size / image[:, :, 0].size,
        "picture": _picture_url(image),
        "gain": ERROR_GAIN,
        "approximations": [_approximate(image, values, rank) for rank in chosen],
        "figures": svd_figures(image, values, chosen),
    }


def svd_figures(image: Pixels, values: npt.NDArray[np.float64], ranks: list[int]) -> list[Figure]:
    """Singular values, compression factor and energy by rank, with the chosen ranks marked.

    values: (channels, min(H, W)), as `singular_values` gives them.
    """
    height, width = image.shape[:2]
    all_ranks = np.arange(1, values.shape[1] + 1)
    factors = [element_count(height, width, rank) / (height * width) for rank in all_ranks]
    return [
        singular_value_figure(list(values)),
        factor_figure(all_ranks, factors, ranks),
        energy_figure(_energy(values), ranks),
    ]


def _energy(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(ranks,) share of the squared singular values up to each rank, mean of the channels."""
    squares = np.square(values)
    total = squares.sum(axis=1, keepdims=True)
    share = np.cumsum(squares, axis=1) / np.where(total > 0, total, 1)
    mean: npt.NDArray[np.float64] = np.where(total > 0, share, 1).mean(axis=0)
    return mean


def _load(path: Path) -> tuple[Pixels, tuple[int, int] | None]:
    """Upright 8-bit pixels, grey or RGB, and the true (width, height) if they were scaled."""
    try:
        with open_picture(path, DEFAULT_MAX_PIXELS, str(path)) as opened:
            upright = ImageOps.exif_transpose(opened)
            image = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
    except (UnidentifiedImageError, SyntaxError) as error:
        fix = "Give a picture file, or an archive's folder."
        raise NotAnImageError("not a picture in any format that we know", fix, str(path)) from error
    except OSError as error:
        if error.errno:
            raise
        raise DamagedImageError("cannot be decoded", "", str(path)) from error
    size = image.size
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return (
        pixels[:, :, None] if pixels.ndim == 2 else pixels,
        None if image.size == size else size,
    )


def _ranks(image: Pixels, asked: list[int] | None) -> list[int]:
    """Ranks to show, descending. Raises ConfigError for one that saves nothing."""
    height, width = image.shape[:2]
    most = max(1, rank_for_factor(height, width, 1))
    for rank in asked or []:
        if not 1 <= rank <= most:
            raise ConfigError(
                f"rank {rank} is not between 1 and {most}",
                "Above that, the factors have more numbers than the picture.",
                "--rank",
            )
    default = [rank_for_factor(height, width, factor) for factor in DEFAULT_FACTORS]
    return sorted({max(1, rank) for rank in asked or default}, reverse=True)


def _approximate(image: Pixels, values: npt.NDArray[np.float64], rank: int) -> Approximation:
    height, width, channels = image.shape
    factor = element_count(height, width, rank) / (height * width)
    codec = SvdCodec(SvdCodec.Config(tile_size=0))
    # a hair above, so that the codec's floor() gives this very rank
    quality = min(100.0, 100 * factor * (1 + 1e-9))
    encoded = codec.encode([image], Target(quality=quality))[0]
    (decoded,) = codec.decode([encoded.bitstream])
    left_out = float(np.square(values[:, rank:]).sum()) / image.size
    error = decoded.astype(np.int16) - image
    return Approximation(
        rank=rank,
        elements=element_count(height, width, rank, channels),
        factor=factor,
        energy=float(_energy(values)[rank - 1]),
        exact_psnr=10 * math.log10(255**2 / left_out) if left_out > 1e-9 else math.inf,
        psnr=psnr(image, decoded),
        bpp=8 * len(encoded.bitstream) / (height * width),
        bytes=len(encoded.bitstream),
        picture=_picture_url(decoded),
        error=_picture_url(np.clip(128 + ERROR_GAIN * error, 0, 255).astype(np.uint8)),
    )


def _picture_url(pixels: Pixels) -> str:
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return data_url(picture, SHOWN_SIDE)
