"""From an image id or a source name to (shard, row) without scanning the catalogue.

    _index/run=<run>/id.parquet     key = first 8 bytes of the image id; rows with a bitstream
    _index/run=<run>/name.parquet   key = first 8 bytes of sha256(text), for the uri and the name

Entries are sorted by key in small row groups, so a lookup reads a footer and one row group. Each
commit adds one segment, merged with those before it while they are not twice as large: a few
segments, and every entry is rewritten a logarithmic number of times. Compaction moves rows to other
shards: the segments that it concerns are rewritten as one. A key only nominates rows: the reader
compares with the catalogue.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.archive.format.parquet import open_parquet, write_parquet
from glassplate.pipelines.archive.format.places import is_id
from glassplate.pipelines.storage.store import Store

ENTRY = np.dtype([("key", "<u8"), ("shard", "<i4"), ("row", "<i4")])
Entries = npt.NDArray[np.void]
"""(n,) structured `ENTRY`: key, shard number in the snapshot, row in the shard's images file."""

INDEXED = ["image_id", "source_uri", "name", "bitstream_row"]
"""Columns of the catalogue that the indexes are made from."""

_NONE: Entries = np.empty(0, ENTRY)
_ROW_GROUP = 8192
_SCHEMA = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Places:
    """Where the rows of each old shard went: to which shard, behind how many rows; (n,) int32."""

    shards: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]

    @property
    def first_moved(self) -> int:
        """The first shard of which any row has another place now; n if there is none."""
        stays = (self.shards == np.arange(len(self.shards))) & (self.offsets == 0)
        return int(np.argmin(stays)) if not stays.all() else len(stays)


def id_keys(prefix: str) -> tuple[int, int]:
    """Lowest and highest key of the ids that start with these hex digits."""
    return int(prefix[:16].ljust(16, "0"), 16), int(prefix[:16].ljust(16, "f"), 16)


def text_key(text: str) -> int:
    """Key of a source uri or name."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def shard_entries(catalogue: pa.Table, shard: int) -> tuple[Entries, Entries]:
    """Id and name entries of one shard, from the `INDEXED` columns of its catalogue."""
    ids, names = [], []
    for row, image in enumerate(catalogue.to_pylist()):
        if image["bitstream_row"] is not None and is_id(image["image_id"]):
            ids.append((id_keys(image["image_id"])[0], shard, row))
        for text in {image["source_uri"], image["name"]}:
            names.append((text_key(text), shard, row))
    return np.array(ids, ENTRY), np.array(names, ENTRY)


def append_segment(
    store: Store, segments: Sequence[FileEntry], new: Sequence[Entries], path: str
) -> tuple[FileEntry, ...]:
    """Write the new entries, merged with the last segments where due, to a new file.

    Returns the segments that now make the index, newest last.
    """
    kept, parts = list(segments), list(new)
    rows = sum(len(part) for part in parts)
    while kept and kept[-1].rows < 2 * rows:
        rows += kept[-1].rows
        parts.insert(0, _read_all(store, kept.pop().path))
    if not rows:
        return tuple(kept)
    return (*kept, _write(store, path, [_sorted(np.concatenate(parts))]))


def relocate_segments(
    store: Store, segments: Sequence[FileEntry], places: Places, path: str
) -> tuple[FileEntry, ...]:
    """Write the segments with entries that move as one new file, in bounded memory.

    Older segments that hold only entries of shards that stay are kept as they are. Returns the
    segments that now make the index, newest last.
    """
    moving = next((n for n, one in enumerate(segments) if _is_moved(store, one, places)), None)
    if moving is None:
        return tuple(segments)
    parts = [_relocated(store, segment, places) for segment in segments[moving:]]
    return (*segments[:moving], _write(store, path, _merged(parts)))


def _is_moved(store: Store, segment: FileEntry, places: Places) -> bool:
    """Whether any entry may be of a shard that moves, by the statistics in the footer."""
    metadata = open_parquet(store, segment.path).metadata
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    statistics = [group.column(_SCHEMA.names.index("shard")).statistics for group in groups]
    return any(one is None or one.max >= places.first_moved for one in statistics)


def _relocated(store: Store, segment: FileEntry, places: Places) -> Iterator[Entries]:
    """A segment's row groups, with the new places of their rows."""
    with open_parquet(store, segment.path) as file:
        for group in range(file.num_row_groups):
            entries = _to_entries(file.read_row_group(group))
            entries["row"] += places.offsets[entries["shard"]]
            entries["shard"] = places.shards[entries["shard"]]
            yield entries


