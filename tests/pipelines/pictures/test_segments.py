"""IPTC, comments and the like: what has no column of its own is kept, and comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import odd_inputs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.deliver.file import deliver
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.pictures.metadata import read_facts
from glassplate.pipelines.pictures.metadata.segment import Segment
from glassplate.pipelines.pictures.segments import dots_per_inch, texts

IPTC = b"\x1c\x02\x78\x00\x0bA caption \xe9"
RESOURCES = b"8BIM\x04\x04\0\0" + len(IPTC).to_bytes(4, "big") + IPTC
APP13 = b"Photoshop 3.0\0" + RESOURCES
TRAILER = b"\0\0\0\x18ftypmp42 a moving picture"


def jpeg(image: Image.Image) -> bytes:
    """A JPEG with every kind of metadata, progressive, so that it has many scans."""
    extra = b"\xff\xed" + (len(APP13) + 2).to_bytes(2, "big") + APP13
    data = odd_inputs.save(
        image, "JPEG", quality=97, progressive=True, dpi=(600, 300), comment="näher",
        extra=extra, exif=odd_inputs.exif(6), xmp=odd_inputs.XMP, icc_profile=b"profile",
    )  # fmt: skip
    return data + TRAILER


def png(image: Image.Image) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", "Plate 7")
    chunks.add_text("Author", "Ansel", zip=True)
    chunks.add_itxt("Comment", "grün", lang="de")
    chunks.add_itxt("XML:com.adobe.xmp", odd_inputs.XMP.decode())
    chunks.add(b"gAMA", (45455).to_bytes(4, "big"))
    chunks.add(b"prVt", b"private")
    return odd_inputs.save(
        image,
        "PNG",
        pnginfo=chunks,
        dpi=(300, 300),
        icc_profile=b"profile",
        exif=odd_inputs.exif(1),
    )


def gif(image: Image.Image) -> bytes:
    return odd_inputs.save(image.quantize(8), "GIF", comment=b"a comment")


def read_segments(data: bytes, label: str) -> list[Segment]:
    """Of a file that Pillow need not be able to open."""
    return list(read_facts(Image.new("L", (1, 1)), data, label).segments)


def test_segments_of_jpeg() -> None:
    segments = read_segments(jpeg(odd_inputs.photo()), "JPEG")
    assert [segment["kind"] for segment in segments] == ["APP0", "APP13", "COM", "trailer"]
    assert segments[1]["data"] == APP13
    assert segments[2]["data"] == "näher".encode()
    assert segments[3]["data"] == TRAILER
    assert dots_per_inch(segments) == (600, 300)


def test_a_plain_file_has_none() -> None:
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "PPM"):
        assert read_segments(odd_inputs.save(odd_inputs.photo(), kind), kind) == []


def test_segments_of_png() -> None:
    segments = read_segments(png(odd_inputs.photo()), "PNG")
    kinds = ["tEXt", "zTXt", "iTXt", "gAMA", "prVt", "pHYs"]
    assert sorted(segment["kind"] for segment in segments) == sorted(kinds)
    assert dict(texts(segments)) == {"Title": "Plate 7", "Author": "Ansel", "Comment": "grün"}
    assert dots_per_inch(segments) == pytest.approx((300, 300), abs=0.01)


def test_comment_of_gif() -> None:
    segments = read_segments(gif(odd_inputs.photo()), "GIF")
    assert segments == [Segment(kind="comment", data=b"a comment")]


SMALL = {"JPEG": jpeg(odd_inputs.photo(16, 16)), "PNG": png(odd_inputs.photo(16, 16))}


@given(st.sampled_from(["JPEG", "PNG"]), st.binary(max_size=200), st.integers(0, 2000))
def test_any_bytes_can_be_read(label: str, noise: bytes, place: int) -> None:
    data = SMALL[label]
    for damaged in (data[:place] + noise, data[:place] + noise + data[place:], noise):
        list(texts(read_segments(damaged, label)))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("segments")
    source = folder / "source"
    source.mkdir()
    image = odd_inputs.photo(320, 240, 100, 0)
    opaque = odd_inputs.photo(320, 240, 90, 0)
    opaque.putalpha(255)
    (source / "a.jpg").write_bytes(jpeg(image))
    (source / "a.png").write_bytes(png(image))
    (source / "kept.jpg").write_bytes(jpeg(image.convert("CMYK")))
    (source / "opaque.png").write_bytes(odd_inputs.save(opaque, "PNG"))
    (source / "opaque-grey.png").write_bytes(odd_inputs.save(opaque.convert("LA"), "PNG"))
    config = CompressConfig(source=str(source), archive=str(folder / "archive"), codec="jpeg")
    assert compress(config).ledger.failed == 0
    return open_archive(config.archive)


def written(archive: Archive, key: str, target: Path) -> Any:
    image = Image.open(deliver(archive, key, target))
    image.load()
    return image


@pytest.mark.parametrize("name", ["a.jpg", "kept.jpg"])
def test_a_jpeg_gets_it_back(archive: Archive, tmp_path: Path, name: str) -> None:
    assert archive.find(name).status == ("kept" if "kept" in name else "encoded")
    jpg = written(archive, name, tmp_path / "out.jpg")
    assert jpg.info["comment"] == "näher".encode()
    assert jpg.info["photoshop"][0x0404] == IPTC
    assert jpg.info["dpi"] == (600, 300)
    assert archive.get(name).info["comment"] == "näher"
    assert archive.get(name).info["segments"][-1]["data"] == TRAILER
    stored = archive.bitstream(name).segments
    assert (stored is None) == ("kept" in name)  # a file that is kept has them in it


def test_other_formats_get_what_they_have_a_place_for(archive: Archive, tmp_path: Path) -> None:
    out = written(archive, "a.jpg", tmp_path / "out.png")
    assert out.text["Comment"] == "näher"
    assert RESOURCES.hex() in out.text["Raw profile type iptc"]
    assert out.info["dpi"] == pytest.approx((600, 300), abs=0.02)
    assert out.info["xmp"] == odd_inputs.XMP
    tiff = written(archive, "a.jpg", tmp_path / "out.tif")
    assert bytes(tiff.tag_v2[34377]) == RESOURCES
    assert tiff.info["dpi"] == (600, 300)
    assert written(archive, "a.jpg", tmp_path / "out.webp").size == (240, 320)


def test_a_png_gets_it_back(archive: Archive, tmp_path: Path) -> None:
    out = written(archive, "a.png", tmp_path / "out.png")
    assert {key: str(out.text[key]) for key in ("Title", "Author", "Comment")} == {
        "Title": "Plate 7", "Author": "Ansel", "Comment": "grün",
    }  # fmt: skip
    assert out.text["Comment"].lang == "de"
    assert out.info["gamma"] == pytest.approx(0.45455)
    assert out.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    jpg = written(archive, "a.png", tmp_path / "out.jpg")
    comments = [data for kind, data in jpg.applist if kind == "COM"]
    assert set(comments) == {b"Title: Plate 7", b"Author: Ansel", "grün".encode()}


def test_metadata_counts_as_stored(archive: Archive) -> None:
    row = archive.bitstream("a.jpg")
    size = archive.find("a.jpg").stored_bytes or 0
    assert size == row.stored_bytes > len(row.bitstream) + len(APP13) + len(TRAILER)


@pytest.mark.parametrize(("name", "modes"), [("opaque.png", "RGBA"), ("opaque-grey.png", "LA")])
def test_opaque_alpha_comes_back(archive: Archive, tmp_path: Path, name: str, modes: str) -> None:
    row = archive.find(name)
    assert (row.status, row.mode) == ("encoded", modes)
    picture = archive.get(name)
    assert picture.mode == modes
    assert np.all(np.asarray(picture)[..., -1] == 255)
    assert written(archive, name, tmp_path / "out.png").mode == modes
    assert written(archive, name, tmp_path / "out.jpg").mode == modes.rstrip("A")
