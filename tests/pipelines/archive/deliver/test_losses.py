"""What a form that is asked for has no place for is refused and named, unless --lossy is said."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import metadata_files
import numpy as np
import numpy.typing as npt
import odd_inputs
import pytest
from PIL import Image

from glassplate.codecs import Region
from glassplate.codecs.errors import UnsupportedImageError
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.deliver.deep import deep_png
from glassplate.pipelines.archive.deliver.file import deliver, save
from glassplate.pipelines.archive.deliver.folder import extract
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.errors import LossError
from glassplate.pipelines.pictures.metadata import read_facts
from glassplate.pipelines.pictures.metadata.orientation import upright
from glassplate.pipelines.retrieve.planning import RetrieveConfig
from glassplate.pipelines.retrieve.run import retrieve

DEEP = np.add.outer(np.arange(32, dtype=np.uint16) * 700, np.arange(48, dtype=np.uint16) * 400)
COLOURS = np.dstack([DEEP, DEEP[::-1], DEEP[:, ::-1]])


def tiff(pixels: npt.NDArray[Any], colours: int, form: int, extra: tuple[int, ...] = ()) -> bytes:
    """An uncompressed TIFF of any samples. form: 1 unsigned, 2 signed, 3 floating-point."""
    height, width = pixels.shape[:2]
    count = pixels.shape[2] if pixels.ndim == 3 else 1
    raw = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    tags = [
        (256, [width]), (257, [height]), (258, [8 * pixels.itemsize] * count), (259, [1]),
        (262, [2 if colours == 3 else 1]), (273, [8]), (277, [count]), (278, [height]),
        (279, [len(raw)]), *([(338, list(extra))] if extra else []), (339, [form] * count),
    ]  # fmt: skip
    start = 8 + len(raw)
    behind, entries = start + 2 + 12 * len(tags) + 4, b""
    blocks = b""
    for tag, values in tags:
        kind, form_char = (4, "I") if tag in (273, 279) else (3, "H")
        data = struct.pack(f"<{len(values)}{form_char}", *values)
        if len(data) > 4:
            place, blocks = struct.pack("<I", behind + len(blocks)), blocks + data
        else:
            place = data.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(values)) + place
    head = b"II*\0" + struct.pack("<I", start)
    return head + raw + struct.pack("<H", len(tags)) + entries + bytes(4) + blocks


def files() -> dict[str, bytes]:
    grey = (DEEP >> 8).astype(np.uint8)
    photo = metadata_files.photo()
    return {
        "deep.png": bytes(imagecodecs.png_encode(COLOURS)),
        "deep.tif": tiff(COLOURS, 3, 1),
        "deep.avif": bytes(imagecodecs.avif_encode(COLOURS >> 6, bitspersample=10, level=100)),
        "deep.jp2": odd_inputs.save(Image.fromarray(DEEP), "JPEG2000"),
        "deep-grey.png": odd_inputs.save(Image.fromarray(DEEP), "PNG"),
        "signed.tif": tiff(DEEP.astype(np.int16) - 9000, 1, 2),
        "signed-8.tif": tiff(grey.astype(np.int8), 1, 2),
        "long.tif": tiff(DEEP.astype(np.uint32) * 70_000, 1, 1),
        "float.tif": tiff(DEEP.astype(np.float32) / 100, 1, 3),
        "infrared.tif": tiff(np.dstack([grey] * 4), 3, 1, (0,)),
        "fourth.tif": tiff(np.dstack([grey] * 4), 3, 1),
        "pages.tif": odd_inputs.animation("TIFF"),
        "moving.gif": odd_inputs.animation("GIF"),
        "moving.png": odd_inputs.animation("PNG"),
        "moving.webp": odd_inputs.animation("WEBP"),
        "two.jpg": odd_inputs.animation("MPO"),
        "cmyk.jpg": odd_inputs.save(photo.convert("CMYK"), "JPEG"),
        "keyed.png": odd_inputs.save(photo.quantize(8), "PNG", transparency=1),
        "private.tif": metadata_files.tiff({65000: (2, "mine")}),
    }  # fmt: skip


REFUSED = {
    "deep.png": (".jpg", "8 bits"),
    "deep.tif": (".webp", "8 bits"),
    "deep.avif": (".jpg", "8 bits"),
    "deep.jp2": (".jpg", "16 bits"),
    "deep-grey.png": (".jpg", "16 bits"),
    "signed.tif": (".png", "negative"),
    "signed-8.tif": (".png", "signed"),
    "long.tif": (".png", "32 bits"),
    "float.tif": (".png", "floating"),
    "infrared.tif": (".png", "unknown meaning"),
    "fourth.tif": (".png", "unknown meaning"),
    "pages.tif": (".png", "3 pages"),
    "moving.gif": (".png", "3 frames"),
    "moving.png": (".gif", "3 frames"),
    "moving.webp": (".png", "3 frames"),
    "two.jpg": (".png", "3 pictures"),
    "cmyk.jpg": (".png", "CMYK"),
    "keyed.png": (".jpg", "transparent"),
    "private.tif": (".png", "65000"),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("losses")
    (folder / "source").mkdir()
    for name, data in files().items():
        (folder / "source" / name).write_bytes(data)
    source, target = str(folder / "source"), str(folder / "archive")
    compress(CompressConfig(source=source, archive=target, codec="jpeg"))
    opened = open_archive(target)
    assert {row["status"] for row in opened.where().to_pylist()} == {"kept"}
    return opened


def test_every_file_is_tried() -> None:
    assert REFUSED.keys() == files().keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_lost_is_named(archive: Archive, tmp_path: Path, name: str) -> None:
    suffix, what = REFUSED[name]
    with pytest.raises(LossError, match=rf"(?s)lose.*{what}.*--lossy") as caught:
        deliver(archive, name, tmp_path / f"out{suffix}")
    assert caught.value.code == "would-lose"
    assert not list(tmp_path.iterdir())
    with Image.open(deliver(archive, name, tmp_path / f"out{suffix}", lossy=True)) as image:
        assert image.size == archive.get(name, lossy=True).size
    own = deliver(archive, name, tmp_path / name)
    assert own.read_bytes() == files()[name]


def test_a_region_loses_as_much(archive: Archive, tmp_path: Path) -> None:
    for name in ("deep.avif", "moving.gif", "infrared.tif"):
        with pytest.raises(LossError):
            deliver(archive, name, tmp_path / f"part-{name}", Region(x=0, y=0, width=8, height=8))


def test_a_pillow_image_loses_as_much(archive: Archive) -> None:
    for name in ("deep.png", "moving.gif", "two.jpg", "infrared.tif", "private.tif"):
        with pytest.raises(LossError):
            archive.get(name)
        assert archive.get(name, lossy=True).size
    assert archive.get("cmyk.jpg").mode == "CMYK"
    signed = np.asarray(archive.get("signed.tif"))
    assert np.array_equal(signed, DEEP.astype(np.int32) - 9000)


def test_formats_that_hold_it_get_it(archive: Archive, tmp_path: Path) -> None:
    for name, suffix in (("deep-grey.png", ".tif"), ("deep.jp2", ".png")):
        with Image.open(deliver(archive, name, tmp_path / f"{name}{suffix}")) as image:
            assert np.array_equal(np.asarray(image), DEEP)
    with Image.open(
        deliver(archive, "float.tif", tmp_path / "part.tif", Region(x=8, y=4, width=9, height=9))
    ) as part:
        assert np.array_equal(np.asarray(part), (DEEP.astype(np.float32) / 100)[4:13, 8:17])
    with Image.open(deliver(archive, "keyed.png", tmp_path / "keyed.tif")) as keyed:
        assert keyed.mode == "RGBA"
        assert keyed.getextrema()[-1] == (0, 255)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_16_bit_colours_come_out_as_png(archive: Archive, tmp_path: Path, name: str) -> None:
    part = Region(x=8, y=4, width=9, height=50)
    out = deliver(archive, name, tmp_path / "part.png", part).read_bytes()
    assert np.array_equal(imagecodecs.png_decode(out), COLOURS[4:, 8:17])
    if name != "deep.png":  # whose own suffix gives the file
        whole = deliver(archive, name, tmp_path / "whole.png").read_bytes()
        assert np.array_equal(imagecodecs.png_decode(whole), COLOURS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_colours_come_out_upright_with_their_metadata(
    tmp_path: Path, orientation: int
) -> None:
    png = bytes(imagecodecs.png_encode(COLOURS))
    chunks = [
        (b"eXIf", odd_inputs.exif(orientation)[6:]),
        (b"iCCP", b"x\0\0" + zlib.compress(metadata_files.ICC)),
        (b"tEXt", b"Title\0" + metadata_files.TEXT),
    ]
    data = png[:33] + b"".join(metadata_files.chunk(*one) for one in chunks) + png[33:]
    out = deep_png(data, None, "a.png", 1 << 20)
    assert out
    levels = (COLOURS >> 8).astype(np.uint8)
    expected = np.asarray(upright(Image.fromarray(levels), orientation))
    assert np.array_equal(imagecodecs.png_decode(out) >> 8, expected)
    with Image.open(io.BytesIO(out)) as image:
        assert image.getexif()[274] == 1
        assert image.info["icc_profile"] == metadata_files.ICC
        assert image.info["Title"] == metadata_files.TEXT.decode()


def test_what_is_no_16_bit_colour_is_none_of_it() -> None:
    made = files()
    for name in ("deep-grey.png", "signed.tif", "moving.png", "deep.avif", "cmyk.jpg"):
        assert deep_png(made[name], None, name, 1 << 20) is None


@pytest.mark.parametrize("name", ["signed.tif", "float.tif"])
def test_any_range_is_shown_from_black_to_white(
    archive: Archive, tmp_path: Path, name: str
) -> None:
    with Image.open(deliver(archive, name, tmp_path / "out.jpg", lossy=True)) as image:
        low, high = image.getextrema()
    assert low < 20
    assert high > 235


def test_extract_and_retrieve_name_what_they_refuse(archive: Archive, tmp_path: Path) -> None:
    refused = {"deep.avif", "moving.gif", "moving.webp", "infrared.tif", "pages.tif"}
    result = extract(archive, None, tmp_path / "png", "png")
    assert refused <= {name for name, error in result.errors if isinstance(error, LossError)}
    assert len(result.written) + len(result.errors) == len(REFUSED)
    whole = extract(archive, None, tmp_path / "lossy", "png", lossy=True)
    assert (len(whole.written), whole.errors) == (len(REFUSED), [])
    for lossy in (False, True):
        config = RetrieveConfig(
            archive=archive.store.url, out=str(tmp_path / f"out-{lossy}"), format="png", lossy=lossy
        )
        rows = retrieve(config).rows
        codes = {row.name: row.error_code for row in rows if row.error_code}
        assert set(codes.values()) == (set() if lossy else {"would-lose"})
        assert lossy or refused <= codes.keys()


def test_nothing_is_restored_that_would_be_flattened(archive: Archive) -> None:
    from glassplate.codecs.restore.options import RestoreOptions

    with pytest.raises(UnsupportedImageError, match=r"cannot be restored.*frames"):
        archive.restore("moving.gif", RestoreOptions())


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("suffix", [".bmp", ".gif"])
def test_bmp_and_gif_have_a_place_for_colour_profiles(
    tmp_path: Path, suffix: str, mode: str
) -> None:
    image = metadata_files.photo().convert(mode)
    image.info |= {"icc_profile": metadata_files.ICC, "xmp": odd_inputs.XMP}
    data = save(image, tmp_path / f"out{suffix}").read_bytes()
    with Image.open(io.BytesIO(data)) as again:
        facts = read_facts(again, data, again.format or "")
        if suffix == ".bmp":
            assert np.array_equal(np.asarray(again.convert(mode)), np.asarray(image))
        assert np.asarray(again).any()
    assert facts.icc_profile == metadata_files.ICC
    assert facts.losses == ()
    assert facts.xmp == (odd_inputs.XMP if suffix == ".gif" else None)


@pytest.mark.parametrize("suffix", [".ppm", ".tga", ".pcx"])
def test_a_colour_profile_is_not_dropped(tmp_path: Path, suffix: str) -> None:
    image = metadata_files.photo()
    image.info["icc_profile"] = metadata_files.ICC
    with pytest.raises(LossError, match="colour profile"):
        save(image, tmp_path / f"out{suffix}")
    assert save(image, tmp_path / f"out{suffix}", lossy=True).exists()


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp", ".bmp", ".jp2"])
def test_colour_that_only_png_and_avif_tell_is_not_dropped(tmp_path: Path, suffix: str) -> None:
    image = metadata_files.photo()
    image.info["segments"] = [{"kind": "cICP", "data": bytes([9, 16, 0, 1])}]
    with pytest.raises(LossError, match="9/16"):
        save(image, tmp_path / f"out{suffix}")
    assert save(image, tmp_path / f"out{suffix}", lossy=True).exists()
    for held in (".png", ".avif"):
        save(image, tmp_path / f"out{held}")
