"""`glassplate study autoencoder`, as a user runs it, on a grid of two."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.autoencoder import model
from glassplate.flows.terminal.exit_codes import ExitCode

Run = Callable[..., Any]


def test_a_study_ends_as_a_table_and_a_figure(
    glassplate: Run, photo: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, config in model.SIZES.items():
        monkeypatch.setitem(model.SIZES, name, replace(config, width=4, latent=2))
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        part = np.roll(photo, 16 * number, axis=number % 2)[:133, :130]
        Image.fromarray(part).save(tmp_path / "pictures" / f"{number}.jpg")
    arguments = [
        "study", "autoencoder", "--data", tmp_path / "pictures", "--out", tmp_path / "out",
        "--steps", "4", "--batch", "2", "--device", "cpu", "--json",
    ]  # fmt: skip
    done = glassplate(*arguments, "--arm", "stride", "--bits", "1", "--bits", "4")
    assert done.code == 0
    records = [json.loads(line) for line in done.out.splitlines()]
    results = [record for record in records if record["event"] == "result"]
    assert [(one["arm"], one["bits"], one["steps"]) for one in results] == [
        ("stride", 1, 2), ("stride", 4, 2),
    ]  # fmt: skip
    table = (tmp_path / "out" / "study.md").read_text()
    assert table.count("| stride |") == 2
    for figure in ("rate", "quantisation"):
        assert Image.open(tmp_path / "out" / f"{figure}.png").width > 500
    assert len(json.loads((tmp_path / "out" / "study.json").read_text())) == 2
    assert glassplate(*arguments, "--arm", "nonsense").code == ExitCode.USAGE
    assert glassplate(*arguments, "--bits", "9").code == ExitCode.USAGE
