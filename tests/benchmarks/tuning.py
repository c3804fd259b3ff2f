"""What fine-tuning brings by its learning rate: `python -m tests.benchmarks.tuning PHOTOS`.

A collection of pictures that look alike is chosen among PHOTOS: a picture and its nearest, by
embedding. The shipped weights are tuned on most of them, once for each rate, and R-D on the others
is compared with that of the shipped weights. One thread; steps, not minutes, so that a busy machine
changes nothing.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from PIL import Image

from glassplate.codecs import Codec, Pixels, Target, get_codec
from glassplate.codecs.embedding import embedding
from glassplate.codecs.hyperprior.training.train import train_hyperprior
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.training.config import TrainConfig
from glassplate.pipelines.evaluate.bd_rate import Curve, bd_rate, rising
from tests.benchmarks.machine import write_result

QUALITIES = (0, 20, 40, 60, 80, 100)
HELD_OUT = 12


def alike(paths: Sequence[Path], count: int) -> list[Path]:
    """The pictures of the tightest neighbourhood, nearest first."""
    vectors = np.stack([embedding(pixels(path)) for path in paths])
    similar = vectors @ vectors.T
    nearest = np.argsort(-similar, axis=1)[:, :count]
    tightest = int(np.take_along_axis(similar, nearest, axis=1).mean(1).argmax())
    return [paths[place] for place in nearest[tightest]]


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def curve(codec: Codec, images: Sequence[Pixels]) -> Curve:
    """Mean bits per pixel and PSNR at each quality."""
    points = []
    for quality in QUALITIES:
        streams = [e.bitstream for e in codec.encode(images, Target(quality=quality))]
        decoded = codec.decode(streams)
        bpp = fmean(8 * len(s) / i[..., 0].size for s, i in zip(streams, images, strict=True))
        points.append((bpp, fmean(psnr(*pair) for pair in zip(images, decoded, strict=True))))
    return rising(points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pictures", type=int, default=84)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rates", type=float, nargs="+", default=[5e-5, 1e-4, 2e-4])
    parser.add_argument("--late-from", type=float, default=0.75)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = alike(sorted(options.photos.glob("*.jpg")), options.pictures)
    held_out = chosen[:: len(chosen) // HELD_OUT][:HELD_OUT]
    images = [pixels(path) for path in held_out]
    shipped = curve(get_codec("hyperprior", device="cpu"), images)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for path in set(chosen) - set(held_out):
            shutil.copy(path, source)
        for rate in options.rates:
            out = Path(folder) / f"{rate:g}"
            config = TrainConfig(
                source=source,
                out=out,
                start="shipped",
                steps=options.steps,
                learning_rate=rate,
                late_from=options.late_from,
                device="cpu",
            )
            train_hyperprior(config)
            tuned = curve(get_codec("hyperprior", device="cpu", weights=out), images)
            delta = bd_rate(shipped, tuned)
            assert delta
            rows[f"{rate:g}"] = {"bd_rate": round(delta.percent, 2), "curve": tuned}
    result: dict[str, Any] = {"pictures": len(chosen) - HELD_OUT, "held_out": HELD_OUT}
    result |= {"steps": options.steps}
    result |= {"late_from": options.late_from, "shipped": shipped, "learning_rates": rows}
    write_result("tuning", result)


if __name__ == "__main__":
    main()
