"""Parquet files with page checksums, hashed on their way to the store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.storage.store import Store


def open_parquet(store: Store, path: str, *, checksums: bool = True) -> pq.ParquetFile:
    """Open one Parquet file; damaged pages raise OSError when read, unless told otherwise."""
    return _ParquetFile(store.open(path), page_checksum_verification=checksums)


class _ParquetFile(pq.ParquetFile):  # type: ignore[misc]
    """Reads a row group by one thread.

    A thread of Arrow's may still hold a buffer of a file that Python opened when Python ends, and
    to let go of it then aborts the process.
    """

    def read_row_group(self, i: int, columns: Sequence[str] | None = None) -> pa.Table:
        return super().read_row_group(i, columns, use_threads=False)


def write_parquet(
    store: Store, path: str, schema: pa.Schema, row_groups: Iterable[pa.Table], **options: Any
) -> FileEntry:
    """Write tables as the row groups of one file, which is hashed on its way."""
    with ExitStack() as stack:
        file = _HashedParquet(stack, store, path, schema, **options)
        for group in row_groups:
            file.write(group)
    return file.entry()


class _HashedParquet:
    """A Parquet file that is hashed on its way to the store; whole when the stack unwinds."""

    def __init__(
        self, stack: ExitStack, store: Store, path: str, schema: pa.Schema, **options: Any
    ) -> None:
        self._path = path
        self._rows = 0
        self._sink = _HashingSink(stack.enter_context(store.create(path)))
        writer = pq.ParquetWriter(self._sink, schema, write_page_checksum=True, **options)
        self._writer = stack.enter_context(writer)

    def write(self, group: pa.Table) -> None:
        """Add a row group."""
        self._writer.write_table(group, row_group_size=group.num_rows or None)
        self._rows += group.num_rows

    def entry(self) -> FileEntry:
        """What the manifest says of the file, once it is whole."""
        digest = self._sink.digest.hexdigest()
        return FileEntry(path=self._path, rows=self._rows, bytes=self._sink.size, sha256=digest)


@dataclass
class _HashingSink:
    """A file that hashes what passes through it on its way to the file system."""

    file: IO[bytes]

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += memoryview(data).nbytes
        return self.file.write(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self.file.flush()
