"""Entropy coding of small integers: a range coder over discrete Laplace tables.

The probability of s is proportional to theta^|s|. A table is named by its level 0-63, which the
bitstream carries for each row of symbols. Tables are made with integer arithmetic only, and the
range coder (`constriction`) turns them into probabilities with exact IEEE steps, so a stream parses
the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import constriction
import numpy as np
import numpy.typing as npt

from glassplate.codecs.errors import BitstreamError

Symbols: TypeAlias = npt.NDArray[np.int32]

LEVELS = 64
MAX_SYMBOL = 65535

_FRACTION_BITS = 32
_TOTAL_FREQUENCY = 1 << 23
"""About the sum of a table. Under 2^24 float32 holds every partial sum exactly; above that,
constriction has been seen to give symbols no probability at all."""


def _spreads() -> list[int]:
    """theta of a level is spread / (spread + 256); the spreads grow by a quarter from 4 on."""
    spreads = [4]
    while len(spreads) < LEVELS:
        spreads.append(spreads[-1] + max(1, spreads[-1] >> 2))
    return spreads


_SPREADS = _spreads()
_RADII = np.minimum([16 + 17 * spread // 256 for spread in _SPREADS], MAX_SYMBOL)
_THETAS = np.array([spread / (spread + 256) for spread in _SPREADS])
_BITS_OF_ZERO = -np.log2((1 - _THETAS) / (1 + _THETAS))
_BITS_PER_UNIT = -np.log2(_THETAS)


def best_level(symbols: Symbols) -> tuple[int, float]:
    """The level that codes a row of symbols in the fewest bits, and these bits, estimated.

    Raises ValueError if a magnitude is over MAX_SYMBOL.
    """
    magnitudes = np.abs(symbols)
    peak = int(magnitudes.max(initial=0))
    if peak > MAX_SYMBOL:
        raise ValueError(f"symbol magnitude {peak} is over {MAX_SYMBOL}")
    total = int(magnitudes.sum(dtype=np.int64))
    bits = symbols.size * _BITS_OF_ZERO + total * _BITS_PER_UNIT
    bits[peak > _RADII] = np.inf
    level = int(np.argmin(bits))
    return level, float(bits[level])


def encode_rows(rows: Sequence[Symbols], levels: Sequence[int]) -> bytes:
    """Code rows of symbols, each with the table of its level. Whole 32-bit words, little-endian."""
    encoder = constriction.stream.queue.RangeEncoder()
    for level, members in _grouped(levels):
        symbols = np.concatenate([rows[i] for i in members])
        encoder.encode((symbols + _RADII[level]).astype(np.int32), _model(level))
    return bytes(encoder.get_compressed().astype("<u4").tobytes())


def decode_rows(data: bytes, lengths: Sequence[int], levels: Sequence[int]) -> list[Symbols]:
    """The inverse of `encode_rows`: int32 rows of these lengths. Raises BitstreamError."""
    if len(data) % 4 or (levels and max(levels) >= LEVELS):
        raise BitstreamError("not a range-coded stream")
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
    rows: list[Symbols] = [np.empty(0, np.int32)] * len(lengths)
    for level, members in _grouped(levels):
        counts = [lengths[i] for i in members]
        try:
            symbols = decoder.decode(_model(level), sum(counts))
        except (AssertionError, ValueError) as error:
            raise BitstreamError("the range-coded stream is not valid") from error
        symbols = (symbols - _RADII[level]).astype(np.int32)
        for i, row in zip(members, np.split(symbols, np.cumsum(counts[:-1])), strict=True):
            rows[i] = row
    return rows


def _grouped(levels: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Row numbers by level, both ascending: one call of the coder for each level."""
    groups: dict[int, list[int]] = {}
    for row, level in enumerate(levels):
        groups.setdefault(level, []).append(row)
    return sorted(groups.items())


@lru_cache(maxsize=LEVELS)
def _model(level: int) -> Any:
    spread = _SPREADS[level]
    theta = (spread << _FRACTION_BITS) // (spread + 256)
    frequency = (_TOTAL_FREQUENCY << _FRACTION_BITS) * 256 // (2 * spread + 256)
    half = []
    for _ in range(int(_RADII[level]) + 1):
        half.append(max(1, frequency >> _FRACTION_BITS))
        frequency = frequency * theta >> _FRACTION_BITS
    frequencies = np.array(half[:0:-1] + half, dtype=np.float32)
    return constriction.stream.model.Categorical(frequencies, perfect=False)