def _merged(parts: Sequence[Iterator[Entries]]) -> Iterator[Entries]:
    """Sorted streams as one, a block of each at a time."""
    held = [next(part, _NONE) for part in parts]
    while any(map(len, held)):
        last = min(block["key"][-1] for block in held if len(block))
        cuts = [np.searchsorted(block["key"], last, side="right") for block in held]
        yield _sorted(np.concatenate([b[:cut] for b, cut in zip(held, cuts, strict=True)]))
        rests = [block[cut:] for block, cut in zip(held, cuts, strict=True)]
        held = [b if len(b) else next(part, _NONE) for b, part in zip(rests, parts, strict=True)]


def _sorted(entries: Entries) -> Entries:
    return entries[np.argsort(entries["key"], kind="stable")]


def _write(store: Store, path: str, blocks: Iterable[Entries]) -> FileEntry:
    """Write sorted entries in row groups of one size."""

    def row_groups() -> Iterator[pa.Table]:
        rest = _NONE
        for block in blocks:
            rest = np.concatenate([rest, block])
            whole = len(rest) - len(rest) % _ROW_GROUP
            for start in range(0, whole, _ROW_GROUP):
                yield _to_table(rest[start : start + _ROW_GROUP])
            rest = rest[whole:]
        if len(rest):
            yield _to_table(rest)

    return write_parquet(
        store,
        path,
        _SCHEMA,
        row_groups(),
        compression="none",  # keys are hashes
        use_dictionary=False,
        write_statistics=["key", "shard"],
    )


class Index:
    """Lookups over the segments of one snapshot. Footers are read once."""

    def __init__(self, store: Store, segments: Sequence[FileEntry]) -> None:
        self._store = store
        self._segments = segments
        self._files: dict[str, pq.ParquetFile] = {}

    def find(self, low: int, high: int) -> list[tuple[int, int]]:
        """(shard, row) of every entry with low <= key <= high, newest first.

        Raises OSError, FileNotFoundError or pa.ArrowException on damaged index files.
        """
        found: list[tuple[int, int]] = []
        for segment in reversed(self._segments):
            for entries in self._nearby(self._open(segment.path), low, high):
                found += rows_between(entries, low, high)
        return sorted(found, reverse=True)

    def keys_of(self, shard: int) -> list[int]:
        """Every key of one shard, by reading all. Raises as `find`."""
        parts = [_read_all(self._store, segment.path) for segment in self._segments]
        return [int(key) for part in parts for key in part["key"][part["shard"] == shard]]

    def _open(self, path: str) -> pq.ParquetFile:
        if path not in self._files:
            self._files[path] = _opened(self._store, path)
        return self._files[path]

    @staticmethod
    def _nearby(file: pq.ParquetFile, low: int, high: int) -> Iterator[Entries]:
        """The row groups whose statistics allow for such keys."""

        def key_range(group: int) -> tuple[int, int]:
            statistics = file.metadata.row_group(group).column(0).statistics
            if statistics is None or not statistics.has_min_max:
                raise pa.ArrowInvalid("an index without statistics")
            return statistics.min, statistics.max

        first = bisect.bisect_left(
            range(file.num_row_groups), low, key=lambda group: key_range(group)[1]
        )
        for group in range(first, file.num_row_groups):
            if key_range(group)[0] > high:
                break
            yield _to_entries(file.read_row_group(group))


def rows_between(entries: Entries, low: int, high: int) -> list[tuple[int, int]]:
    """(shard, row) of the entries with low <= key <= high."""
    hits = entries[(entries["key"] >= low) & (entries["key"] <= high)]
    return [(int(hit["shard"]), int(hit["row"])) for hit in hits]


def _read_all(store: Store, path: str) -> Entries:
    return _to_entries(_opened(store, path).read())


def _opened(store: Store, path: str) -> pq.ParquetFile:
    """An index file. Raises OSError, pa.ArrowException, also for another file in its place."""
    file = open_parquet(store, path)
    if not file.schema_arrow.equals(_SCHEMA):
        raise pa.ArrowInvalid("its columns are not those of an index")
    return file


def _to_table(entries: Entries) -> pa.Table:
    return pa.table([pa.array(entries[name]) for name in _SCHEMA.names], schema=_SCHEMA)


def _to_entries(table: pa.Table) -> Entries:
    entries = np.empty(table.num_rows, ENTRY)
    for name in _SCHEMA.names:
        entries[name] = table[name].to_numpy()
    return entries
