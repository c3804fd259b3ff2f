"""What a run has to do: the source less what the archive holds, cut into shards of references.

A plan is a pure function of the source, the archive's newest snapshot and the options; it does not
depend on the number of workers. The same shard always has the same key, which is how a run that
was interrupted is continued.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from glassplate.codecs.errors import InputError
from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.snapshots import (
    check_not_forgotten,
    current_snapshot,
    new_run_id,
)
from glassplate.pipelines.compress.already_stored import stored_ids, unchanged
from glassplate.pipelines.compress.codec import build_codec
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.reading import read_source
from glassplate.pipelines.sources.refs import SourceRef
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

MIN_SHARD_INPUTS, MAX_SHARD_INPUTS = 8, 512
SHARDS_WANTED = 64
MAX_SHARD_BYTES = 256 << 20
_HASHING_THREADS = 4


@dataclass(frozen=True)
class ShardPlan:
    """The references that one worker turns into one shard; `key` names it in staging."""

    key: str
    refs: tuple[SourceRef, ...]

    @property
    def source_bytes(self) -> int:
        """Bytes to read, as far as they are known."""
        return sum(ref.size or 0 for ref in self.refs)

    def to_json(self) -> str:
        """ASCII JSON; file names may hold bytes that UTF-8 does not allow."""
        return json.dumps({"key": self.key, "refs": [asdict(ref) for ref in self.refs]})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`."""
        document = json.loads(text)
        return cls(document["key"], tuple(source_ref(fields) for fields in document["refs"]))


@dataclass(frozen=True)
class RunPlan:
    """One run: its options, the snapshot that it builds on (None: a new archive), its shards."""

    config: CompressConfig
    run_id: str
    started: str
    base: int | None
    unchanged: int
    shards: tuple[ShardPlan, ...]

    @property
    def new_inputs(self) -> int:
        """Inputs that get a row in this run."""
        return sum(len(shard.refs) for shard in self.shards)

    @property
    def inputs(self) -> int:
        """Everything that was listed."""
        return self.unchanged + self.new_inputs

    @property
    def source_bytes(self) -> int:
        """Bytes to read, as far as they are known."""
        return sum(shard.source_bytes for shard in self.shards)

    def to_json(self) -> str:
        """ASCII JSON."""
        document = {name: getattr(self, name) for name in ("run_id", "started", "base")}
        document |= {"unchanged": self.unchanged, "config": self.config.model_dump(mode="json")}
        document["shards"] = [json.loads(shard.to_json()) for shard in self.shards]
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`."""
        document = json.loads(text)
        config = CompressConfig.model_validate(document.pop("config"))
        shards = [ShardPlan.from_json(json.dumps(shard)) for shard in document.pop("shards")]
        return cls(config=config, shards=tuple(shards), **document)


def plan_run(config: CompressConfig) -> RunPlan:
    """List, compare with the archive, cut into shards. Reads no pictures but likely duplicates.

    Raises SourceError, ArchiveError, and what `get_codec` raises.
    """
    codec = build_codec(config)
    store = Store(config.archive)
    base = current_snapshot(store)
    refs = list_source(config.source, config.archive, config.choice).refs
    new, stored = _new(store, base, refs, config.retry_failed)
    started = datetime.now(UTC)
    seed = config.encode_fingerprint() + codec.spec.fingerprint
    return RunPlan(
        config=config,
        run_id=new_run_id(base, started),
        started=started.isoformat(timespec="seconds"),
        base=base.number if base else None,
        unchanged=len(refs) - len(new),
        shards=tuple(_shards(_group_duplicates(new, stored), seed)),
    )


def _new(
    store: Store, base: Snapshot | None, refs: Sequence[SourceRef], retry_failed: bool
) -> tuple[Sequence[SourceRef], dict[int, set[str]]]:
    """What is new or changed, and the ids of what is stored in the same sizes."""
    if base is None or not base.shards:
        return refs, {}
    try:
        same = unchanged(store, base, refs, retry_failed)
        new = [ref for ref, known in zip(refs, same, strict=True) if not known]
        return new, stored_ids(store, base, {ref.size for ref in new if ref.size})
    except FileNotFoundError:
        check_not_forgotten(store, base)
        raise


def _group_duplicates(
    refs: Sequence[SourceRef], stored: dict[int, set[str]]
) -> Iterator[list[SourceRef]]:
    """References in their order, equal files together: one shard stores them once.

    Only files whose size another file shares are read. What the archive holds already gets its
    outcome here; equal new files are left to the worker, which sees what became of the first.
    """
    sizes = Counter(ref.size for ref in refs if not ref.outcome)
    suspects = [
        r for r in refs if r.size and not r.outcome and (sizes[r.size] > 1 or r.size in stored)
    ]
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        hashes = dict(zip((ref.uri for ref in suspects), pool.map(_hash, suspects), strict=True))
    groups: dict[str, list[SourceRef]] = {}
    for ref in refs:
        image_id = hashes.get(ref.uri)
        if image_id and image_id in stored.get(ref.size or 0, ()):
            ref = replace(ref, outcome=("skipped", "duplicate", image_id))
        groups.setdefault(image_id or ref.uri, []).append(ref)
    yield from groups.values()


def _hash(ref: SourceRef) -> str | None:
    try:
        return hashlib.sha256(read_source(ref)).hexdigest()
    except InputError as error:  # the worker will meet it again, and say so in the ledger
        logger.debug("not compared with others: %s", error)
        return None


def _shards(groups: Iterable[list[SourceRef]], seed: str) -> Iterator[ShardPlan]:
    groups = list(groups)
    inputs = sum(len(group) for group in groups)
    limit = min(max(inputs // SHARDS_WANTED, MIN_SHARD_INPUTS), MAX_SHARD_INPUTS)
    refs: list[SourceRef] = []
    size = 0
    for group in groups:
        more = sum(ref.size or 0 for ref in group)
        if refs and (len(refs) + len(group) > limit or size + more > MAX_SHARD_BYTES):
            yield ShardPlan(_key(refs, seed), tuple(refs))
            refs, size = [], 0
        refs, size = refs + group, size + more
    if refs:
        yield ShardPlan(_key(refs, seed), tuple(refs))


def _key(refs: Sequence[SourceRef], seed: str) -> str:
    named = [(ref.uri, ref.version, ref.outcome) for ref in refs]
    return hashlib.sha256((seed + json.dumps(named)).encode()).hexdigest()


def source_ref(fields: dict[str, Any]) -> SourceRef:
    """A reference from its fields as JSON gives them; inverse of `asdict`."""
    outcome = fields["outcome"]
    return SourceRef(**fields | {"outcome": tuple(outcome) if outcome else None})
