"""Refiners learn, are resumed, and their weights refine the pictures of the codec they name."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from thin_refiner import THIN_REFINER
from torch import Tensor

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import ConfigError, MissingExtraError, StoppedError, WeightsError
from glassplate.codecs.hyperprior.codec import HyperpriorCodec
from glassplate.codecs.layers.opponent import to_rgb
from glassplate.codecs.measures.feature_distance import weighted_distances
from glassplate.codecs.measures.st_lpips import load_network
from glassplate.codecs.refine.network import SIZES
from glassplate.codecs.refine.of_hyperprior import decode_plain
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.refine.refiner import Refiner
from glassplate.codecs.refine.schedule import ShiftedCosine
from glassplate.codecs.refine.training.config import RefinerTrainConfig
from glassplate.codecs.refine.training.gan import GanTask
from glassplate.codecs.refine.training.pairs import reconstruct
from glassplate.codecs.refine.training.perceptual import PerceptualTask
from glassplate.codecs.refine.training.task import DenoisingTask
from glassplate.codecs.refine.training.train import train_refiner
from glassplate.codecs.refine.weights import load
from glassplate.codecs.training.adversarial import GUESSING
from glassplate.codecs.training.callbacks import Callbacks


@pytest.fixture
def pictures(photo: Pixels, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.roll(photo, 64 * number, 0)[:128, :128]).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def crops(photo: Pixels) -> Tensor:
    parts = [photo[64 * n : 64 * n + 64, 64 * m : 64 * m + 64] for n in range(4) for m in range(4)]
    return torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2) / 255


def config(source: Path, out: Path, codec: Path, **more: object) -> RefinerTrainConfig:
    fields = {"source": source, "out": out, "codec_weights": codec, "steps": 2, "batch": 2}
    fields |= {"crop": 64, "late_crop": 64, "half": False, "device": "cpu", "average": 0.5}
    return RefinerTrainConfig.model_validate(fields | {"size": "thin"} | more)


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "thin", THIN_REFINER)


@pytest.mark.parametrize("kind", ["flow", "diffusion", "gan"])
def test_trained_weights_refine_the_codec_that_they_name(
    pictures: Path, tmp_path: Path, codec: HyperpriorCodec, stream: bytes, kind: str
) -> None:
    path = train_refiner(config(pictures, tmp_path / "run", codec.weights_path, refiner=kind))
    assert path.name == f"refiner-{kind}.safetensors"
    card = path.with_suffix(".md").read_text()
    assert str(codec.spec.weights_sha256) in card
    assert load(path).sha256 in card
    options = RefineOptions.model_validate({"kind": kind, "weights": tmp_path / "run", "steps": 1})
    refined = Refiner(codec, options, "cpu").refine(stream)
    assert refined.pixels.shape == refined.plain.shape


def test_a_run_is_resumed_as_if_it_had_not_stopped(
    pictures: Path, tmp_path: Path, codec: HyperpriorCodec
) -> None:
    straight = train_refiner(config(pictures, tmp_path / "a", codec.weights_path))
    asked = iter([False, True])
    options = config(pictures, tmp_path / "b", codec.weights_path)
    with pytest.raises(StoppedError, match="step 1"):
        train_refiner(options, Callbacks(stop=lambda: next(asked)))
    assert train_refiner(options).read_bytes() == straight.read_bytes()
    with pytest.raises(ConfigError, match="begun with flow, not gan"):
        train_refiner(options.model_copy(update={"refiner": "gan"}))
    with pytest.raises(ConfigError, match="no size"):
        train_refiner(options.model_copy(update={"size": "huge"}))


@pytest.mark.parametrize("schedule", [None, ShiftedCosine()])
def test_the_loss_starts_at_one_and_falls(
    codec: HyperpriorCodec, crops: Tensor, schedule: ShiftedCosine | None
) -> None:
    torch.manual_seed(0)
    task = DenoisingTask(THIN_REFINER, codec.runtime.model, schedule, half=False)
    model = task.build(crops)
    with torch.no_grad():
        before = task.validate(model, crops)
    assert 0.5 < before["validation_loss"] < 2  # targets have about unit variance
    assert 0 < before["plain_detail_10"] < 1
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        task.loss(model, crops, late=False).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        after = task.validate(model, crops)
    assert after["validation_loss"] < before["validation_loss"] - 0.02


def test_a_flow_is_trained_for_what_it_looks_like(codec: HyperpriorCodec, crops: Tensor) -> None:
    torch.manual_seed(0)
    task = PerceptualTask(THIN_REFINER, codec.runtime.model, half=False, perceptual=30)
    model = task.build(crops)
    condition, residual = task.pair(crops, torch.full((len(crops),), 100))
    noise = task.noise(residual, torch.Generator().manual_seed(0))

    def st_lpips() -> float:
        with torch.no_grad():
            network = load_network()
            refined = condition.plain + to_rgb(task.sample(model, condition, noise, 4))
            pairs = (network.features(one) for one in (refined, 2 * crops - 1))
            return float(weighted_distances(*pairs, network.linear).mean())

    before = st_lpips()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(20):
        losses = task.loss(model, crops, late=False)
        assert set(losses) == {"regression", "distortion", "perceptual"}
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert st_lpips() < 0.98 * before
    with torch.no_grad():
        record = task.validate(model, crops)
        regression = DenoisingTask.validate(task, model, crops)["validation_loss"]
    assert record["validation_loss"] > regression + 30 * record["refined_st_lpips_60"] / 3


def test_only_the_last_step_of_a_path_has_a_gradient(codec: HyperpriorCodec, crops: Tensor) -> None:
    task = DenoisingTask(THIN_REFINER, codec.runtime.model, half=False)
    model = task.build(crops)
    condition, residual = task.pair(crops[:1], torch.tensor([100]))
    noise = task.noise(residual)
    seen: list[bool] = []
    model.register_forward_pre_hook(lambda *_: seen.append(torch.is_grad_enabled()))
    assert task.sample(model, condition, noise, 4).requires_grad
    assert seen == [False, False, False, True]
    with torch.no_grad():
        assert not task.sample(model, condition, noise, 1).requires_grad


def test_what_a_flow_looks_like_is_asked_of_flows_alone_and_wants_its_network(
    pictures: Path, tmp_path: Path, codec: HyperpriorCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = config(pictures, tmp_path / "run", codec.weights_path, perceptual=30)
    with pytest.raises(ConfigError, match="not for gan"):
        train_refiner(asked.model_copy(update={"refiner": "gan"}))
    card = train_refiner(asked).with_suffix(".md").read_text()
    assert "--kind flow --size thin --perceptual 30`" in card
    monkeypatch.setitem(sys.modules, "stlpips_pytorch", None)
    load_network.cache_clear()
    other = asked.model_copy(update={"out": tmp_path / "other"})
    with pytest.raises(MissingExtraError, match=r"glassplate\[perceptual\]"):
        train_refiner(other)
    assert not other.out.exists()


def test_both_players_of_a_gan_learn(codec: HyperpriorCodec, crops: Tensor) -> None:
    """In turn; the discriminator comes to prefer real residuals to none."""
    torch.manual_seed(0)
    denoising = DenoisingTask(THIN_REFINER, codec.runtime.model, half=False, generator=True)
    task = GanTask(denoising)
    model = task.build(crops)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def play() -> set[str]:
        losses = task.loss(model, crops, late=False)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return set(losses)

    for player, other, names in (
        (model.discriminator, model.generator, {"discriminator"}),
        (model.generator, model.discriminator, {"generator", "distortion"}),
    ):
        before = [[p.detach().clone() for p in one.parameters()] for one in (player, other)]
        assert play() == names
        assert not all(map(torch.equal, player.parameters(), before[0]))
        assert all(map(torch.equal, other.parameters(), before[1]))
    for _ in range(60):
        play()
    condition, residual = denoising.pair(crops, torch.full((len(crops),), 200))
    real = residual / model.generator.spread_at(condition)
    judge = model.discriminator
    assert judge(real, condition.plain).mean() > judge(0 * real, condition.plain).mean()
    with torch.no_grad():
        record = task.validate(model, crops)
    assert record["collapse"] == []
    assert record["sample_variance"] >= 0
    assert record["discriminator_loss"] < GUESSING


def test_training_sees_what_a_decoder_gives(codec: HyperpriorCodec, photo: Pixels) -> None:
    """The condition of training, against that from a real bitstream."""
    image = np.ascontiguousarray(photo[:128, :192])
    encoded = codec.encode([image], Target(quality=30))[0]
    plain = decode_plain(codec, encoded.bitstream)
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    condition, residual = reconstruct(codec.runtime.model, x, torch.tensor([300]), half=False)
    pixels = (condition.plain[0].permute(1, 2, 0).numpy() + 1) * 127.5
    estimated, decoded = (np.sqrt(np.mean((p - image) ** 2)) for p in (pixels, plain.pixels * 1.0))
    assert estimated == pytest.approx(decoded, rel=0.1)  # tables and tiles against estimates
    assert np.abs(pixels - plain.pixels).mean() < 3
    assert np.abs(condition.scales[0, 0].numpy() - plain.scales).mean() < 0.03
    torch.testing.assert_close(condition.plain + to_rgb(residual), 2 * x - 1)


def test_trained_weights_can_be_tuned(
    pictures: Path, tmp_path: Path, codec: HyperpriorCodec, weights: Path
) -> None:
    begun = config(pictures, tmp_path / "run", codec.weights_path, start=weights, steps=1)
    tuned, start = load(train_refiner(begun)), load(weights / "refiner-flow.safetensors")
    assert torch.equal(tuned.model.spread, start.model.spread)
    assert tuned.sha256 != start.sha256
    distance = tuned.model.net.tail.weight - start.model.net.tail.weight
    assert 0 < distance.abs().max() < 0.01
    elsewhere = begun.model_copy(update={"out": tmp_path / "other"})
    for wrong, cause in (
        ({"size": "small"}, "not weights of size"), ({"start": tmp_path}, "no such weights")
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=cause):
            train_refiner(elsewhere.model_copy(update=wrong))
