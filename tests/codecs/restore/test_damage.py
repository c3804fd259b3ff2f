"""What is wrong with a picture is found from its pixels: kind and strength."""

from __future__ import annotations

import numpy as np
import pytest

from glassplate.codecs import Pixels
from glassplate.codecs.restore.damage import CLEAN_SIGMA, Damage, find_damage
from glassplate.codecs.restore.degradations import add_noise, drop_pixels, jpeg


def found(pixels: Pixels) -> Damage:
    damage = find_damage(pixels)
    assert damage
    return damage


@pytest.mark.parametrize("sigma", [3, 10, 25])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise(photo: Pixels, sigma: float, channels: int) -> None:
    noisy = add_noise(photo[..., :channels], sigma, np.random.default_rng(0))
    if channels == 3 or sigma > 3:  # a faint one in grey cannot be told from what is shown
        assert found(noisy).sigma == pytest.approx(sigma, rel=0.25, abs=1)
        assert f"noise of sigma {found(noisy).sigma:.1f}" in str(found(noisy))
    else:
        assert found(noisy).floor == 0


def test_noise_that_all_colours_share(photo: Pixels) -> None:
    noise = 12 * np.random.default_rng(0).standard_normal((*photo.shape[:2], 1))
    noisy = np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)
    assert 9 < found(noisy).sigma < 20


@pytest.mark.parametrize("quality", [5, 10, 30, 60, 85, 95])
def test_jpeg(photo: Pixels, quality: int) -> None:
    assert found(jpeg(photo, quality)).jpeg_quality == quality
    if quality < 90:  # of better ones the grid is too faint to be found
        assert found(jpeg(photo, quality, top=3, left=5)).jpeg_quality == quality


def test_noise_under_jpeg(photo: Pixels) -> None:
    damage = found(jpeg(add_noise(photo, 15, np.random.default_rng(0)), 92))
    assert damage.jpeg_quality == 92
    assert 9 < damage.sigma < 18


@pytest.mark.parametrize("share", [0.03, 0.2, 0.7])
def test_missing_pixels(photo: Pixels, share: float) -> None:
    damage = found(drop_pixels(photo, share, np.random.default_rng(0)))
    assert damage.missing == pytest.approx(share, rel=0.2)
    assert damage.floor == 1


def test_missing_pixels_beside_a_black_frame(photo: Pixels) -> None:
    framed = drop_pixels(photo, 0.1, np.random.default_rng(0))
    framed[:70], framed[:, :50] = 0, 0
    assert found(framed).missing == pytest.approx(0.1, rel=0.3)


def test_what_is_drawn_in_black_is_not_missing() -> None:
    paper = np.full((256, 256, 3), 240, np.uint8)
    paper[::7] = 0
    paper[40:60, :, :] = 0
    assert found(paper).is_clean
    assert found(paper).missing == 0


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_flat_picture_is_clean(value: int, channels: int) -> None:
    assert found(np.full((40, 33, channels), value, np.uint8)).is_clean


@pytest.mark.parametrize("size", [(1, 1), (31, 400), (400, 31)])
def test_of_a_tiny_picture_nothing_is_said(photo: Pixels, size: tuple[int, int]) -> None:
    assert find_damage(photo[: size[0], : size[1]]) is None


def test_the_same_is_found_again(photo: Pixels) -> None:
    noisy = add_noise(photo, 7, np.random.default_rng(0))
    assert found(noisy) == found(noisy)


def test_how_much_is_taken_out() -> None:
    assert Damage(CLEAN_SIGMA - 0.1).is_clean
    assert Damage(jpeg_quality=90).is_clean
    assert not Damage(CLEAN_SIGMA).is_clean
    assert (Damage(5).floor, Damage(15).floor, Damage(30).floor) == (0, 0.5, 1)
    assert (Damage(0, 0, 50).floor, Damage(0, 0, 70).floor) == (1, 0.5)
    assert str(Damage(3.04, 0, 40)) == "noise of sigma 3.0, JPEG of quality 40"
