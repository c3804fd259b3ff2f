"""Lists of paths and URLs as a source: every row is an input, also one that leads nowhere."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urljoin

import pyarrow.parquet as pq

from glassplate.pipelines.sources.packed.parquet import image_columns, list_images
from glassplate.pipelines.sources.packed.tables import ListTable, read_lines, read_list
from glassplate.pipelines.sources.packed.zip_and_tar import PACKED_ERRORS, list_packed, split_packed
from glassplate.pipelines.sources.places.folders import local_ref, plain_path, plain_url
from glassplate.pipelines.sources.places.objects import file_system, object_ref
from glassplate.pipelines.sources.places.refs import (
    SourceRef,
    failed_ref,
    safe_name,
    skipped_ref,
)
from glassplate.pipelines.sources.places.web import fetch, is_web, web_ref

logger = logging.getLogger(__name__)

BLANK_ENTRY = "blank-entry"
"""The reason of rows of a list that name nothing."""

_THREADS = 16
_PATIENCE = 10.0
"""Seconds between lines that say how many entries were looked up."""


def list_table(url: str) -> list[SourceRef]:
    """The files that a table names, relative ones below the table's folder, or the pictures in it.

    Raises OSError, ValueError, pa.ArrowException; UnreadableError and VanishedError for a table on
    a web server.
    """
    uri = plain_url(url)
    with _opened(url) as file:
        if url.lower().endswith(".parquet") and image_columns(pq.read_schema(file)):
            return list_images(uri, _version(uri), lambda path: _entry_ref(uri, path))
        file.seek(0)
        return _refs(uri, read_list(file, url))


def list_lines(data: bytes, folder: Path) -> list[SourceRef]:
    """The files that lines name, relative ones below a folder."""
    return _refs(f"file://{folder}/-", read_lines(data))


def _refs(uri: str, table: ListTable) -> list[SourceRef]:
    entries: dict[str, dict[str, Any]] = {}
    blanks: list[SourceRef] = []
    for row, (entry, others) in enumerate(zip(table.entries, table.others, strict=True), 1):
        if entry is None or not entry.strip():
            place = f"{uri}#row={row}"
            blanks.append(skipped_ref(place, place, PurePosixPath(place).name, BLANK_ENTRY))
        else:
            entries.setdefault(entry, others)
    found: dict[str, SourceRef] = {}
    for ref, others in zip(_looked_up(uri, entries), entries.values(), strict=True):
        found.setdefault(ref.uri, ref.with_fields(others))
    _say_what_is_less(uri, table.column, len(table.entries), len(found), len(blanks))
    return [*found.values(), *blanks]


def _version(uri: str) -> str:
    if is_web(uri):
        return web_ref(uri).version
    return _object_ref(uri, uri).version


def _opened(url: str) -> IO[bytes]:
    if is_web(url):
        return io.BytesIO(fetch(url))
    fs, path = file_system(url)
    file: IO[bytes] = fs.open(path, "rb")
    return file


def _say_what_is_less(url: str, column: str, rows: int, named: int, blanks: int) -> None:
    repeated = rows - named - blanks
    if blanks or repeated:
        logger.warning(
            "%s: of %d rows, %d have no entry in column %r, and %d repeat another row's",
            url,
            rows,
            blanks,
            column,
            repeated,
        )


def _looked_up(uri: str, entries: Iterable[str]) -> Iterator[SourceRef]:
    """References in the order of the entries; what takes long says so."""
    wanted = list(entries)
    said = time.monotonic()
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, ref in enumerate(pool.map(lambda entry: _entry_ref(uri, entry), wanted)):
            if time.monotonic() - said > _PATIENCE:
                said = time.monotonic()
                logger.warning("%s: looked up %d of %d entries", uri, done, len(wanted))
            yield ref


def _entry_ref(table: str, entry: str) -> SourceRef:
    """What an entry names: a URL, an absolute path, or one below the table's folder."""
    stripped = entry.strip()
    if is_web(stripped):
        return web_ref(stripped)
    if is_web(table):
        return _beside_web(table, stripped)
    if "::" in stripped and "://" in stripped:
        return _packed_ref(stripped)
    if "://" in stripped:
        return _object_ref(stripped, stripped)
    if table.startswith("file://"):
        return _local_ref(table.removeprefix("file://"), entry)
    folder = table.rpartition("/")[0]
    return _object_ref(f"{folder}/{stripped}", stripped)


def _beside_web(table: str, entry: str) -> SourceRef:
    try:
        return web_ref(urljoin(table, entry))
    except ValueError as error:
        return failed_ref(entry, entry, safe_name(entry), error)


def _local_ref(table: str, entry: str) -> SourceRef:
    """A local file; spaces around an entry belong to its name only if there is such a file."""
    path = plain_path(str(PurePosixPath(table).parent / entry))
    try:
        return local_ref(path, safe_name(entry))
    except (OSError, ValueError) as error:
        if entry != entry.strip():
            return _local_ref(table, entry.strip())
        return failed_ref(f"file://{path}", path, safe_name(entry), error)


def _object_ref(url: str, entry: str) -> SourceRef:
    name = safe_name(entry)
    try:
        fs, path = file_system(url)
        if getattr(fs, "local_file", False):
            return local_ref(path, name)
        info = fs.info(path)
        if info["type"] != "file":
            return skipped_ref(url, path, name)
        return object_ref(fs, path, info, name)
    except (OSError, ValueError, ImportError) as error:
        return failed_ref(url, url, name, error)


def _packed_ref(url: str) -> SourceRef:
    name = safe_name(url.partition("::")[0])
    try:
        packed = split_packed(url)
        assert packed
        refs = list_packed(*packed)
    except (*PACKED_ERRORS, OSError, ValueError, ImportError) as error:
        return failed_ref(url, url, name, error)
    if len(refs) == 1:
        return refs[0]
    return failed_ref(url, url, name, ValueError(f"is {len(refs)} files; a row is for one"))
