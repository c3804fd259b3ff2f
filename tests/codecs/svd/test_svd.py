"""The svd codec, and the textbook mathematics under it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glassplate.codecs import Pixels, Region, Target
from glassplate.codecs.container.bitstream import Container, unpack
from glassplate.codecs.errors import UnsupportedImageError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.svd.codec import SvdCodec, tile_grid
from glassplate.codecs.svd.low_rank import (
    element_count,
    low_rank,
    rank_for_energy,
    rank_for_factor,
    singular_values,
)

_images = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))
)


def test_textbook_figures_of_a_1024_square_rgb_image() -> None:
    assert [element_count(1024, 1024, r, 3) for r in (100, 50, 10)] == [614700, 307350, 61470]
    shares = [element_count(1024, 1024, r, 3) / 3145728 for r in (100, 50, 10)]
    assert [round(share, 3) for share in shares] == [0.195, 0.098, 0.020]
    assert rank_for_factor(1024, 1024, 0.15) == 76
    assert element_count(1024, 1024, 76, 3) == 467172


@given(_images, st.integers(0, 12))
def test_squared_error_is_the_sum_of_squares_left_out(image: Pixels, rank: int) -> None:
    error = np.sum(np.square(image - low_rank(image, rank)))
    left_out = np.sum(np.square(singular_values(image)[:, rank:]))
    assert error == pytest.approx(left_out, rel=1e-9, abs=1e-6)


@given(_images, st.floats(0.01, 1))
def test_energy_rank_is_the_smallest_that_is_enough(image: Pixels, energy: float) -> None:
    for values in singular_values(image):
        rank = rank_for_energy(values, energy)
        squares = np.square(values)
        assert squares[:rank].sum() >= energy * squares.sum() * (1 - 1e-12)
        if rank > 0:
            assert squares[: rank - 1].sum() < energy * squares.sum()


def test_energy_edges() -> None:
    assert rank_for_energy([3.0, 0.0], 1) == 1
    assert rank_for_energy([0.0, 0.0], 1) == 0
    assert rank_for_energy([1.0, 1.0], 1) == 2


def test_rate_and_distortion_move_with_quality(photo: Pixels) -> None:
    codec = SvdCodec()
    rates, psnrs = [], []
    for quality in (2, 10, 30, 100):
        (encoded,) = codec.encode([photo], Target(quality=quality))
        rates.append(len(encoded.bitstream))
        psnrs.append(psnr(photo, codec.decode([encoded.bitstream])[0]))
    assert rates == sorted(rates)
    assert psnrs == sorted(psnrs)
    assert psnrs[1] > 22
    assert psnrs[-1] > 42
    assert 8 * rates[1] / photo[..., 0].size < 0.4


@pytest.mark.parametrize("tile_size", [0, 32, 128])
def test_quantisation_costs_little(photo: Pixels, tile_size: int) -> None:
    """The stream's PSNR is near that of the exact approximation of the same rank."""
    image = photo[:256, :256]
    codec = SvdCodec(SvdCodec.Config(tile_size=tile_size))
    (encoded,) = codec.encode([image], Target(quality=15))
    exact = np.empty(image.shape)
    for rows, columns in tile_grid(256, 256, tile_size):
        tile = image[rows, columns]
        exact[rows, columns] = low_rank(tile, rank_for_factor(*tile.shape[:2], 0.15))
    best = psnr(image, np.clip(np.rint(exact), 0, 255).astype(np.uint8))
    assert best - 1.2 < psnr(image, codec.decode([encoded.bitstream])[0]) < best + 0.3


@pytest.mark.parametrize("bits", [2, 5, 8, 12, 16])
def test_more_bits_cost_more_and_give_more(small_photo: Pixels, bits: int) -> None:
    few, more = (SvdCodec(SvdCodec.Config(bits=b)) for b in (bits, min(bits + 4, 16)))
    (a,), (b,) = (c.encode([small_photo], Target(quality=40)) for c in (few, more))
    assert len(a.bitstream) <= len(b.bitstream)
    decoded_a, decoded_b = few.decode([a.bitstream])[0], more.decode([b.bitstream])[0]
    assert psnr(small_photo, decoded_a) <= psnr(small_photo, decoded_b) + 0.01


def test_energy_option_sets_the_rank(small_photo: Pixels) -> None:
    sizes = []
    for energy in (0.9, 0.99, 0.999):
        codec = SvdCodec(SvdCodec.Config(energy=energy))
        (encoded,) = codec.encode([small_photo], Target())
        assert 0 < encoded.quality <= 100
        sizes.append(len(encoded.bitstream))
    assert sizes == sorted(set(sizes))


def test_flat_pictures_take_next_to_nothing() -> None:
    codec = SvdCodec()
    for value in (0, 1, 128, 255):
        flat = np.full((300, 300, 3), value, np.uint8)
        (encoded,) = codec.encode([flat], Target(quality=50))
        np.testing.assert_array_equal(codec.decode([encoded.bitstream])[0], flat)
        assert len(encoded.bitstream) < 1000


def test_a_region_reads_only_its_tiles(photo: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = SvdCodec(SvdCodec.Config(tile_size=64))
    (encoded,) = codec.encode([photo], Target())
    assert len(unpack(encoded.bitstream)) == 64
    (whole,) = codec.decode([encoded.bitstream])
    read: list[int] = []
    payload = Container.payload
    monkeypatch.setattr(
        Container, "payload", lambda self, tile: (read.append(tile), payload(self, tile))[1]
    )
    (part,) = codec.decode([encoded.bitstream], Region(x=60, y=130, width=10, height=60))
    np.testing.assert_array_equal(part, whole[130:190, 60:70])
    assert read == [16, 17]


def test_pictures_too_large_for_one_matrix_are_refused() -> None:
    whole = SvdCodec(SvdCodec.Config(tile_size=0))
    assert "without tiles" in str(whole.refuses(10000, 10, 3))
    assert SvdCodec().refuses(10000, 10, 3) is None
    assert SvdCodec().refuses(1 << 14, 1 << 13, 3) is not None
    with pytest.raises(UnsupportedImageError):
        whole.encode([np.zeros((1, 10000, 1), np.uint8)], Target())


@given(_images, st.floats(0, 100), st.sampled_from([None, 2, 8, 16]))
@settings(max_examples=60, deadline=None)
def test_round_trip_of_any_small_picture(image: Pixels, quality: float, bits: int | None) -> None:
    codec = SvdCodec(SvdCodec.Config(bits=bits))
    (encoded,) = codec.encode([image], Target(quality=quality))
    (decoded,) = codec.decode([encoded.bitstream])
    assert decoded.shape == image.shape
    assert decoded.dtype == np.uint8
