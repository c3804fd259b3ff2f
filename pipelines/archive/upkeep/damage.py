"""Pictures that a damaged shard file hits, as exactly as what is left can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow.parquet as pq

from glassplate.codecs.container.bitstream import check_damage
from glassplate.codecs.errors import BitstreamError
from glassplate.pipelines.archive.format.index import Index
from glassplate.pipelines.archive.format.manifest import FileEntry, Snapshot
from glassplate.pipelines.archive.format.rows import (
    PARQUET_ERRORS,
    open_table,
    read_column,
    salvage_blobs,
)
from glassplate.pipelines.errors import ShardDamagedError
from glassplate.pipelines.storage.store import Store

_MOST_ROWS = 1 << 20
"""Rows of a file that is gone; more than any shard has."""


class ShardDoctor:
    """One shard with at least one damaged file; any of its files may be."""

    def __init__(self, store: Store, snapshot: Snapshot, number: int) -> None:
        self._store = store
        self._snapshot = snapshot
        self._number = number
        self._entry = snapshot.shards[number]

    def hit(self, table: str) -> tuple[list[str], list[str]]:
        """Ids and names of the rows of a damaged file that are lost or in doubt."""
        file: FileEntry = getattr(self._entry, table)
        rows = sorted(set(damaged_rows(self._store, file)))
        own = self._ids(table)
        if not rows or own is None:
            ids = self._known_ids() if rows else []
        else:
            ids = [image_id for row in rows if row < len(own) and (image_id := own[row])]
        if rows and table == "images" and (names := self._column("images", "name")):
            return ids, [names[row] for row in rows if row < len(names)]
        return ids, self.names_of(ids)

    def names_of(self, image_ids: Iterable[str]) -> list[str]:
        """The names under which this shard's catalogue stores these pictures."""
        ids, names = self._ids("images"), self._column("images", "name")
        by_id = dict(zip(ids, names, strict=True)) if ids and names else {}
        return [by_id[image_id] for image_id in image_ids if image_id in by_id]

    def _ids(self, table: str) -> list[str | None] | None:
        """The image id of each row of a file; None if nothing tells."""
        ids = self._column(table, "image_id")
        if ids is not None or table != "bitstreams":
            return ids
        catalogue = self._column("images", "image_id")
        places = self._column("images", "bitstream_row")
        if catalogue is None or places is None:
            return None
        by_place = dict(zip(places, catalogue, strict=True))
        return [
            by_place.get(row) for row in range(min(getattr(self._entry, table).rows, len(places)))
        ]

    def _known_ids(self) -> list[str]:
        """Every id in the shard; from the index, if all else is lost, the first 16 digits."""
        for table in ("bitstreams", "images", "latents"):
            if ids := self._column(table, "image_id"):
                return [image_id for image_id in ids if image_id]
        try:
            keys = Index(self._store, self._snapshot.id_index).keys_of(self._number)
        except PARQUET_ERRORS:
            return []
        return [f"{key:016x}" for key in keys]

    def _column(self, table: str, column: str) -> list[Any] | None:
        file: FileEntry | None = getattr(self._entry, table)
        try:
            return read_column(self._store, file, column) if file else None
        except ShardDamagedError:
            return None


def damaged_rows(store: Store, file: FileEntry) -> Iterator[int]:
    """Rows of a damaged file that cannot be read, or not be trusted."""
    try:
        parquet = open_table(store, file)
    except PARQUET_ERRORS:
        yield from _all_rows(store, file)
        return
    if parquet.metadata.num_rows != file.rows:
        yield from _all_rows(store, file)
        return
    first = 0
    for group in range(parquet.num_row_groups):
        rows = range(first, first + parquet.metadata.row_group(group).num_rows)
        columns = _damaged_columns(parquet, group)
        if columns == ["bitstream"]:
            yield from (rows[n] for n in _damaged_blobs(store, file, group, len(rows)))
        elif columns:
            yield from rows
        first = rows.stop


def _all_rows(store: Store, file: FileEntry) -> range:
    """As the manifest counts them, or as many as there are bytes: it may say anything."""
    try:
        return range(min(file.rows, store.size(file.path)))
    except PARQUET_ERRORS:
        return range(min(file.rows, file.bytes, _MOST_ROWS))


def _damaged_columns(parquet: pq.ParquetFile, group: int) -> list[str]:
    """Columns of a row group with a page that fails its checksum or cannot be parsed."""
    found = []
    for column in parquet.schema_arrow.names:
        try:
            parquet.read_row_group(group, [column])
        except PARQUET_ERRORS:
            found.append(column)
    return found


def _damaged_blobs(store: Store, file: FileEntry, group: int, rows: int) -> Iterator[int]:
    """Places in a row group whose bitstream fails its own checksums; all, if none can be read."""
    try:
        blobs = salvage_blobs(store, file, group)
    except ShardDamagedError:
        yield from range(rows)
        return
    for place, blob in enumerate(blobs):
        try:
            check_damage(blob)
        except BitstreamError:
            yield place
