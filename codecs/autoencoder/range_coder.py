"""An adaptive range coder for small alphabets: it learns the statistics of a tile as it goes.

Row by row, channel by channel. A symbol's model are the counts, so far in this tile, of symbols of
its channel whose upper neighbour was the same; symbols of a row with the same neighbour are coded
together, by rising neighbour. Counts are integers and change after each row, so that both sides
have the same models exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from glassplate.codecs.errors import BitstreamError

Symbols = npt.NDArray[np.uint8]

INCREMENT = 24
"""What one symbol adds to its count; all counts start from 1."""
LIMIT = 1 << 17
"""When the counts of a model add up to more, they are halved: older symbols weigh less."""


class _Models:
    """Counts of one channel: a row for each upper neighbour, one more for the first row."""

    def __init__(self, levels: int) -> None:
        self.counts = np.ones((levels + 1, levels), np.int64)

    def groups(self, above: Symbols | None, width: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Contexts of a row, rising, each with its columns."""
        if above is None:
            yield len(self.counts) - 1, np.arange(width)
            return
        for context in np.unique(above):
            yield int(context), np.flatnonzero(above == context)

    def model(self, context: int) -> Any:
        counts = self.counts[context].astype(np.float32)
        return constriction.stream.model.Categorical(counts, perfect=False)

    def learn(self, context: int, symbols: Symbols) -> None:
        counts = self.counts[context]
        counts += INCREMENT * np.bincount(symbols, minlength=len(counts))
        while counts.sum() > LIMIT:
            counts[:] = (counts + 1) // 2


def encode(symbols: Symbols, levels: int) -> bytes:
    """(C, h, w) symbols below `levels` to whole 32-bit words, little-endian."""
    encoder = constriction.stream.queue.RangeEncoder()
    for plane in symbols:
        models, above = _Models(levels), None
        for row in plane:
            for context, columns in list(models.groups(above, len(row))):
                encoder.encode(row[columns].astype(np.int32), models.model(context))
                models.learn(context, row[columns])
            above = row
    return bytes(encoder.get_compressed().astype("<u4").tobytes())


def decode(data: bytes, levels: int, shape: tuple[int, int, int]) -> Symbols:
    """The inverse of `encode`. Raises BitstreamError."""
    if len(data) % 4:
        raise BitstreamError("not a range-coded stream")
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
    symbols = np.empty(shape, np.uint8)
    for plane in symbols:
        models, above = _Models(levels), None
        for row in plane:
            for context, columns in models.groups(above, len(row)):
                try:
                    part = decoder.decode(models.model(context), len(columns))
                except (AssertionError, ValueError) as error:
                    raise BitstreamError("the range-coded stream is not valid") from error
                row[columns] = part
                models.learn(context, row[columns])
            above = row
    return symbols
