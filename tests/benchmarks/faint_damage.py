"""Denoising of pictures with little to take out: `python -m tests.benchmarks.faint_damage FOLDER`.

FOLDER holds the Kodak pictures, of which every fourth is taken. `whole`: all that the network
changes is taken over, whatever was found in the picture.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.restore.damage import Damage
from glassplate.codecs.restore.degradations import add_noise, jpeg
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.restore.restorer import Restorer
from tests.benchmarks.machine import write_result

SIGMAS = (2, 5, 10, 15, 25)
QUALITIES = (50, 75, 90)
EVERYTHING = Damage(missing=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    paths = sorted(parser.parse_args().folder.glob("*.png"))[::4]
    images = [np.array(Image.open(path).convert("RGB")) for path in paths]
    restorer = Restorer(RestoreOptions(), "cpu")
    unchanged = sum(np.array_equal(restorer.restore(image), image) for image in images)
    result = {"pictures": len(images), "clean, unchanged": unchanged}
    kinds = {f"gaussian, sigma {sigma}": partial(_noisy, sigma) for sigma in SIGMAS}
    kinds |= {f"jpeg, quality {quality}": partial(_coded, quality) for quality in QUALITIES}
    cases = {
        name: _compare(images, [make(image, seed) for seed, image in enumerate(images)], restorer)
        for name, make in kinds.items()
    }
    write_result("faint_damage", {**result, "psnr": cases})


def _noisy(sigma: float, image: Pixels, seed: int) -> Pixels:
    return add_noise(image, sigma, np.random.default_rng(seed))


def _coded(quality: int, image: Pixels, seed: int) -> Pixels:
    return jpeg(image, quality)


def _compare(images: list[Pixels], damaged: list[Pixels], restorer: Restorer) -> dict[str, float]:
    """PSNR in dB: means, and the greatest loss of one picture."""
    before = [psnr(*pair) for pair in zip(images, damaged, strict=True)]
    whole = [restorer.restore(picture, found=EVERYTHING) for picture in damaged]
    now = [restorer.restore(picture) for picture in damaged]
    after = [psnr(*pair) for pair in zip(images, now, strict=True)]
    losses = [old - new for old, new in zip(before, after, strict=True)]
    return {
        "damaged": round(mean(before), 2),
        "whole": round(mean(psnr(*pair) for pair in zip(images, whole, strict=True)), 2),
        "ours": round(mean(after), 2),
        "greatest loss": round(max(0.0, *losses), 2),
    }


if __name__ == "__main__":
    main()
