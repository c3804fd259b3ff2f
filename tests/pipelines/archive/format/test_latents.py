"""Latents of a real run: in the archive's table as they were encoded, decodable from it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
import torch
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.errors import ConfigError
from glassplate.codecs.vae.model import ModelConfig, Vae
from glassplate.codecs.vae.training.warm_start import warm_start
from glassplate.codecs.vae.weights import load_decoder, save
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress


@pytest.fixture
def weights(photo: Pixels, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = Vae(ModelConfig(encoder_blocks=1, decoder_blocks=1))
    warm_start(model, torch.from_numpy(photo).permute(2, 0, 1)[None] / 255)
    save(tmp_path / "mine.safetensors", model)
    return tmp_path / "mine.safetensors"


@pytest.fixture
def pictures(photo: Pixels, tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        part = photo[40 * number : 40 * number + 100, 100 : 260 - 10 * number]
        Image.fromarray(part).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("dtype", ["int8", "float16", "bfloat16"])
def test_latents_in_the_table_decode_to_the_pictures(
    pictures: Path, weights: Path, tmp_path: Path, dtype: str
) -> None:
    options = {"dtype": dtype}
    archive = tmp_path / "archive"
    config = CompressConfig(
        source=str(pictures), archive=str(archive), codec="vae", codec_options=options,
        weights=str(weights), device="cpu",
    )  # fmt: skip
    assert compress(config).ledger.encoded == 3
    weights.unlink()
    rows = ds.dataset(archive / "latents", partitioning="hive").to_table().to_pylist()
    (packed,) = archive.glob("models/*/weights.safetensors")
    decoder = load_decoder(packed)
    opened = open_archive(str(archive), device="cpu")
    for row in rows:
        assert row["dtype"] == dtype
        assert (row["scaling_factor"], row["shift_factor"]) == (1, 0)
        stored = torch.frombuffer(bytearray(row["latent"]), dtype=getattr(torch, dtype))
        values = stored.reshape(row["shape"]).float()
        if row["scale"]:
            values *= torch.tensor(row["scale"])[:, None, None]
        with torch.inference_mode():
            pixels = decoder(values[None])[0].permute(1, 2, 0)
        picture = np.asarray(opened.get(row["image_id"])).astype(int)
        height, width, _ = picture.shape
        ours = (pixels.clamp(0, 1) * 255).round().numpy()[:height, :width]
        assert np.abs(ours - picture).max() <= 3  # the codec's blocks run in bfloat16


def test_weights_are_for_codecs_that_have_some(pictures: Path, weights: Path) -> None:
    config = CompressConfig(source=str(pictures), archive="x", codec="jxl", weights=str(weights))
    with pytest.raises(ConfigError, match="has no weights"):
        compress(config)
