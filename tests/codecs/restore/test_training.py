"""Restorers learn, are resumed, and their weights restore pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from thin_restorer import THIN_RESTORER, write_restorer
from torch import Tensor

from glassplate.codecs import Pixels
from glassplate.codecs.errors import ConfigError, StoppedError, WeightsError
from glassplate.codecs.restore.network import SIZES
from glassplate.codecs.restore.options import RestoreOptions, Task
from glassplate.codecs.restore.restorer import Restorer
from glassplate.codecs.restore.training.config import RestorerTrainConfig
from glassplate.codecs.restore.training.task import RestorationTask, damage, generator
from glassplate.codecs.restore.training.train import train_restorer
from glassplate.codecs.restore.weights import load
from glassplate.codecs.training.callbacks import Callbacks


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "thin", THIN_RESTORER)


@pytest.fixture
def pictures(photo: Pixels, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.roll(photo, 64 * number, 0)[:128, :128]).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def crops(photo: Pixels) -> Tensor:
    parts = [photo[64 * n : 64 * n + 64, 64 * m : 64 * m + 64] for n in range(2) for m in range(4)]
    return torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2) / 255


def config(source: Path, out: Path, **more: object) -> RestorerTrainConfig:
    fields = {"source": source, "out": out, "steps": 2, "batch": 2, "crop": 64, "late_crop": 64}
    fields |= {"half": False, "device": "cpu", "average": 0.5, "size": "thin"}
    return RestorerTrainConfig.model_validate(fields | more)


@pytest.mark.parametrize(("task", "probe"), [("denoise", "gaussian 25"), ("upscale", "x2")])
def test_trained_weights_restore(
    pictures: Path, tmp_path: Path, photo: Pixels, task: Task, probe: str
) -> None:
    path = train_restorer(config(pictures, tmp_path / "run", task=task, licence="CC0", seed=5))
    assert path.name == f"restorer-{task}.safetensors"
    card = path.with_suffix(".md").read_text()
    for said in (load(path, task).sha256, probe, "CC0", "--seed 5", f"--task {task}"):
        assert said in card
    scale = 2 if task == "upscale" else None
    options = RestoreOptions.model_validate({"scale": scale, "weights": tmp_path / "run"})
    assert Restorer(options, "cpu").restore(photo[:30, :30]).shape[0] == 30 * (scale or 1)


def test_a_run_is_resumed_as_if_it_had_not_stopped(pictures: Path, tmp_path: Path) -> None:
    straight = train_restorer(config(pictures, tmp_path / "a"))
    asked = iter([False, True])
    options = config(pictures, tmp_path / "b")
    with pytest.raises(StoppedError, match="step 1"):
        train_restorer(options, Callbacks(stop=lambda: next(asked)))
    assert train_restorer(options).read_bytes() == straight.read_bytes()
    with pytest.raises(ConfigError, match="begun with all, not jpeg"):
        train_restorer(options.model_copy(update={"noise": "jpeg"}))


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"size": "huge"}, "no size"),
        ({"task": "upscale", "noise": "jpeg"}, "only a denoiser learns a noise"),
    ],
)
def test_options_that_do_not_fit(
    pictures: Path, tmp_path: Path, wrong: dict[str, object], cause: str
) -> None:
    with pytest.raises(ConfigError, match=cause):
        train_restorer(config(pictures, tmp_path / "run", **wrong))


@pytest.mark.parametrize("task", ["denoise", "upscale"])
def test_it_learns(crops: Tensor, task: Task) -> None:
    torch.manual_seed(0)
    learning = RestorationTask(THIN_RESTORER, task, "missing" if task == "denoise" else None)
    model = learning.build(crops)
    probe = "missing_50" if task == "denoise" else "x4"
    with torch.no_grad():
        before = learning.validate(model, crops)
    assert before[f"restored_{probe}"] == pytest.approx(before[f"damaged_{probe}"], abs=0.01)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(30):
        optimizer.zero_grad()
        learning.loss(model, crops, late=False).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        after = learning.validate(model, crops)
    assert after[f"restored_{probe}"] > before[f"restored_{probe}"] + 0.04


def test_what_is_to_be_found_is_the_picture_itself(crops: Tensor) -> None:
    damaged, clean = damage(crops, lambda pixels, _: 255 - pixels, generator(), grey_share=0)
    torch.testing.assert_close(clean, crops)
    torch.testing.assert_close(damaged, 1 - crops)
    _, grey = damage(crops, lambda pixels, _: pixels, generator(), grey_share=1)
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_trained_weights_can_be_tuned(pictures: Path, tmp_path: Path) -> None:
    start = write_restorer(tmp_path, "denoise")
    tuned = load(train_restorer(config(pictures, tmp_path / "run", start=start)), "denoise")
    distance = tuned.model.tail.weight - load(start, "denoise").model.tail.weight
    assert 0 < distance.abs().max() < 0.01
    wrong = config(pictures, tmp_path / "other", start=start, size="small")
    with pytest.raises(WeightsError, match="not weights of size"):
        train_restorer(wrong)
