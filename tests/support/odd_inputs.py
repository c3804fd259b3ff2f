"""One small file for every odd input that we promise to handle, and what has to become of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import skimage
from PIL import Image, ImageCms, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

ORIENTATION = 0x0112
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1"/></x:xmpmeta>'
PHOTOS = Path(skimage.__file__).parent / "data"


@dataclass(frozen=True)
class Odd:
    """A file and what its row has to say: the status, and the reason or error code."""

    name: str
    data: bytes
    status: str
    why: str | None = None


def photo(width: int = 96, height: int = 64, left: int = 200, top: int = 80) -> Image.Image:
    """A crop of a real photograph."""
    with Image.open(PHOTOS / "astronaut.png") as image:
        return image.convert("RGB").crop((left, top, left + width, top + height))


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int, comment: bytes = b"") -> bytes:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    block[0x010F] = "Plate camera"
    if comment:
        block.get_ifd(0x8769)[0x9286] = comment
    return block.tobytes()


def png(width: int, height: int, depth: int, colour: int, raw: bytes) -> bytes:
    """A PNG from its parts, which may be as wrong as a test needs."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def frames(count: int = 3) -> list[Image.Image]:
    return [photo(48, 32, left=100 + 60 * i) for i in range(count)]


def animation(kind: str, **options: Any) -> bytes:
    first, *rest = frames()
    return save(first, kind, save_all=True, append_images=rest, duration=100, **options)


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]


def no_pictures() -> Iterator[Odd]:
    """What is no picture, whatever its name says."""
    yield Odd("empty.jpg", b"", "failed", "not-an-image")
    yield Odd("text.jpg", b"Dear diary, this is no picture.\n" * 9, "failed", "not-an-image")
    yield Odd("notes.txt", b"Dear diary, this is no picture.\n", "skipped", "not-an-image")
    yield Odd("cars.txt", b"BMW makes cars, and P5 is no picture.\n", "skipped", "not-an-image")
    yield Odd("README", b"", "skipped", "not-an-image")
    yield Odd("Thumbs.db", b"\xd0\xcf\x11\xe0" + bytes(60), "skipped", "system-file")


