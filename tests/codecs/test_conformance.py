"""What every registered codec promises, whatever its kind."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import (
    Codec,
    CodecSpec,
    FileCodec,
    Pixels,
    Region,
    Target,
    codec_from_spec,
    codec_names,
    get_codec,
)
from glassplate.codecs.base import colour
from glassplate.codecs.container.bitstream import Header, Tile, pack, unpack
from glassplate.codecs.errors import (
    BitstreamError,
    ConfigError,
    EncodeError,
    UnknownCodecError,
    UnsupportedImageError,
)
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.codecs.registry import codec_class

MUTATIONS = 2000


@lru_cache
def _codec(name: str) -> Codec | FileCodec:
    return get_codec(name, device="cpu")


PIXEL_CODECS = [name for name in codec_names() if isinstance(_codec(name), Codec)]
FILE_CODECS = [name for name in codec_names() if isinstance(_codec(name), FileCodec)]
OTHER_SIZES = [(1, 1), (3, 7), (1, 700), (96, 128)]
PSNR = dict.fromkeys(PIXEL_CODECS, 27) | {"vae": 20, "autoencoder": 20}
"""What each codec reaches on a small picture full of detail; so few values hold no more of it."""
MS_SSIM = dict.fromkeys(PIXEL_CODECS, 0.95) | {"vae": 0.8, "autoencoder": 0.8}


def _pixel_codec(name: str) -> Codec:
    codec = _codec(name)
    assert isinstance(codec, Codec)
    return codec


def _picture(photo: Pixels, height: int, width: int, channels: int) -> Pixels:
    image = Image.fromarray(photo).resize((width, height))
    return np.array(image.convert("L"))[..., None] if channels == 1 else np.array(image)


def _bitstream(name: str, image: Pixels) -> bytes:
    codec = _codec(name)
    if isinstance(codec, Codec):
        return codec.encode([image], Target())[0].bitstream
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG")
    return codec.encode_file(buffer.getvalue())


def _decode(name: str, bitstream: bytes) -> object:
    codec = _codec(name)
    if isinstance(codec, Codec):
        return codec.decode([bitstream])[0].tobytes()
    return codec.decode_file(bitstream)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", OTHER_SIZES, ids=str)
@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_round_trip(photo: Pixels, name: str, size: tuple[int, int], channels: int) -> None:
    image = _picture(photo, *size, channels)
    codec = _pixel_codec(name)
    encoded, again = codec.encode([image, image], Target())
    assert encoded.bitstream == again.bitstream
    header = unpack(encoded.bitstream).header
    assert (header.height, header.width, header.channels) == image.shape
    (decoded,) = codec.decode([encoded.bitstream])
    assert decoded.shape == image.shape
    assert decoded.dtype == np.uint8
    if size == (96, 128):
        assert psnr(image, decoded) > 18


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_a_long_thin_picture(photo: Pixels, name: str) -> None:
    image = _picture(photo, 1, 5000, 3)
    codec = _pixel_codec(name)
    assert codec.decode([codec.encode([image], Target())[0].bitstream])[0].shape == image.shape


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_batches_of_mixed_sizes_equal_single_pictures(photo: Pixels, name: str) -> None:
    codec = _pixel_codec(name)
    images = [_picture(photo, *size, 3) for size in [(40, 60), (64, 64), (17, 33)]]
    batch = codec.encode(images, Target())
    decoded = codec.decode([encoded.bitstream for encoded in batch])
    for image, encoded, pixels in zip(images, batch, decoded, strict=True):
        (single,) = codec.encode([image], Target())
        assert single.bitstream == encoded.bitstream
        np.testing.assert_array_equal(codec.decode([single.bitstream])[0], pixels)


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_a_region_is_a_crop_of_the_whole(small_photo: Pixels, name: str) -> None:
    codec = _pixel_codec(name)
    (encoded,) = codec.encode([small_photo], Target())
    (whole,) = codec.decode([encoded.bitstream])
    for x, y, width, height in [(0, 0, 1, 1), (5, 7, 40, 30), (100, 80, 500, 500)]:
        region = Region(x=x, y=y, width=width, height=height)
        (part,) = codec.decode([encoded.bitstream], region)
        expected = whole[y : y + height, x : x + width]
        assert part.shape == expected.shape
        assert np.abs(part.astype(int) - expected).max() <= 1
    with pytest.raises(ValueError, match="outside"):
        codec.decode([encoded.bitstream], Region(x=128, y=0, width=1, height=1))


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_targets_are_met(small_photo: Pixels, name: str) -> None:
    codec = _pixel_codec(name)
    (encoded,) = codec.encode([small_photo], Target(psnr=PSNR[name]))
    assert psnr(small_photo, codec.decode([encoded.bitstream])[0]) >= PSNR[name]
    (encoded,) = codec.encode([small_photo], Target(max_bpp=1.5))
    assert 8 * len(encoded.bitstream) <= 1.5 * small_photo[..., 0].size
    (low,) = codec.encode([small_photo], Target(quality=10))
    (high,) = codec.encode([small_photo], Target(quality=90))
    assert len(low.bitstream) < len(high.bitstream)
    assert (low.quality, high.quality) == (10, 90)


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_an_ms_ssim_is_reached(photo: Pixels, name: str) -> None:
    image = photo[:161, 150:320]
    codec = _pixel_codec(name)
    (encoded,) = codec.encode([image], Target(ms_ssim=MS_SSIM[name]))
    reached = ms_ssim(image, codec.decode([encoded.bitstream])[0])
    assert reached is not None
    assert reached >= MS_SSIM[name]


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_targets_out_of_reach_are_an_error(photo: Pixels, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    with pytest.raises(EncodeError, match="max_bpp"):
        _pixel_codec(name).encode([noise], Target(max_bpp=0.01))
    if name in ("jpeg", "webp", "svd", "vae", "autoencoder"):  # the others can be lossless
        with pytest.raises(EncodeError, match="psnr"):
            _pixel_codec(name).encode([noise], Target(psnr=90))


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_what_it_refuses_it_does_not_encode(name: str) -> None:
    codec = _pixel_codec(name)
    assert codec.refuses(640, 480, 3) is None
    assert codec.refuses(640, 480, 1) is None
    assert codec.refuses(640, 480, 5) is not None
    assert codec.refuses(1 << 21, 1, 3) is not None
    with pytest.raises(UnsupportedImageError):
        codec.encode([np.zeros((8, 8, 5), np.uint8)], Target())


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_alpha_is_refused_or_lossless(photo: Pixels, name: str, channels: int) -> None:
    codec = _pixel_codec(name)
    image = photo[100:170, 100:180, [0, 1, 2, 0][:channels]].copy()
    image[..., -1] = np.add.outer(np.arange(70), np.arange(80))
    if codec.refuses(80, 70, channels):
        with pytest.raises(UnsupportedImageError):
            codec.encode([image], Target())
        return
    (encoded,) = codec.encode([image], Target(quality=30))
    (decoded,) = codec.decode([encoded.bitstream])
    (part,) = codec.decode([encoded.bitstream], Region(x=30, y=20, width=25, height=40))
    np.testing.assert_array_equal(decoded[..., -1], image[..., -1])
    np.testing.assert_array_equal(part[..., -1], image[20:60, 30:55, -1])
    assert decoded.shape == image.shape
    assert psnr(colour(image), colour(decoded)) > 18


@pytest.mark.parametrize("name", codec_names())
def test_spec_survives_json_and_rebuilds_the_codec(small_photo: Pixels, name: str) -> None:
    codec = _codec(name)
    spec = CodecSpec.from_json(codec.spec.to_json())
    assert spec == codec.spec
    assert spec.fingerprint == codec.spec.fingerprint
    rebuilt = codec_from_spec(spec, device="cpu")
    assert rebuilt.spec == spec
    bitstream = _bitstream(name, small_photo)
    again = rebuilt.decode([bitstream])[0].tobytes() if isinstance(rebuilt, Codec) else None
    if isinstance(rebuilt, FileCodec):
        again = rebuilt.decode_file(bitstream)
    assert again == _decode(name, bitstream)


@pytest.mark.parametrize("name", codec_names())
def test_describes_itself(name: str) -> None:
    cls = codec_class(name)
    assert cls.name == name == _codec(name).spec.name
    assert 10 < len(cls.summary) < 90
    assert len(cls.source) > 5
    with pytest.raises(ConfigError, match="nonsense"):
        get_codec(name, options={"nonsense": 1})


def test_an_unknown_codec_lists_the_known() -> None:
    with pytest.raises(UnknownCodecError, match="jxl-jpeg"):
        get_codec("zip")


@pytest.mark.parametrize("name", codec_names())
def test_foreign_bitstreams_are_refused(small_photo: Pixels, name: str) -> None:
    for other in ("jpeg", "svd", "original"):
        if other != name:
            with pytest.raises(BitstreamError, match=f"written by {other}"):
                _decode(name, _bitstream(other, small_photo))
    container = unpack(_bitstream(name, small_photo))
    tiles = [Tile(container.payload(i), container.symbol_crcs[i]) for i in range(len(container))]
    header = container.header
    other_options = Header(
        name,
        bytes(8),
        header.width,
        header.height,
        header.channels,
        header.tile_size,
        header.params,
    )
    with pytest.raises(BitstreamError, match="spec it was written with"):
        _decode(name, pack(other_options, tiles))


def _mutations(data: bytes, count: int) -> Iterator[bytes]:
    """Flipped bits, overwritten runs, cuts, insertions, doubled parts; each differs from data."""
    rng = np.random.default_rng(11)
    while count:
        mutant = bytearray(data)
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 9))
        match int(rng.integers(5)):
            case 0:
                mutant[at] ^= 1 << int(rng.integers(8))
            case 1:
                mutant[at : at + length] = rng.bytes(length)
            case 2:
                del mutant[at : at + length]
            case 3:
                mutant[at:at] = rng.bytes(length)
            case _:
                mutant[at:at] = mutant[: 4 * length]
        if mutant != data:
            count -= 1
            yield bytes(mutant)


@pytest.mark.parametrize("name", codec_names())
def test_mutated_bitstreams_are_typed_errors(photo: Pixels, name: str) -> None:
    bitstream = _bitstream(name, _picture(photo, 12, 16, 3))
    for mutant in _mutations(bitstream, MUTATIONS):
        with pytest.raises(BitstreamError):
            _decode(name, mutant)


def test_svd_checks_what_no_crc_can_see(photo: Pixels) -> None:
    """Payloads and headers changed by someone who computes the CRCs anew."""
    image = _picture(photo, 12, 16, 3)
    container = unpack(_bitstream("svd", image))
    header, payload = container.header, container.payload(0)
    crc = container.symbol_crcs[0]
    _decode("svd", pack(header, [Tile(payload, crc)]))  # warms the caches
    rng = np.random.default_rng(5)
    tracemalloc.start()
    for mutant in _mutations(payload, MUTATIONS):
        height, width = (int(side) for side in rng.integers(1, 1 << 20, 2))
        lying = Header("svd", header.fingerprint, width, height, 3, header.tile_size)
        for head, tiles in [
            (header, [Tile(mutant, crc)]),
            (lying, [Tile(payload, crc)]),
            (header, [Tile(payload, crc)] * 2),
        ]:
            try:
                (decoded,) = _pixel_codec("svd").decode([pack(head, tiles)])
            except BitstreamError:
                continue
            assert decoded.shape == image.shape  # only scales changed: no symbol did
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "name", [n for n in PIXEL_CODECS if n not in ("svd", "hyperprior", "vae", "autoencoder")]
)
def test_a_payload_of_another_size_is_refused(small_photo: Pixels, name: str) -> None:
    container = unpack(_bitstream(name, small_photo))
    for width, height, channels in [(64, 64, 3), (96, 128, 1), (1 << 14, 1 << 13, 3)]:
        header = Header(name, container.header.fingerprint, width, height, channels)
        with pytest.raises(BitstreamError):
            _decode(name, pack(header, [Tile.opaque(container.payload(0))]))
