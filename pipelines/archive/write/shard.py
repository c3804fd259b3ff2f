"""Writing the files of one shard: pinned schemas, small row groups, page checksums, a mark at last.

The same rows give the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Self

import pyarrow as pa

from glassplate.pipelines.archive.format.manifest import FileEntry, Ledger, ShardEntry
from glassplate.pipelines.archive.format.parquet import _HashedParquet, open_parquet, write_parquet
from glassplate.pipelines.archive.format.schema import (
    TABLES,
    TROUBLES,
    BitstreamRow,
    ImageRow,
    LatentRow,
    to_table,
)
from glassplate.pipelines.archive.format.staging import (
    STAGING,
    StagedShard,
    mark_path,
    mark_staged,
    read_mark,
)
from glassplate.pipelines.errors import ShardDamagedError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

ROW_GROUP_BYTES = 2 << 20
ROW_GROUP_ROWS = {"images": 4096, "bitstreams": 64, "latents": 512}

_BLOBS = ("bitstream", "latent", "embedding.list.element")  # entropy-coded or near to it
_OPTIONS: dict[str, dict[str, Any]] = {
    "images": {},
    "bitstreams": {"use_dictionary": ["icc_profile"], "write_statistics": ["image_id"]},
    "latents": {"use_dictionary": ["dtype", "model"], "write_statistics": ["image_id"]},
}


class ShardWriter:
    """Writes the files of one shard side by side, row by row; holds one row group of each.

    A context: if it ends before `finish`, nothing of the files is left.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._tables: dict[str, _TableWriter] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def write(self, table: str, row: ImageRow | BitstreamRow | LatentRow) -> int:
        """Add a row to a table; returns its place. A table without rows has no file."""
        if table not in self._tables:
            path = f"{STAGING}/{self._key}/{table}.parquet"
            self._tables[table] = _TableWriter(self._open, self._store, path, table)
        return self._tables[table].write(row)

    def finish(
        self,
        images: Sequence[ImageRow],
        ledger: Ledger | None = None,
        models: Mapping[str, str] = MappingProxyType({}),
    ) -> StagedShard:
        """Write the catalogue, read all files back, and set the mark.

        ledger: counts of the shard's inputs; None: every row is one.
        models: fingerprint -> name of codecs that only latents are of.

        Raises ShardDamagedError if what was read back is not what was written, OSError if the
        file system refuses.
        """
        for row in images:
            self.write("images", row)
        for table in self._tables.values():
            table.flush()
        self._open.close()
        files = {name: table.entry() for name, table in self._tables.items()}
        for file in files.values():
            _read_back(self._store, file)
        codecs = {r.codec_fingerprint: r.codec for r in images if r.codec_fingerprint and r.codec}
        if "latents" in files:
            codecs |= models
        entry = ShardEntry(**files)
        return mark_staged(
            self._store,
            StagedShard(
                key=self._key, entry=entry, ledger=ledger or ledger_of(images), codecs=codecs
            ),
        )


def stage_shard(
    store: Store,
    key: str,
    images: Sequence[ImageRow],
    bitstreams: Sequence[BitstreamRow],
    latents: Sequence[LatentRow],
) -> StagedShard:
    """Write the rows of one shard that are all at hand, in the order given; see `ShardWriter`."""
    with ShardWriter(store, key) as writer:
        for table, rows in (("bitstreams", bitstreams), ("latents", latents)):
            for row in rows:
                writer.write(table, row)
        return writer.finish(images)


def check_staged(store: Store, key: str) -> None:
    """Read every page and byte of a staged shard again; one that is not sound loses its mark."""
    staged = read_mark(store, key)
    try:
        for file in staged.entry.files() if staged else ():
            _read_back(store, file)
    except ShardDamagedError as error:
        logger.warning("%s; the shard is redone", error)
        store.delete(mark_path(key))


def ledger_of(images: Sequence[ImageRow]) -> Ledger:
    """Count the rows of one shard by what became of them; bytes are those of stored pictures."""
    stored = [row for row in images if row.bitstream_row is not None]
    counts = {"encoded": 0, "kept": 0, "skipped": 0, "failed": 0}
    for row in images:
        counts[row.status] += 1
    return Ledger(
        inputs=len(images),
        **counts,
        damaged=sum(row.status == "kept" and row.reason in TROUBLES for row in images),
        source_bytes=sum(row.source_bytes or 0 for row in stored),
        stored_bytes=sum(row.stored_bytes or 0 for row in stored),
    )


def write_table(store: Store, path: str, table: str, row_groups: Iterable[pa.Table]) -> FileEntry:
    """Write one Parquet file of an archive's table, row group by row group, and read it back.

    Raises ShardDamagedError, OSError.
    """
    schema = TABLES[table]
    entry = write_parquet(store, path, schema, row_groups, **_writer_options(table, schema))
    _read_back(store, entry)
    return entry


class _TableWriter:
    """Rows to row groups, cut so that one picture can be read without much around it."""

    def __init__(self, stack: ExitStack, store: Store, path: str, table: str) -> None:
        self._schema = TABLES[table]
        self._limit = ROW_GROUP_ROWS[table]
        options = _writer_options(table, self._schema)
        self._file = _HashedParquet(stack, store, path, self._schema, **options)
        self._held: list[Any] = []
        self._held_bytes = 0
        self._rows = 0

    def write(self, row: ImageRow | BitstreamRow | LatentRow) -> int:
        """Add a row; returns its place."""
        self._held.append(row)
        self._held_bytes += _blob_bytes(row)
        self._rows += 1
        if self._held_bytes >= ROW_GROUP_BYTES or len(self._held) == self._limit:
            self.flush()
        return self._rows - 1

    def flush(self) -> None:
        """Close the row group."""
        if self._held:
            self._file.write(to_table(self._held, self._schema))
        self._held, self._held_bytes = [], 0

    def entry(self) -> FileEntry:
        """As `_HashedParquet.entry`."""
        return self._file.entry()


def _writer_options(table: str, schema: pa.Schema) -> dict[str, Any]:
    columns = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    return {
        "compression": {name: "none" if name in _BLOBS else "zstd" for name in columns},
        **_OPTIONS[table],
    }


def _leaves(name: str, kind: pa.DataType) -> Iterator[str]:
    """The Parquet columns of a field."""
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(f"{name}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{name}.{field.name}", field.type)
    else:
        yield name


def _blob_bytes(row: ImageRow | BitstreamRow | LatentRow) -> int:
    if isinstance(row, BitstreamRow):
        return row.stored_bytes
    return len(row.latent or b"") if isinstance(row, LatentRow) else 0


def _read_back(store: Store, entry: FileEntry) -> None:
    """Raises ShardDamagedError unless the file system gives back every page and byte."""
    try:
        with open_parquet(store, entry.path) as file:
            rows = sum(file.read_row_group(group).num_rows for group in range(file.num_row_groups))
    except (OSError, pa.ArrowException) as error:
        raise ShardDamagedError(
            f"cannot be read back: {error}", "Check the disk.", entry.path
        ) from error
    if rows != entry.rows or store.digest(entry.path) != (entry.bytes, entry.sha256):
        raise ShardDamagedError(
            "other bytes were read back than were written", "Check the disk.", entry.path
        )
