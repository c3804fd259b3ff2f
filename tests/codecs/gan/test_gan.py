"""The unconditional GAN: shapes, phases, learning, collapse, weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from glassplate.codecs import Pixels
from glassplate.codecs.errors import ConfigError, StoppedError, WeightsError
from glassplate.codecs.gan.model import SIZES, Gan, ModelConfig
from glassplate.codecs.gan.task import SAMPLES, GanTask
from glassplate.codecs.gan.train import train_gan
from glassplate.codecs.gan.weights import load
from glassplate.codecs.training import adversarial, loop
from glassplate.codecs.training.adversarial import GUESSING
from glassplate.codecs.training.callbacks import Callbacks
from glassplate.codecs.training.config import TrainConfig

THIN = ModelConfig(side=8, noise=8, width=8)


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "8", THIN)
    monkeypatch.setattr(adversarial, "PATIENCE", 100)


@pytest.fixture
def pictures(photo: Pixels, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.roll(photo, 64 * number, 0)[:128, :128]).save(folder / f"{number}.png")
    return folder


def config(source: Path, out: Path, **more: object) -> TrainConfig:
    fields = {"kind": "gan", "size": "8", "source": source, "out": out, "batch": 8, "crop": 64}
    fields |= {"late_crop": 64, "half": False, "device": "cpu", "average": 0.5}
    return TrainConfig.model_validate(fields | more)


def colours(count: int) -> Tensor:
    """Crops that are red, more or less."""
    crops = torch.full((count, 3, 16, 16), 0.1)
    crops[:, 0] = torch.rand(count, 1, 1) * 0.4 + 0.6
    return crops


def play(task: GanTask, model: Gan, phases: int, rate: float = 1e-3) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0)
    for _ in range(phases):
        optimizer.zero_grad()
        (loss,) = task.loss(model, colours(16), late=False).values()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@pytest.mark.parametrize("side", [4, 8, 16, 32, 64, 128])
@pytest.mark.parametrize("count", [1, 3])
def test_shapes(side: int, count: int) -> None:
    model = Gan(ModelConfig(side=side, noise=5, width=6, widest=24))
    made = model.generator(torch.randn(count, 5))
    assert made.shape == (count, 3, side, side)
    assert made.abs().max() <= 1
    assert model.discriminator(made).shape == (count, 1)


@pytest.mark.parametrize("name", ["32", "64"])
def test_the_sizes_are_what_they_are_called(name: str) -> None:
    model = Gan(SIZES[name])
    assert model.generator(torch.randn(1, SIZES[name].noise)).shape[2:] == (int(name),) * 2
    assert 4e5 < sum(p.numel() for p in model.generator.parameters()) < 1e6


@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 64), (17, 33), (5, 100)])
def test_crops_of_any_size_are_shrunk_to_that_of_the_model(height: int, width: int) -> None:
    task = GanTask(THIN, half=False)
    crops = torch.rand(3, 3, height, width)
    model = task.build(crops)
    for name in ("discriminator", "generator"):
        assert task.loss(model, crops, late=False)[name].isfinite()
    with torch.no_grad():
        assert task.validate(model, crops)["samples"].shape == (SAMPLES, 3, 8, 8)


def test_each_phase_moves_one_player() -> None:
    torch.manual_seed(0)
    task = GanTask(THIN, half=False)
    model = task.build(colours(4))
    for mover, other in [(model.discriminator, model.generator)] * 2:
        moves, stays = ([p.detach().clone() for p in m.parameters()] for m in (mover, other))
        play(task, model, 1)
        assert not any(map(torch.equal, mover.parameters(), moves))
        assert all(map(torch.equal, other.parameters(), stays))
        moves, stays = ([p.detach().clone() for p in m.parameters()] for m in (other, mover))
        play(task, model, 1)
        assert sum(map(torch.equal, other.parameters(), moves)) == 0
        assert all(map(torch.equal, mover.parameters(), stays))


def test_it_learns_what_pictures_look_like() -> None:
    torch.manual_seed(0)
    task = GanTask(THIN, half=False)
    model = task.build(colours(4))

    def distance() -> float:
        with torch.no_grad():
            samples = task.validate(model, colours(16))["samples"]
        wanted = torch.tensor([0.8, 0.1, 0.1])
        return float((samples.mean((0, 2, 3)) - wanted).abs().max())

    before = distance()
    play(task, model, 400)
    assert distance() < 0.5 * before


def test_an_untrained_game_is_open() -> None:
    torch.manual_seed(0)
    task = GanTask(THIN, half=False)
    with torch.no_grad():
        record = task.validate(task.build(colours(4)), colours(16))
    assert record["discriminator_loss"] == round(GUESSING, 4) == round(2 * math.log(2), 4)
    assert record["collapse"] == []


def test_samples_that_are_all_alike_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A learning rate far too high for the generator."""
    torch.manual_seed(0)
    task = GanTask(THIN, half=False)
    model = task.build(colours(4))
    play(task, model, 300, rate=0.3)
    with torch.no_grad():
        record = task.validate(model, torch.rand(16, 3, 8, 8))
    assert "sample-variance" in [one["reason"] for one in record["collapse"]]
    assert "sample variance" in caplog.text
    assert "collapse" in caplog.text


