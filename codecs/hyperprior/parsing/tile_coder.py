"""Entropy coding of one tile: z by channel, then y in four steps, grouped by scale index.

ANS is a stack: the encoder pushes in the reverse of the order in which the decoder pops
(Duda, arXiv:1311.2540; `constriction`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from glassplate.codecs.errors import BitstreamError
from glassplate.codecs.hyperprior.network.order import STEPS, gather
from glassplate.codecs.hyperprior.network.scale_net import SCALES
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet, dense
from glassplate.codecs.hyperprior.parsing.tables import ESCAPE_RANGE, FrequencyTable
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS

Symbols = npt.NDArray[np.int16]
_PLAIN = constriction.stream.model.Uniform(2 * ESCAPE_RANGE)
_INDICES = np.arange(SCALES, dtype=np.uint8)


@dataclass(frozen=True)
class TileSymbols:
    """Everything a tile says: z (Z, h, w) and y (Y, H, W), int16."""

    z: Symbols
    y: Symbols

    def crc(self) -> int:
        """CRC-32 over the symbols, in storage order, little-endian."""
        z, y = (np.ascontiguousarray(part, "<i2") for part in (self.z, self.y))
        return zlib.crc32(y.data, zlib.crc32(z.data))


@dataclass(frozen=True)
class EntropyCoder:
    """Tiles to bytes and back; integers only.

    scales: The net that picks a table for each symbol of y.
    y_tables: One for each scale index.
    z_tables: For each rate node, one for each channel of z.
    """

    scales: IntegerScaleNet
    y_tables: Sequence[FrequencyTable]
    z_tables: Sequence[Sequence[FrequencyTable]]

    def z_node(self, quality: int) -> Sequence[FrequencyTable]:
        """The tables of z for a quality in tenths: those of the nearest node."""
        spacing = QUALITY_STEPS // (len(self.z_tables) - 1)
        return self.z_tables[(quality + spacing // 2) // spacing]

    def encode(
        self, tile: TileSymbols, indices: Sequence[npt.NDArray[np.uint8]], quality: int
    ) -> bytes:
        """The bytes of a tile. indices: per step, the scale indices in coding order."""
        coder = constriction.stream.stack.AnsCoder()
        for step in reversed(range(STEPS)):
            order, counts = _by_index(indices[step])
            symbols = gather(tile.y, step)[order]
            _push(coder, symbols, _groups(self.y_tables, counts))
        symbols = tile.z.reshape(len(tile.z), -1)
        _push(coder, symbols.ravel(), [(t, symbols.shape[1]) for t in self.z_node(quality)])
        words: npt.NDArray[np.uint32] = coder.get_compressed()
        return words.astype("<u4").tobytes()

    def decode(self, payload: bytes, height: int, width: int, quality: int) -> TileSymbols:
        """Parse a tile whose y is height x width. Raises BitstreamError."""
        if len(payload) % 4:
            raise BitstreamError("not a whole number of 32-bit words")
        words = np.frombuffer(payload, "<u4").astype(np.uint32)
        try:
            coder = constriction.stream.stack.AnsCoder(words)
        except ValueError as error:
            raise BitstreamError(f"no entropy-coded stream: {error}") from error
        z_height, z_width = -(-height // 4), -(-width // 4)
        tables = self.z_node(quality)
        z = _pop(coder, [(table, z_height * z_width) for table in tables])
        z = z.reshape(len(tables), z_height, z_width)
        state = self.scales.begin(z, height, width, quality)
        steps = []
        for step in range(STEPS):
            order, counts = _by_index(state.indices(step))
            symbols = np.empty(len(order), np.int16)
            symbols[order] = _pop(coder, _groups(self.y_tables, counts))
            steps.append(symbols)
            if step < STEPS - 1:
                state.reveal(step, symbols)
        if not coder.is_empty():
            raise BitstreamError("bytes are left over after the last symbol")
        return TileSymbols(z, dense(steps, self.scales.channels, height, width))


Group = tuple[FrequencyTable, int]


def _by_index(indices: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """A stable order that sorts by scale index, and how many symbols each index has."""
    order = np.argsort(indices, kind="stable")
    ends = np.searchsorted(indices[order], _INDICES, side="right")
    return order, np.diff(ends, prepend=0)


def _groups(tables: Sequence[FrequencyTable], counts: npt.NDArray[np.intp]) -> list[Group]:
    return [(tables[i], int(count)) for i, count in enumerate(counts) if count]


def _push(coder: Any, symbols: Symbols, groups: Sequence[Group]) -> None:
    """Push symbols, sorted by group; those beyond a table's reach follow plainly at the end."""
    reach = _reaches(groups)
    coded = symbols + reach
    escaped = np.abs(symbols) > reach
    if escaped.any():
        coder.encode_reverse(symbols[escaped] + np.int32(ESCAPE_RANGE), _PLAIN)
        coded[escaped] = 2 * reach[escaped] + 1
    end = len(coded)
    for table, count in reversed(groups):
        coder.encode_reverse(coded[end - count : end], table.model)
        end -= count


def _pop(coder: Any, groups: Sequence[Group]) -> Symbols:
    """Inverse of `_push`."""
    reach = _reaches(groups)
    coded = np.concatenate([coder.decode(table.model, count) for table, count in groups])
    escaped = coded > 2 * reach
    symbols = (coded - reach).astype(np.int16)
    if escaped.any():
        symbols[escaped] = coder.decode(_PLAIN, int(escaped.sum())) - ESCAPE_RANGE
    return symbols


def _reaches(groups: Sequence[Group]) -> npt.NDArray[np.int32]:
    """The reach of each symbol's table."""
    reaches = np.array([table.reach for table, _ in groups], np.int32)
    return np.repeat(reaches, [count for _, count in groups])
