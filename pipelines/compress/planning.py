"""What a run has to do: the source less what the archive holds, cut into shards of references.

A plan is a pure function of the source, the archive's newest snapshot and the options; it does not
depend on the number of workers. The same shard always has the same key, which is how a run that
was interrupted is continued.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Self

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.snapshots import (
    check_not_forgotten,
    current_snapshot,
    new_run_id,
)
from glassplate.pipelines.compress.changes.carried import Carried
from glassplate.pipelines.compress.changes.catalogue import Catalogue
from glassplate.pipelines.compress.changes.compared import Changes, all_new, changes
from glassplate.pipelines.compress.changes.settings import Settings, SettingsByName
from glassplate.pipelines.compress.codec import build_codecs
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.latents_model import latents_model, with_latents
from glassplate.pipelines.sources.extent import extent_of
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.places.refs import Outcome, SourceRef
from glassplate.pipelines.storage.store import Store

MIN_SHARD_INPUTS, MAX_SHARD_INPUTS = 8, 512
SHARDS_WANTED = 64
MAX_SHARD_BYTES = 256 << 20
MAX_CARRIED = 4096


@dataclass(frozen=True)
class ShardPlan:
    """What one worker turns into one shard, called `key` in staging: references, rows to copy."""

    key: str
    refs: tuple[SourceRef, ...]
    carried: tuple[Carried, ...] = ()
    fallbacks: tuple[Carried, ...] = ()
    """What is stored of references that fail; see `instead`."""

    @property
    def inputs(self) -> int:
        """How many of the run's inputs it has: sources that are gone are none."""
        return len(self.refs) + sum(not one.gone for one in self.carried)

    @property
    def source_bytes(self) -> int:
        """Bytes to read, as far as they are known."""
        return sum(ref.size or 0 for ref in self.refs)

    def to_json(self) -> str:
        """ASCII JSON; file names may hold bytes that UTF-8 does not allow."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`."""
        document = json.loads(text)
        return cls(
            document["key"],
            tuple(source_ref(fields) for fields in document["refs"]),
            *(tuple(map(carried_row, document[name])) for name in ("carried", "fallbacks")),
        )


