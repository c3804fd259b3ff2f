"""The adaptive range coder."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.codecs.autoencoder.range_coder import decode, encode
from glassplate.codecs.errors import BitstreamError

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 24), st.integers(1, 24))


@settings(max_examples=80, deadline=None)
@given(shape=SHAPES, levels=st.integers(2, 16), seed=st.integers(0, 99))
def test_any_symbols_come_back(shape: tuple[int, int, int], levels: int, seed: int) -> None:
    symbols = np.random.default_rng(seed).integers(0, levels, shape, np.uint8)
    np.testing.assert_array_equal(decode(encode(symbols, levels), levels, shape), symbols)


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=64), shape=SHAPES, levels=st.integers(2, 16))
def test_junk_is_a_typed_error_or_symbols(
    junk: bytes, shape: tuple[int, int, int], levels: int
) -> None:
    try:
        symbols = decode(junk, levels, shape)
    except BitstreamError:
        return
    assert symbols.max() < levels


def test_it_learns() -> None:
    """Close to the entropy of a skewed source, and below it where neighbours tell more."""
    draw = np.random.default_rng(0)
    skewed = (draw.random((2, 64, 64)) < 0.1).astype(np.uint8)
    share = skewed.mean()
    entropy = -(share * np.log2(share) + (1 - share) * np.log2(1 - share)) * skewed.size / 8
    assert entropy < len(encode(skewed, 2)) < 1.05 * entropy
    stripes = np.broadcast_to(draw.integers(0, 8, (1, 1, 64), np.uint8), (1, 64, 64))
    assert len(encode(np.ascontiguousarray(stripes), 8)) < 64 * 64 * 3 / 8 / 8
