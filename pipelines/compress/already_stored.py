"""What an archive holds already, asked about a listing; memory grows with the listing alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.schema import IMAGES
from glassplate.pipelines.sources.refs import SourceRef
from glassplate.pipelines.storage.store import Store

_CHUNK_ROWS = 1 << 20


def unchanged(
    store: Store, snapshot: Snapshot, refs: Sequence[SourceRef], retry_failed: bool
) -> npt.NDArray[np.bool_]:
    """(n,) whether the newest catalogue row of each reference's source is of the same version.

    retry_failed: a source whose newest row failed counts as changed.
    """
    uris = pa.array([ref.uri for ref in refs], pa.string())
    versions = pa.array([ref.version for ref in refs], pa.string())
    same = np.zeros(len(refs), np.bool_)
    columns = ["source_uri", "source_version", "status"]
    for rows in _chunks(_catalogue(store, snapshot), columns, max(len(refs), _CHUNK_ROWS)):
        places = pc.index_in(rows["source_uri"], value_set=uris).combine_chunks()
        listed = np.flatnonzero(places.is_valid())
        newest = np.full(len(refs), -1)
        newest[places.drop_null().to_numpy()] = listed  # where several are equal, the last one wins
        found = np.flatnonzero(newest >= 0)
        taken = rows.select(columns[1:]).take(newest[found])
        equal = pc.equal(taken["source_version"], versions.take(pa.array(found)))
        if retry_failed:
            equal = pc.and_(equal, pc.not_equal(taken["status"], "failed"))
        same[found] = equal.to_numpy()
    return same


def stored_ids(store: Store, snapshot: Snapshot, sizes: Collection[int]) -> dict[int, set[str]]:
    """Ids of the stored pictures whose source has one of these sizes in bytes, by size."""
    wanted = pc.field("source_bytes").isin(pa.array(sizes, pa.int64()))
    stored = pc.field("status").isin(["encoded", "kept"])
    table = _catalogue(store, snapshot).to_table(
        columns=["source_bytes", "image_id"], filter=wanted & stored
    )
    ids = defaultdict(set)
    for size, image_id in zip(*(column.to_pylist() for column in table.columns), strict=True):
        ids[size].add(image_id)
    return dict(ids)


def _catalogue(store: Store, snapshot: Snapshot) -> ds.Dataset:
    """All rows; those of the oldest shard come first."""
    paths = [store.path(shard.images.path) for shard in snapshot.shards]
    return ds.dataset(paths, schema=IMAGES, format="parquet", filesystem=store.filesystem)


def _chunks(catalogue: ds.Dataset, columns: list[str], size: int) -> Iterator[pa.Table]:
    """Tables of about `size` rows, in order."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in catalogue.to_batches(columns=columns):
        held.append(batch)
        rows += batch.num_rows
        if rows >= size:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)
