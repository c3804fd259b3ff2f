"""Every odd input: upright pixels, or a reason to keep the bytes, or a typed error."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import numpy as np
import odd_inputs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_inputs import Odd
from PIL import Image, ImageOps

from glassplate.codecs.errors import (
    DamagedImageError,
    GlassplateError,
    NotAnImageError,
    TooManyPixelsError,
)
from glassplate.pipelines.pictures.formats import claims_to_be_a_picture
from glassplate.pipelines.pictures.ingest import Picture, ingest
from glassplate.pipelines.pictures.metadata.orientation import orientation_of, reset_exif

LIMIT = 200_000_000


def named(odd: Odd) -> str:
    return odd.name


def read(odd: Odd) -> Picture:
    return ingest(odd.data, odd.name, LIMIT)


@pytest.mark.parametrize("odd", list(odd_inputs.damaged()), ids=named)
def test_damaged(odd: Odd) -> None:
    with pytest.raises(DamagedImageError) as caught:
        read(odd)
    assert caught.value.subject == odd.name
    assert caught.value.cause.startswith(("ends ", "has ", "does not ", "cannot be decoded"))
    assert "sound copy" in caught.value.fix


@pytest.mark.parametrize("odd", list(odd_inputs.too_large()), ids=named)
def test_too_large(odd: Odd) -> None:
    with pytest.raises(TooManyPixelsError):
        read(odd)


@pytest.mark.parametrize("odd", list(odd_inputs.unsupported()), ids=named)
def test_sound_but_unsupported(odd: Odd) -> None:
    picture = read(odd)
    assert picture.pixels is None
    assert picture.keep_reason == "unsupported-format"
    if not odd.name.endswith(".heic"):
        assert picture.width
        assert picture.height


@pytest.mark.parametrize("odd", list(odd_inputs.no_pictures()), ids=named)
def test_no_picture(odd: Odd) -> None:
    with pytest.raises(NotAnImageError) as caught:
        read(odd)
    assert caught.value.subject == odd.name
    if odd.why == NotAnImageError.code:
        assert claims_to_be_a_picture(odd.name) == (odd.status == "failed")


@pytest.mark.parametrize("odd", list(odd_inputs.kept()), ids=named)
def test_kept(odd: Odd) -> None:
    picture = read(odd)
    assert picture.pixels is None
    assert picture.keep_reason == odd.why


@pytest.mark.parametrize("odd", list(odd_inputs.alphas()), ids=named)
def test_alpha_is_a_channel(odd: Odd) -> None:
    picture = read(odd)
    assert picture.pixels is not None
    assert picture.keep_reason is None
    with Image.open(io.BytesIO(odd.data)) as image:
        assert picture.pixels.shape == (64, 96, 2 if image.mode == "LA" else 4)
        assert np.array_equal(picture.pixels, np.asarray(image))


@pytest.mark.parametrize("odd", list(odd_inputs.encodable()), ids=named)
def test_encodable(odd: Odd) -> None:
    picture = read(odd)
    assert picture.pixels is not None
    assert picture.keep_reason is None
    assert picture.pixels.shape[:2] == (picture.height, picture.width)
    with Image.open(io.BytesIO(odd.data)) as image:
        turned = ImageOps.exif_transpose(image) if "broken" not in odd.name else image
        expected = turned.convert("L" if image.mode == "L" else "RGB")
    assert np.array_equal(picture.pixels.squeeze(), np.asarray(expected).squeeze())


def test_metadata_comes_along_with_orientation_reset() -> None:
    blocks = {odd.name: read(odd) for odd in odd_inputs.encodable()}
    for value in range(1, 9):
        picture = blocks[f"orientation-{value}.jpg"]
        assert picture.orientation == value
        assert orientation_of(picture.exif, None) == 1
        assert b"Plate camera" in (picture.exif or b"")
    assert len(blocks["huge-exif.jpg"].exif or b"") > 60_000
    assert blocks["huge-exif.jpg"].orientation == 6
    assert (blocks["broken-exif.jpg"].exif or b"").endswith(b"broken")
    assert blocks["broken-icc.png"].icc_profile == b"not a profile" * 20
    assert blocks["xmp.jpg"].orientation == 3
    assert blocks["xmp.jpg"].xmp == odd_inputs.XMP


def test_tiff_orientation_is_applied_once() -> None:
    image = odd_inputs.photo()
    data = odd_inputs.save(image, "TIFF", tiffinfo={274: 6, 270: "plate 7"})
    picture = ingest(data, "x.tif", LIMIT)
    assert picture.orientation == 6
    assert picture.pixels is not None
    turned = np.asarray(image.transpose(Image.Transpose.ROTATE_270))
    assert np.array_equal(picture.pixels, turned)
    assert b"plate 7" in (picture.exif or b"")
    assert orientation_of(picture.exif, None) == 1


def test_kept_picture_gives_its_upright_size() -> None:
    data = odd_inputs.save(
        odd_inputs.photo(60, 40).convert("CMYK"), "JPEG", exif=odd_inputs.exif(8)
    )
    picture = ingest(data, "x.jpg", LIMIT)
    assert (picture.width, picture.height, picture.orientation) == (40, 60, 8)


def test_pixel_limit_is_checked_before_decoding() -> None:
    data = odd_inputs.png(60_000, 60_000, 8, 2, b"")  # decoding would ask for 10 GB
    with pytest.raises(TooManyPixelsError, match="3600000000 pixels"):
        ingest(data, "x.png", LIMIT)


@given(st.binary(max_size=300))
def test_exif_reset_changes_at_most_the_orientation(tail: bytes) -> None:
    block = odd_inputs.exif(7) + tail
    for data in (block, block[:40] + tail, tail):
        reset = reset_exif(data)
        assert len(reset) == len(data)
        assert sum(a != b for a, b in zip(reset, data, strict=True)) <= 2
        assert orientation_of(reset, None) == 1


KEPT = list(odd_inputs.kept())


@given(st.data())
def test_damage_never_raises_anything_untyped(data: st.DataObject) -> None:
    odd = data.draw(st.sampled_from(KEPT))
    position = data.draw(st.integers(0, min(len(odd.data), 400) - 1))
    with suppress(GlassplateError):
        ingest(odd_inputs.flip(odd.data, position), odd.name, 1_000_000)


@pytest.mark.parametrize("bare", [True, False])
def test_bytes_behind_jpeg_2000_keep_the_file(bare: bool) -> None:
    data = odd_inputs.save(odd_inputs.photo(), "JPEG2000", no_jp2=bare)
    assert ingest(data, "a.jp2", 10_000_000).keep_reason is None
    assert ingest(data + b"tail", "a.jp2", 10_000_000).keep_reason == "trailer"


@pytest.mark.parametrize("suffix", ["eps", "im", "msp"])
def test_pictures_of_seldom_formats_are_kept(suffix: str) -> None:
    image = odd_inputs.photo().convert("1" if suffix == "msp" else "RGB")
    data = odd_inputs.save(image, suffix.upper())
    assert ingest(data, f"a.{suffix}", 10_000_000).keep_reason == "unsupported-format"


def test_a_further_picture_that_is_gone_is_no_damage() -> None:
    data = odd_inputs.animation("MPO")
    second = data.index(b"\xff\xd9\xff\xd8") + 2
    picture = ingest(data[:second], "first.jpg", LIMIT)
    assert (picture.keep_reason, picture.width, picture.height) == ("multi-picture", 48, 32)


@pytest.mark.parametrize("kind", ["TIFF", "MPO"])
def test_a_picture_is_as_large_as_its_first_frame(kind: str) -> None:
    photo, small = odd_inputs.photo(), odd_inputs.photo(20, 10)
    data = odd_inputs.save(photo, kind, save_all=True, append_images=[small])
    picture = ingest(data, "pages", LIMIT)
    assert (picture.width, picture.height) == photo.size


def test_pages_are_no_larger_than_allowed() -> None:
    first, later = odd_inputs.photo(20, 10), odd_inputs.photo()
    pages = odd_inputs.save(first, "TIFF", save_all=True, append_images=[later])
    with pytest.raises(TooManyPixelsError):
        ingest(pages, "pages.tif", 1000)


def test_two_codestreams_are_two_pictures() -> None:
    data = odd_inputs.save(odd_inputs.photo(), "JPEG2000")
    stream = data[data.index(b"jp2c") - 4 :]
    assert ingest(data, "one.jp2", LIMIT).keep_reason is None
    assert ingest(data + stream, "two.jpx", LIMIT).keep_reason == "multi-picture"


@pytest.mark.parametrize("width", [254, 255])
def test_a_side_of_255_says_nothing_of_the_depth(width: int) -> None:
    deep = b"P6\n# by hand\n%d 2\n65535\n" % width + bytes(range(250)) * 13
    assert ingest(deep[: 27 + 12 * width], "deep.ppm", LIMIT).keep_reason == "16-bit"
    plain = b"P6\n# by hand, 65535 shades\n%d 2\n255\n" % width + bytes(6 * width)
    assert ingest(plain, "plain.ppm", LIMIT).pixels is not None


@pytest.mark.parametrize("order", ["<", ">"])
def test_big_tiff_is_read_in_either_byte_order(order: str) -> None:
    pixels = np.asarray(odd_inputs.photo()).tobytes()
    tags = [
        *((256, 96), (257, 64), (258, 8), (259, 1), (262, 2)),
        *((273, 16), (277, 3), (278, 64), (279, len(pixels))),
    ]
    entries = b"".join(struct.pack(order + "HHQQ", tag, 16, 1, value) for tag, value in tags)
    directory = struct.pack(order + "Q", len(tags)) + entries + bytes(8)
    magic = struct.pack(order + "HHH", 43, 8, 0)
    head = (b"II" if order == "<" else b"MM") + magic + struct.pack(order + "Q", 16 + len(pixels))
    whole = head + pixels + directory
    assert ingest(whole, "big.tif", LIMIT).keep_reason in (None, "unsupported-format")
    with pytest.raises(DamagedImageError):
        ingest(whole[:-40], "big.tif", LIMIT)
