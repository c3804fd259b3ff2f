"""Restoration beside classical methods: `python -m tests.benchmarks.restoration FOLDER`.

FOLDER holds the Kodak pictures, whose sides are multiples of 4. The shipped weights get pictures as
files hold them, noise rounded and clipped to 8 bits, and are told nothing. Non-local means and the
wavelet denoiser of scikit-image are told the true sigma (for JPEG the latter estimates it), linear
interpolation which pixels are missing.

With `--specialists DIR` denoisers that learned one kind of noise are tried on the others. They were
trained by, for NOISE gaussian and missing:

    glassplate train restorer --noise NOISE --data photos/ --out DIR/NOISE --minutes 6 --batch 8

on a core of its own: about 2,000 steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means, denoise_wavelet

from glassplate.codecs import Pixels
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.restore.degradations import add_noise, drop_pixels, enlarge, jpeg, shrink
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.restore.restorer import Restorer
from tests.benchmarks.machine import RESULTS, write_result

SIGMAS = (15, 25, 50)
SHARES = (0.5,)
QUALITIES = (10, 30)
SCALES = (2, 4)
CROSSED = ("gaussian, sigma 25", "missing, 50%", "jpeg, quality 10")
SHOWN = ("kodim23", (165, 110))
"""Picture, and the upper left corner of the part that is shown."""
SIDE = 160

Method = Callable[[Pixels], Pixels]
Damage = Callable[[Pixels, np.random.Generator], Pixels]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--specialists", type=Path)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.png"))
    images = [np.array(Image.open(path).convert("RGB")) for path in paths]
    denoiser = Restorer(RestoreOptions(), "cpu")
    result: dict[str, Any] = {
        "pictures": len(images),
        "denoise": {
            name: compare(images, damage, {**classical, "ours": denoiser.restore})
            for name, (damage, classical) in cases().items()
        },
        "upscale": {f"{scale}x": enlarged(images, scale) for scale in SCALES},
    }
    if arguments.specialists:
        result["trained on"] = cross(images, arguments.specialists, denoiser)
    write_result("restoration", result)
    names = [path.stem for path in paths]
    if SHOWN[0] in names:
        sheet = show(images[names.index(SHOWN[0])], denoiser.restore)
        sheet.save(RESULTS / "restoration.webp", quality=80, method=6)


def cases() -> dict[str, tuple[Damage, dict[str, Method]]]:
    """Name -> what is done to a picture, and the classical methods against it."""
    found: dict[str, tuple[Damage, dict[str, Method]]] = {}
    for sigma in SIGMAS:
        classical: dict[str, Method] = {
            "non-local means": partial(non_local_means, sigma=sigma / 255),
            "wavelet": partial(wavelet, sigma=sigma / 255),
        }
        found[f"gaussian, sigma {sigma}"] = (_noise(sigma), classical)
    for share in SHARES:
        found[f"missing, {share:.0%}"] = (_missing(share), {"interpolation": interpolate})
    for quality in QUALITIES:
        found[f"jpeg, quality {quality}"] = (_jpeg(quality), {"wavelet": wavelet})
    return found


def _noise(sigma: float) -> Damage:
    return lambda pixels, random: add_noise(pixels, sigma, random)


def _missing(share: float) -> Damage:
    return lambda pixels, random: drop_pixels(pixels, share, random)


def _jpeg(quality: int) -> Damage:
    return lambda pixels, random: jpeg(pixels, quality)


def compare(
    images: list[Pixels], damage: Damage, methods: Mapping[str, Method]
) -> dict[str, float]:
    """Mean PSNR in dB of the damaged pictures, and of what each method makes of them."""
    every: dict[str, Method] = {"damaged": lambda pixels: pixels, **methods}
    found: dict[str, list[float]] = {method: [] for method in every}
    for number, image in enumerate(images):
        damaged = damage(image, np.random.default_rng(number))
        for method, restore in every.items():
            found[method].append(psnr(image, restore(damaged)))
    return {method: round(mean(values), 2) for method, values in found.items()}


def enlarged(images: list[Pixels], scale: int) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB and SSIM of shrunk pictures, enlarged again."""
    ours = Restorer(RestoreOptions.model_validate({"scale": scale}), "cpu").restore
    methods = {"bicubic": partial(enlarge, scale=scale), "ours": ours}
    found = {}
    for method, enlarging in methods.items():
        pairs = [(image, enlarging(shrink(image, scale))) for image in images]
        found[method] = {
            "psnr": round(mean(psnr(*pair) for pair in pairs), 2),
            "ssim": round(mean(ssim(*pair) for pair in pairs), 4),
        }
    return found


def cross(images: list[Pixels], folder: Path, blind: Restorer) -> dict[str, dict[str, float]]:
    """Noise -> mean PSNR of what denoisers make of it, by what they were trained on."""
    denoisers = {"all": blind.restore} | {
        path.parent.name: Restorer(RestoreOptions(weights=path), "cpu").restore
        for path in sorted(folder.glob("*/restorer-denoise.safetensors"))
    }
    return {name: compare(images, cases()[name][0], denoisers) for name in CROSSED}


def non_local_means(pixels: Pixels, sigma: float) -> Pixels:
    """Buades et al. 2005, with the settings of scikit-image's own example."""
    options = {"patch_size": 5, "patch_distance": 6, "fast_mode": True, "channel_axis": -1}
    return _bytes(denoise_nl_means(pixels / 255, h=0.8 * sigma, sigma=sigma, **options))


def wavelet(pixels: Pixels, sigma: float | None = None) -> Pixels:
    """BayesShrink, Chang et al. 2000."""
    options = {"method": "BayesShrink", "mode": "soft", "rescale_sigma": True}
    found = denoise_wavelet(
        pixels / 255, sigma=sigma, convert2ycbcr=True, channel_axis=-1, **options
    )
    return _bytes(found)


def interpolate(pixels: Pixels) -> Pixels:
    """Linear between the pixels that are there; outside of them the nearest."""
    known = pixels.any(axis=2)
    values = pixels[known] / 255
    missing = np.argwhere(~known)
    found = LinearNDInterpolator(np.argwhere(known), values)(missing)
    outside = np.isnan(found[:, 0])
    if outside.any():
        found[outside] = NearestNDInterpolator(np.argwhere(known), values)(missing[outside])
    whole = pixels.copy()
    whole[~known] = _bytes(found)
    return whole


def ssim(image: Pixels, other: Pixels) -> float:
    """As Wang et al. 2004 define it, mean over the colours."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(image, other, channel_axis=-1, data_range=255, **options))


def show(image: Pixels, denoise: Method) -> Image.Image:
    """Parts of a picture, in rows: original, damaged, classical, ours."""
    rows = []
    for name in ("gaussian, sigma 25", "gaussian, sigma 50", "missing, 50%", "jpeg, quality 10"):
        damage, classical = cases()[name]
        damaged = damage(image, np.random.default_rng(0))
        first = next(iter(classical.values()))
        rows.append([image, damaged, first(damaged), denoise(damaged)])
    for scale in SCALES:
        small = shrink(image, scale)
        blocks = small.repeat(scale, axis=0).repeat(scale, axis=1)
        upscale = Restorer(RestoreOptions.model_validate({"scale": scale}), "cpu").restore
        rows.append([image, blocks, enlarge(small, scale), upscale(small)])
    top, left = SHOWN[1]
    parts = [[p[top : top + SIDE, left : left + SIDE] for p in row] for row in rows]
    return Image.fromarray(np.vstack([np.hstack(row) for row in parts]))


def _bytes(values: Any) -> Pixels:
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
