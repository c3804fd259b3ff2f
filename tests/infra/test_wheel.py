"""The wheel works outside the checkout: console script, packaged files, a round trip."""

from __future__ import annotations

import site
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new venv with our wheel; the dependencies are borrowed from the running environment."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    (wheel,) = folder.glob("glassplate-*.whl")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, *pip[1:], "install", "--no-deps", wheel], check=True)
    # A path on sys.path, unlike a site folder, does not run its .pth files: the editable install
    # of this checkout stays out of sight.
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "venv" / "bin"


def run(scratch: Path, cwd: Path, *arguments: str) -> str:
    result = subprocess.run(
        [scratch / "glassplate", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_wheel_is_whole(scratch: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [scratch / "python", "-c", "import glassplate.codecs as c; print(c.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(scratch.parent) in where.stdout
    assert "compress" in run(scratch, tmp_path, "--help")


@pytest.mark.slow
def test_wheel_round_trip(scratch: Path, tmp_path: Path, small_photo: np.ndarray) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(small_photo).save(tmp_path / "photos" / "one.png")
    Image.fromarray(small_photo[:, ::-1].copy()).save(tmp_path / "photos" / "two.png")
    run(scratch, tmp_path, "compress", "photos", "archive", "--workers", "2")
    run(scratch, tmp_path, "get", "archive", "one.png", "-o", "back.png")
    run(scratch, tmp_path, "report", "archive", "-o", "report.html")
    assert '"codec": "hyperprior"' in run(scratch, tmp_path, "query", "archive", "--json")
    with Image.open(tmp_path / "back.png") as back:
        assert np.abs(np.array(back).astype(int) - small_photo).mean() < 5
    assert "<html" in (tmp_path / "report.html").read_text()
