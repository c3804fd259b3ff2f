"""Thin Beam transforms over `encode_shard`. References cross the pipeline, pixels never do."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from glassplate.pipelines.beam import beam
from glassplate.pipelines.config import CompressConfig
from glassplate.pipelines.encode import encode_shard
from glassplate.pipelines.planning import ShardPlan
from glassplate.pipelines.tiers import Tiers


@dataclass
class EncodeShards(beam.PTransform):  # type: ignore[misc]
    """PCollection of `ShardPlan.to_json()` -> PCollection of the keys of staged shards."""

    config: CompressConfig

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        return shards | beam.Reshuffle() | beam.ParDo(_EncodeShard(self.config.model_dump_json()))


class _EncodeShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, config_json: str) -> None:
        self.config_json = config_json

    def setup(self) -> None:
        self.config = CompressConfig.model_validate_json(self.config_json)
        limit_threads(self.config.workers)
        warnings.filterwarnings("ignore", module="PIL")  # odd files are the ledger's business
        self.tiers = Tiers(self.config)

    def process(self, shard_json: str) -> Iterator[str]:
        yield encode_shard(ShardPlan.from_json(shard_json), self.config, self.tiers).key


def limit_threads(workers: int) -> None:
    """Share the cores: torch takes all of them in every process unless it is told not to."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