@dataclass(frozen=True)
class RunPlan:
    """One run: its options, the snapshot that it builds on (None: a new archive), its shards.

    unchanged: inputs that get no row.
    failed_before: URIs of inputs that failed in the run before, too.
    otherwise: (codec, target, count) of the pictures that other settings stored, and that stay.
    target: the run's own, in the same words.
    """

    config: CompressConfig
    run_id: str
    started: str
    base: int | None
    unchanged: int
    shards: tuple[ShardPlan, ...]
    failed_before: frozenset[str] = frozenset()
    otherwise: tuple[tuple[str, str, int], ...] = ()
    target: str = ""

    @property
    def new_inputs(self) -> int:
        """Inputs that are new or changed, and are to be encoded."""
        return sum(len(shard.refs) for shard in self.shards)

    @property
    def carried(self) -> int:
        """Inputs that get a row without being encoded: what they are is stored already."""
        return sum(shard.inputs for shard in self.shards) - self.new_inputs

    @property
    def gone(self) -> int:
        """Sources that the archive knows and that are gone now."""
        return sum(one.gone for shard in self.shards for one in shard.carried)

    @property
    def lacking_latents(self) -> int:
        """Stored pictures that get the latents that are asked for."""
        return sum(one.latent for shard in self.shards for one in shard.carried)

    @property
    def inputs(self) -> int:
        """Everything that was listed."""
        return self.unchanged + self.carried + self.new_inputs

    @property
    def source_bytes(self) -> int:
        """Bytes to read, as far as they are known."""
        return sum(shard.source_bytes for shard in self.shards)

    def to_json(self) -> str:
        """ASCII JSON."""
        document = {name: getattr(self, name) for name in ("run_id", "started", "base")}
        document |= {"unchanged": self.unchanged, "config": self.config.model_dump(mode="json")}
        document |= {"failed_before": sorted(self.failed_before), "otherwise": self.otherwise}
        document |= {"target": self.target}
        document["shards"] = [json.loads(shard.to_json()) for shard in self.shards]
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`."""
        document = json.loads(text)
        config = CompressConfig.model_validate(document.pop("config"))
        shards = [ShardPlan.from_json(json.dumps(shard)) for shard in document.pop("shards")]
        document["failed_before"] = frozenset(document["failed_before"])
        document["otherwise"] = tuple(map(tuple, document["otherwise"]))
        return cls(config=config, shards=tuple(shards), **document)


def plan_run(config: CompressConfig) -> RunPlan:
    """List, compare with the archive, cut into shards. Reads no pictures but likely duplicates.

    Raises SourceError, ArchiveError, and what `get_codec` raises.
    """
    codecs = build_codecs(config)
    store = Store(config.archive)
    base = current_snapshot(store)
    ways = [Settings.of(codec, way.target) for codec, way in zip(codecs, config.ways, strict=True)]
    settings = SettingsByName(ways, config.way_of)
    model = latents_model(config)
    found = _changes(store, base, config, settings, model.spec.fingerprint if model else None)
    started = datetime.now(UTC)
    seed = config.encode_fingerprint() + "".join(codec.spec.fingerprint for codec in codecs)
    return RunPlan(
        config=config,
        run_id=new_run_id(base, started),
        started=started.isoformat(timespec="seconds"),
        base=base.number if base else None,
        unchanged=found.unchanged,
        shards=(
            *_carried_shards(found.carried, seed),
            *_shards(found.groups, seed, found.fallbacks),
        ),
        failed_before=found.failed_before,
        otherwise=tuple((*label, count) for label, count in found.otherwise.most_common()),
        target=str(ways[0].target),
    )


def _changes(
    store: Store,
    base: Snapshot | None,
    config: CompressConfig,
    settings: SettingsByName,
    model: str | None,
) -> Changes:
    """What is to be done for a source, as it is now."""
    refs = list_source(config.source, config.archive, config.choice).refs
    if base is None or not base.shards:
        return all_new(refs)
    try:
        return changes(
            Catalogue(store, base),
            refs,
            settings,
            extent_of(config.source) if isinstance(config.source, str) else None,
            retry_failed=config.retry_failed,
            reencode=config.reencode,
            with_latents=with_latents(store, base, model) if model else None,
        )
    except FileNotFoundError:
        check_not_forgotten(store, base)
        raise


def _shards(
    groups: Iterable[list[SourceRef]],
    seed: str,
    fallbacks: Mapping[str, Carried] = MappingProxyType({}),
) -> Iterator[ShardPlan]:
    groups = list(groups)
    inputs = sum(len(group) for group in groups)
    limit = _limit(inputs)
    refs: list[SourceRef] = []
    size = 0
    for group in groups:
        more = sum(ref.size or 0 for ref in group)
        if refs and (len(refs) + len(group) > limit or size + more > MAX_SHARD_BYTES):
            yield _shard(refs, seed, fallbacks)
            refs, size = [], 0
        refs, size = refs + group, size + more
    if refs:
        yield _shard(refs, seed, fallbacks)


def _shard(refs: Sequence[SourceRef], seed: str, fallbacks: Mapping[str, Carried]) -> ShardPlan:
    mine = tuple(fallbacks[ref.uri] for ref in refs if ref.uri in fallbacks)
    named = json.dumps([asdict(one) for one in mine]) if mine else ""
    return ShardPlan(_key(refs, seed + named), tuple(refs), fallbacks=mine)


def _carried_shards(carried: Sequence[Carried], seed: str) -> Iterator[ShardPlan]:
    """Rows to be copied, by the catalogue's files and by sources: neighbours are read at once."""
    decoded = [one for one in carried if one.latent]
    copied = [one for one in carried if not one.latent]
    for rows, limit in ((copied, MAX_CARRIED), (decoded, _limit(len(decoded)))):
        for start in range(0, len(rows), limit):
            part = tuple(rows[start : start + limit])
            named = seed + json.dumps([asdict(one) for one in part])
            yield ShardPlan(hashlib.sha256(("carried" + named).encode()).hexdigest(), (), part)


def _limit(inputs: int) -> int:
    """How many inputs a shard has, where there is work with each."""
    return min(max(inputs // SHARDS_WANTED, MIN_SHARD_INPUTS), MAX_SHARD_INPUTS)


def _key(refs: Sequence[SourceRef], seed: str) -> str:
    named = [(ref.uri, ref.version, ref.outcome) for ref in refs]
    return hashlib.sha256((seed + json.dumps(named)).encode()).hexdigest()


def source_ref(fields: dict[str, Any]) -> SourceRef:
    """A reference from its fields as JSON gives them; inverse of `asdict`."""
    outcome = fields["outcome"]
    return SourceRef(**fields | {"outcome": Outcome(*outcome) if outcome else None})


def carried_row(fields: dict[str, Any]) -> Carried:
    """The same for a row to copy."""
    source = fields["source"]
    return Carried(**fields | {"source": tuple(source) if source else None})
