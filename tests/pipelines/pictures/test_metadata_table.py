"""Every format x every kind of metadata: it comes back, or the file is kept. Nothing vanishes."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import odd_inputs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_files import (
    EXIF,
    GEO,
    ICC,
    IPTC,
    MOVIE,
    P3,
    PRIVATE,
    PRIVATE_TAG,
    RESOURCES,
    TEXT,
    TURNED,
    XMP,
    Maker,
    application,
    avif,
    blocks,
    bmp,
    box,
    chunk,
    exif_profile,
    gif,
    jfif,
    jp2,
    jpeg,
    paletted,
    photo,
    png,
    ppm,
    segment,
    signed_codestream,
    thumbnailed,
    tiff,
    webp,
)  # fmt: skip
from PIL import Image

from glassplate.pipelines.archive.deliver.file import save
from glassplate.pipelines.archive.read.picture import with_metadata
from glassplate.pipelines.pictures.formats import sniff
from glassplate.pipelines.pictures.ingest import Picture, ingest
from glassplate.pipelines.pictures.metadata import read_facts
from glassplate.pipelines.pictures.metadata.colour import colour_beside_icc
from glassplate.pipelines.pictures.metadata.orientation import resolution_of, without_orientation
from glassplate.pipelines.pictures.segments import dots_per_inch, photoshop, texts

SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp", "AVIF": ".avif", "JPEG2000": ".jp2"}
"""In which format it has to come back; in PNG where the format itself has no writer for it."""
KINDS = (
    *("icc", "exif", "xmp", "iptc", "comment", "dpi", "orientation", "thumbnail", "colour"),
    *("private", "trailer"),
)
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "AVIF", "PPM")

SMALL = bytes(range(48))
PER_METRE = b"\0\0\x2e\x23\0\0\x17\x11\1"


@dataclass(frozen=True)
class Cell:
    """A file, and what shows that it came back; `kept`: the file is kept, with this reason."""

    make: Maker
    needle: bytes = b""
    kept: str | None = None


TABLE: dict[tuple[str, str], Cell | None] = {
    ("JPEG", "icc"): Cell(lambda: jpeg(icc_profile=ICC), ICC),
    ("JPEG", "exif"): Cell(lambda: jpeg(exif=EXIF), b"Plate camera"),
    ("JPEG", "xmp"): Cell(lambda: jpeg(xmp=XMP), XMP),
    ("JPEG", "iptc"): Cell(lambda: jpeg(segment(0xED, b"Photoshop 3.0\0" + RESOURCES)), IPTC),
    ("JPEG", "comment"): Cell(lambda: jpeg(segment(0xFE, TEXT + b"\xff\xe9")), TEXT + b"\xff\xe9"),
    ("JPEG", "dpi"): Cell(lambda: jfif(2, 118, 59), b"JFIF\0\1\1\2\0\x76\0\x3b"),
    ("JPEG", "orientation"): Cell(lambda: jpeg(exif=TURNED)),
    ("JPEG", "thumbnail"): Cell(lambda: jpeg(exif=thumbnailed())),
    ("JPEG", "colour"): None,
    ("JPEG", "private"): Cell(lambda: jpeg(segment(0xE9, PRIVATE)), PRIVATE),
    ("JPEG", "trailer"): Cell(lambda: jpeg() + MOVIE, MOVIE),
    ("PNG", "icc"): Cell(lambda: png((b"iCCP", b"x\0\0" + zlib.compress(ICC))), ICC),
    ("PNG", "exif"): Cell(lambda: png((b"eXIf", EXIF[6:])), b"Plate camera"),
    ("PNG", "xmp"): Cell(lambda: png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)), XMP),
    ("PNG", "iptc"): Cell(
        lambda: png((b"tEXt", b"Raw profile type iptc\0\niptc\n 1\n41")), b"\n41"
    ),
    ("PNG", "comment"): Cell(lambda: png((b"zTXt", b"Comment\0\0" + zlib.compress(TEXT))), TEXT),
    ("PNG", "dpi"): Cell(lambda: png((b"pHYs", PER_METRE)), PER_METRE),
    ("PNG", "orientation"): Cell(lambda: png((b"eXIf", TURNED[6:]))),
    ("PNG", "thumbnail"): Cell(lambda: png((b"eXIf", thumbnailed()[6:]))),
    ("PNG", "colour"): Cell(lambda: png((b"cICP", bytes([9, 16, 0, 1]))), b"cICP\x09\x10\0\1"),
    ("PNG", "private"): Cell(lambda: png((b"prVt", PRIVATE)), PRIVATE),
    ("PNG", "trailer"): Cell(lambda: png() + MOVIE, kept="trailer"),
    ("TIFF", "icc"): Cell(lambda: tiff({}, icc_profile=ICC), ICC),
    ("TIFF", "exif"): Cell(lambda: tiff({271: (2, "Plate camera")}), b"Plate camera"),
    ("TIFF", "xmp"): Cell(lambda: tiff({700: (1, XMP)}), XMP),
    ("TIFF", "iptc"): Cell(lambda: tiff({34377: (1, RESOURCES)}), IPTC),
    ("TIFF", "comment"): Cell(lambda: tiff({270: (2, TEXT.decode())}), TEXT),
    ("TIFF", "dpi"): Cell(lambda: tiff({}, dpi=(300, 150))),
    ("TIFF", "orientation"): Cell(lambda: tiff({274: (3, 6)})),
    ("TIFF", "thumbnail"): None,
    ("TIFF", "colour"): Cell(lambda: tiff({319: (5, (0.68, 0.32, 0.265, 0.69, 0.15, 0.06))})),
    ("TIFF", "private"): Cell(lambda: tiff({PRIVATE_TAG: (2, "mine")}), kept="metadata"),
    ("TIFF", "trailer"): None,  # what lies behind is where offsets point to
    ("WEBP", "icc"): Cell(lambda: odd_inputs.save(photo(), "WEBP", icc_profile=ICC), ICC),
    ("WEBP", "exif"): Cell(lambda: odd_inputs.save(photo(), "WEBP", exif=EXIF), b"Plate camera"),
    ("WEBP", "xmp"): Cell(lambda: odd_inputs.save(photo(), "WEBP", xmp=XMP), XMP),
    ("WEBP", "iptc"): None,
    ("WEBP", "comment"): None,
    ("WEBP", "dpi"): None,
    ("WEBP", "orientation"): Cell(lambda: odd_inputs.save(photo(), "WEBP", exif=TURNED)),
    ("WEBP", "thumbnail"): Cell(lambda: odd_inputs.save(photo(), "WEBP", exif=thumbnailed())),
    ("WEBP", "colour"): None,
    ("WEBP", "private"): Cell(lambda: webp(b"PRIV", PRIVATE), kept="metadata"),
    ("WEBP", "trailer"): Cell(lambda: odd_inputs.save(photo(), "WEBP") + MOVIE, kept="trailer"),
    ("GIF", "icc"): Cell(lambda: gif(application(b"ICCRGBG1012", blocks(ICC))), ICC),
    ("GIF", "exif"): None,
    ("GIF", "xmp"): Cell(
        lambda: gif(application(b"XMP DataXMP", XMP + bytes([1, *range(255, -1, -1), 0]))), XMP
    ),
    ("GIF", "iptc"): None,
    ("GIF", "comment"): Cell(lambda: gif(b"!\xfe" + blocks(TEXT)), TEXT),
    ("GIF", "dpi"): None,
    ("GIF", "orientation"): None,
    ("GIF", "thumbnail"): None,
    ("GIF", "colour"): None,
    ("GIF", "private"): Cell(lambda: gif(application(b"PRIVATE_1.0", b"\0")), kept="metadata"),
    ("GIF", "trailer"): Cell(lambda: gif(b"") + MOVIE, kept="trailer"),
    ("BMP", "icc"): Cell(lambda: bmp(b"DEBM", ICC), ICC),
    ("BMP", "exif"): None,
    ("BMP", "xmp"): None,
    ("BMP", "iptc"): None,
    ("BMP", "comment"): None,
    ("BMP", "dpi"): Cell(lambda: bmp(b"BGRs"), b"pHYs\0\0\x0b\x13\0\0\x0b\x13\1"),
    ("BMP", "orientation"): None,
    ("BMP", "thumbnail"): None,
    ("BMP", "colour"): Cell(lambda: bmp(bytes(4), b"", b"\x28" * 48), kept="colour-space"),
    ("BMP", "private"): None,
    ("BMP", "trailer"): Cell(lambda: bmp(b"BGRs") + MOVIE, kept="trailer"),
    ("JPEG2000", "icc"): Cell(lambda: jp2(colour=b"\2\0\0" + ICC), ICC),
    ("JPEG2000", "exif"): Cell(
        lambda: jp2(box(b"uuid", b"JpgTiffExif->JP2" + EXIF[6:])), kept="metadata"
    ),
    ("JPEG2000", "xmp"): Cell(
        lambda: jp2(box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)), XMP
    ),
    ("JPEG2000", "iptc"): Cell(
        lambda: jp2(box(b"uuid", bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38") + IPTC)),
        kept="metadata",
    ),
    ("JPEG2000", "comment"): Cell(
        lambda: odd_inputs.save(photo(), "JPEG2000", comment=TEXT.decode()), TEXT
    ),
    ("JPEG2000", "dpi"): Cell(
        lambda: jp2(inner=box(b"res ", box(b"resc", b"\x2e\x23\0\1\x2e\x23\0\1\0\0"))),
        b"resc\x2e\x23\0\1\x2e\x23\0\1",
    ),
    ("JPEG2000", "orientation"): None,
    ("JPEG2000", "thumbnail"): None,
    ("JPEG2000", "colour"): Cell(
        lambda: jp2(colour=b"\1\0\0\0\0\0\x14"), kept="colour-space"
    ),  # e-sRGB
    ("JPEG2000", "private"): Cell(lambda: jp2(box(b"xml ", PRIVATE)), kept="metadata"),
    ("JPEG2000", "trailer"): None,  # a codestream may go to the end of the file
    ("AVIF", "icc"): Cell(lambda: odd_inputs.save(photo(), "AVIF", icc_profile=ICC), ICC),
    ("AVIF", "exif"): Cell(lambda: avif(exif=EXIF), b"Plate camera"),
    ("AVIF", "xmp"): Cell(lambda: avif(xmp=XMP), XMP),
    ("AVIF", "iptc"): None,
    ("AVIF", "comment"): None,
    ("AVIF", "dpi"): None,
    ("AVIF", "orientation"): Cell(lambda: avif(exif=TURNED)),
    ("AVIF", "thumbnail"): None,  # Pillow leaves it out of pictures that are turned
    ("AVIF", "colour"): Cell(lambda: avif(P3, 16), b"colrnclx\0\x0c\0\x10"),
    ("AVIF", "private"): Cell(lambda: avif() + box(b"uuid", PRIVATE), kept="metadata"),
    ("AVIF", "trailer"): Cell(lambda: avif() + MOVIE, kept="metadata"),
    ("PPM", "icc"): None,
    ("PPM", "exif"): None,
    ("PPM", "xmp"): None,
    ("PPM", "iptc"): None,
    ("PPM", "comment"): Cell(lambda: ppm(b"# " + TEXT + b"\n"), TEXT),
    ("PPM", "dpi"): None,
    ("PPM", "orientation"): None,
    ("PPM", "thumbnail"): None,
    ("PPM", "colour"): None,
    ("PPM", "private"): None,
    ("PPM", "trailer"): Cell(lambda: ppm() + MOVIE, kept="trailer"),
}
"""None: the format has no place for it."""

FURTHER: dict[str, Cell] = {
    "JPEG, colour profile in pieces that are counted wrong": Cell(
        lambda: jpeg(segment(0xE2, b"ICC_PROFILE\0\1\3" + ICC)), ICC
    ),
    "JPEG, colour profile in pieces in another order, numbered from 0": Cell(
        lambda: jpeg(
            segment(0xE2, b"ICC_PROFILE\0\1\2" + ICC[100:]),
            segment(0xE2, b"ICC_PROFILE\0\0\2" + ICC[:100]),
        ),
        ICC,
    ),
    "JPEG, half of a colour profile": Cell(
        lambda: jpeg(segment(0xE2, b"ICC_PROFILE\0\1\2" + ICC[:100])), kept="colour-space"
    ),
    "JPEG, proportions of its pixels": Cell(lambda: jfif(0, 2, 1), b"JFIF\0\1\1\0\0\2\0\1"),
    "JPEG, small picture in JFIF": Cell(
        lambda: jfif(1, 72, 72, bytes(range(48))), bytes(range(48))
    ),
    "JPEG, small picture behind JFIF": Cell(
        lambda: jpeg(segment(0xE0, b"JFXX\0\x13" + PRIVATE)), PRIVATE
    ),
    "JPEG, comments and segments in their order": Cell(
        lambda: jpeg(segment(0xFE, b"one"), segment(0xE9, b"two"), segment(0xFE, b"three")),
        segment(0xFE, b"one") + segment(0xE9, b"two") + segment(0xFE, b"three"),
    ),
    "JPEG, second XMP packet": Cell(
        lambda: jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PRIVATE), xmp=XMP), PRIVATE
    ),
    "JPEG, rest of a long XMP packet": Cell(
        lambda: jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + PRIVATE)), PRIVATE
    ),
    "JPEG, content credentials": Cell(
        lambda: jpeg(segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb" + PRIVATE)), PRIVATE
    ),
    "JPEG, range extension": Cell(
        lambda: jpeg(segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20RESI" + PRIVATE)), kept="16-bit"
    ),
    "JPEG, gain map by XMP": Cell(
        lambda: jpeg(xmp=b'<x:xmpmeta hdrgm:Version="1.0"/>'), kept="multi-picture"
    ),
    "JPEG, gain map by ISO 21496-1": Cell(
        lambda: jpeg(segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))),
        kept="multi-picture",
    ),
    "JPEG, pictures behind the picture": Cell(lambda: jpeg() + jpeg(), kept="multi-picture"),
    "JPEG, multi-picture index": Cell(lambda: odd_inputs.animation("MPO"), kept="multi-picture"),
    "PNG, EXIF behind the pixels": Cell(
        lambda: png((b"eXIf", EXIF[6:]), behind=True), b"Plate camera"
    ),
    "PNG, XMP behind the pixels": Cell(
        lambda: png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), behind=True), XMP
    ),
    "PNG, packed XMP": Cell(
        lambda: png((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))), XMP
    ),
    "PNG, texts behind the pixels": Cell(
        lambda: png((b"tEXt", b"Title\0" + TEXT), behind=True), TEXT
    ),
    "PNG, packed texts behind the pixels": Cell(
        lambda: png((b"zTXt", b"Title\0\0" + zlib.compress(TEXT)), behind=True), TEXT
    ),
    "PNG, EXIF as text": Cell(lambda: png((b"tEXt", exif_profile())), b"Plate camera"),
    "PNG, broken colour profile": Cell(
        lambda: png((b"iCCP", b"x\0\0" + zlib.compress(ICC)[:50])), kept="colour-space"
    ),
    "PNG, gamma": Cell(lambda: png((b"gAMA", b"\0\1\x86\xa0")), b"gAMA\0\1\x86\xa0"),
    "PNG, primaries": Cell(lambda: png((b"cHRM", bytes(range(32)))), b"cHRM" + bytes(range(32))),
    "PNG, significant bits": Cell(lambda: png((b"sBIT", b"\5\6\5")), b"sBIT\5\6\5"),
    "PNG, mastering display": Cell(lambda: png((b"mDCV", bytes(24))), b"mDCV" + bytes(24)),
    "PNG, light level": Cell(lambda: png((b"cLLI", bytes(range(8)))), b"cLLI" + bytes(range(8))),
    "PNG, time": Cell(lambda: png((b"tIME", b"\x07\x83\1\2\3\4\5")), b"tIME\x07\x83\1\2\3\4\5"),
    "PNG, offset": Cell(lambda: png((b"oFFs", bytes(range(9)))), b"oFFs" + bytes(range(9))),
    "PNG, proportions of its pixels": Cell(
        lambda: png((b"pHYs", b"\0\0\0\2\0\0\0\1\0")), b"pHYs\0\0\0\2\0\0\0\1\0"
    ),
    "PNG, background": Cell(lambda: png((b"bKGD", b"\0\1\0\2\0\3")), b"bKGD\0\1\0\2\0\3"),
    "PNG, critical chunk": Cell(lambda: png((b"PrVT", PRIVATE)), kept="metadata"),
    "PNG, chunk that belongs to the pixels": Cell(lambda: png((b"prVT", PRIVATE)), kept="metadata"),
    "TIFF, names of document and page": Cell(
        lambda: tiff({269: (2, "Ledger 7"), 285: (2, "Page 12"), 297: (3, (3, 7))}), b"Page 12"
    ),
    "TIFF, texts of Windows": Cell(
        lambda: tiff({40091: (1, "Harbour".encode("utf-16-le"))}), "Harbour".encode("utf-16-le")
    ),
    "TIFF, place on earth": Cell(
        lambda: tiff({tag: (12, value) for tag, value in GEO.items()}), kept="metadata"
    ),
    "GIF, text to be drawn": Cell(
        lambda: gif(b"!\1\x0c" + bytes(12) + blocks(TEXT)), kept="metadata"
    ),
    "GIF, second comment": Cell(
        lambda: gif(b"!\xfe" + blocks(b"one") + b"!\xfe" + blocks(TEXT)), TEXT
    ),
    "BMP, linked profile": Cell(lambda: bmp(b"KNIL", b"c:\\x.icc\0"), kept="colour-space"),
    "JPEG2000, any profile": Cell(lambda: jp2(colour=b"\3\0\0" + ICC), ICC),
    "JPEG2000, place on earth": Cell(
        lambda: jp2(box(b"uuid", bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"))),
        kept="metadata",
    ),
    "JPEG2000, palette with alpha": Cell(
        lambda: paletted([(9, 8, 7, 255), (1, 2, 3, 0)], b"\0\1\2\3"), kept="palette-alpha"
    ),
    "JPEG2000, palette with a colour twice": Cell(
        lambda: paletted([(9, 8, 7), (9, 8, 7), (1, 2, 3)]), kept="palette"
    ),
    "JPEG2000, palette in another order": Cell(
        lambda: paletted([(9, 8, 7), (1, 2, 3)], b"\2\1\0"), kept="palette"
    ),
    "JPEG2000, signed samples": Cell(signed_codestream, kept="signed"),
    "AVIF, small picture in EXIF": Cell(
        lambda: avif(exif=without_orientation(thumbnailed(1))), b"\xff\xd8\xff"
    ),
    "AVIF, transfer of HDR": Cell(lambda: avif(9, 16), b"colrnclx\0\x09\0\x10"),
    "PPM, second picture": Cell(lambda: ppm() + ppm(), kept="multi-picture"),
}


def read(data: bytes) -> Picture:
    return ingest(data, "a", 1_000_000)


def expanded(data: bytes) -> bytes:
    """A file with what is packed in it behind it."""
    if not data.startswith(b"\x89PNG"):
        return data
    unpacked, position = [data], 8
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        kind, payload = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        if kind in (b"iCCP", b"zTXt"):
            unpacked.append(zlib.decompress(payload.partition(b"\0")[2][1:]))
        position += 12 + size
    return b"".join(unpacked)


def written(picture: Picture, path: Path) -> bytes:
    """The pixels with everything that is stored beside them, as a file."""
    assert picture.pixels is not None
    pixels = picture.pixels.squeeze(2) if picture.pixels.shape[2] == 1 else picture.pixels
    return save(with_metadata(Image.fromarray(pixels), picture), path).read_bytes()


def check(cell: Cell, format_name: str, folder: Path) -> None:
    data = cell.make()
    picture = read(data)
    assert picture.keep_reason == cell.kept
    if cell.kept:
        assert picture.pixels is None
        return
    out = written(picture, folder / f"out{SUFFIX.get(format_name, '.png')}")
    assert cell.needle in expanded(out)


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == {(name, kind) for name in FORMATS for kind in KINDS}


@pytest.mark.parametrize(
    ("format_name", "kind"), [place for place, cell in TABLE.items() if cell], ids=str
)
def test_it_comes_back_or_the_file_is_kept(format_name: str, kind: str, tmp_path: Path) -> None:
    cell = TABLE[format_name, kind]
    assert cell
    with Image.open(io.BytesIO(cell.make())) as image:
        assert image.format == format_name
    check(cell, format_name, tmp_path)


@pytest.mark.parametrize("name", FURTHER)
def test_rarer_facts_come_back_or_the_file_is_kept(name: str, tmp_path: Path) -> None:
    check(FURTHER[name], name.partition(",")[0], tmp_path)


@pytest.mark.parametrize("format_name", [f for f in FORMATS if TABLE[f, "orientation"]])
def test_turned_pictures_say_so_once(format_name: str, tmp_path: Path) -> None:
    cell = TABLE[format_name, "orientation"]
    assert cell
    picture = read(cell.make())
    assert (picture.orientation, picture.width, picture.height) == (6, 32, 48)
    out = written(picture, tmp_path / f"out{SUFFIX.get(format_name, '.png')}")
    with Image.open(io.BytesIO(out)) as image:
        assert image.size == (32, 48)
        assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("format_name", [f for f in FORMATS if TABLE[f, "thumbnail"]])
def test_thumbnails_turn_with_their_pictures(format_name: str, tmp_path: Path) -> None:
    cell = TABLE[format_name, "thumbnail"]
    assert cell
    out = written(read(cell.make()), tmp_path / f"out{SUFFIX.get(format_name, '.png')}")
    start = out.index(b"\xff\xd8\xff", 3)
    with Image.open(io.BytesIO(out[start:])) as thumbnail:
        assert thumbnail.size == (16, 24)


def test_resolution_of_a_tiff_comes_back_in_other_formats(tmp_path: Path) -> None:
    cell = TABLE["TIFF", "dpi"]
    assert cell
    for suffix in (".png", ".jpg", ".tif", ".bmp", ".jp2"):
        with Image.open(io.BytesIO(written(read(cell.make()), tmp_path / f"out{suffix}"))) as image:
            assert image.info["dpi"] == pytest.approx((300, 150), rel=0.001)


def test_primaries_of_a_tiff_come_back(tmp_path: Path) -> None:
    cell = TABLE["TIFF", "colour"]
    assert cell
    with Image.open(io.BytesIO(written(read(cell.make()), tmp_path / "out.tif"))) as image:
        assert float(image.tag_v2[319][0]) == pytest.approx(0.68)  # type: ignore[attr-defined]


def test_a_plain_palette_of_jpeg_2000_is_rgb() -> None:
    colours = [(10 * i, 200 - i, i) for i in range(8)]
    picture = read(paletted(colours))
    assert picture.pixels is not None
    assert np.array_equal(picture.pixels, imagecodecs.jpeg2k_decode(paletted(colours)))


def test_a_palettes_background_is_a_colour_afterwards() -> None:
    image = photo().quantize(4)
    palette = image.getpalette() or []
    data = odd_inputs.save(image, "PNG")
    place = data.index(b"IDAT") - 4
    picture = read(data[:place] + chunk(b"bKGD", b"\2") + data[place:])
    wanted = b"".join(b"\0" + bytes([value]) for value in palette[6:9])
    assert [s["data"] for s in picture.segments if s["kind"] == "bKGD"] == [wanted]


ANY = Image.new("L", (1, 1))


@pytest.fixture(scope="module")
def made() -> list[bytes]:
    return [cell.make() for cell in [*TABLE.values(), *FURTHER.values()] if cell]


@given(st.data())
def test_facts_of_any_bytes_can_be_read(made: list[bytes], data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(made))
    label = sniff(file, "a") or ""
    place = data.draw(st.integers(0, min(len(file), 600)))
    noise = data.draw(st.binary(max_size=60))
    for damaged in (file[:place] + noise, file[:place] + noise + file[place + len(noise) :]):
        facts = read_facts(ANY, damaged, label)
        list(texts(facts.segments))
        photoshop(facts.segments)
        dots_per_inch(facts.segments)
        resolution_of(facts.exif)
        colour_beside_icc(facts.segments)
