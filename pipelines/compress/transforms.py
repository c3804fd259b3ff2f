"""Thin Beam transforms over `encode_shard` and `check_staged`.

References cross the pipeline, pixels never do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from glassplate.pipelines.archive.write.shard import check_staged
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.encode import encode_shard, set_up_worker
from glassplate.pipelines.compress.isolate import IsolatedEncoder
from glassplate.pipelines.compress.planning import ShardPlan
from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.storage.store import Store

_TURN = threading.Lock()
"""One shard at a time in a process, however many threads an engine gives it."""


@dataclass
class EncodeShards(beam.PTransform):  # type: ignore[misc]
    """PCollection of (start, end), where shards stand in the plan file -> their keys, staged.

    careful: encode in a process apart; see `isolate`.
    """

    config: CompressConfig
    plan: str
    careful: bool = False

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        encode = _EncodeShard(self.config.model_dump_json(), self.plan, self.careful)
        return places | beam.Reshuffle() | beam.ParDo(encode)


class _EncodeShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, config_json: str, plan: str, careful: bool) -> None:
        self.config_json = config_json
        self.plan = plan
        self.careful = careful

    def setup(self) -> None:
        self.store = Store(CompressConfig.model_validate_json(self.config_json).archive)

    def process(self, place: tuple[int, int]) -> Iterator[str]:
        shard = ShardPlan.from_json(self.store.read(self.plan, *place).decode())
        with _TURN:
            shard_encoder(self.config_json, self.plan, self.careful)(shard)
        yield shard.key


@dataclass
class CheckShards(beam.PTransform):  # type: ignore[misc]
    """PCollection of (start, end), where keys stand in the plan file -> these, read again.

    checked: folder that gets an empty file for each shard that was read; see `check_staged`.
    """

    config: CompressConfig
    plan: str
    checked: str

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        check = _CheckShard(self.config.archive, self.plan, self.checked)
        return places | beam.Reshuffle() | beam.ParDo(check)


class _CheckShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, archive: str, plan: str, checked: str) -> None:
        self.archive = archive
        self.plan = plan
        self.checked = checked

    def setup(self) -> None:
        self.store = Store(self.archive)

    def process(self, place: tuple[int, int]) -> Iterator[str]:
        key = self.store.read(self.plan, *place).decode().strip()
        check_staged(self.store, key)
        self.store.write(f"{self.checked}/{key}", b"")
        yield key


@lru_cache(maxsize=1)
def shard_encoder(config_json: str, plan: str, careful: bool) -> Callable[[ShardPlan], object]:
    """What stages shards in this process: made once for a job, though engines set up for each.

    plan: names the job, so that a process that outlives it does not carry over its codecs.
    """
    config = CompressConfig.model_validate_json(config_json)
    if careful:
        return IsolatedEncoder(config).encode
    return partial(encode_shard, config=config, tiers=set_up_worker(config))
