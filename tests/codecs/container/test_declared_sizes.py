"""What a header declares is checked before it is allocated: against the stream inside, and memory.

Containers are rewritten with sizes of their own and with checksums that hold.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from PIL import Image

from glassplate.codecs import Codec, FileCodec, Pixels, Target, codec_names, get_codec, memory
from glassplate.codecs.container.bitstream import MAX_SIDE, Tile, pack, unpack
from glassplate.codecs.container.declared import jxl_size
from glassplate.codecs.errors import BitstreamError, OutOfMemoryError

PIXEL_CODECS = [n for n in codec_names() if n not in ("original", "jxl-jpeg", "fake", "mischief")]
STANDARD = ["avif", "htj2k", "jp2", "jpeg", "jxl", "webp"]


def rewritten(bitstream: bytes, **header: object) -> bytes:
    """The same tiles under another header, whose checksum holds."""
    container = unpack(bitstream)
    tiles = [Tile(container.payload(n), container.symbol_crcs[n]) for n in range(len(container))]
    return pack(replace(container.header, **header), tiles)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PIXEL_CODECS)
@pytest.mark.parametrize("side", [MAX_SIDE, 16384, 200])
def test_a_header_that_declares_too_much(name: str, side: int, small_photo: Pixels) -> None:
    codec = get_codec(name, device="cpu")
    assert isinstance(codec, Codec)
    (encoded,) = codec.encode([small_photo], Target())
    with pytest.raises((BitstreamError, OutOfMemoryError)):
        codec.decode([rewritten(encoded.bitstream, width=side, height=side)])


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_stream_inside_is_of_another_size(
    name: str, channels: int, small_photo: Pixels
) -> None:
    codec = get_codec(name)
    assert isinstance(codec, Codec)
    image = np.ascontiguousarray(small_photo[..., :channels])
    (large,) = codec.encode([image], Target())
    small = {"width": image.shape[1] // 2, "height": image.shape[0] // 2}
    with pytest.raises(BitstreamError, match="128 x 96 pixels, 64 x 48"):
        codec.decode([rewritten(large.bitstream, **small)])


@pytest.mark.parametrize("name", PIXEL_CODECS)
def test_more_than_there_is_memory(
    name: str, small_photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = get_codec(name, device="cpu")
    assert isinstance(codec, Codec)
    (encoded,) = codec.encode([small_photo], Target())
    monkeypatch.setattr(memory, "memory_limit", lambda: small_photo.nbytes - 1)
    with pytest.raises(OutOfMemoryError, match="a picture of 128 x 96 pixels takes"):
        codec.decode([encoded.bitstream])


@pytest.mark.parametrize("quality", [90, 100])
@pytest.mark.parametrize(
    "shape", [(1, 1), (8, 256), (40, 40), (200, 300), (480, 640), (600, 2000), (3, 9000)]
)
def test_sizes_of_jpeg_xl(shape: tuple[int, int], quality: float) -> None:
    codec = get_codec("jxl")
    assert isinstance(codec, Codec)
    (encoded,) = codec.encode([np.zeros((*shape, 3), np.uint8)], Target(quality=quality))
    assert jxl_size(unpack(encoded.bitstream).payload(0)) == (shape[1], shape[0])


@pytest.mark.parametrize("size", [2**63, 2**31 - 2**20, 12346, 12344])
def test_a_file_that_declares_another_size(size: int) -> None:
    codec = get_codec("original")
    assert isinstance(codec, FileCodec)
    bitstream = codec.encode_file(bytes(12345))
    with pytest.raises(BitstreamError):
        codec.decode_file(rewritten(bitstream, params=struct.pack("<BQ", 1, size)))


def test_a_zstd_frame_that_declares_more_than_it_should() -> None:
    codec = get_codec("original")
    assert isinstance(codec, FileCodec)
    header = unpack(codec.encode_file(bytes(12345))).header
    frame = zstandard.ZstdCompressor().compress(bytes(1 << 24))
    with pytest.raises(BitstreamError, match="another size than 12345"):
        codec.decode_file(pack(header, [Tile.opaque(frame)]))


@pytest.mark.parametrize("size", [2**63, 24])
def test_a_jpeg_that_declares_another_size(size: int, small_photo: Pixels) -> None:
    codec = get_codec("jxl-jpeg")
    assert isinstance(codec, FileCodec)
    buffer = io.BytesIO()
    Image.fromarray(small_photo).save(buffer, "JPEG")
    bitstream = codec.encode_file(buffer.getvalue())
    with pytest.raises(BitstreamError):
        codec.decode_file(rewritten(bitstream, params=struct.pack("<Q", size)))
