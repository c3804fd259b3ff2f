"""The shared training loop, on the `hyperprior` task with a thin model and real pictures."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from thin_model import THIN

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import ConfigError, StoppedError, WeightsError
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
from glassplate.codecs.hyperprior.network.model import SIZES
from glassplate.codecs.hyperprior.training.task import HyperpriorTask
from glassplate.codecs.hyperprior.training.train import train_hyperprior
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.training.callbacks import Callbacks
from glassplate.codecs.training.checkpoint import Checkpoint
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import LOSSES, read_metrics, train
from glassplate.codecs.training.schedule import Schedule


@pytest.fixture
def pictures(photo: Pixels, tmp_path: Path) -> Path:
    """30 pictures of 512x512, one too small, one broken, one that is no picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(30):
        Image.fromarray(np.roll(photo, 16 * number, axis=number % 2)).save(folder / f"{number}.jpg")
    Image.fromarray(photo[:100, :100]).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    (folder / "notes.txt").write_text("no picture")
    return folder


def config(source: Path, out: Path, steps: int) -> TrainConfig:
    return TrainConfig(
        source=str(source), out=out, steps=steps, batch=4, crop=64, late_crop=128, half=False,
        device="cpu", average=0.5,
    )  # fmt: skip


def test_loss_falls_and_a_run_resumes(pictures: Path, tmp_path: Path) -> None:
    task = HyperpriorTask(THIN, half=False)
    _, first = train(task, config(pictures, tmp_path / "run", 12))
    model, records = train(task, config(pictures, tmp_path / "run", 30))
    assert [record["step"] for record in records] == [0, 12, 30]
    assert records[:2] == first
    losses = [record["validation_loss"] for record in records]
    assert losses[0] > losses[1] > losses[2]
    (line,) = read_metrics(tmp_path / "run" / LOSSES)
    assert line.keys() == {"step", "minutes", "loss"}
    assert line["step"] == 20
    assert not next(model.parameters()).isnan().any()


def test_resuming_equals_not_stopping(pictures: Path, tmp_path: Path) -> None:
    task = HyperpriorTask(THIN, half=False)
    straight, _ = train(task, config(pictures, tmp_path / "a", 6))
    asked = iter([False, False, True])
    stopping = Callbacks(stop=lambda: next(asked))
    with pytest.raises(StoppedError, match="step 2"):
        train(task, config(pictures, tmp_path / "b", 6), stopping)
    resumed, _ = train(task, config(pictures, tmp_path / "b", 6))
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    for content in (b"", b"garbage", _pickle()):
        path.write_bytes(content)
        with pytest.raises(WeightsError):
            Checkpoint.load(path, config(tmp_path, tmp_path, 1))


def test_the_rate_warms_up_and_falls_by_steps_or_minutes() -> None:
    schedule = Schedule(1.0, steps=1000, minutes=10, warmup=100)
    assert schedule.rate(0, 0) < schedule.rate(50, 0) < schedule.rate(100, 0)
    assert schedule.rate(500, 0) == pytest.approx(0.51)
    assert schedule.rate(500, 9) < 0.1
    assert schedule.progress(1, 10) == 1
    with pytest.raises(ValueError, match="steps"):
        Schedule(1.0)


def _pickle() -> bytes:
    buffer = io.BytesIO()
    torch.save({"model": Path("/")}, buffer)
    return buffer.getvalue()


def test_trained_weights_compress_and_can_be_tuned(
    pictures: Path,
    tmp_path: Path,
    small_photo: Pixels,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(SIZES, "thin", THIN)
    options = config(pictures, tmp_path / "run", 3).model_copy(update={"size": "thin"})
    path = train_hyperprior(options)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in path.with_suffix(".md").read_text()
    codec = HyperpriorCodec(HyperpriorConfig(size="thin"), "cpu", tmp_path / "run")
    stream = codec.encode([small_photo], Target(quality=80))[0].bitstream
    assert psnr(codec.decode([stream])[0], small_photo) > 24
    assert len(stream) < small_photo.size / 8
    tuned = options.model_copy(update={"start": path, "out": tmp_path / "tuned"})
    assert train_hyperprior(tuned).read_bytes() != path.read_bytes()
    assert "no better" not in caplog.text
    spoiled = {"learning_rate": 4.0, "out": tmp_path / "spoiled"}
    train_hyperprior(tuned.model_copy(update=spoiled))
    assert "spoiled: no better on held-out pictures than what it started from" in caplog.text
    with pytest.raises(ConfigError, match="huge"):
        train_hyperprior(options.model_copy(update={"size": "huge"}))
