"""SSIMULACRA2 against PyPI's package, at every kind of size; alpha, strips, batches, gradients."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from glassplate.codecs.base import Pixels
from glassplate.codecs.measures import ssimulacra2 as module
from glassplate.codecs.measures.ssimulacra2 import score, ssimulacra2, weighted_sum


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Smooth colours with edges and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / (5 + 3 * c)) + np.cos(y / (9 - 2 * c)) for c in range(3)]
    base = 128 + 40 * np.stack(waves, -1) + 50 * ((x // 24 + y // 16) % 2)[..., None]
    noisy = base + rng.normal(0, 6, base.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def by_the_package(a: Pixels, b: Pixels) -> float:
    files = []
    for pixels in (a, b):
        files.append(io.BytesIO())
        Image.fromarray(pixels).save(files[-1], "PNG")
    return float(compute_ssimulacra2(*files))


@pytest.mark.parametrize("quality", [5, 30, 60, 95])
@pytest.mark.parametrize("size", [(8, 8), (9, 30), (17, 16), (33, 70), (129, 65), (300, 257)])
def test_as_the_package_says(size: tuple[int, int], quality: int) -> None:
    a = picture(*size)
    b = as_jpeg(a, quality)
    assert ssimulacra2(a, b) == pytest.approx(by_the_package(a, b), abs=0.05)


def test_noise_and_a_shift_of_brightness_as_the_package_says() -> None:
    a = picture(120, 160)
    noise = np.random.default_rng(1).integers(0, 256, a.shape, dtype=np.uint8)
    for b in (noise, a // 2, 255 - a, np.zeros_like(a)):
        assert ssimulacra2(a, b) == pytest.approx(by_the_package(a, b), abs=0.1, rel=1e-3)


def test_equal_pictures_have_100_and_tiny_ones_nothing() -> None:
    a = picture(64, 50)
    assert ssimulacra2(a, a.copy()) == 100
    assert ssimulacra2(a[:7], a[:7]) is None
    with pytest.raises(ValueError, match="unequal shape"):
        ssimulacra2(a, a[:-1])


def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = picture(203, 90)
    b = as_jpeg(a, 40)
    whole = ssimulacra2(a, b)
    monkeypatch.setattr(module, "STRIP_PIXELS", 1)
    assert ssimulacra2(a, b) == pytest.approx(whole, abs=1e-3)
    monkeypatch.setattr(module, "MAX_WHOLE_PIXELS", 203 * 90 // 5)  # two scales are not kept
    assert ssimulacra2(a, b) == pytest.approx(whole, abs=1e-3)


def test_grey_is_grey_in_colour() -> None:
    a = picture(70, 90)[:, :, :1]
    b = as_jpeg(a[:, :, 0], 50)[:, :, None]
    same = ssimulacra2(np.repeat(a, 3, 2), np.repeat(b, 3, 2))
    assert ssimulacra2(a, b) == pytest.approx(same, abs=1e-4)


def test_alpha_counts_on_the_ground_where_it_shows_most() -> None:
    colours = picture(80, 80)
    clear = np.full((80, 80, 1), 60, np.uint8)
    a = np.concatenate([colours, clear], 2)
    b = np.concatenate([colours, clear + np.uint8(60)], 2)
    on = [
        by_the_package(*(np.asarray(_over(ground, Image.fromarray(pixels))) for pixels in (a, b)))
        for ground in ("black", "white")
    ]
    assert max(on) - min(on) > 1
    assert ssimulacra2(a, b) == pytest.approx(min(on), abs=0.3)  # Pillow rounds otherwise
    assert ssimulacra2(a[:, :, 2:], b[:, :, 2:]) is not None


def _over(ground: str, image: Image.Image) -> Image.Image:
    under = Image.new("RGBA", image.size, ground)
    return Image.alpha_composite(under, image).convert("RGB")


def test_a_batch_is_measured_as_its_pictures_are() -> None:
    a = np.stack([picture(64, 96, seed) for seed in range(3)])
    b = np.stack([as_jpeg(one, quality) for one, quality in zip(a, (10, 50, 90), strict=True)])
    batches = (torch.from_numpy(x).permute(0, 3, 1, 2) / 255 for x in (a, b))
    together = score(weighted_sum(*batches))
    alone = [ssimulacra2(*pair) for pair in zip(a, b, strict=True)]
    assert together.tolist() == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("strip", [1, module.STRIP_PIXELS])
def test_gradients_say_how_the_measure_changes(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRIP_PIXELS", strip)
    a = torch.from_numpy(picture(48, 40)).permute(2, 0, 1)[None] / 255
    rng = torch.Generator().manual_seed(0)
    b = (a + 0.05 * torch.randn(a.shape, generator=rng)).clamp(0.02, 0.98).requires_grad_()
    weighted_sum(a, b).sum().backward()  # type: ignore[no-untyped-call]
    assert b.grad is not None
    step = 1e-3 * b.grad / b.grad.norm()
    with torch.no_grad():
        found = (weighted_sum(a, b + step) - weighted_sum(a, b - step)).item()
    assert found == pytest.approx(2e-3 * b.grad.norm().item(), rel=0.02)


def test_gradients_of_equal_pictures_are_finite() -> None:
    a = torch.from_numpy(picture(32, 32)).permute(2, 0, 1)[None] / 255
    b = a.clone().requires_grad_()
    value = weighted_sum(a, b)
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0
    assert b.grad is not None
    assert bool(b.grad.isfinite().all())


def test_batches_of_unequal_shape_or_tiny_pictures_are_refused() -> None:
    for shape in ((1, 3, 16, 17), (1, 1, 16, 16), (2, 3, 16, 16)):
        with pytest.raises(ValueError, match="not two batches"):
            weighted_sum(torch.zeros(1, 3, 16, 16), torch.zeros(shape))
    with pytest.raises(ValueError, match="not two batches"):
        weighted_sum(torch.zeros(1, 3, 7, 16), torch.zeros(1, 3, 7, 16))
