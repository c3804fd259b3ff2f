"""Shapes of every variant, round trips, tiles, regions, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glassplate.codecs import Pixels, Region, Target
from glassplate.codecs.autoencoder.codec import AutoencoderCodec, AutoencoderConfig
from glassplate.codecs.autoencoder.model import SIZES, Autoencoder, squash
from glassplate.codecs.container.bitstream import Tile, pack, unpack
from glassplate.codecs.errors import BitstreamError, WeightsError

shared = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def levels_apart(a: Pixels, b: Pixels) -> int:
    """The largest difference of any value."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 72), (40, 24)])
@torch.inference_mode()
def test_shapes(size: str, height: int, width: int) -> None:
    model = Autoencoder(SIZES[size])
    mean, log_variance = model.split(model.encoder(torch.rand(2, 3, height, width)))
    assert mean.shape == log_variance.shape == (2, 8, height // 8, width // 8)
    assert model.decoder(squash(mean)).shape == (2, 3, height, width)


def test_squashing_makes_a_normal_uniform() -> None:
    torch.manual_seed(0)
    counts = torch.histc(squash(torch.randn(100_000)), 8, 0, 1)
    assert (counts / 12_500 - 1).abs().max() < 0.03


@shared
@given(width=st.integers(1, 140), height=st.integers(1, 140), channels=st.sampled_from([1, 3]))
def test_any_size_comes_back_with_the_symbols_that_were_stored(
    codec: AutoencoderCodec, photo: Pixels, width: int, height: int, channels: int
) -> None:
    image = np.ascontiguousarray(photo[100 : 100 + height, 150 : 150 + width, :channels])
    encoded = codec.encode([image], Target())[0]
    assert codec.decode([encoded.bitstream])[0].shape == image.shape
    latent = encoded.latent
    assert latent is not None
    assert latent.scale is not None
    opened = codec.open(encoded.bitstream)
    stored = latent.values * latent.scale[:, None, None]
    np.testing.assert_allclose(opened.latent(opened.grid.whole).numpy(), stored, atol=1e-6)


def test_tiles_leave_no_seams(codec: AutoencoderCodec, photo: Pixels) -> None:
    image = photo[:200, 30:330]
    at_once = AutoencoderCodec(
        AutoencoderConfig(size=codec.config.size, tile_size=512), "cpu", codec.weights_path
    )
    stream = at_once.encode([image], Target())[0].bitstream
    by_tiles = codec.decode([codec.encode([image], Target())[0].bitstream])[0]
    difference = np.abs(at_once.decode([stream])[0].astype(int) - by_tiles)
    assert np.mean(difference > 2) < 0.01  # a symbol on the edge may round to the other side


def test_a_region_is_cut_from_the_whole(codec: AutoencoderCodec, photo: Pixels) -> None:
    stream = codec.encode([photo[:150, 100:300]], Target())[0].bitstream
    whole = codec.decode([stream])[0]
    for x, y, width, height in [(0, 0, 1, 1), (50, 60, 100, 30), (190, 140, 50, 50)]:
        part = codec.decode([stream], Region(x=x, y=y, width=width, height=height))[0]
        assert levels_apart(part, whole[y : y + height, x : x + width]) <= 1


def test_fewer_levels_take_fewer_bits(codec: AutoencoderCodec, photo: Pixels) -> None:
    sizes = [
        len(codec.encode([photo], Target(quality=quality))[0].bitstream) for quality in (0, 100)
    ]
    assert sizes[0] < sizes[1] or codec.levels == 2


def test_headers_that_it_never_writes_are_refused(
    codec: AutoencoderCodec, small_photo: Pixels
) -> None:
    container = unpack(codec.encode([small_photo], Target())[0].bitstream)
    tiles = [Tile(container.payload(i), container.symbol_crcs[i]) for i in range(len(container))]
    sound = container.header
    for params in (b"", b"\x01\x08", bytes([codec.levels + 1, 8]), bytes([codec.levels, 7])):
        with pytest.raises(BitstreamError):
            codec.decode([pack(type(sound)(**{**vars(sound), "params": params}), tiles)])
    for change in ({"tile_size": 128}, {"width": 1000}, {"height": 0}, {"width": 120}):
        with pytest.raises(BitstreamError):
            codec.decode([pack(type(sound)(**{**vars(sound), **change}), tiles)])


def test_unsound_weights_are_refused(codec: AutoencoderCodec, tmp_path: Path) -> None:
    data = codec.weights_path.read_bytes()
    for number, damaged in enumerate((b"", data[:500], data[:-10])):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            AutoencoderCodec(None, "cpu", path)
    with pytest.raises(WeightsError, match="no weights"):
        AutoencoderCodec(AutoencoderConfig(size="huge"), "cpu")
