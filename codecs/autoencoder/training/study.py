"""Train every way of building the autoencoder under one budget, and measure what came out.

Sizes, real bytes and PSNR on pictures that no run has seen, beside JPEG at the same bits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from glassplate.codecs.autoencoder.codec import AutoencoderCodec, AutoencoderConfig
from glassplate.codecs.autoencoder.model import ARMS, BITS, STRIDE
from glassplate.codecs.autoencoder.training.train import train_autoencoder
from glassplate.codecs.base import Pixels, Target
from glassplate.codecs.classical.libraries import JpegCodec
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.layers.latent_pictures import encode_pictures, picture_of
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.data import open_crops
from glassplate.codecs.training.loop import METRICS, read_metrics

logger = logging.getLogger(__name__)

HELD_OUT = 16
AVERAGE = 0.99
"""Decay of the running mean of the weights: runs are short."""


@dataclass(frozen=True)
class Result:
    """One trained autoencoder on held-out pictures; means over pictures.

    bpp, psnr: Of real streams. raw_bpp: The same symbols without entropy coding.
    continuous_bpp, continuous_psnr: Without quantisation, latents as float16.
    jpeg_psnr: PSNR of JPEG at no more than the bpp of each picture; None where it cannot go so low.
    jpeg_reached: Share of the pictures at which it can.
    """

    arm: str
    bits: int
    parameters: int
    steps: int
    minutes: float
    bpp: float
    psnr: float
    raw_bpp: float
    continuous_bpp: float
    continuous_psnr: float
    jpeg_psnr: float | None
    jpeg_reached: float


def run_study(
    config: TrainConfig,
    arms: Sequence[str] = tuple(ARMS),
    bits: Sequence[int] = BITS,
    callbacks: Callbacks = SILENT,
    on_result: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Train and measure the grid; what `config.out` holds already is not done again.

    Args:
        config: The budget (`minutes` or `steps`) is that of the whole grid, shared out equally.

    Raises what `train_autoencoder` raises.
    """
    grid = [(arm, one) for arm in arms for one in bits]
    pictures = _held_out(config)
    results = []
    for arm, one in grid:
        folder = config.out / f"{arm}-b{one}"
        known = folder / "result.json"
        if known.exists():
            result = Result(**json.loads(known.read_text()))
        else:
            result = _measure(arm, one, _train(config, folder, len(grid), callbacks), pictures)
            known.write_text(json.dumps(asdict(result)) + "\n")
        logger.info("%s", result)
        on_result(result)
        results.append(result)
    return results


def _train(config: TrainConfig, folder: Path, runs: int, callbacks: Callbacks) -> Path:
    """One run with its share of the budget, on the crops that all runs share."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "crops").exists():
        (folder / "crops").symlink_to((config.out / "crops").resolve(), target_is_directory=True)
    return train_autoencoder(
        config.model_copy(
            update={
                "kind": "autoencoder",
                "size": folder.name,
                "out": folder,
                "average": AVERAGE,
                "minutes": config.minutes and config.minutes / runs,
                "steps": config.steps and max(1, config.steps // runs),
            }
        ),
        callbacks,
    )


def _held_out(config: TrainConfig) -> list[Pixels]:
    store = open_crops(config)
    _, held_out = store.split()
    return [np.array(store.pixels(index)) for index in held_out[:HELD_OUT]]


def _measure(arm: str, bits: int, weights: Path, pictures: list[Pixels]) -> Result:
    codec = AutoencoderCodec(AutoencoderConfig(size=f"{arm}-b{bits}"), "auto", weights)
    encoded = codec.encode(pictures, Target())
    rates = [8 * len(e.bitstream) / _area(p) for e, p in zip(encoded, pictures, strict=True)]
    decoded = codec.decode([e.bitstream for e in encoded])
    latents = encode_pictures(codec.network, codec.device, pictures, codec.config.tile_size)
    whole = [picture_of(codec.network, codec.device, latent) for latent in latents]
    continuous = [
        padded[: picture.shape[0], : picture.shape[1]]
        for padded, picture in zip(whole, pictures, strict=True)
    ]
    jpeg = [found for p, bpp in zip(pictures, rates, strict=True) if (found := _jpeg(p, bpp))]
    channels = codec.network.channels
    last = read_metrics(weights.parent / METRICS)[-1]
    return Result(
        arm=arm,
        bits=bits,
        parameters=sum(p.numel() for p in codec.network.parameters()),
        steps=last["step"],
        minutes=last["minutes"],
        bpp=round(mean(rates), 4),
        psnr=_psnr(pictures, decoded),
        raw_bpp=channels * bits / STRIDE**2,
        continuous_bpp=channels * 16 / STRIDE**2,
        continuous_psnr=_psnr(pictures, continuous),
        jpeg_psnr=round(mean(jpeg), 3) if jpeg else None,
        jpeg_reached=len(jpeg) / len(pictures),
    )


def _jpeg(picture: Pixels, bpp: float) -> float | None:
    codec = JpegCodec()
    try:
        (encoded,) = codec.encode([picture], Target(max_bpp=bpp))
    except TargetMissedError:
        return None
    return psnr(picture, codec.decode([encoded.bitstream])[0])


def _psnr(pictures: list[Pixels], decoded: list[Pixels]) -> float:
    return round(mean(psnr(*pair) for pair in zip(pictures, decoded, strict=True)), 3)


def _area(picture: Pixels) -> int:
    return int(picture.shape[0] * picture.shape[1])
