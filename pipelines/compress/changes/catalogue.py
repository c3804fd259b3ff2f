"""A snapshot's catalogue in large portions. Rows are numbered through all shards, oldest first.

Shards stand in the order of the commits, so the row of a source with the highest number is its
newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.schema import IMAGES
from glassplate.pipelines.storage.store import Store

CHUNK_ROWS = 1 << 20

Numbers = npt.NDArray[np.int64]
"""(n,) row numbers, or places in what was asked for."""


class Catalogue:
    """Scans over one snapshot; a portion and what is found are all that is held."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._paths = [shard.images.path for shard in snapshot.shards]
        self._ends = np.cumsum([shard.images.rows for shard in snapshot.shards])
        self._dataset = ds.dataset(
            [store.path(path) for path in self._paths],
            schema=IMAGES,
            format="parquet",
            filesystem=store.filesystem,
        )

    def place(self, number: int) -> tuple[str, int]:
        """The catalogue file that holds a row, and the row's place in it."""
        shard = int(np.searchsorted(self._ends, number, side="right"))
        return self._paths[shard], int(number - (self._ends[shard - 1] if shard else 0))

    def portions(
        self, columns: Sequence[str], size: int = CHUNK_ROWS
    ) -> Iterator[tuple[int, pa.Table]]:
        """(number of the first row, table of about `size` rows), in order."""
        held: list[pa.RecordBatch] = []
        first = rows = 0
        for batch in self._dataset.to_batches(columns=list(columns)):
            held.append(batch)
            rows += batch.num_rows
            if rows >= size:
                yield first, pa.Table.from_batches(held)
                first, held, rows = first + rows, [], 0
        if held:
            yield first, pa.Table.from_batches(held)

    def values(self, numbers: Numbers, column: str) -> list[Any]:
        """A column's values in the rows of these numbers."""
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        taken = []
        for first, rows in self.portions([column]) if len(numbers) else ():
            begin, end = np.searchsorted(ascending, [first, first + len(rows)])
            taken += rows[column].take(ascending[begin:end] - first).to_pylist()
        values: list[Any] = [None] * len(numbers)
        for place, value in zip(order, taken, strict=True):
            values[place] = value
        return values

    def sizes(self) -> set[int]:
        """Sizes in bytes of the sources whose pictures are stored."""
        found: set[int] = set()
        for _, rows in self.portions(["source_bytes", "bitstream_row"]):
            sizes = rows["source_bytes"].filter(rows["bitstream_row"].is_valid())
            found.update(sizes.unique().to_pylist())
        return found - {None}

    def newest(self, uris: pa.Array) -> Numbers:
        """(n,) the number of the newest row of each source; -1: it has none."""
        numbers = np.full(len(uris), -1)
        for first, rows in self.portions(["source_uri"], max(len(uris), CHUNK_ROWS)):
            found, last, _ = latest(rows["source_uri"], uris)
            numbers[found] = first + last
        return numbers


def latest(column: pa.ChunkedArray, wanted: pa.Array) -> tuple[Numbers, Numbers, pa.Array]:
    """Where a column has the wanted values for the last time.

    Returns which of the wanted values are in it, at which row each stands last, and a mask of the
    rows that have none of them.
    """
    places = pc.index_in(column, value_set=wanted).combine_chunks()
    last = np.full(len(wanted), -1)
    last[places.drop_null().to_numpy()] = np.flatnonzero(places.is_valid())
    found = np.flatnonzero(last >= 0)
    return found, last[found], places.is_null()
