"""The bit-exact tiers give back the very file, or refuse it."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from glassplate.codecs import Pixels
from glassplate.codecs.classical.bit_exact import JxlJpegCodec, OriginalCodec
from glassplate.codecs.container.bitstream import Header, Tile, pack
from glassplate.codecs.errors import BitstreamError, EncodeError

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpeg(image: Pixels, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@given(st.binary(max_size=2000) | st.integers(0, 3000).map(bytes))
def test_original_round_trip(data: bytes) -> None:
    codec = OriginalCodec()
    bitstream = codec.encode_file(data)
    assert codec.decode_file(bitstream) == data
    assert len(bitstream) <= len(data) + 60


def test_zstd_is_used_where_it_helps() -> None:
    assert len(OriginalCodec().encode_file(bytes(100_000))) < 200


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": 0, "quality": 95},
        {"mode": "L"},
        {"optimize": True},
    ],
)
def test_jpegs_come_back_byte_for_byte(photo: Pixels, options: dict[str, object]) -> None:
    codec = JxlJpegCodec()
    exif = Image.Exif()
    exif[0x010E] = "a description"
    data = _jpeg(photo, exif=exif, icc_profile=_SRGB, **options)
    assert codec.refuses_file(data) is None
    bitstream = codec.encode_file(data)
    assert codec.decode_file(bitstream) == data
    assert len(bitstream) < 0.93 * len(data)


def test_trailing_bytes_survive(small_photo: Pixels) -> None:
    data = _jpeg(small_photo) + b"\x00trailing bytes" * 10
    assert JxlJpegCodec().decode_file(JxlJpegCodec().encode_file(data)) == data


def test_what_is_no_jpeg_is_refused() -> None:
    codec = JxlJpegCodec()
    assert codec.refuses_file(b"\x89PNG") == "not a JPEG file"
    with pytest.raises(EncodeError, match="not a JPEG"):
        codec.encode_file(b"")


def test_jpegs_that_cannot_come_back_are_an_encode_error(small_photo: Pixels) -> None:
    whole = _jpeg(small_photo)
    broken_profile = _jpeg(small_photo, icc_profile=b"p" * 500)
    for data in (_jpeg(small_photo, "CMYK"), broken_profile, whole[:900], whole[:3]):
        with pytest.raises(EncodeError):
            JxlJpegCodec().encode_file(data)


def test_a_zip_bomb_stops_at_its_declared_size() -> None:
    spec = OriginalCodec().spec
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    for size in (10, 1 << 40):
        header = Header("original", spec.short_fingerprint, params=struct.pack("<BQ", 1, size))
        with pytest.raises(BitstreamError, match="declare"):
            OriginalCodec().decode_file(pack(header, [Tile(bomb, zlib.crc32(b""))]))


@pytest.mark.parametrize("codec", [OriginalCodec(), JxlJpegCodec()], ids=lambda codec: codec.name)
def test_wrong_payloads_under_a_sound_header(
    codec: OriginalCodec | JxlJpegCodec, small_photo: Pixels
) -> None:
    """What a CRC cannot see, because whoever wrote it computed it."""
    layout = "<BQ" if isinstance(codec, OriginalCodec) else "<Q"
    fields = (1, 1000) if isinstance(codec, OriginalCodec) else (1000,)
    params = struct.pack(layout, *fields)
    print_ = codec.spec.short_fingerprint
    noise = np.random.default_rng(0).bytes(500)
    for header, tiles in [
        (Header(codec.name, print_, params=params), [Tile.opaque(noise)]),
        (Header(codec.name, print_, params=params[:-1]), [Tile.opaque(noise)]),
        (Header(codec.name, print_, params=params), []),
        (Header(codec.name, print_, 10, 10, 3, params=params), [Tile.opaque(noise)]),
    ]:
        with pytest.raises(BitstreamError):
            codec.decode_file(pack(header, tiles))
    unknown = Header("original", OriginalCodec().spec.short_fingerprint, params=b"\x07" + bytes(8))
    with pytest.raises(BitstreamError, match="newer Glassplate"):
        OriginalCodec().decode_file(pack(unknown, [Tile.opaque(b"")]))
