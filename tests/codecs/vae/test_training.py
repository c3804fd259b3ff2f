"""Training `vae` by the shared loop, on real pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import ConfigError, WeightsError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import read_metrics
from glassplate.codecs.training.train import train_model
from glassplate.codecs.vae.codec import VaeCodec, VaeConfig
from glassplate.codecs.vae.model import SIZES
from glassplate.codecs.vae.training.task import VaeTask
from tests.codecs.vae.conftest import THIN


@pytest.fixture
def options(photo: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    monkeypatch.setitem(SIZES, "f8c4", THIN)
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        part = np.roll(photo, 16 * number, axis=number % 2)[:256, :256]
        Image.fromarray(part).save(tmp_path / "pictures" / f"{number}.jpg")
    return TrainConfig(
        kind="vae", source=tmp_path / "pictures", out=tmp_path / "run", steps=24, batch=4, crop=64,
        late_crop=128, half=False, device="cpu", average=0.5,
    )  # fmt: skip


def test_trained_weights_are_closer_and_make_a_codec(
    options: TrainConfig, small_photo: Pixels
) -> None:
    path = train_model(options)
    assert path.name == "vae-f8c4.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() in path.with_suffix(".md").read_text()
    first, *_, last = read_metrics(options.out / "metrics.jsonl")
    assert first["psnr"] < last["psnr"]
    bpp, quality = zip(*last["points"], strict=True)
    assert list(bpp) == sorted(bpp)
    assert quality[0] < quality[-1]
    with Image.open(options.out / last["samples"]) as sheet:
        reconstructed, pictures, drawn, between = np.split(np.asarray(sheet).astype(int), 4)
    assert psnr(reconstructed.astype(np.uint8), pictures.astype(np.uint8)) > 18
    assert drawn.std() > 10
    for column, end in ((0, 0), (-1, 1)):  # the way begins and ends at a reconstruction
        ends = np.split(between, 16, axis=1)[column] - np.split(reconstructed, 16, axis=1)[end]
        assert np.abs(ends).max() <= 1
    codec = VaeCodec(VaeConfig(), "cpu", options.out)
    encoded = codec.encode([small_photo], Target())[0]
    assert psnr(codec.decode([encoded.bitstream])[0], small_photo) > 18
    assert encoded.latent is not None
    assert encoded.latent.values.std() > 2


def test_tuning_starts_from_weights(options: TrainConfig) -> None:
    path = train_model(options.model_copy(update={"steps": 1}))
    update = {"start": path, "out": options.out / "tuned", "steps": 2}
    assert train_model(options.model_copy(update=update)).read_bytes() != path.read_bytes()
    with pytest.raises(ConfigError, match="huge"):
        train_model(options.model_copy(update={"size": "huge"}))
    path.write_bytes(b"")
    with pytest.raises(WeightsError):
        train_model(options.model_copy(update=update | {"out": options.out / "again"}))


def test_gradients_reach_everything(photo: Pixels) -> None:
    """The zero branches included, after one step away from zero."""
    task = VaeTask(THIN, half=False)
    crops = torch.from_numpy(photo[:128, :128]).permute(2, 0, 1)[None] / 255
    model = task.build(crops)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01
    task.loss(model, crops, late=False).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
