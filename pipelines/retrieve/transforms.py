"""Thin Beam transforms over `retrieve_shard`. Places in the plan go in, keys come out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.retrieve.isolate import IsolatedRetriever
from glassplate.pipelines.retrieve.planning import RetrieveConfig, RetrieveShard
from glassplate.pipelines.retrieve.shard import opened, retrieve_shard
from glassplate.pipelines.storage.store import Store

_TURN = threading.Lock()
"""One shard at a time in a process, however many threads an engine gives it."""


@dataclass
class RetrieveShards(beam.PTransform):  # type: ignore[misc]
    """PCollection of (start, end), where shards stand in the plan file -> their keys, done.

    careful: give pictures back in a process apart; see `retrieve_isolate`.
    """

    config: RetrieveConfig
    plan: str
    careful: bool = False

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        step = _RetrieveShard(self.config.model_dump_json(), self.plan, self.careful)
        return places | beam.Reshuffle() | beam.ParDo(step)


class _RetrieveShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, config_json: str, plan: str, careful: bool) -> None:
        self.config_json = config_json
        self.plan = plan
        self.careful = careful

    def setup(self) -> None:
        self.store = Store(RetrieveConfig.model_validate_json(self.config_json).out)

    def process(self, place: tuple[int, int]) -> Iterator[str]:
        shard = RetrieveShard.model_validate_json(self.store.read(self.plan, *place))
        with _TURN:
            shard_retriever(self.config_json, self.careful)(shard)
        yield shard.key


@lru_cache(maxsize=1)
def shard_retriever(config_json: str, careful: bool) -> Callable[[RetrieveShard], object]:
    """What retrieves shards in this process: made once for a job."""
    config = RetrieveConfig.model_validate_json(config_json)
    if careful:
        return IsolatedRetriever(config).retrieve
    return partial(retrieve_shard, archive=opened(config_json), config=config)
