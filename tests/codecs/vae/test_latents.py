"""Latents to what is stored, and to bytes, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.vae.latents import LatentType, read_tile, store, write_tile

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))


def _smooth(channels: int, height: int, width: int) -> np.ndarray:
    walk = np.random.default_rng(1).normal(size=(channels, height, width)).astype(np.float32)
    return 0.1 * walk.cumsum(1).cumsum(2)


@settings(max_examples=60, deadline=None)
@given(values=arrays.arrays(np.int8, SHAPES, elements=st.integers(-127, 127)))
def test_any_symbols_come_back(values: np.ndarray) -> None:
    tile = write_tile(values, "int8")
    again, crc = read_tile(tile.payload, "int8", values.shape)
    np.testing.assert_array_equal(again, values)
    assert crc == tile.symbols_crc


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=200), shape=SHAPES)
def test_junk_is_a_typed_error_or_values_in_range(junk: bytes, shape: tuple[int, int, int]) -> None:
    try:
        values, _ = read_tile(junk, "int8", shape)
    except BitstreamError:
        return
    assert values.shape == shape
    assert values.min() >= -127


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_what_torch_rounds_to(dtype: LatentType) -> None:
    latent = _smooth(4, 9, 11)
    stored = store(latent, dtype, 100)
    tile = write_tile(stored.values, dtype)
    values, _ = read_tile(tile.payload, dtype, latent.shape)
    np.testing.assert_array_equal(values, stored.values)
    rounded = torch.from_numpy(latent).to(getattr(torch, dtype)).float().numpy()
    np.testing.assert_array_equal(stored.floats(), rounded)
    with pytest.raises(BitstreamError, match="another number"):
        read_tile(tile.payload[:-2], dtype, latent.shape)


@pytest.mark.parametrize("quality", [0, 50, 100])
def test_int8_errs_by_half_a_step(quality: float) -> None:
    latent = 20 * _smooth(3, 16, 16)
    stored = store(latent, "int8", quality)
    assert stored.scale is not None
    error = np.abs(stored.floats() - latent).max(axis=(1, 2))
    assert (error <= stored.scale * 0.5001).all()
    assert (stored.scale >= 2 ** (-quality / 20)).all()


def test_smooth_latents_take_fewer_bits() -> None:
    smooth = store(_smooth(4, 64, 64), "int8", 100).values
    shuffled = np.random.default_rng(0).permutation(smooth.reshape(-1)).reshape(smooth.shape)
    assert len(write_tile(smooth, "int8").payload) < 0.8 * smooth.size
    assert len(write_tile(smooth, "int8").payload) < 0.9 * len(write_tile(shuffled, "int8").payload)
