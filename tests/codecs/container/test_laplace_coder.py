"""The range coder over discrete Laplace tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.codecs.container.laplace_coder import (
    LEVELS,
    MAX_SYMBOL,
    best_level,
    decode_rows,
    encode_rows,
)
from glassplate.codecs.errors import BitstreamError

_rows = st.lists(
    st.integers(0, 16).flatmap(
        lambda bits: st.lists(st.integers(-(2**bits) + 1, 2**bits - 1), max_size=30)
    ),
    max_size=8,
)


@given(_rows)
def test_round_trip(values: list[list[int]]) -> None:
    rows = [np.array(row, dtype=np.int32) for row in values]
    levels = [best_level(row)[0] for row in rows]
    coded = encode_rows(rows, levels)
    decoded = decode_rows(coded, [len(row) for row in rows], levels)
    assert [row.tolist() for row in decoded] == values


@given(st.binary(max_size=64), st.lists(st.integers(0, 70), max_size=5))
@settings(max_examples=200)
def test_garbage_gives_symbols_or_a_typed_error(data: bytes, levels: list[int]) -> None:
    try:
        rows = decode_rows(data, [7] * len(levels), levels)
    except BitstreamError:
        return
    assert [row.shape for row in rows] == [(7,)] * len(levels)


@pytest.mark.parametrize("level", [0, 20, 40, LEVELS - 1])
def test_every_symbol_of_a_table_can_be_coded(level: int) -> None:
    radius = min(MAX_SYMBOL, 16)
    row = np.arange(-radius, radius + 1, dtype=np.int32)
    assert decode_rows(encode_rows([row], [level]), [row.size], [level])[0].tolist() == row.tolist()


def test_extreme_symbols() -> None:
    row = np.array([MAX_SYMBOL, -MAX_SYMBOL, 0], dtype=np.int32)
    level, _ = best_level(row)
    assert decode_rows(encode_rows([row], [level]), [3], [level])[0].tolist() == row.tolist()
    with pytest.raises(ValueError, match="is over"):
        best_level(np.array([MAX_SYMBOL + 1], dtype=np.int32))


@pytest.mark.parametrize("scale", [0.3, 2, 40, 3000])
def test_size_is_near_the_entropy(scale: float) -> None:
    row = np.rint(np.random.default_rng(3).laplace(0, scale, 20000)).astype(np.int32)
    _, counts = np.unique(row, return_counts=True)
    share = counts / row.size
    entropy = -float(np.sum(share * np.log2(share))) * row.size
    level, estimate = best_level(row)
    bits = 8 * len(encode_rows([row], [level]))
    assert bits < 1.06 * entropy + 64 + counts.size * 16
    assert bits == pytest.approx(estimate, rel=0.02)


def test_bytes_are_pinned() -> None:
    """Archives outlive versions of the range coder: these bytes may never change."""
    rows = [np.array(r, dtype=np.int32) for r in ([0, 1, -1, 0, 2], [1000, -512, 7], [0] * 20)]
    assert encode_rows(rows, [12, 45, 0]).hex() == PINNED


PINNED = "7a45dda82c1ab4b6"
