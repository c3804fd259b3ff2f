"""Regions and small sizes of pictures that have no tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels, Region
from glassplate.codecs.cache import ByteBoundedCache
from glassplate.flows.server.processes.pixels import PixelReader
from glassplate.flows.server.processes.reduced import reduced
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

WIDTH, HEIGHT = 512, 384


@pytest.fixture(scope="module", params=["jpeg", "original", "jxl-jpeg"])
def opened(
    request: pytest.FixtureRequest, photo: Pixels, tmp_path_factory: pytest.TempPathFactory
) -> Archive:
    """Photographs as JPEG streams: upright, lying on its side, grey, and one that is none."""
    folder = tmp_path_factory.mktemp("streams")
    (folder / "in").mkdir()
    image = Image.fromarray(photo[:HEIGHT, :WIDTH])
    exif = Image.Exif()
    exif[0x0112] = 6
    odd = image.crop((0, 0, 507, 379))
    odd.save(folder / "in" / "upright.jpg", quality=95)
    image.save(folder / "in" / "turned.jpg", quality=95, exif=exif)
    odd.save(folder / "in" / "turned-odd.jpg", quality=95, exif=exif)
    odd.convert("L").save(folder / "in" / "grey.jpg", quality=95)
    image.save(folder / "in" / "other.png")
    target: dict[str, Any] = {"source": str(folder / "in"), "archive": str(folder / "archive")}
    compress(CompressConfig(codec=request.param, **target))
    return open_archive(str(folder / "archive"))


def key_of(archive: Archive, name: str) -> str:
    return str(archive.find(name).image_id)


@pytest.mark.parametrize("name", ["upright.jpg", "turned.jpg", "grey.jpg"])
def test_a_jpeg_stream_is_decoded_small(opened: Archive, name: str) -> None:
    row = opened.find(name)
    whole = opened.get(name)
    for factor in (2, 4, 8):
        small = reduced(opened, key_of(opened, name), factor)
        assert small
        assert small.size == (-(-whole.width // factor), -(-whole.height // factor))
        expected = whole.reduce(factor)
        apart = np.abs(np.array(small, np.int16) - np.array(expected, np.int16)).mean()
        assert apart < 3, (row.codec, factor, apart)


def test_what_is_no_jpeg_stream_is_not(opened: Archive) -> None:
    if opened.find("turned-odd.jpg").bit_exact:
        assert reduced(opened, key_of(opened, "turned-odd.jpg"), 2) is None
    if opened.find("other.png").codec != "jpeg":
        assert reduced(opened, key_of(opened, "other.png"), 2) is None


@pytest.mark.parametrize("capacity", [0, 64 << 20])
def test_regions_are_the_same_with_and_without_a_cache(opened: Archive, capacity: int) -> None:
    reader = PixelReader(opened, ByteBoundedCache(capacity))
    key = key_of(opened, "turned.jpg")
    whole = opened.get("turned.jpg")
    region = Region(x=64, y=128, width=256, height=256)
    box = (64, 128, 320, 384)
    small = reader.read(key, region, 8)
    assert small.size == (64, 64)
    expected = np.array(whole.crop(box).reduce(4), np.int16)
    assert np.abs(np.array(small, np.int16) - expected).mean() < 4
    for _ in range(2):
        assert np.array_equal(np.array(reader.read(key, region, 1)), np.array(whole.crop(box)))
