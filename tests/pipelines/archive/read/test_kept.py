"""Kept files shown as pictures: no other decoder than that of their format ever sees them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from glassplate.codecs import FileCodec, get_codec
from glassplate.codecs.errors import TooManyPixelsError, UnsupportedImageError
from glassplate.pipelines.archive.deliver.file import deliver
from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow
from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.storage.store import Store
from tests.codecs.test_pillow import EPS, ghostscript, png
from tests.pipelines.archive.building import Rows, commit

__all__ = ["ghostscript"]


def archive_of(folder: Path, **files: bytes) -> str:
    store = Store(str(folder / "archive"))
    original = get_codec("original")
    assert isinstance(original, FileCodec)

    def kept(name: str, data: bytes) -> Rows:
        image_id = hashlib.sha256(data).hexdigest()
        row = ImageRow(
            source_uri=f"file:///{name}",
            name=name,
            source_version="1:1",
            status="kept",
            image_id=image_id,
            codec="original",
            codec_fingerprint=original.spec.fingerprint,
            bit_exact=True,
            format="PNG",  # as a stranger might say
        )
        return Rows(row, BitstreamRow(image_id, original.encode_file(data)))

    commit(store, [kept(*item) for item in files.items()], specs=[original.spec])
    return store.url


def test_postscript_starts_no_program(tmp_path: Path, ghostscript: Path) -> None:
    names = ("x.eps", "x.png", "x.tga", "x")
    url = archive_of(tmp_path, **{name: EPS + name.encode() for name in names})
    archive = open_archive(url)
    for name in names:
        with pytest.raises(UnsupportedImageError):
            archive.get(name, lossy=True)
        with pytest.raises(UnsupportedImageError):
            deliver(archive, name, tmp_path / "out.webp", lossy=True)
    assert not ghostscript.exists()


def test_large_files_are_decoded_if_one_says_so(tmp_path: Path) -> None:
    url = archive_of(tmp_path, **{"wide.png": png(400, 300)})
    with pytest.raises(TooManyPixelsError, match=r"wide.png: 400 x 300 .*--max-pixels"):
        open_archive(url, max_pixels=100_000).get("wide.png")
    assert open_archive(url, max_pixels=120_000).get("wide.png").size == (400, 300)
    path = deliver(open_archive(url, max_pixels=1), "wide.png", tmp_path / "same.png")
    assert path.read_bytes() == png(400, 300)  # nothing was decoded


def test_pillows_limit_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    url = archive_of(tmp_path, **{"wide.png": png(400, 300)})
    assert open_archive(url).get("wide.png").size == (400, 300)
    assert Image.MAX_IMAGE_PIXELS == 100
