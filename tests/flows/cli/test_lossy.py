"""Commands refuse what would lose something of a picture, until they are told --lossy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import odd_inputs
import pytest
from PIL import Image

from glassplate.flows.terminal.exit_codes import ExitCode

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from glassplate.pipelines.compress.config import CompressConfig
    from glassplate.pipelines.compress.run import compress

    folder = tmp_path_factory.mktemp("lossy")
    (folder / "photos").mkdir()
    (folder / "photos/moving.gif").write_bytes(odd_inputs.animation("GIF"))
    compress(
        CompressConfig(source=str(folder / "photos"), archive=str(folder / "archive"), codec="jpeg")
    )
    return folder / "archive"


def test_get(glassplate: Run, moving: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    refused = glassplate("get", moving, "moving.gif", "-o", out)
    assert refused.code == ExitCode.USAGE
    assert "would lose all but the first of 3 frames" in " ".join(refused.err.split())
    assert not out.exists()
    assert glassplate("get", moving, "moving.gif", "-o", out, "--lossy").code == ExitCode.OK
    with Image.open(out) as image:
        assert image.size == (48, 32)


@pytest.mark.parametrize("verb", ["extract", "retrieve"])
def test_many(glassplate: Run, moving: Path, tmp_path: Path, verb: str) -> None:
    refused = glassplate(verb, moving, tmp_path / "one", "--format", "png")
    assert refused.code == ExitCode.SOME_FAILED
    assert "3 frames" in " ".join(refused.err.split())
    taken = glassplate(verb, moving, tmp_path / "two", "--format", "png", "--lossy")
    assert taken.code == ExitCode.OK
    assert (tmp_path / "two/moving.png").exists()


def test_export(glassplate: Run, moving: Path, tmp_path: Path) -> None:
    refused = glassplate("export", moving, tmp_path / "one", "--pictures")
    assert refused.code == ExitCode.SOME_FAILED
    taken = glassplate("export", moving, tmp_path / "two", "--pictures", "--lossy")
    assert taken.code == ExitCode.OK
