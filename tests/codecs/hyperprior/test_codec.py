"""Round trips, targets, tiles and regions of the `hyperprior` codec, on real pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassplate.codecs import Pixels, Region, Target
from glassplate.codecs.cache import ByteBoundedCache
from glassplate.codecs.errors import BitstreamError, TargetMissedError, UnsupportedImageError
from glassplate.codecs.hyperprior import decoder
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
from glassplate.codecs.hyperprior.decoder import decode_pictures
from glassplate.codecs.measures.pixels import psnr

shared = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def levels_apart(a: Pixels, b: Pixels) -> int:
    """The largest difference of any value."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def with_alpha(image: Pixels, seed: int = 0) -> Pixels:
    """The picture with an alpha that is flat, smooth, and noisy by turns."""
    height, width, _ = image.shape
    alpha = np.add.outer(np.arange(height), np.arange(width)) % 256
    alpha[height // 3 : height // 2] = 255
    noisy = alpha[height // 2 :, width // 2 :]
    noisy[:] = np.random.default_rng(seed).integers(0, 256, noisy.shape)
    return np.dstack([image, alpha.astype(np.uint8)])


@shared
@given(
    width=st.integers(1, 140),
    height=st.integers(1, 140),
    channels=st.sampled_from([1, 3]),
    quality=st.integers(0, 1000),
)
def test_any_size_comes_back(
    codec: HyperpriorCodec, photo: Pixels, width: int, height: int, channels: int, quality: int
) -> None:
    image = np.ascontiguousarray(photo[100 : 100 + height, 150 : 150 + width, :channels])
    encoded = codec.encode([image], Target(quality=quality / 10))[0]
    decoded = codec.decode([encoded.bitstream])[0]
    assert decoded.shape == image.shape
    assert decoded.dtype == np.uint8
    assert encoded.quality == pytest.approx(quality / 10)
    assert psnr(image, decoded) > 18


def test_higher_quality_is_larger_and_closer(codec: HyperpriorCodec, small_photo: Pixels) -> None:
    low, high = (codec.encode([small_photo], Target(quality=q))[0] for q in (10, 90))
    near = psnr(small_photo, codec.decode([high.bitstream])[0])
    far = psnr(small_photo, codec.decode([low.bitstream])[0])
    assert len(low.bitstream) < len(high.bitstream) / 2
    assert far + 2 < near


def test_encoding_is_repeatable_and_independent_of_the_batch(
    codec: HyperpriorCodec, small_photo: Pixels
) -> None:
    images = [small_photo, small_photo[:40, :70], small_photo[::-1].copy()]
    together = codec.encode(images, Target(quality=50))
    again = codec.encode(images, Target(quality=50))
    assert [e.bitstream for e in together] == [e.bitstream for e in again]
    decoded = codec.decode([e.bitstream for e in together])
    for image, encoded, pixels in zip(images, together, decoded, strict=True):
        assert pixels.shape == image.shape
        assert levels_apart(codec.decode([encoded.bitstream])[0], pixels) <= 1


def test_targets_are_met(codec: HyperpriorCodec, small_photo: Pixels) -> None:
    reached = codec.encode([small_photo], Target(psnr=27))[0]
    assert psnr(small_photo, codec.decode([reached.bitstream])[0]) >= 27
    kept = codec.encode([small_photo], Target(max_bpp=1.5))[0]
    assert len(kept.bitstream) * 8 <= 1.5 * small_photo.shape[0] * small_photo.shape[1]
    with pytest.raises(TargetMissedError):
        codec.encode([small_photo], Target(psnr=60))


def test_tiles_leave_no_seams(thin_weights: Path, codec: HyperpriorCodec, photo: Pixels) -> None:
    """Synthesis by tiles with a halo equals synthesis of all tiles' latents at once."""
    image = photo[:200, 30:330]
    stream = codec.encode([image], Target(quality=40))[0].bitstream
    by_tiles = codec.decode([stream])[0]
    opened = codec.open(stream)
    y = opened.latent(opened.grid.whole)[None]
    at_once = codec.runtime.synthesise(y, opened.quality, 3)[0].numpy()
    assert len(opened.grid) == 20
    assert levels_apart(by_tiles, at_once[:200, :300]) <= 1


@shared
@given(
    x=st.integers(0, 199),
    y=st.integers(0, 149),
    width=st.integers(1, 260),
    height=st.integers(1, 90),
)
def test_a_region_is_cut_from_the_whole(
    codec: HyperpriorCodec, photo: Pixels, x: int, y: int, width: int, height: int
) -> None:
    image = photo[:150, 100:300]
    stream = codec.encode([image], Target(quality=30))[0].bitstream
    whole = codec.decode([stream])[0]
    region = Region(x=x, y=y, width=width, height=height)
    part = codec.decode([stream], region)[0]
    expected = whole[y : y + height, x : x + width]
    assert part.shape == expected.shape
    assert levels_apart(part, expected) <= 1


def test_a_region_reads_only_its_tiles(codec: HyperpriorCodec, photo: Pixels) -> None:
    stream = codec.encode([photo], Target(quality=30))[0].bitstream
    inside = codec.open(stream, Region(x=200, y=200, width=10, height=10))
    inside.latent(inside.window(inside.wanted))
    assert len(inside.grid) == 64
    assert len(inside.parsed) == 4  # 200..210 lies 8 pixels from a corner of four tiles
    with pytest.raises(ValueError, match="outside"):
        codec.decode([stream], Region(x=512, y=0, width=1, height=1))


def test_latents_may_be_kept_for_the_next_region(
    codec: HyperpriorCodec, photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pixels are the same, what was parsed once is not parsed again, and it is bounded."""
    streams = [codec.encode([photo], Target(quality=q))[0].bitstream for q in (30, 60)]
    region = Region(x=200, y=200, width=10, height=10)
    expected = [codec.decode([stream], region)[0] for stream in streams]
    kept: ByteBoundedCache[torch.Tensor] = ByteBoundedCache(1 << 22)
    monkeypatch.setattr(decoder, "LATENTS", kept)
    for parsed in (4, 0):
        for stream, pixels in zip(streams, expected, strict=True):
            opened = codec.open(stream, region)
            (decoded,) = decode_pictures(codec.runtime, [opened])
            assert np.array_equal(decoded, pixels)
            assert len(opened.parsed) == parsed
    codec.decode([streams[0]])
    assert 0 < kept.bytes <= kept.capacity


def test_grey_stays_grey(codec: HyperpriorCodec, small_photo: Pixels) -> None:
    grey = np.ascontiguousarray(small_photo[..., 1:2])
    colour = codec.encode([np.repeat(grey, 3, 2)], Target(quality=50))[0]
    encoded = codec.encode([grey], Target(quality=50))[0]
    assert codec.decode([encoded.bitstream])[0].shape == grey.shape
    assert abs(len(encoded.bitstream) - len(colour.bitstream)) < 8


@shared
@given(
    width=st.integers(1, 140),
    height=st.integers(1, 140),
    channels=st.sampled_from([1, 3]),
    x=st.integers(0, 139),
    y=st.integers(0, 139),
)
def test_alpha_is_lossless_and_costs_the_colours_nothing(
    codec: HyperpriorCodec, photo: Pixels, width: int, height: int, channels: int, x: int, y: int
) -> None:
    plain = np.ascontiguousarray(photo[100 : 100 + height, 150 : 150 + width, :channels])
    image = with_alpha(plain, seed=width)
    encoded, without = (codec.encode([i], Target(quality=40))[0].bitstream for i in (image, plain))
    decoded, colours = codec.decode([encoded, without])
    np.testing.assert_array_equal(decoded[..., -1], image[..., -1])
    assert levels_apart(decoded[..., :-1], colours) <= 1
    region = Region(x=min(x, width - 1), y=min(y, height - 1), width=70, height=70)
    (part,) = codec.decode([encoded], region)
    expected = decoded[region.y : region.y + 70, region.x : region.x + 70]
    np.testing.assert_array_equal(part[..., -1], expected[..., -1])
    assert levels_apart(part, expected) <= 1


def test_colours_are_coded_where_nobody_sees_them(
    codec: HyperpriorCodec, small_photo: Pixels
) -> None:
    clear = np.dstack([small_photo, np.zeros(small_photo.shape[:2], np.uint8)])
    decoded = codec.decode([codec.encode([clear], Target(psnr=26))[0].bitstream])[0]
    assert psnr(small_photo, decoded[..., :3]) >= 26
    assert not decoded[..., 3].any()


def test_refuses_what_it_cannot_hold(codec: HyperpriorCodec) -> None:
    with pytest.raises(UnsupportedImageError, match="5 channels"):
        codec.encode([np.zeros((8, 8, 5), np.uint8)], Target())
    assert codec.refuses((1 << 20) + 1, 1, 3)


def test_options_are_part_of_the_fingerprint(
    codec: HyperpriorCodec, thin_weights: Path, small_photo: Pixels
) -> None:
    other = HyperpriorCodec(HyperpriorConfig(tile_size=128), "cpu", thin_weights)
    stream = codec.encode([small_photo], Target(quality=50))[0].bitstream
    with pytest.raises(BitstreamError, match="not by hyperprior"):
        other.decode([stream])


def test_latent_is_what_is_decoded(codec: HyperpriorCodec, small_photo: Pixels) -> None:
    encoded = codec.encode([small_photo], Target(quality=50))[0]
    latent = codec.latent(encoded.bitstream)
    assert latent.values.shape == (64, 6, 8)
    assert str(latent.values.dtype) == latent.dtype == "float16"
    y = torch.from_numpy(latent.values).float()[None]
    model = codec.runtime.model
    x = model.synthesis(y, torch.tensor([500]))[0, :, :96, :128].permute(1, 2, 0)
    decoded = codec.decode([encoded.bitstream])[0]
    assert np.abs(255 * x.detach().numpy() - decoded).mean() < 1
