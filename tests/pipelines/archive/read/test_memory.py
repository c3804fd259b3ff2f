"""Where a picture takes more memory than there is, every way to read it says so, and its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from glassplate.codecs import Pixels, memory
from glassplate.codecs.errors import OutOfMemoryError
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.deliver.folder import extract
from glassplate.pipelines.archive.read import picture as shown
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress


@pytest.fixture(params=["jxl", "svd"])
def archive(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    small_photo: Pixels,
    monkeypatch: pytest.MonkeyPatch,
) -> Archive:
    """One picture, and memory for less than its pixels."""
    (tmp_path / "source").mkdir()
    Image.fromarray(small_photo).save(tmp_path / "source" / "photo.png")
    url = str(tmp_path / "archive")
    compress(CompressConfig(source=str(tmp_path / "source"), archive=url, codec=request.param))
    monkeypatch.setattr(memory, "memory_limit", lambda: 10_000)
    return open_archive(url, device="cpu")


def test_get(archive: Archive) -> None:
    with pytest.raises(OutOfMemoryError, match=r"photo\.png"):
        archive.get("photo.png")


def test_extract_goes_on(archive: Archive, tmp_path: Path) -> None:
    done = extract(archive, None, tmp_path / "out", "bmp")
    assert not done.written
    ((name, error),) = done.errors
    assert name == "photo.png"
    assert isinstance(error, OutOfMemoryError)


def test_verify_names_it(archive: Archive) -> None:
    (damage,) = verify_archive(archive, decode=True).damages
    assert "memory" in damage.cause
    assert damage.names == ("photo.png",)


def test_what_pillow_raises_is_typed(
    tmp_path: Path, small_photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    Image.fromarray(small_photo).save(tmp_path / "source" / "photo.png")
    url = str(tmp_path / "archive")
    compress(CompressConfig(source=str(tmp_path / "source"), archive=url, codec="original"))

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(shown.Image.Image, "load", full)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", full)
    with pytest.raises(OutOfMemoryError, match=r"photo\.png"):
        open_archive(url).get("photo.png")
