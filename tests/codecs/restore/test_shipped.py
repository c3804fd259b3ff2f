"""The shipped weights make pictures better than simple methods do, and stay small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.restore.degradations import add_noise, drop_pixels, enlarge, jpeg, shrink
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.restore.restorer import Restorer
from glassplate.codecs.restore.weights import find, load


@pytest.fixture(scope="module")
def part(photo: Pixels) -> Pixels:
    return np.ascontiguousarray(photo[:160, 100:260])


def pixels_of(name: str) -> Pixels:
    """A photograph of scikit-image's wheel, grey or RGB."""
    with Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png") as image:
        grey = image.mode == "L"
        pixels = np.array(image if grey else image.convert("RGB"))
    return pixels[:, :, None] if grey else pixels


@pytest.fixture(scope="module")
def denoiser() -> Restorer:
    return Restorer(RestoreOptions(), "cpu")


@pytest.mark.parametrize(("sigma", "gain"), [(5, 0.5), (25, 8), (50, 11)])
def test_noise(part: Pixels, denoiser: Restorer, sigma: float, gain: float) -> None:
    noisy = add_noise(part, sigma, np.random.default_rng(0))
    assert psnr(part, denoiser.restore(noisy)) > psnr(part, noisy) + gain


def test_clean_photographs_are_left_alone(denoiser: Restorer) -> None:
    for name in ("coffee", "camera", "motorcycle_left", "gravel", "coins"):
        pixels = pixels_of(name)
        assert np.array_equal(denoiser.restore(pixels), pixels), name


@pytest.mark.parametrize("name", ["coffee", "motorcycle_left", "astronaut"])
@pytest.mark.parametrize("sigma", [1, 2, 5])
def test_faint_noise_costs_no_detail(denoiser: Restorer, name: str, sigma: float) -> None:
    clean = np.ascontiguousarray(pixels_of(name)[100:300, 100:300])
    noisy = add_noise(clean, sigma, np.random.default_rng(0))
    assert psnr(clean, denoiser.restore(noisy)) > psnr(clean, noisy) - 0.5


@pytest.mark.parametrize("quality", [75, 90, 98])
def test_a_good_jpeg_loses_no_detail(part: Pixels, denoiser: Restorer, quality: int) -> None:
    file = jpeg(part, quality)
    assert psnr(part, denoiser.restore(file)) > psnr(part, file) - 0.5


def test_grey_noise(part: Pixels, denoiser: Restorer) -> None:
    grey = part[:, :, 1:2]
    noisy = add_noise(grey, 25, np.random.default_rng(0))
    assert psnr(grey, denoiser.restore(noisy)) > psnr(grey, noisy) + 6


def test_missing_pixels(part: Pixels, denoiser: Restorer) -> None:
    dropped = drop_pixels(part, 0.5, np.random.default_rng(0))
    assert psnr(part, denoiser.restore(dropped)) > 24


def test_jpeg(part: Pixels, denoiser: Restorer) -> None:
    for damaged in (jpeg(part, 10), jpeg(part, 10, top=3, left=6)):
        assert psnr(part, denoiser.restore(damaged)) > psnr(part, damaged) + 0.3


@pytest.mark.parametrize(("scale", "gain"), [(2, 0.8), (4, 0.4)])
def test_upscaling(part: Pixels, scale: int, gain: float) -> None:
    small = shrink(part, scale)
    restorer = Restorer(RestoreOptions.model_validate({"scale": scale}), "cpu")
    assert psnr(part, restorer.restore(small)) > psnr(part, enlarge(small, scale)) + gain


def test_both_together_are_small() -> None:
    paths = [find(None, "denoise"), find(None, "upscale")]
    assert sum(path.stat().st_size for path in paths) < 10e6
    for path in paths:
        card = path.with_suffix(".md").read_text()
        assert load(path, path.stem.removeprefix("restorer-")).sha256 in card  # type: ignore[arg-type]
