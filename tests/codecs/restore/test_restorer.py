"""Restoring pictures of any size and kind, in windows, from weights of all kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from thin_restorer import THIN_RESTORER, thin_restorer, write_restorer

from glassplate.codecs import Pixels
from glassplate.codecs.errors import TooManyPixelsError, WeightsError
from glassplate.codecs.layers.windows import Windows
from glassplate.codecs.restore.damage import Damage
from glassplate.codecs.restore.degradations import add_noise, enlarge
from glassplate.codecs.restore.network import SIZES, RestorationNet
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.restore.restorer import Restorer
from glassplate.codecs.restore.weights import load


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restorers")
    write_restorer(folder, "denoise")
    write_restorer(folder, "upscale")
    return folder


def small_windows(width: int, height: int) -> Windows:
    return Windows(width, height, window=192, overlap=64)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (33, 65), (16, 250)])
def test_the_network_takes_any_size(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    restored = thin_restorer()(x)
    assert restored.shape == x.shape
    assert restored.dtype == torch.float32
    assert not torch.equal(restored, x)


def test_a_fresh_network_changes_nothing() -> None:
    x = torch.rand(1, 3, 17, 24)
    assert torch.equal(RestorationNet(THIN_RESTORER)(x), x)


def test_the_shipped_size_is_small() -> None:
    parameters = sum(p.numel() for p in RestorationNet(SIZES["small"]).parameters())
    assert 0.7e6 < parameters < 2e6


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [None, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (13, 21), (40, 120)])
def test_any_picture_is_restored(
    photo: Pixels, weights: Path, channels: int, scale: int | None, size: tuple[int, int]
) -> None:
    pixels = np.dstack([photo, photo[..., :1]])[: size[0], : size[1], -channels:]
    options = RestoreOptions.model_validate({"scale": scale, "weights": weights})
    restored = Restorer(options, "cpu", small_windows).restore(pixels)
    factor = scale or 1
    assert restored.shape == (size[0] * factor, size[1] * factor, channels)
    assert restored.dtype == np.uint8
    if channels in (2, 4):
        begun = enlarge(pixels, scale) if scale else pixels
        assert np.array_equal(restored[..., -1], begun[..., -1])


def test_grey_comes_out_as_grey_as_its_colours_would(photo: Pixels, weights: Path) -> None:
    grey = photo[:64, :64, :1] // 2 + 64  # so that no colour is clipped
    restorer, noise = Restorer(RestoreOptions(weights=weights), "cpu"), Damage(sigma=25)
    colours = restorer.restore(np.repeat(grey, 3, 2), found=noise).astype(float)
    assert np.abs(restorer.restore(grey, found=noise)[:, :, 0] - colours.mean(2)).max() <= 1


def test_windows_leave_no_seams(photo: Pixels, weights: Path) -> None:
    pixels = add_noise(photo[:300, :350], 40, np.random.default_rng(0))
    options = RestoreOptions(weights=weights)
    seen: list[tuple[int, int]] = []
    whole = Restorer(options, "cpu").restore(pixels)
    tiled = Restorer(options, "cpu", small_windows).restore(pixels, lambda *at: seen.append(at))
    assert np.abs(whole.astype(int) - pixels).mean() > 5
    assert np.abs(whole.astype(int) - tiled).mean() < 0.01
    assert seen[-1] == (6, 6)


@pytest.mark.parametrize("sigma", [8, 15])  # held back by places, and in part
def test_windows_leave_no_seams_where_less_is_taken_out(
    photo: Pixels, weights: Path, sigma: float
) -> None:
    pixels = add_noise(photo[:300, :350], sigma, np.random.default_rng(0))
    options = RestoreOptions(weights=weights)
    whole = Restorer(options, "cpu").restore(pixels)
    tiled = Restorer(options, "cpu", small_windows).restore(pixels)
    assert np.abs(whole.astype(int) - pixels).mean() > 1
    assert np.abs(whole.astype(int) - tiled).mean() < 0.01


def test_no_more_is_taken_out_than_there_is(photo: Pixels, weights: Path) -> None:
    """A network that changes everything by much: what comes out is near what went in."""
    noisy = add_noise(photo, 6, np.random.default_rng(0))
    restorer = Restorer(RestoreOptions(weights=weights), "cpu")
    held, whole = restorer.restore(noisy), restorer.restore(noisy, found=Damage(missing=0.5))
    changes = [np.square(out.astype(float) - noisy).mean() ** 0.5 for out in (held, whole)]
    assert changes[0] < 1.1 * 6 < changes[1]


def test_the_picture_given_stays_as_it_was(photo: Pixels, weights: Path) -> None:
    pixels = photo[:50, :50].copy()
    twice = [Restorer(RestoreOptions(weights=weights), "cpu").restore(pixels) for _ in range(2)]
    assert np.array_equal(pixels, photo[:50, :50])
    assert np.array_equal(*twice)


def test_too_large_a_picture_is_refused(weights: Path) -> None:
    wide = np.broadcast_to(np.uint8(0), (4000, 4000, 3))
    with pytest.raises(TooManyPixelsError, match="256000000 pixels would come out"):
        Restorer(RestoreOptions(scale=4, weights=weights), "cpu").restore(wide)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(WeightsError, match="are weights to denoise, not to upscale"):
        load(weights / "restorer-denoise.safetensors", "upscale")
    for name in ("nowhere", "."):
        with pytest.raises(WeightsError, match="train restorer --task denoise"):
            Restorer(RestoreOptions(weights=tmp_path / name), "cpu")
    foreign, broken, endless = (tmp_path / f"{n}.safetensors" for n in ("foreign", "b", "endless"))
    save_file({"a": torch.zeros(3)}, foreign)
    broken.write_bytes(b"not safetensors")
    content = (weights / "restorer-denoise.safetensors").read_bytes()
    endless.write_bytes(content[:-4] + torch.tensor([float("nan")]).numpy().tobytes())
    for path, cause in ((foreign, "not a weight"), (broken, "not sound"), (endless, "not finite")):
        with pytest.raises(WeightsError, match=cause):
            load(path, "denoise")
