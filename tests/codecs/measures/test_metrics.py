"""PSNR against its formula, MS-SSIM against the reference package."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim as reference_ms_ssim

from glassplate.codecs import Pixels
from glassplate.codecs.measures import structure as metrics
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.structure import ms_ssim


def _noisy(image: Pixels, strength: int = 19) -> Pixels:
    noise = np.random.default_rng(0).integers(-strength, strength, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def _reference(a: Pixels, b: Pixels) -> float:
    tensors = [torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None] for x in (a, b)]
    return float(reference_ms_ssim(*tensors, data_range=255))


def test_psnr_is_the_textbook_formula(photo: Pixels) -> None:
    noisy = _noisy(photo)
    mse = np.mean((photo.astype(float) - noisy.astype(float)) ** 2)
    assert psnr(photo, noisy) == pytest.approx(10 * math.log10(255**2 / mse), abs=1e-9)


def test_psnr_extremes() -> None:
    black, white = np.zeros((300, 300, 3), np.uint8), np.full((300, 300, 3), 255, np.uint8)
    assert psnr(black, black) == math.inf
    assert psnr(black, white) == 0


@pytest.mark.parametrize(("height", "width", "channels"), [(512, 400, 3), (333, 162, 1)])
def test_ms_ssim_is_that_of_the_reference(
    photo: Pixels, height: int, width: int, channels: int
) -> None:
    image = np.ascontiguousarray(photo[:height, :width, :channels])
    noisy = _noisy(image)
    assert ms_ssim(image, noisy) == pytest.approx(_reference(image, noisy), abs=1e-5)


def test_ms_ssim_limits(photo: Pixels) -> None:
    assert ms_ssim(photo, photo) == pytest.approx(1, abs=1e-6)
    assert ms_ssim(photo[:160], photo[:160]) is None
    assert ms_ssim(photo[:161, :161], photo[:161, :161]) is not None


def test_large_pictures_are_measured_in_tiles(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = _noisy(photo)
    whole = ms_ssim(photo, noisy)
    monkeypatch.setattr(metrics, "MAX_WHOLE_PIXELS", 1000)
    monkeypatch.setattr(metrics, "TILE_SIDE", 300)
    assert ms_ssim(photo, noisy) == pytest.approx(whole, abs=0.01)


def test_unequal_shapes_are_refused(photo: Pixels) -> None:
    with pytest.raises(ValueError, match="unequal shape"):
        psnr(photo, photo[:100])
    with pytest.raises(ValueError, match="unequal shape"):
        ms_ssim(photo, photo[..., :1])