def test_a_discriminator_that_always_wins_is_reported() -> None:
    """The generator stands still."""
    torch.manual_seed(0)
    task = GanTask(THIN, half=False)
    model = task.build(colours(4))
    optimizer = torch.optim.AdamW(model.discriminator.parameters(), 1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        (loss,) = task.loss(model, colours(16), late=False).values()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        record = task.validate(model, colours(16))
    (lost,) = [one for one in record["collapse"] if one["reason"] == "discriminator-loss"]
    assert lost["measured"] == record["discriminator_loss"] < lost["limit"]


def test_a_run_leaves_weights_losses_and_samples(pictures: Path, tmp_path: Path) -> None:
    path = train_gan(config(pictures, tmp_path / "run", steps=40))
    card = path.with_suffix(".md").read_text()
    assert load(path).sha256 in card
    assert "40 phases" in card
    lines = loop.read_metrics(tmp_path / "run" / loop.LOSSES)
    assert [line["step"] for line in lines] == [20, 40]
    assert all(line.keys() == {"step", "minutes", "generator", "discriminator"} for line in lines)
    for record in loop.read_metrics(tmp_path / "run" / loop.METRICS):
        with Image.open(tmp_path / "run" / record["samples"]) as sheet:
            assert sheet.size == (16 * 8, 4 * 8)
    with pytest.raises(ConfigError, match="no size"):
        train_gan(config(pictures, tmp_path / "run", steps=40, size="9"))


def test_a_run_is_resumed_as_if_it_had_not_stopped(pictures: Path, tmp_path: Path) -> None:
    straight = train_gan(config(pictures, tmp_path / "a", steps=6))
    asked = iter([False, False, False, True])
    with pytest.raises(StoppedError, match="step 3"):
        train_gan(
            config(pictures, tmp_path / "b", steps=6), Callbacks(stop=lambda: next(asked, False))
        )
    again = train_gan(config(pictures, tmp_path / "b", steps=6))
    assert again.read_bytes() == straight.read_bytes()


def test_trained_weights_can_be_tuned(pictures: Path, tmp_path: Path) -> None:
    path = train_gan(config(pictures, tmp_path / "run", steps=2))
    start = GanTask(THIN, half=False, start=path).build(colours(1)).generator
    assert torch.equal(start.tail.weight, load(path).generator.tail.weight)
    tuned = train_gan(config(pictures, tmp_path / "tuned", steps=2, start=tmp_path / "run"))
    assert tuned.read_bytes() != path.read_bytes()
    for wrong, cause in (
        ({"size": "32", "start": path}, "not weights of size"),
        ({"start": tmp_path}, "not sound"),
        ({"start": "shipped"}, "none are shipped"),
    ):
        with pytest.raises(WeightsError, match=cause):
            train_gan(config(pictures, tmp_path / "other", steps=2, **wrong))


def test_defaults_are_those_of_the_kind(tmp_path: Path) -> None:
    fields = {"source": tmp_path, "out": tmp_path, "steps": 1, "device": "cpu"}
    plain = TrainConfig.model_validate(fields)
    own = TrainConfig.model_validate(fields | {"kind": "gan", "learning_rate": None})
    asked = TrainConfig.model_validate(fields | {"kind": "gan", "learning_rate": 1, "batch": 3})
    assert (plain.size, plain.batch, own.size, own.batch) == ("small", 16, "32", 64)
    tuned = TrainConfig.model_validate(fields | {"kind": "gan", "start": tmp_path})
    assert tuned.learning_rate < own.learning_rate < plain.learning_rate
    assert (asked.learning_rate, asked.batch) == (1, 3)


def test_unsound_weights_are_refused(pictures: Path, tmp_path: Path) -> None:
    path = train_gan(config(pictures, tmp_path / "run", steps=1))
    data = path.read_bytes()
    for number, damaged in enumerate((b"", data[:100], data[:-10], b"x" * 100)):
        other = tmp_path / f"{number}.safetensors"
        other.write_bytes(damaged)
        with pytest.raises(WeightsError):
            load(other)
    assert json.loads(json.dumps(THIN.to_dict())) == THIN.to_dict()
