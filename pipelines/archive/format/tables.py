"""The tables of a snapshot as datasets of pyarrow."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from glassplate.pipelines.archive.format.manifest import FileEntry, Snapshot
from glassplate.pipelines.archive.format.places import run_of
from glassplate.pipelines.archive.format.schema import TABLES
from glassplate.pipelines.storage.store import Store


def open_table(store: Store, snapshot: Snapshot, table: str) -> ds.Dataset:
    """The files that the manifest names, none of them opened yet; see `TABLES` for the names."""
    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    parquet = ds.ParquetFileFormat(default_fragment_scan_options=checked)
    files: list[FileEntry | None] = [getattr(shard, table) for shard in snapshot.shards]
    filesystem = (
        pafs.LocalFileSystem()
        if store.is_local
        else pafs.PyFileSystem(pafs.FSSpecHandler(store.filesystem))
    )
    fragments = [
        parquet.make_fragment(
            store.path(file.path),
            filesystem=filesystem,
            partition_expression=pc.field("run") == run_of(file.path),
        )
        for file in files
        if file
    ]
    schema = TABLES[table].append(pa.field("run", pa.string()))
    return ds.FileSystemDataset(fragments, schema, parquet)
