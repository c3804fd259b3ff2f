"""Small collections, and codecs that misbehave, for whole runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import odd_inputs
import pytest

from glassplate.pipelines.compress.config import CompressConfig

ROOT = Path(__file__).parents[2]
Configure = Callable[..., CompressConfig]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the plugins of the tests importable in worker processes too."""
    for folder in (ROOT, ROOT / "tests" / "support"):
        monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'support'}")


@pytest.fixture
def configure(tmp_path: Path, importable: None) -> Configure:
    """The options of a run with a fast lossless codec: source/ to archive/."""

    def make(
        do: str = "nothing", path: str = "", seconds: float = 0, **more: Any
    ) -> CompressConfig:
        options: dict[str, Any] = {
            "source": str(tmp_path / "source"),
            "archive": str(tmp_path / "archive"),
            "codec": "mischief",
            "workers": 1,
            "codec_options": {"do": do, "path": path, "seconds": seconds},
            "plugins": ("mischief",),
        }
        return CompressConfig(**options | more)

    return make


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twenty different photographs, as uncompressed files: every codec is smaller."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(20):
        odd_inputs.photo(48, 32, left=8 * number, top=4 * number).save(folder / f"{number:02}.bmp")
    return folder