def damaged() -> Iterator[Odd]:
    """Pictures that are not whole: somebody's only copy all the same."""
    jpeg, plain = save(photo(), "JPEG", quality=90), save(photo(), "PNG")
    deep = np.asarray(photo().convert("L")).astype(np.uint16) * 16
    twelve = imagecodecs.jpeg_encode(deep, bitspersample=12)
    for name, data in {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "header-only.jpg": jpeg[:20],
        "without-end.jpg": jpeg[:-2],
        "truncated-12-bit.jpg": twelve[:-200],
        "truncated.png": plain[: len(plain) // 2],
        "header-crc.png": flip(plain, 30),
        "data-crc.png": flip(plain, len(plain) - 14),
        "data.png": flip(plain, len(plain) // 2),
        "no-pixels.png": png(96, 64, 8, 2, b"too few"),
        "truncated.tif": save(photo(), "TIFF")[:-4000],
        "truncated-big.tif": save(photo(), "TIFF", big_tiff=True)[:-4000],
        "truncated-raw.tif": save(photo(), "TIFF", compression=None)[:9000],
        "truncated.webp": save(photo(), "WEBP")[:-500],
        "truncated.gif": animation("GIF")[:-900],
        "truncated.bmp": save(photo(), "BMP")[:-100],
        "truncated.ppm": save(photo(), "PPM")[:-100],
        "truncated.pfm": pfm()[:-4],
        "truncated.pam": pam()[:-1],
        "truncated.avif": save(photo(), "AVIF")[:-100],
        "truncated.jp2": save(photo(), "JPEG2000")[:-100],
        "truncated.jxl": imagecodecs.jpegxl_encode(np.asarray(photo()), usecontainer=False)[:-100],
        "truncated-box.jxl": imagecodecs.jpegxl_encode(np.asarray(photo()), usecontainer=True)[:-9],
        "truncated.qoi": imagecodecs.qoi_encode(np.asarray(photo()))[:-100],
        "second.mpo.jpg": animation("MPO")[:-300],
    }.items():
        yield Odd(name, data, "kept", "damaged")


def too_large() -> Iterator[Odd]:
    """What declares more pixels than are allowed: never decoded."""
    why = "too-many-pixels"
    yield Odd("bomb.png", png(50_000, 50_000, 1, 0, b"\0" * 100_000), "kept", why)
    frames = animation("GIF")
    later = frames.rindex(b"\x2c\0\0\0\0")
    large = frames[: later + 5] + b"\xff\xff\xff\xff" + frames[later + 9 :]
    yield Odd("later-frame.gif", large, "kept", why)
    yield Odd("large.pfm", b"Pf\n60000 60000\n-1.0\n" + bytes(40), "kept", why)


def pfm() -> bytes:
    grey = np.asarray(photo().convert("L"), dtype="<f4") / 255
    return b"Pf\n96 64\n-1.0\n" + grey.tobytes()


def pam() -> bytes:
    header = b"P7\nWIDTH 96\nHEIGHT 64\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
    return header + np.asarray(photo()).tobytes()


def bmp(bits: int, compression: int, masks: tuple[int, ...] = ()) -> bytes:
    """A BMP of 16 x 8 pixels that Pillow does not read, of zeros."""
    row, colours = (16 * bits + 31) // 32 * 4, 4 * (1 << bits if bits <= 8 else 0)
    offset = 14 + 40 + 4 * len(masks) + colours
    info = struct.pack("<IiiHHIIiiII", 40, 16, 8, 1, bits, compression, 0, 0, 0, 0, 0)
    head = b"BM" + struct.pack("<IHHI", offset + 8 * row, 0, 0, offset)
    return head + info + struct.pack(f"<{len(masks)}I", *masks) + bytes(colours + 8 * row)


def tiff_in(compression: int, pixels: bytes, order: str = "<", photometric: int = 2) -> bytes:
    """A TIFF of 96 x 64 RGB pixels in one strip, by any compression."""
    tags = [
        *((256, 96), (257, 64), (258, 8), (259, compression), (262, photometric)),
        *((273, 8), (277, 3), (278, 64), (279, len(pixels))),
    ]
    ifd = struct.pack(order + "H", len(tags)) + b"".join(
        struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags
    )
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8 + len(pixels)) + pixels + ifd + bytes(4)


def unsupported() -> Iterator[Odd]:
    """What our decoders do not read, and is sound as far as its structure tells."""
    rgb = np.asarray(photo())
    deep = rgb.astype(np.uint16) * 16
    long_text = PngInfo()
    long_text.add_text("Comment", "plate " * 400_000, zip=True)
    for name, data in {
        "12-bit.jpg": imagecodecs.jpeg_encode(deep, bitspersample=12),
        "two-channels.jpg": two_channels(),
        "ls.jls": imagecodecs.jpegls_encode(rgb),
        "webp.tif": tiff_in(50001, save(photo(), "WEBP")),
        "png.tif": tiff_in(34933, save(photo(), "PNG"), ">"),
        "ycbcr.tif": tiff_in(1, rgb.tobytes(), photometric=6),
        "float.pfm": pfm(),
        "rgb.pam": pam(),
        "odd-fields.bmp": bmp(16, 3, (0x0F00, 0x00F0, 0x000F)),
        "2-bit.bmp": bmp(2, 0),
        "long-text.png": save(photo(), "PNG", pnginfo=long_text),
        "long-icc.png": save(photo(), "PNG", icc_profile=b"profile " * 200_000),
        "bare.jxl": imagecodecs.jpegxl_encode(rgb, usecontainer=False),
        "boxes.jxl": imagecodecs.jpegxl_encode(rgb, usecontainer=True),
        "bare-jxl": imagecodecs.jpegxl_encode(rgb[:40], usecontainer=False),
        "photo.qoi": imagecodecs.qoi_encode(rgb),
        "photo.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
    }.items():
        yield Odd(name, data, "kept", "unsupported-format")


def two_channels() -> bytes:
    """A JPEG file whose frame and scan have two components."""
    grey = save(photo().convert("L"), "JPEG")
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    height_width = grey[frame + 5 : frame + 9]
    sof = b"\xff\xc0\0\x0e\x08" + height_width + b"\x02\x01\x11\0\x02\x11\0"
    sos = b"\xff\xda\0\x0a\x02\x01\0\x02\0\0\x3f\0"
    return grey[:frame] + sof + grey[frame + 13 : scan] + sos + grey[scan + 10 :]


def kept() -> Iterator[Odd]:
    """What a pixel codec does not hold: stored bit-exactly, with the reason."""
    image = photo()
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257 + 3
    rgb16 = np.asarray(image).astype(">u2") * 257 + 3
    rows = b"".join(b"\0" + row.tobytes() for row in rgb16)
    palette = image.quantize(64)
    yield Odd("cmyk.jpg", save(image.convert("CMYK"), "JPEG"), "kept", "cmyk")
    yield Odd("cmyk.tif", save(image.convert("CMYK"), "TIFF"), "kept", "cmyk")
    yield Odd("16-bit.png", save(Image.fromarray(deep), "PNG"), "kept", "16-bit")
    yield Odd("16-bit-rgb.png", png(96, 64, 16, 2, rows), "kept", "16-bit")
    yield Odd("16-bit.tif", save(Image.fromarray(deep), "TIFF"), "kept", "16-bit")
    yield Odd("16-bit.jp2", save(Image.fromarray(deep), "JPEG2000"), "kept", "16-bit")
    yield Odd("16-bit.pgm", b"P5\n96 64\n65535\n" + deep.astype(">u2").tobytes(), "kept", "16-bit")
    dark = np.asarray(image.convert("L")) // 3
    yield Odd("maximum-85.pgm", b"P5\n96 64\n85\n" + dark.tobytes(), "kept", "sample-range")
    grey = np.asarray(image.convert("L")).astype(np.float32) / 255
    yield Odd("float.tif", save(Image.fromarray(grey), "TIFF"), "kept", "float")
    yield Odd("premultiplied.tif", premultiplied(save(with_alpha(), "TIFF")), "kept", "alpha")
    yield Odd("rgb-key.png", save(image, "PNG", transparency=(0, 0, 0)), "kept", "alpha")
    yield Odd("palette.png", save(palette, "PNG", transparency=0), "kept", "palette-alpha")
    yield Odd("palette.gif", save(palette, "GIF", transparency=0), "kept", "palette-alpha")
    yield Odd("bilevel.png", save(image.convert("1"), "PNG"), "kept", "bilevel")
    yield Odd("lab.tif", save(image.convert("LAB"), "TIFF"), "kept", "colour-space")
    yield Odd("animated.gif", animation("GIF"), "kept", "animation")
    yield Odd("animated.webp", animation("WEBP"), "kept", "animation")
    yield Odd("animated.png", animation("PNG"), "kept", "animation")
    yield Odd("pages.tif", animation("TIFF"), "kept", "multi-page")
    yield Odd("pages.mpo.jpg", animation("MPO"), "kept", "multi-picture")
    yield Odd("raw.nef", camera_raw(), "kept", "multi-page")


def with_alpha(width: int = 96, height: int = 64) -> Image.Image:
    """A photograph that fades out, with its colours also where it cannot be seen."""
    image = photo(width, height)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def alphas() -> Iterator[Odd]:
    """Straight alpha of 8 bits: pixels for the codecs that hold it, kept by the others."""
    image = with_alpha()
    yield Odd("alpha.png", save(image, "PNG"), "kept", "alpha")
    yield Odd("alpha.webp", save(image, "WEBP", exact=True), "kept", "alpha")
    yield Odd("alpha.tif", save(image, "TIFF"), "kept", "alpha")
    yield Odd("grey-alpha.png", save(image.convert("LA"), "PNG"), "kept", "alpha")


def premultiplied(tiff: bytes) -> bytes:
    """The same file, with a tag that says that its colours are multiplied by its alpha."""
    straight, associated = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))
    assert straight in tiff
    return tiff.replace(straight, associated)


