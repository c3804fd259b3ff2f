"""The pictures of a source, one after the other: a directory, a glob, tar or Parquet files.

Any fsspec URL. Nothing is ever held but a few pictures: a tar is read member by member, a Parquet
file batch by batch, and what is not wanted is skipped unread where the format allows it.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePosixPath
from typing import TypeAlias

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from glassplate.codecs.errors import InputError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".avif"}
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
AT_ONCE = 16
"""Files that are read at the same time, and rows of a Parquet file in memory."""

Wanted: TypeAlias = Callable[[str], bool]
"""Whether a picture of this name is to be read."""
Read: TypeAlias = tuple[str, bytes | Exception]
"""A name, and the bytes, or why they could not be read."""


def read_pictures(url: str, wanted: Wanted) -> Iterator[Read]:
    """Names and bytes of the pictures of a source that are wanted, always in the same order.

    Args:
        url: A directory (searched through), a glob, or one file. Files in it are pictures, tars of
            pictures, or Parquet with a binary column, or a struct column with a binary field
            `bytes` (the form of Hugging Face data sets); the first such column is taken.
        wanted: Asked before a picture is read.

    Raises InputError for a source that cannot be listed, or is none.
    """
    fs, root, files = _files(url)
    if f"{root}/archive.json" in files:
        raise InputError(
            "is an archive of Glassplate", f"First: glassplate extract {url} DIR.", url
        )
    name_of = {path: path.removeprefix(root).lstrip("/") for path in files}
    loose = [p for p in files if PurePosixPath(p).suffix.lower() in IMAGE_SUFFIXES]
    tars = [path for path in files if path.lower().endswith(TAR_SUFFIXES)]
    tables = [path for path in files if path.lower().endswith(".parquet")]
    if not (loose or tars or tables):
        raise InputError("holds neither pictures, nor tar, nor Parquet files", subject=url)
    yield from _read_files(fs, [(name_of[path], path) for path in loose], wanted)
    for path in tars:
        yield from _read_tar(fs, path, name_of[path], wanted)
    for path in tables:
        yield from _read_parquet(fs, path, name_of[path], wanted)


def _files(url: str) -> tuple[AbstractFileSystem, str, list[str]]:
    """File system, the folder that names are relative to, and all files, sorted."""
    try:
        fs, path = fsspec.core.url_to_fs(url) if "://" in url else (LocalFileSystem(), url)
        path = path.rstrip("/")
        if fs.isdir(path):
            return fs, path, sorted(fs.find(path))
        found = [path] if fs.exists(path) else fs.glob(path)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(str(error), "Give a directory, glob, tar or Parquet.", url) from error
    if not found:
        raise InputError("no such file or directory", subject=url)
    root = re.split(r"/[^/]*[*?\[]", path)[0] if path not in found else path.rpartition("/")[0]
    return fs, root, sorted(found)


def _read_files(
    fs: AbstractFileSystem, named: list[tuple[str, str]], wanted: Wanted
) -> Iterator[Read]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(named), AT_ONCE):
            batch = [(name, path) for name, path in named[start : start + AT_ONCE] if wanted(name)]
            data = pool.map(partial(_read_file, fs), [path for _, path in batch])
            yield from zip([name for name, _ in batch], data, strict=True)


def _read_file(fs: AbstractFileSystem, path: str) -> bytes | Exception:
    try:
        return bytes(fs.cat_file(path))
    except OSError as error:
        return error


def _read_tar(fs: AbstractFileSystem, path: str, name: str, wanted: Wanted) -> Iterator[Read]:
    try:
        with fs.open(path, "rb") as file, tarfile.open(fileobj=file) as tar:
            while member := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # or it keeps every header
                inner = f"{name}/{member.name}"
                is_picture = PurePosixPath(inner).suffix.lower() in IMAGE_SUFFIXES
                if member.isfile() and is_picture and wanted(inner):
                    content = tar.extractfile(member)
                    assert content is not None
                    yield inner, content.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        yield name, error


def _read_parquet(fs: AbstractFileSystem, path: str, name: str, wanted: Wanted) -> Iterator[Read]:
    try:
        with fs.open(path, "rb") as file:
            table = pq.ParquetFile(file)
            column = _picture_column(table.schema_arrow)
            row = 0
            for batch in table.iter_batches(AT_ONCE, columns=[column]):
                values = batch.column(0)
                if pa.types.is_struct(values.type):
                    values = values.field(0)
                for value in values:
                    inner = f"{name}/{row}"
                    row += 1
                    if value.is_valid and wanted(inner):
                        yield inner, value.as_py()
    except (pa.ArrowException, ValueError, OSError) as error:
        yield name, error


def _picture_column(schema: pa.Schema) -> str:
    """Path of the first column of bytes. Raises ValueError."""
    for field in schema:
        kind = field.type
        if _is_bytes(kind):
            return str(field.name)
        inside = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        if inside and _is_bytes(kind.field("bytes").type):
            return f"{field.name}.bytes"
    raise ValueError("has no column of pictures")


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
