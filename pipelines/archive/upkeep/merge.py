"""Several small shards into one large one: the same rows in the same order, in bounded memory.

    images      each row keeps its run in `run_id`; `bitstream_row` counts on from shard to shard
    bitstreams  as they are, in row groups of the usual size
    latents     as they are

What was written is read back and compared with its sources, row group by row group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from glassplate.pipelines.archive.format.manifest import FileEntry, Ledger, ShardEntry
from glassplate.pipelines.archive.format.parquet import open_parquet
from glassplate.pipelines.archive.format.places import run_of
from glassplate.pipelines.archive.format.rows import PARQUET_ERRORS, damaged
from glassplate.pipelines.archive.format.schema import TABLES
from glassplate.pipelines.archive.format.staging import STAGING, StagedShard, mark_staged
from glassplate.pipelines.archive.write.shard import ROW_GROUP_BYTES, ROW_GROUP_ROWS, write_table
from glassplate.pipelines.errors import ShardDamagedError
from glassplate.pipelines.storage.store import Store

_COUNTED = ["status", "source_bytes", "stored_bytes", "bitstream_row", "codec", "codec_fingerprint"]


def merge_shards(store: Store, key: str, shards: Sequence[ShardEntry]) -> StagedShard:
    """Stage one shard with the rows of several, oldest first; it holds a few row groups in memory.

    Raises ShardDamagedError if a source has other bytes than its manifest says, or if what is
    read back differs from the sources; OSError if the file system refuses.
    """
    for file in (file for shard in shards for file in shard.files()):
        _check_bytes(store, file)
    folder = f"{STAGING}/{key}"
    files = {
        table: _merge(store, f"{folder}/{table}.parquet", table, shards)
        for table in TABLES
        if any(getattr(shard, table) for shard in shards)
    }
    entry = ShardEntry(**files)
    try:
        ledger, codecs = _counts(store, entry.images)
        staged = StagedShard(key=key, entry=entry, ledger=ledger, codecs=codecs)
    except (ValidationError, TypeError) as error:  # of words that a status or a codec cannot be
        paths = ", ".join(shard.images.path for shard in shards)
        cause = "a catalogue has rows that no run writes"
        raise ShardDamagedError(cause, "Run `glassplate verify`.", paths) from error
    return mark_staged(store, staged)


def _merge(store: Store, path: str, table: str, shards: Sequence[ShardEntry]) -> FileEntry:
    file = write_table(store, path, table, _row_groups(store, table, shards))
    with open_parquet(store, path) as merged:
        for number, wanted in enumerate(_row_groups(store, table, shards)):
            if not merged.read_row_group(number).equals(wanted):
                raise ShardDamagedError(
                    "differs from the shards that it was merged from", "Check the disk.", path
                )
    return file


def _row_groups(store: Store, table: str, shards: Sequence[ShardEntry]) -> Iterator[pa.Table]:
    """The sources' row groups, small ones joined up to the usual size."""
    held: list[pa.Table] = []
    for piece in _pieces(store, table, shards):
        rows = sum(part.num_rows for part in (*held, piece))
        size = sum(part.nbytes for part in (*held, piece))
        if held and (rows > ROW_GROUP_ROWS[table] or size > ROW_GROUP_BYTES):
            yield pa.concat_tables(held)
            held = []
        held.append(piece)
    if held:
        yield pa.concat_tables(held)


def _pieces(store: Store, table: str, shards: Sequence[ShardEntry]) -> Iterator[pa.Table]:
    """Every row group of a table, in the newest schema."""
    bitstreams = 0
    for shard in shards:
        file: FileEntry | None = getattr(shard, table)
        if file:
            for piece in _read(store, file, TABLES[table]):
                yield (
                    _relocated(piece, run_of(file.path), bitstreams) if table == "images" else piece
                )
        bitstreams += shard.bitstreams.rows if shard.bitstreams else 0


def _read(store: Store, file: FileEntry, schema: pa.Schema) -> Iterator[pa.Table]:
    """Row groups of a file; columns that its schema version did not have yet are null."""
    try:
        with open_parquet(store, file.path) as parquet:
            for group in range(parquet.num_row_groups):
                found = parquet.read_row_group(group)
                columns = [
                    found[field.name]
                    if field.name in found.schema.names
                    else pa.nulls(found.num_rows, field.type)
                    for field in schema
                ]
                yield pa.table(columns, schema=schema)
    except PARQUET_ERRORS as error:
        raise damaged(file, error) from error


def _relocated(images: pa.Table, run_id: str, bitstreams: int) -> pa.Table:
    """Catalogue rows that know their run, behind so many other bitstreams."""
    columns = {
        "bitstream_row": pc.add(images["bitstream_row"], pa.scalar(bitstreams, pa.int32())),
        "run_id": pc.fill_null(images["run_id"], run_id),
    }
    for name, values in columns.items():
        position = images.schema.get_field_index(name)
        images = images.set_column(position, images.schema.field(name), values)
    return images


def _counts(store: Store, images: FileEntry) -> tuple[Ledger, dict[str, str]]:
    """Ledger of a catalogue file, and the codecs in it (fingerprint -> name)."""
    with open_parquet(store, images.path) as file:
        table = file.read(_COUNTED)
    stored = table.filter(table["bitstream_row"].is_valid())
    statuses = {
        item["values"]: item["counts"] for item in table["status"].value_counts().to_pylist()
    }
    ledger = Ledger(
        inputs=table.num_rows,
        **statuses,
        source_bytes=pc.sum(stored["source_bytes"]).as_py() or 0,
        stored_bytes=pc.sum(stored["stored_bytes"]).as_py() or 0,
    )
    codecs = table.select(["codec_fingerprint", "codec"]).drop_null().group_by(_COUNTED[:-3:-1])
    return ledger, {
        row["codec_fingerprint"]: row["codec"] for row in codecs.aggregate([]).to_pylist()
    }


def _check_bytes(store: Store, file: FileEntry) -> None:
    try:
        sound = store.digest(file.path) == (file.bytes, file.sha256)
    except OSError as error:
        raise damaged(file, error) from error
    if not sound:
        raise ShardDamagedError(
            "has other bytes than were written",
            "Run `glassplate verify` to see which pictures are hit.",
            file.path,
        )
