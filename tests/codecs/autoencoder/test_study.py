"""Training, and the grid under one budget, on real pictures with thin networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.autoencoder import model
from glassplate.codecs.autoencoder.training.study import run_study
from glassplate.codecs.errors import ConfigError
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import METRICS, read_metrics
from glassplate.codecs.training.train import train_model


@pytest.fixture
def options(photo: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    for name, config in model.SIZES.items():
        monkeypatch.setitem(model.SIZES, name, replace(config, width=4, latent=2))
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        part = np.roll(photo, 16 * number, axis=number % 2)[:256, :256]
        Image.fromarray(part).save(tmp_path / "pictures" / f"{number}.jpg")
    return TrainConfig(
        kind="autoencoder", source=tmp_path / "pictures", out=tmp_path / "run", steps=40, batch=4,
        crop=64, late_crop=128, half=False, device="cpu", average=0.5, learning_rate=2e-2,
    )  # fmt: skip


@pytest.mark.parametrize("size", ["maxpool-b2", "variational-b3"])
def test_training_gets_closer(options: TrainConfig, size: str) -> None:
    path = train_model(options.model_copy(update={"size": size}))
    assert path.with_suffix(".md").exists()
    first, *_, last = read_metrics(options.out / METRICS)
    assert first["psnr"] + 0.5 < last["psnr"]
    with pytest.raises(ConfigError, match="huge"):
        train_model(options.model_copy(update={"size": "huge"}))


def test_a_study_measures_every_cell_once(options: TrainConfig) -> None:
    small = options.model_copy(update={"steps": 8})
    results = run_study(small, ["maxpool", "residual"], [1, 2])
    assert [(r.arm, r.bits) for r in results] == [
        ("maxpool", 1), ("maxpool", 2), ("residual", 1), ("residual", 2),
    ]  # fmt: skip
    for result in results:
        assert result.steps == 2
        assert 0 < result.bpp < 1.2 * result.raw_bpp + 0.05
        assert result.continuous_bpp == 0.5
        assert result.psnr > 5
    before = {path: path.stat().st_mtime_ns for path in options.out.rglob("*.safetensors")}
    assert run_study(small, ["maxpool", "residual"], [1, 2]) == results
    assert {path: path.stat().st_mtime_ns for path in before} == before
    known = json.loads((options.out / "residual-b2" / "result.json").read_text())
    assert known["parameters"] == results[-1].parameters
