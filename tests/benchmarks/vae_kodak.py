"""The `vae` codec on Kodak, by type of latent: `python -m tests.benchmarks.vae_kodak FOLDER`.

FOLDER holds the Kodak pictures; every third is measured, kodim01, 04, ... 22: those on which the
tiny autoencoders of the Stable Diffusion family are usually compared. `continuous` has no rounding
but that of the picture to 8 bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image

from glassplate.codecs import Pixels, Target
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.vae.codec import VaeCodec, VaeConfig
from tests.benchmarks.machine import write_result

QUALITIES = (100, 75, 50, 25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--name", default="vae_kodak")
    arguments = parser.parse_args()
    names = [f"kodim{number:02}.png" for number in range(1, 24, 3)]
    images = [np.array(Image.open(arguments.folder / name).convert("RGB")) for name in names]
    codec = VaeCodec(None, "auto", arguments.weights)
    decoded = [codec.picture_of(latent) for latent in codec.latents_of(images)]
    rows: list[dict[str, Any]] = [{"latent": "continuous", "psnr": _mean_psnr(images, decoded)}]
    for quality in QUALITIES:
        rows.append(_row(codec, images, quality))
    for dtype in ("float16", "bfloat16"):
        halves = VaeCodec(VaeConfig.model_validate({"dtype": dtype}), "auto", arguments.weights)
        rows.append(_row(halves, images, 100))
    result = {"pictures": names, "weights": codec.spec.weights_sha256, "rows": rows}
    write_result(arguments.name, result)


def _row(codec: VaeCodec, images: list[Pixels], quality: float) -> dict[str, Any]:
    streams = [e.bitstream for e in codec.encode(images, Target(quality=quality))]
    pixels = sum(image.shape[0] * image.shape[1] for image in images)
    label = codec.config.dtype + (f", quality {quality}" if codec.config.dtype == "int8" else "")
    return {
        "latent": label,
        "psnr": _mean_psnr(images, codec.decode(streams)),
        "bpp": round(8 * sum(map(len, streams)) / pixels, 4),
    }


def _mean_psnr(images: list[Pixels], decoded: list[Pixels]) -> float:
    return round(mean(psnr(*pair) for pair in zip(images, decoded, strict=True)), 3)


if __name__ == "__main__":
    main()
