"""Staged shards: written, not yet published, and known by a mark that was written last.

    _staging/<key>/images.parquet, bitstreams.parquet, latents.parquet, then done.json

One counts only if its mark is there and its files still have the bytes that the mark names;
anything else is written again.
"""

from __future__ import annotations

import logging
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from glassplate.pipelines.archive.format.manifest import Ledger, ShardEntry
from glassplate.pipelines.archive.format.places import Sha256
from glassplate.pipelines.archive.format.schema import TABLES
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

STAGING = "_staging"


class StagedShard(BaseModel):
    """One shard, written and checked, not yet published; paths are those in staging."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    entry: ShardEntry
    ledger: Ledger
    codecs: dict[Sha256, str]

    @model_validator(mode="after")
    def _files_are_its_own(self) -> Self:
        for table in TABLES:
            file = getattr(self.entry, table)
            if file and file.path != f"{STAGING}/{self.key}/{table}.parquet":
                raise ValueError(f"{file.path} is no place for the {table} of {self.key}")
        return self


def mark_staged(store: Store, staged: StagedShard) -> StagedShard:
    """Say that all files of a shard lie in staging, whole and sound."""
    mark = staged.model_dump_json(exclude_none=True).encode()
    store.write(mark_path(staged.key), mark)
    return staged


def load_staged(store: Store, key: str) -> StagedShard | None:
    """The staged shard of this key if it is whole and sound, else None."""
    staged = read_mark(store, key)
    try:
        for file in staged.entry.files() if staged else ():
            if store.digest(file.path) != (file.bytes, file.sha256):
                logger.warning("%s: staged bytes have changed; the shard is redone", file.path)
                return None
    except FileNotFoundError:
        return None
    return staged


def read_mark(store: Store, key: str) -> StagedShard | None:
    """What the mark of a staged shard says, None if there is none; no other file is read."""
    mark = mark_path(key)
    try:
        staged = StagedShard.model_validate_json(store.read(mark))
    except FileNotFoundError:
        return None
    except ValidationError:
        staged = None
    if staged is None or staged.key != key:
        logger.warning("%s: not a staging mark; the shard is redone", mark)
        return None
    return staged


def mark_path(key: str) -> str:
    """Where the mark of a shard lies."""
    return f"{STAGING}/{key}/done.json"
