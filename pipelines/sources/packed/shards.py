"""Folders and globs of zip, tar and Parquet files: a data set in shards, told from pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

import pyarrow as pa

from glassplate.codecs.errors import UnreadableError, VanishedError
from glassplate.pipelines.sources.packed.tables import looks_like_entry
from glassplate.pipelines.sources.packed.zip_and_tar import PACKED_ERRORS, is_packed
from glassplate.pipelines.sources.places.refs import SourceRef, failed_ref
from glassplate.pipelines.storage.errors import file_errors

logger = logging.getLogger(__name__)

Lists = Callable[[str], Iterable[SourceRef]]
"""What a zip, tar or Parquet file holds, by its URL or local path."""


def unpacked(refs: list[SourceRef], lists: Lists) -> list[SourceRef]:
    """A listing whose shards are replaced by what they hold, if no picture lies beside them.

    One that cannot be read is a failed reference. Among pictures they are left as they are: then
    they are somebody's baggage, and it is said how to have them.
    """
    shards = [ref for ref in refs if not ref.outcome and _is_shard(ref.name)]
    if not shards:
        return refs
    if any(looks_like_entry(ref.name) for ref in refs):
        logger.warning(
            "%d zip, tar or Parquet files among pictures are not looked into, such as %s;"
            " name them as sources of their own",
            len(shards),
            shards[0].uri,
        )
        return refs
    others = [ref for ref in refs if not _is_shard(ref.name) or ref.outcome]
    return others + [inside for shard in shards for inside in _inside(shard, lists)]


def _inside(shard: SourceRef, lists: Lists) -> Iterator[SourceRef]:
    folder = str(PurePosixPath(shard.name).with_suffix(""))
    try:
        for ref in lists(shard.path if shard.uri.startswith("file://") else shard.uri):
            stem = PurePosixPath(folder).name
            yield replace(ref, name=f"{folder}/{ref.name.removeprefix(f'{stem}/')}")
    except (UnreadableError, VanishedError) as error:
        yield failed_ref(shard.uri, shard.path, shard.name, error)
    except file_errors(ValueError, ImportError, pa.ArrowException, *PACKED_ERRORS) as error:
        yield failed_ref(shard.uri, shard.path, shard.name, error)


def _is_shard(name: str) -> bool:
    try:
        return is_packed(name) or name.lower().endswith(".parquet")
    except ValueError:  # a compressed tar: to be told of
        return True
