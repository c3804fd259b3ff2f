"""The shipped weights make pictures better than simple methods do, and stay small."""

from __future__ import annotations

import numpy as np
import pytest

from glassplate.codecs import Pixels
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.restore.degradations import add_noise, drop_pixels, enlarge, jpeg, shrink
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.restore.restorer import Restorer
from glassplate.codecs.restore.weights import find, load


@pytest.fixture(scope="module")
def part(photo: Pixels) -> Pixels:
    return np.ascontiguousarray(photo[:160, 100:260])


@pytest.fixture(scope="module")
def denoiser() -> Restorer:
    return Restorer(RestoreOptions(), "cpu")


@pytest.mark.parametrize(("sigma", "gain"), [(5, 0.5), (25, 8), (50, 11)])
def test_noise(part: Pixels, denoiser: Restorer, sigma: float, gain: float) -> None:
    noisy = add_noise(part, sigma, np.random.default_rng(0))
    assert psnr(part, denoiser.restore(noisy)) > psnr(part, noisy) + gain


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
