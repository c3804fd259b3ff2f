"""Round trips, tiles, regions and dtypes of the `vae` codec, on real pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassplate.codecs import Pixels, Region, Target
from glassplate.codecs.container.bitstream import Tile, pack, unpack
from glassplate.codecs.errors import BitstreamError, TargetMissedError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.vae.codec import VaeCodec, VaeConfig
from glassplate.codecs.vae.latents import LatentType, to_floats
from glassplate.codecs.vae.model import Vae
from glassplate.codecs.vae.weights import load_decoder

shared = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def levels_apart(a: Pixels, b: Pixels) -> int:
    """The largest difference of any value."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@shared
@given(width=st.integers(1, 140), height=st.integers(1, 140), channels=st.sampled_from([1, 3]))
def test_any_size_comes_back(
    codec: VaeCodec, photo: Pixels, width: int, height: int, channels: int
) -> None:
    image = np.ascontiguousarray(photo[100 : 100 + height, 150 : 150 + width, :channels])
    encoded = codec.encode([image], Target())[0]
    decoded = codec.decode([encoded.bitstream])[0]
    assert decoded.shape == image.shape
    assert psnr(image, decoded) > 14
    assert encoded.latent is not None
    assert encoded.latent.values.shape == (4, -(-height // 8), -(-width // 8))


def test_tiles_leave_no_seams(codec: VaeCodec, weights: Path, photo: Pixels) -> None:
    image = photo[:200, 30:330]
    by_tiles = codec.decode([codec.encode([image], Target())[0].bitstream])[0]
    at_once = VaeCodec(VaeConfig(tile_size=512), "cpu", weights)
    stream = at_once.encode([image], Target())[0].bitstream
    assert len(unpack(stream)) == 1
    assert levels_apart(at_once.decode([stream])[0], by_tiles) <= 2  # a symbol may round elsewhere


@shared
@given(
    x=st.integers(0, 199),
    y=st.integers(0, 149),
    width=st.integers(1, 260),
    height=st.integers(1, 90),
)
def test_a_region_is_cut_from_the_whole(
    codec: VaeCodec, photo: Pixels, x: int, y: int, width: int, height: int
) -> None:
    stream = codec.encode([photo[:150, 100:300]], Target())[0].bitstream
    whole = codec.decode([stream])[0]
    part = codec.decode([stream], Region(x=x, y=y, width=width, height=height))[0]
    expected = whole[y : y + height, x : x + width]
    assert part.shape == expected.shape
    assert levels_apart(part, expected) <= 1


def test_a_region_reads_only_its_tiles(codec: VaeCodec, photo: Pixels) -> None:
    """Damage in a far tile does not matter to a region, and is named when it does."""
    stream = bytearray(codec.encode([photo], Target())[0].bitstream)
    stream[-3] ^= 1
    codec.decode([bytes(stream)], Region(x=0, y=0, width=100, height=100))
    with pytest.raises(BitstreamError, match="tile 63"):
        codec.decode([bytes(stream)])


@pytest.mark.parametrize("dtype", ["int8", "float16", "bfloat16"])
def test_the_stored_latent_is_what_is_decoded(
    weights: Path, small_photo: Pixels, dtype: LatentType
) -> None:
    """What goes into the latents table gives the same picture through the decoder alone."""
    codec = VaeCodec(VaeConfig(dtype=dtype), "cpu", weights)
    encoded = codec.encode([small_photo], Target())[0]
    latent = encoded.latent
    assert latent is not None
    assert latent.dtype == dtype
    values = torch.from_numpy(to_floats(latent.values, dtype, latent.scale))[None]
    with torch.inference_mode():
        pixels = load_decoder(weights)(values)[0].permute(1, 2, 0).numpy()
    expected = codec.decode([encoded.bitstream])[0]
    assert levels_apart(np.rint(pixels.clip(0, 1) * 255), expected) <= 3  # blocks in bfloat16


def test_quality_is_the_step_of_int8(codec: VaeCodec, photo: Pixels) -> None:
    low, high = (codec.encode([photo], Target(quality=q))[0] for q in (20, 90))
    assert len(low.bitstream) < len(high.bitstream) / 1.5
    near, far = (psnr(photo, codec.decode([e.bitstream])[0]) for e in (high, low))
    assert far + 0.5 < near
    with pytest.raises(TargetMissedError):
        codec.encode([photo], Target(psnr=50))


def test_headers_that_it_never_writes_are_refused(codec: VaeCodec, small_photo: Pixels) -> None:
    container = unpack(codec.encode([small_photo], Target())[0].bitstream)
    tiles = [Tile(container.payload(i), container.symbol_crcs[i]) for i in range(len(container))]
    sound = container.header
    for change in (
        {"params": b""},
        {"params": np.array([1, 1, 1, np.nan], "<f4").tobytes()},
        {"params": np.array([1, 1, 1, 0], "<f4").tobytes()},
        {"tile_size": 128},
        {"width": 1000},
        {"height": 0},
    ):
        with pytest.raises(BitstreamError):
            codec.decode([pack(type(sound)(**{**vars(sound), **change}), tiles)])
    with pytest.raises(BitstreamError):
        codec.decode([pack(type(sound)(**{**vars(sound), "width": 120}), tiles)])


def test_a_vae_is_deterministic(thin_vae: Vae, codec: VaeCodec, photo: Pixels) -> None:
    images = [photo[:100, :70], photo[:64, :64], photo[:100, 100:170]]
    once, again = codec.encode(images, Target()), codec.encode(images, Target())
    assert [e.bitstream for e in once] == [e.bitstream for e in again]
