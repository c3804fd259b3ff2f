"""`glassplate train gan` as a user runs it: samples over time, losses, collapse, and its use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.gan.model import SIZES, ModelConfig
from glassplate.codecs.training import adversarial

Run = Callable[..., Any]


@pytest.fixture
def train(
    glassplate: Run, photo: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Trains a thin GAN on six pictures."""
    monkeypatch.setitem(SIZES, "8", ModelConfig(side=8, noise=8, width=8))
    (tmp_path / "photos").mkdir()
    for number in range(6):
        part = np.roll(photo, 64 * number, axis=number % 2)[:128, :128]
        Image.fromarray(part).save(tmp_path / "photos" / f"{number}.png")
    options = ("--data", tmp_path / "photos", "--out", tmp_path / "mine", "--size", "8")
    options += ("--crop", "64", "--batch", "8", "--device", "cpu")
    return lambda *more: glassplate("train", "gan", *options, *more)


def test_a_run_leaves_a_page_with_losses_and_samples_over_time(
    train: Run, glassplate: Run, tmp_path: Path
) -> None:
    done = train("--steps", "60")
    assert done.code == 0, done.err
    mine = tmp_path / "mine"
    assert f"sample -o FILE --weights {mine}" in done.err
    page = (mine / "training.html").read_text()
    assert "gan 8" in page
    assert page.count("<svg") == 3
    assert "has collapsed" not in page
    assert {file.stem for file in (mine / "figures").glob("*.png")} == {
        "losses", "samples", "validation",
    }  # fmt: skip
    assert len(list((mine / "samples").glob("*.png"))) == 2  # before the first step, and at the end
    sheet = tmp_path / "sheet.png"
    assert glassplate("sample", "-o", sheet, "--weights", mine, "-n", "4").code == 0
    assert Image.open(sheet).size == (16, 16)


def test_a_collapse_is_an_event_and_a_warning(
    train: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learning rate at which the generator breaks."""
    monkeypatch.setattr(adversarial, "PATIENCE", 100)
    done = train("--steps", "300", "--learning-rate", "1", "--json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    collapses = [event for event in events if event["event"] == "collapse"]
    assert {"event", "step", "reason", "measured", "limit"} == collapses[0].keys()
    assert all(event["measured"] < event["limit"] for event in collapses)
    assert "the GAN has collapsed" in caplog.text
    page = (tmp_path / "mine" / "training.html").read_text()
    assert "the GAN has collapsed" in page
    card = (tmp_path / "mine" / "gan-8.md").read_text()
    assert f"collapse: {collapses[0]['reason']}" in card
