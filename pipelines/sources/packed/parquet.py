"""Pictures inside of Parquet files, as Hugging Face datasets have them: `image: {bytes, path}`.

    parquet://image/17::file:///data/train-00000.parquet      the picture in the 18th row

A plain binary column that is called like a picture is one, too. The other columns are the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glassplate.pipelines.sources.packed.sidecars import exported
from glassplate.pipelines.sources.packed.tables import plain_columns
from glassplate.pipelines.sources.places.refs import SourceRef, printable, safe_name, skipped_ref

SCHEME = "parquet://"
_NAMES = {
    "image",
    "img",
    "picture",
    "photo",
    "image_bytes",
    "bytes",
    "content",
    "jpg",
    "jpeg",
    "png",
}
_NAMES |= {"webp", "pixels", "data"}

Elsewhere = Callable[[str], SourceRef]
"""What a path in a row without bytes names."""


def image_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold pictures."""
    return [field.name for field in schema if _holds_pictures(field)]


def list_images(url: str, version: str, elsewhere: Elsewhere) -> list[SourceRef]:
    """Every picture of a Parquet file, or the row that has none.

    url: with '://'. version: of the file. Raises OSError, pa.ArrowException.
    """
    fs, path = fsspec.core.url_to_fs(url)
    with fs.open(path, "rb") as file:
        parquet = pq.ParquetFile(file)
        return list(_refs(parquet, url, version, elsewhere, getattr(fs, "local_file", False)))


def read_image(ref: SourceRef) -> bytes:
    """The bytes of a listed picture. Raises FileNotFoundError, OSError, pa.ArrowException."""
    inside, _, outside = ref.uri.rpartition("::")
    column, row = inside.removeprefix(SCHEME).rsplit("/", 1)
    fs, path = fsspec.core.url_to_fs(outside)
    place = int(row)
    for group, rows in enumerate(_group_rows(outside, fs.ukey(path))):
        if place < rows:
            value = _column(outside, fs.ukey(path), column, group)[place].as_py()
            data: bytes | None = value["bytes"] if isinstance(value, dict) else value
            return data or b""
        place -= rows
    raise FileNotFoundError(ref.path)


def _holds_pictures(field: pa.Field) -> bool:
    kind = field.type
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _is_blob(kind.field(index).type)
    return _is_blob(kind) and field.name.lower() in _NAMES


def _is_blob(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _refs(
    parquet: pq.ParquetFile, url: str, version: str, elsewhere: Elsewhere, sized: bool
) -> Iterator[SourceRef]:
    """sized: the bytes are at hand, and are read for their lengths."""
    schema = parquet.schema_arrow
    stem = PurePosixPath(url).stem
    start = 0
    for group in range(parquet.num_row_groups):
        rows = parquet.read_row_group(group, plain_columns(schema)).to_pylist()
        count = parquet.metadata.row_group(group).num_rows
        rows = rows or [{} for _ in range(count)]
        for column in image_columns(schema):
            paths, sizes = _paths_and_sizes(parquet, group, schema.field(column), sized)
            for place, (path, size) in enumerate(zip(paths, sizes, strict=True)):
                name, fields = exported(rows[place])
                inside = safe_name(path) if path else f"{start + place:08}"
                name = safe_name(name) if name else f"{stem}/{inside}"
                uri = f"{SCHEME}{column}/{start + place}::{url}"
                if size == 0:
                    ref = elsewhere(path) if path else skipped_ref(uri, uri, name, "blank-entry")
                else:
                    ref = SourceRef(printable(uri), uri, printable(name), version, size)
                yield ref.with_fields(fields)
        start += count


def _paths_and_sizes(
    parquet: pq.ParquetFile, group: int, field: pa.Field, sized: bool
) -> tuple[list[str | None], list[int | None]]:
    """Names and sizes of a column's pictures in one row group. A size of 0: there are no bytes."""
    nested = pa.types.is_struct(field.type)
    count = parquet.metadata.row_group(group).num_rows
    paths: list[str | None] = [None] * count
    sizes: list[int | None] = [None] * count
    if nested and field.type.get_field_index("path") >= 0:
        leaf = parquet.read_row_group(group, [f"{field.name}.path"])[field.name]
        paths = pc.struct_field(leaf, "path").to_pylist()
    if sized:
        blobs = parquet.read_row_group(group, [f"{field.name}.bytes" if nested else field.name])
        column = pc.struct_field(blobs[0], "bytes") if nested else blobs[0]
        sizes = pc.fill_null(pc.binary_length(column), 0).to_pylist()
    return paths, sizes


@lru_cache(maxsize=8)
def _group_rows(url: str, _state: str) -> list[int]:
    with fsspec.open(url, "rb") as file:
        metadata = pq.ParquetFile(file).metadata
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


@lru_cache(maxsize=2)
def _column(url: str, _state: str, column: str, group: int) -> Any:
    """One column of a row group: neighbours are read one after the other."""
    with fsspec.open(url, "rb") as file:
        return pq.ParquetFile(file).read_row_group(group, [column])[column]
