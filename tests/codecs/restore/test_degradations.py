"""Each damage does what it says, and no more; all are repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.codecs import Pixels
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.restore.degradations import (
    NOISES,
    Noise,
    add_noise,
    degrade,
    drop_pixels,
    enlarge,
    jpeg,
    shrink,
)


@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_noise_has_the_deviation_that_was_asked_for(sigma: float) -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = add_noise(grey, sigma, np.random.default_rng(0)).astype(float)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    assert noisy.std() == pytest.approx(sigma, rel=0.02)


def test_noise_is_clipped() -> None:
    white = np.full((50, 50, 1), 255, np.uint8)
    noisy = add_noise(white, 30, np.random.default_rng(0))
    assert 0.4 < (noisy == 255).mean() < 0.6


def test_missing_pixels_are_black_and_the_others_untouched(small_photo: Pixels) -> None:
    photo = np.maximum(small_photo, 1)
    dropped = drop_pixels(photo, 0.3, np.random.default_rng(0))
    missing = (dropped == 0).all(2)
    assert missing.mean() == pytest.approx(0.3, abs=0.02)
    assert np.array_equal(dropped[~missing], photo[~missing])


def test_jpeg_is_worse_at_lower_quality(small_photo: Pixels) -> None:
    assert psnr(small_photo, jpeg(small_photo, 10)) < psnr(small_photo, jpeg(small_photo, 60)) - 3


def test_blocks_of_jpeg_can_be_shifted(small_photo: Pixels) -> None:
    """As if the JPEG file had been cropped: blocks begin elsewhere."""
    grey = small_photo[:, :, :1]

    def steps(pixels: Pixels) -> int:
        """Which columns of 8 differ most from their neighbours."""
        jump = np.abs(np.diff(pixels[:, :, 0].astype(float), axis=1)).mean(0)
        return int(np.argmax([jump[n::8].mean() for n in range(8)]))

    assert steps(jpeg(grey, 3)) == 7
    assert steps(jpeg(grey, 3, top=4, left=5)) == 2


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shrinking_keeps_the_mean(small_photo: Pixels, scale: int, channels: int) -> None:
    pixels = np.dstack([small_photo, np.full_like(small_photo[..., :1], 255)])[..., :channels]
    small = shrink(pixels, scale)
    assert small.shape == (96 // scale, 128 // scale, channels)
    assert small.mean() == pytest.approx(pixels.mean(), abs=1)
    assert enlarge(small, scale).shape == pixels.shape


@settings(max_examples=30, deadline=None)
@given(
    noise=st.sampled_from(NOISES),
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**32),
)
def test_any_picture_can_be_degraded(
    noise: Noise, height: int, width: int, channels: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    before = pixels.copy()
    twice = [degrade(pixels, noise, np.random.default_rng(seed)) for _ in range(2)]
    assert twice[0].shape == pixels.shape
    assert twice[0].dtype == np.uint8
    assert np.array_equal(*twice)
    assert np.array_equal(pixels, before)