def camera_raw() -> bytes:
    """A TIFF as cameras write it: a thumbnail first, the picture in a sub-directory."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[330] = 8
    tags.tagtype[330] = 4
    return save(photo(48, 32), "TIFF", tiffinfo=tags)


def encodable() -> Iterator[Odd]:
    """What a pixel codec holds, with odd sizes, metadata or names."""
    image = photo(160, 128)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for value in range(1, 9):
        shifted = photo(160, 128, left=100 + 20 * value)
        data = save(shifted, "JPEG", quality=98, exif=exif(value))
        yield Odd(f"orientation-{value}.jpg", data, "encoded")
    yield Odd("icc.jpg", save(image, "JPEG", quality=97, icc_profile=profile), "encoded")
    broken = b"not a profile" * 20
    yield Odd("broken-icc.png", save(image, "PNG", icc_profile=broken), "encoded")
    huge = exif(6, b"ASCII\0\0\0" + b"h" * 60_000)
    yield Odd(
        "huge-exif.jpg", save(photo(512, 420, 0, 0), "JPEG", quality=99, exif=huge), "encoded"
    )
    wrong = b"Exif\0\0II*\0\xff\xff\xff\xffbroken"
    yield Odd("broken-exif.jpg", save(image, "JPEG", quality=96, exif=wrong), "encoded")
    turned = XMP.replace(b'"1"', b'"3"')
    yield Odd("xmp.jpg", save(image, "JPEG", quality=95, xmp=turned), "encoded")
    yield Odd("grey.png", save(image.convert("L"), "PNG"), "encoded")
    yield Odd("palette-opaque.png", save(photo(160, 120).quantize(200), "PNG"), "encoded")
    yield Odd("photo.tif", save(photo(160, 121), "TIFF", compression="tiff_lzw"), "encoded")
    yield Odd("photo.bmp", save(photo(160, 122), "BMP"), "encoded")
    yield Odd("photo.ppm", save(photo(160, 123), "PPM"), "encoded")
    yield Odd("photo.webp", save(photo(160, 124), "WEBP", lossless=True), "encoded")
    yield Odd("photo.avif", save(photo(160, 125), "AVIF", quality=100), "encoded")
    yield Odd("photo.jp2", save(photo(160, 126), "JPEG2000"), "encoded")
    yield Odd("no-extension", save(photo(160, 119), "PNG"), "encoded")
    yield Odd("wrong-extension.txt", save(photo(160, 118), "PNG"), "encoded")
    yield Odd("1x5000.bmp", save(photo(1, 400).resize((1, 5000)), "BMP"), "encoded")
    for number, name in enumerate(["a b.png", "grün 写真.png", "new\nline.png", "100%41.png"]):
        yield Odd(name, save(photo(160, 100 + number), "PNG"), "encoded")
