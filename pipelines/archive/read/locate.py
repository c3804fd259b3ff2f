"""From a key to a place in the archive: by the indexes, or by scanning where those are lost."""

from __future__ import annotations

import logging
import os.path
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from glassplate.pipelines.archive.format.index import (
    INDEXED,
    Index,
    id_keys,
    rows_between,
    shard_entries,
    text_key,
)
from glassplate.pipelines.archive.format.manifest import FileEntry, Snapshot
from glassplate.pipelines.archive.format.places import is_id
from glassplate.pipelines.archive.format.rows import (
    PARQUET_ERRORS,
    damaged,
    open_table,
    read_column,
    read_image_row,
)
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.format.snapshots import check_not_forgotten
from glassplate.pipelines.errors import NotFoundError, ShardDamagedError, UnknownKeyError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

MIN_PREFIX = 8


@dataclass(frozen=True)
class Stored:
    """Where a bitstream lies. image is None where the catalogue is damaged."""

    image_id: str
    file: FileEntry
    row: int
    image: ImageRow | None

    @property
    def label(self) -> str:
        """How errors name the picture."""
        return self.image.name if self.image else f"image {self.image_id[:16]}"


class Locator:
    """Lookups in one snapshot."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._shards = snapshot.shards
        self._ids = Index(store, snapshot.id_index)
        self._names = Index(store, snapshot.name_index)

    def find(self, key: str) -> ImageRow:
        """The catalogue row of a key. Raises NotFoundError, ShardDamagedError."""
        stored = self._by_id(key.lower()) if is_id(key.lower()) else None
        if stored is None and (named := self._by_text(key)):
            return named[2]
        image = (stored or self._by_prefix(key)).image
        if image is None:
            raise ShardDamagedError("its catalogue row is damaged", "", key)
        return image

    def stored(self, key: str) -> Stored:
        """Where the bitstream of a key lies.

        Raises NotFoundError if there is none: unknown key, or its newest version failed.
        """
        if is_id(key.lower()) and (stored := self._by_id(key.lower())):
            return stored
        named = self._by_text(key)
        if named is None:
            return self._by_prefix(key)
        shard, row, image = named
        found = self._stored(shard, image)
        if not found and image.image_id:
            found = self._by_id(image.image_id, until=(shard, row)) or self._by_id(image.image_id)
        if not found:
            why = image.error_message or image.reason or "no bitstream"
            raise NotFoundError(f"is not stored: {image.status} ({why})", "", image.name)
        return found

    def _by_id(self, image_id: str, until: tuple[int, int] | None = None) -> Stored | None:
        """The newest stored picture of an id; with `until`, of the rows up to there."""
        return next(self._matching(image_id, until), None)

    def _by_prefix(self, key: str) -> Stored:
        prefix = key.lower()
        if not re.fullmatch(f"[0-9a-f]{{{MIN_PREFIX},63}}", prefix):
            raise UnknownKeyError("no such id, source or name in this snapshot", subject=repr(key))
        found = {stored.image_id: stored for stored in self._matching(prefix)}
        if len(found) != 1:
            cause = f"{len(found)} ids begin with it" if found else "no such id or name"
            raise NotFoundError(cause, "Give more digits." if found else "", repr(key))
        return next(iter(found.values()))

    def _by_text(self, text: str) -> tuple[int, int, ImageRow] | None:
        """The newest row whose source URI or name is the text, or whose path; with its place.

        Of several sources of a name, one that is there goes before one that is gone.
        """
        for key in (text, f"file://{os.path.abspath(text)}"):  # noqa: PTH100 (text, not a file)
            low = high = text_key(key)
            newest: dict[str, tuple[int, int, ImageRow]] = {}
            for shard, row in self._nominees(self._names, low, high):
                image = read_image_row(self._store, self._shards[shard].images, row)
                if key in (image.source_uri, image.name) and image.source_uri not in newest:
                    newest[image.source_uri] = shard, row, image
                    if not image.gone:
                        return shard, row, image
            if newest:
                return next(iter(newest.values()))
        return None

    def named(self, name: str) -> list[ImageRow]:
        """The newest rows of all sources of a name that are there, newest first."""
        rows = (
            read_image_row(self._store, self._shards[shard].images, row)
            for shard, row in self._nominees(self._names, text_key(name), text_key(name))
        )
        newest: dict[str, ImageRow] = {}
        for image in rows:
            if image.name == name:
                newest.setdefault(image.source_uri, image)
        return [image for image in newest.values() if not image.gone]

    def _matching(self, prefix: str, until: tuple[int, int] | None = None) -> Iterator[Stored]:
        """Stored pictures whose id begins with the prefix, newest first; see `_by_id`."""
        for shard, row in self._nominees(self._ids, *id_keys(prefix)):
            if until and (shard, row) > until:
                continue
            try:
                image = read_image_row(self._store, self._shards[shard].images, row)
            except ShardDamagedError as error:
                logger.warning("%s; looking the picture up without it", error)
                yield from self._without_catalogue(shard, prefix)
                continue
            stored = self._stored(shard, image)
            if stored and stored.image_id.startswith(prefix):
                yield stored

    def _stored(self, shard: int, image: ImageRow) -> Stored | None:
        file = self._shards[shard].bitstreams
        if file is None or image.image_id is None or image.bitstream_row is None:
            return None
        return Stored(image.image_id, file, image.bitstream_row, image)

    def _without_catalogue(self, shard: int, prefix: str) -> Iterator[Stored]:
        file = self._shards[shard].bitstreams
        for row, image_id in enumerate(read_column(self._store, file, "image_id") if file else ()):
            if file and image_id.startswith(prefix):
                yield Stored(image_id, file, row, None)

    def _is_a_place(self, shard: int, row: int) -> bool:
        return 0 <= shard < len(self._shards) and 0 <= row < self._shards[shard].images.rows

    def _nominees(self, index: Index, low: int, high: int) -> list[tuple[int, int]]:
        """(shard, row) of what may match, newest first. Raises ArchiveError if forgotten."""
        try:
            places = index.find(low, high)
            if all(self._is_a_place(*place) for place in places):
                return places
            raise pa.ArrowInvalid("it names rows that there are not")
        except PARQUET_ERRORS as error:
            check_not_forgotten(self._store, self._snapshot)
            logger.warning("an index is damaged (%s); scanning the catalogue instead", error)
        found: list[tuple[int, int]] = []
        for shard, entry in enumerate(self._shards):
            try:
                catalogue = open_table(self._store, entry.images).read(INDEXED)
            except PARQUET_ERRORS as error:
                logger.warning("%s", damaged(entry.images, error))
                continue
            ids, names = shard_entries(catalogue, shard)
            found += rows_between(ids if index is self._ids else names, low, high)
        return sorted(found, reverse=True)
