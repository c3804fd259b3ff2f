"""Other people's autoencoders: the diffusers layout, and TAESD's state dicts."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from glassplate.codecs import CodecSpec, Pixels, Region, Target, codec_from_spec, get_codec
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.vae.codec import VaeCodec, VaeConfig
from glassplate.codecs.vae.foreign.bundle import bundle
from glassplate.codecs.vae.foreign.taesd import Taesd

diffusers = pytest.importorskip("diffusers")

TAESD_FOLDER = os.environ.get("GLASSPLATE_TAESD")
"""A folder with the state dicts of a real tiny autoencoder; these tests are skipped without."""


def _kl(**config: Any) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8), layers_per_block=1, norm_num_groups=4, latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
        **config,
    )  # fmt: skip


MODELS = {
    "kl": lambda: _kl(),
    "kl-shifted": lambda: _kl(scaling_factor=0.3611, shift_factor=0.1159),
    "tiny": lambda: diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1), latent_channels=4,
    ),
    "dc": lambda: diffusers.AutoencoderDC(
        latent_channels=8, attention_head_dim=4,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 16), decoder_block_out_channels=(8, 16),
        encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1),
        encoder_qkv_multiscales=((), ()), decoder_qkv_multiscales=((), ()),
        decoder_norm_types="rms_norm", scaling_factor=0.41407,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=sorted(MODELS))
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A random model of each class, saved by the library itself."""
    torch.manual_seed(0)
    MODELS[request.param]().eval().save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_latents_are_those_of_the_library(checkpoint: Path, small_photo: Pixels) -> None:
    """Scaled and shifted as its pipelines do it; undone by what the latent says of itself."""
    codec = VaeCodec(VaeConfig(dtype="float16"), "cpu", checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    model = getattr(diffusers, config["_class_name"]).from_pretrained(
        checkpoint, low_cpu_mem_usage=False
    )
    latent = codec.encode([small_photo], Target())[0].latent
    assert latent is not None
    assert latent.scaling_factor == pytest.approx(config["scaling_factor"])
    assert latent.shift_factor == pytest.approx(config.get("shift_factor") or 0)
    x = torch.from_numpy(small_photo).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        encoded = model.encode(x)
        own = encoded.latent_dist.mean if hasattr(encoded, "latent_dist") else encoded[0]
    stored = latent.values.astype(np.float32) / latent.scaling_factor + latent.shift_factor
    np.testing.assert_allclose(stored, own[0].numpy(), atol=2e-3 * np.abs(stored).max())


def test_any_size_and_region(checkpoint: Path, photo: Pixels) -> None:
    codec = get_codec("vae", device="cpu", weights=checkpoint)
    for height, width, channels in [(1, 1, 3), (70, 33, 1), (64, 100, 3)]:
        image = photo[:height, :width, :channels]
        encoded = codec.encode([image], Target())[0]
        (whole,) = codec.decode([encoded.bitstream])
        assert whole.shape == image.shape
    (part,) = codec.decode([encoded.bitstream], Region(x=20, y=10, width=30, height=9))
    np.testing.assert_array_equal(part, whole[10:19, 20:50])


def test_an_archive_needs_only_the_packed_file(
    checkpoint: Path, small_photo: Pixels, tmp_path: Path
) -> None:
    codec = VaeCodec(VaeConfig(), "cpu", checkpoint)
    stream = codec.encode([small_photo], Target())[0].bitstream
    kept = tmp_path / "models" / "weights.safetensors"
    kept.parent.mkdir()
    kept.write_bytes(codec.weights_path.read_bytes())
    for file in [*checkpoint.iterdir(), codec.weights_path]:
        file.unlink()
    again = codec_from_spec(CodecSpec.from_json(codec.spec.to_json()), device="cpu", weights=kept)
    np.testing.assert_array_equal(again.decode([stream])[0], codec.decode([stream])[0])


def test_packing_is_repeatable(checkpoint: Path) -> None:
    assert len({bundle(checkpoint) for _ in range(4)}) == 1


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    MODELS["tiny"]().save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_unsound_checkpoints_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    file = tiny_checkpoint / "diffusion_pytorch_model.safetensors"
    sound = load_file(file)
    some = dict(list(sound.items())[:-1])
    first = next(iter(sound))
    for tensors in (
        some,
        {**sound, first: sound[first] * torch.nan},
        {**sound, first: torch.ones(3)},
    ):
        save_file(tensors, file)
        with pytest.raises(WeightsError):
            VaeCodec(VaeConfig(), "cpu", tiny_checkpoint)
    file.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="not sound"):
        VaeCodec(VaeConfig(), "cpu", tiny_checkpoint)
    file.rename(file.with_suffix(".bin"))
    with pytest.raises(WeightsError, match="save them as safetensors"):
        VaeCodec(VaeConfig(), "cpu", tiny_checkpoint)
    (tiny_checkpoint / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(WeightsError, match="UNet2DModel"):
        VaeCodec(VaeConfig(), "cpu", tiny_checkpoint)
    with pytest.raises(WeightsError, match="neither a file"):
        VaeCodec(VaeConfig(), "cpu", tmp_path / "nowhere")


class _Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.mkdir, (f"{os.environ['XDG_CACHE_HOME']}-harm",))


def test_state_dicts_are_tensors_or_refused(
    tmp_path: Path, small_photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = Taesd(32, pooled=True)
    for part in ("encoder", "decoder"):
        torch.save(getattr(model, part).half().state_dict(), tmp_path / f"tae_{part}.pth")
    codec = VaeCodec(VaeConfig(), "cpu", tmp_path)
    encoded = codec.encode([small_photo], Target())[0]
    assert encoded.latent is not None
    assert encoded.latent.values.shape == (32, 12, 16)
    assert codec.decode([encoded.bitstream])[0].shape == small_photo.shape
    (tmp_path / "tae_decoder.pth").write_bytes(pickle.dumps({"1.weight": _Harmful()}))
    with pytest.raises(WeightsError, match="not a state dict"):
        VaeCodec(VaeConfig(), "cpu", tmp_path)
    torch.save({"1.weight": _Harmful()}, tmp_path / "tae_decoder.pth")
    with pytest.raises(WeightsError, match="not a state dict"):
        VaeCodec(VaeConfig(), "cpu", tmp_path)
    assert not Path(f"{os.environ['XDG_CACHE_HOME']}-harm").exists()


@pytest.mark.skipif(not TAESD_FOLDER, reason="GLASSPLATE_TAESD names no folder")
def test_a_real_tiny_autoencoder(photo: Pixels) -> None:
    codec = VaeCodec(VaeConfig(), "cpu", Path(str(TAESD_FOLDER)))
    image = photo[:256, 64:320]
    encoded = codec.encode([image], Target(quality=100))[0]
    assert psnr(image, codec.decode([encoded.bitstream])[0]) > 25
