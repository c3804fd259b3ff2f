"""Files out of an archive: originals byte for byte, pictures with metadata, names never trusted."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from glassplate.codecs import FileCodec, Region, get_codec
from glassplate.codecs.errors import ConfigError, UnsupportedImageError
from glassplate.pipelines.archive.deliver import embed
from glassplate.pipelines.archive.deliver.file import deliver
from glassplate.pipelines.archive.deliver.folder import extract, free_path
from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow
from glassplate.pipelines.archive.read.reader import Archive, open_archive
from glassplate.pipelines.errors import NotFoundError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import CODEC, Rows, commit, encoded, failed, pixels

ORIGINAL = get_codec("original")
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def kept(name: str, data: bytes, format_name: str, exif: bytes | None = None) -> Rows:
    """A source that is stored bit for bit."""
    assert isinstance(ORIGINAL, FileCodec)
    image_id = hashlib.sha256(data).hexdigest()
    stream = ORIGINAL.encode_file(data)
    row = ImageRow(
        source_uri=f"file:///photos/{name}",
        name=name,
        source_version="1:1",
        status="kept",
        image_id=image_id,
        reason="alpha",
        codec="original",
        codec_fingerprint=ORIGINAL.spec.fingerprint,
        bit_exact=True,
        format=format_name,
    )
    return Rows(row, BitstreamRow(image_id, stream, exif=exif))


def file_bytes(image: Image.Image, format_name: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format_name, **options)
    return sink.getvalue()


def turned_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return file_bytes(Image.fromarray(pixels(7)), "JPEG", exif=exif.tobytes(), quality=95)


ALPHA = file_bytes(Image.fromarray(np.full((5, 4, 4), 77, np.uint8), "RGBA"), "PNG")
EXIF = Image.Exif()
EXIF[0x010E] = "a description"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    store = Store(str(tmp_path / "archive"))
    rows = [
        kept("alpha.png", ALPHA, "PNG"),
        kept("turned.jpeg", turned_jpeg(), "JPEG", exif=b"Exif\0\0upright"),
        kept("strange.xyz", b"no picture that Pillow knows", "XYZ"),
        encoded("photo.png", 3, icc_profile=ICC, exif=EXIF.tobytes(), xmp=b"<x:xmpmeta/>"),
        encoded("huge-exif.png", 4, exif=b"Exif\0\0MM\0*" + bytes(70_000)),
        failed("broken.png"),
    ]
    commit(store, rows, specs=[ORIGINAL.spec, CODEC.spec])
    return open_archive(store.url)


def test_originals_are_the_very_bytes(archive: Archive, tmp_path: Path) -> None:
    assert archive.original("alpha.png") == (ALPHA, ".png")
    assert deliver(archive, "alpha.png", tmp_path / "out.PNG").read_bytes() == ALPHA
    assert deliver(archive, "turned.jpeg", tmp_path / "out.jpg").read_bytes() == turned_jpeg()
    strange = deliver(archive, "strange.xyz", tmp_path / "s.xyz").read_bytes()
    assert strange == b"no picture that Pillow knows"


def test_originals_are_shown_upright(archive: Archive) -> None:
    with Image.open(io.BytesIO(turned_jpeg())) as source:
        expected = np.array(source.transpose(Image.Transpose.ROTATE_270))
    shown = archive.get("turned.jpeg")
    assert np.array_equal(np.array(shown), expected)
    assert shown.info["exif"] == b"Exif\0\0upright"
    part = archive.get("turned.jpeg", Region(x=1, y=2, width=3, height=400))
    assert np.array_equal(np.array(part), expected[2:, 1:4])


def test_the_pixel_limit_is_off_for_what_was_archived(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert archive.get("alpha.png").mode == "RGBA"
    assert Image.MAX_IMAGE_PIXELS == 2


def test_what_pillow_cannot_show_is_a_typed_error(archive: Archive) -> None:
    with pytest.raises(UnsupportedImageError, match=r"strange\.xyz.*own suffix"):
        archive.get("strange.xyz")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP", "JPEG2000"])
def test_resolution_goes_into_every_format_that_has_a_place(name: str) -> None:
    image = Image.fromarray(pixels(5))
    image.info["dpi"] = (300, 150)
    data = embed.file_bytes(image, name)
    with Image.open(io.BytesIO(data)) as written:
        exif = written.getexif()
        dpi = written.info.get("dpi") or (exif[0x011A], exif[0x011B])
    assert tuple(map(float, dpi)) == pytest.approx((300, 150), abs=0.03)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000"])
def test_exif_goes_into_every_format_that_has_a_place(name: str) -> None:
    image = Image.fromarray(pixels(5))
    image.info["exif"] = EXIF.tobytes()
    assert b"a description" in embed.file_bytes(image, name)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".avif", ""])
def test_metadata_is_embedded(archive: Archive, tmp_path: Path, suffix: str) -> None:
    path = deliver(archive, "photo.png", tmp_path / f"out{suffix}")
    with Image.open(path) as image:
        assert image.size == (32, 24)
        assert image.info["icc_profile"] == ICC
        assert image.getexif()[0x010E] == "a description"
        assert image.info["xmp"] == b"<x:xmpmeta/>"
        if suffix in (".png", ".tiff", ""):
            assert np.array_equal(np.array(image), pixels(3))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".avif"])
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"MM\0*\0\0", b"\xff" * 40])
def test_broken_metadata_is_written_or_refused(tmp_path: Path, suffix: str, exif: bytes) -> None:
    store = Store(str(tmp_path / "archive"))
    commit(store, [encoded("a.png", 1, exif=exif, xmp=b"\xff<", icc_profile=b"broken")])
    archive = open_archive(store.url)
    if suffix in (".tiff", ".avif"):  # these parse it
        with contextlib.suppress(ConfigError):
            deliver(archive, "a.png", tmp_path / f"out{suffix}")
    else:
        with Image.open(deliver(archive, "a.png", tmp_path / f"out{suffix}")) as image:
            assert image.size == (32, 24)


def test_exif_too_long_for_jpeg(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"65533.*another suffix"):
        deliver(archive, "huge-exif.png", tmp_path / "out.jpg")
    assert list(tmp_path.glob("out*")) == []
    deliver(archive, "huge-exif.png", tmp_path / "out.png")


def test_what_cannot_be_written_leaves_nothing(archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(ConfigError, match=r"cannot write \.xyz"):
        deliver(archive, "photo.png", folder / "a.xyz")
    with pytest.raises(ConfigError, match="JPEG cannot hold"):
        deliver(archive, "alpha.png", folder / "a.jpg")
    with pytest.raises(NotFoundError):
        deliver(archive, "broken.png", folder / "a.png")
    assert not folder.exists() or not list(folder.iterdir())


def test_extract_gives_originals_and_goes_on_after_errors(archive: Archive, tmp_path: Path) -> None:
    result = extract(archive, None, tmp_path / "out")
    assert sorted(path.name for path in result.written) == [
        "alpha.png",
        "huge-exif.png",
        "photo.png",
        "strange.xyz",
        "turned.jpeg",
    ]
    assert result.errors == []
    assert (tmp_path / "out/alpha.png").read_bytes() == ALPHA
    as_jpeg = extract(archive, "name != 'photo.png'", tmp_path / "jpeg", format="jpg")
    assert [path.name for path in as_jpeg.written] == ["turned.jpg"]
    assert [name for name, _ in as_jpeg.errors] == ["alpha.png", "huge-exif.png", "strange.xyz"]


def test_nothing_is_replaced(archive: Archive, tmp_path: Path) -> None:
    for expected in ("photo.png", "photo-1.png", "photo-2.png"):
        result = extract(archive, "name = 'photo.png'", tmp_path)
        assert result.written == [tmp_path / expected]
        (tmp_path / expected).write_bytes(b"somebody's own")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.png",
        "/etc/passwd.png",
        "a/../../b.png",
        "..",
        "C:\\Windows\\x.png",
        "C:x.png",
        "nul\0byte.png",
        "new\nline.png",
        "..\\..\\x.png",
        "./.",
        "a//b.png",
        "x" * 300 + ".png",
        "é" * 200 + ".png",
        ". . /x.png",
    ],
)
def test_names_never_lead_outside(archive: Archive, tmp_path: Path, name: str) -> None:
    commit(archive.store, [encoded(name, 9)])
    newer = open_archive(archive.store.url)
    root = tmp_path / "out"
    image_id = encoded(name, 9).image.image_id
    result = extract(newer, f"image_id = '{image_id}'", root)
    assert result.errors == []
    (path,) = result.written
    assert path.resolve().is_relative_to(root.resolve())
    ours = {root / ".glassplate" / "extracted.jsonl"}
    assert {p for p in root.rglob("*") if p.is_file()} - ours == {path}
    assert not any(ord(c) < 32 or c == "\\" for c in str(path))
    with Image.open(path) as image:
        assert np.array_equal(np.array(image), pixels(9))


def test_a_link_planted_in_the_directory_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "out", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "holiday").symlink_to(outside)
    with pytest.raises(ConfigError, match="outside of the directory"):
        free_path(root, "holiday/a.png", ".png")
