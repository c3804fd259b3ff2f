"""Shapes, the warm start, and the two halves by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glassplate.codecs import Pixels
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.vae.model import SIZES, ModelConfig, Vae
from glassplate.codecs.vae.training.train import normalise
from glassplate.codecs.vae.training.warm_start import warm_start
from glassplate.codecs.vae.weights import load_decoder, load_encoder, load_vae


def _psnr(x: torch.Tensor, y: torch.Tensor) -> float:
    return float(-10 * torch.log10((x - y).square().mean()))


@pytest.mark.parametrize("latent", [1, 4, 16])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 136), (40, 24), (64, 64)])
@torch.inference_mode()
def test_shapes(latent: int, height: int, width: int) -> None:
    model = Vae(ModelConfig(latent=latent, encoder_blocks=1, decoder_blocks=1)).eval()
    mean, log_variance = model.encoder(torch.rand(2, 3, height, width))
    assert mean.shape == log_variance.shape == (2, latent, height // 8, width // 8)
    assert model.decoder(mean).shape == (2, 3, height, width)


@torch.inference_mode()
def test_the_shipped_size_is_48_times_smaller() -> None:
    mean, _ = Vae(SIZES["f8c4"]).encoder(torch.rand(1, 3, 512, 512))
    assert mean.shape == (1, 4, 64, 64)


@torch.inference_mode()
def test_the_warm_start_is_a_transform_at_unit_variance(photo: Pixels) -> None:
    pictures = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    quality = []
    for latent in (1, 4, 12):
        model = Vae(ModelConfig(latent=latent, encoder_blocks=1, decoder_blocks=1))
        warm_start(model, pictures)
        mean, _ = model.encoder(pictures)
        torch.testing.assert_close(mean.std((0, 2, 3)), torch.ones(latent), rtol=0.01, atol=0)
        quality.append(_psnr(model.decoder(mean), pictures))
    assert quality[0] > 17
    assert quality[0] + 2 < quality[1]
    assert quality[1] + 2 < quality[2]


@torch.inference_mode()
def test_normalising_changes_the_latent_and_nothing_else(thin_vae: Vae, photo: Pixels) -> None:
    pictures = torch.from_numpy(photo[:128, :256]).permute(2, 0, 1)[None] / 255
    model = Vae(thin_vae.config)
    model.load_state_dict(thin_vae.state_dict())
    before = model.decoder(model.encoder(pictures)[0])
    normalise(model, pictures)
    mean, _ = model.encoder(pictures)
    torch.testing.assert_close(mean.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(mean.std((0, 2, 3)), torch.ones(4), rtol=0, atol=1e-3)
    inner = model.decoder(mean) - before
    assert inner[..., 24:-24, 24:-24].abs().max() < 1e-3


@torch.inference_mode()
def test_encoder_and_decoder_can_be_used_apart(weights: Path, thin_vae: Vae) -> None:
    pictures = torch.rand(1, 3, 32, 48)
    mean, _ = load_encoder(weights)(pictures)
    torch.testing.assert_close(mean, thin_vae.encoder(pictures)[0], rtol=0, atol=0.01)
    pixels = load_decoder(weights)(mean)
    torch.testing.assert_close(pixels, thin_vae.decoder(mean), rtol=0, atol=0.01)


def test_unsound_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    data = weights.read_bytes()
    for number, damaged in enumerate((b"", data[:1000], data[:-10], b"x" * 100)):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            load_vae(path)
    with pytest.raises(WeightsError, match="no weights"):
        load_decoder(size="f99")
