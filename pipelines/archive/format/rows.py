"""Single rows out of an archive's Parquet files, also where other parts of a file are damaged."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glassplate.codecs.container.bitstream import check_damage
from glassplate.codecs.errors import BitstreamError
from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.archive.format.parquet import open_parquet
from glassplate.pipelines.archive.format.schema import TABLES, BitstreamRow, ImageRow
from glassplate.pipelines.errors import OutsideError, ShardDamagedError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

PARQUET_ERRORS = (OSError, pa.ArrowException, OutsideError)
"""What pyarrow raises on missing, truncated and damaged files; and files that lie elsewhere."""

_FEWEST = 5
"""Columns that every table has had from the first version on."""

_IMAGE_COLUMNS = list(ImageRow.__dataclass_fields__)


def open_table(store: Store, file: FileEntry) -> pq.ParquetFile:
    """Open a file of one of the archive's tables, whose columns have to be those of some version.

    Raises OSError, pa.ArrowException.
    """
    parquet = open_parquet(store, file.path)
    wanted, found = TABLES[file.path.partition("/")[0]], parquet.schema_arrow
    if len(found) < _FEWEST or any(
        (one.name, one.type, one.nullable) != (other.name, other.type, other.nullable)
        for one, other in zip(found, wanted, strict=False)
    ):
        raise pa.ArrowInvalid("its columns are not those of the format")
    return parquet


def read_image_row(store: Store, file: FileEntry, row: int) -> ImageRow:
    """One row of a catalogue file. Raises ShardDamagedError."""
    try:
        parquet = open_table(store, file)
        group, offset = row_group_of(parquet, row)
        table = parquet.read_row_group(group, _IMAGE_COLUMNS)
    except PARQUET_ERRORS as error:
        raise damaged(file, error) from error
    return ImageRow(**table.slice(offset, 1).to_pylist()[0])


def read_column(store: Store, file: FileEntry, column: str) -> list[Any]:
    """One whole column. Raises ShardDamagedError."""
    try:
        values: list[Any] = open_table(store, file).read([column])[column].to_pylist()
    except PARQUET_ERRORS as error:
        raise damaged(file, error) from error
    return values


def read_bitstream(store: Store, file: FileEntry, row: int, image_id: str) -> BitstreamRow:
    """One row of a bitstreams file; only its row group is read.

    Where the row group is damaged, the bitstream's own checksums decide whether this one is
    hit, and metadata that is not certain is left out with a warning.
    Raises ShardDamagedError, BitstreamError.
    """
    try:
        parquet = open_table(store, file)
        group, offset = row_group_of(parquet, row)
    except PARQUET_ERRORS as error:
        raise damaged(file, error) from error
    try:
        values = parquet.read_row_group(group).slice(offset, 1).to_pylist()[0]
    except PARQUET_ERRORS:
        values = _salvage(store, file, group)[offset] | {"image_id": image_id}
        check_damage(values["bitstream"])
    if values["image_id"] != image_id:
        raise BitstreamError("another picture is stored in its place", subject=file.path)
    return BitstreamRow(**values)


def salvage_blobs(store: Store, file: FileEntry, group: int) -> list[bytes]:
    """The bitstreams of a damaged row group, unchecked. Raises ShardDamagedError."""
    try:
        parquet = open_parquet(store, file.path, checksums=False)
        blobs: list[bytes] = parquet.read_row_group(group, ["bitstream"])[0].to_pylist()
    except PARQUET_ERRORS as error:
        raise damaged(file, error) from error
    return blobs


def row_group_of(parquet: pq.ParquetFile, row: int) -> tuple[int, int]:
    """The row group that holds a row, and the row's place in it. Raises pa.ArrowInvalid."""
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group).num_rows
        if row < rows:
            return group, row
        row -= rows
    raise pa.ArrowInvalid("the file has fewer rows than the index says")


def damaged(file: FileEntry, error: Exception) -> ShardDamagedError:
    """The typed error for a Parquet file that pyarrow cannot read."""
    fix = "Run `glassplate verify` to see which pictures are hit."
    if isinstance(error, FileNotFoundError):
        fix = f"Open the archive again, if its old snapshots were just forgotten. Else: {fix}"
        return ShardDamagedError("is missing", fix, file.path)
    return ShardDamagedError(f"cannot be read ({error})", fix, file.path)


def _salvage(store: Store, file: FileEntry, group: int) -> list[dict[str, Any]]:
    rows = [{"bitstream": blob} for blob in salvage_blobs(store, file, group)]
    parquet = open_parquet(store, file.path)
    for column in set(parquet.schema_arrow.names) - {"bitstream", "image_id"}:
        try:
            values = parquet.read_row_group(group, [column])[0].to_pylist()
        except PARQUET_ERRORS:
            logger.warning("%s: column %s is damaged and left out", file.path, column)
            values = [None] * len(rows)
        for row, value in zip(rows, values, strict=True):
            row[column] = value
    return rows
