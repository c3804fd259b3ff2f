"""What workers do of a retrieval: give the pictures of a shard back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from glassplate.pipelines.retrieve.isolate import IsolatedRetriever
from glassplate.pipelines.retrieve.planning import RetrieveConfig, RetrieveShard
from glassplate.pipelines.retrieve.shard import open_snapshot, retrieve_shard


@dataclass(frozen=True)
class RetrieveWork:
    """Lines are shards of a retrieval; see `Work`.

    snapshot: Of the archive. Workers outlive jobs, and the next job reads a newer one.
    careful: Give pictures back in a process apart; see `isolate`.
    """

    folder: str
    plan: str
    config_json: str
    snapshot: int
    careful: bool = False

    def begin(self) -> Callable[[str], str]:
        """Open the archive, once for a job."""
        config = RetrieveConfig.model_validate_json(self.config_json)
        retrieve: Callable[[RetrieveShard], object]
        if self.careful:
            retrieve = IsolatedRetriever(config, self.snapshot).retrieve
        else:
            archive = open_snapshot(config, self.snapshot)
            retrieve = partial(retrieve_shard, archive=archive, config=config)

        def do(line: str) -> str:
            shard = RetrieveShard.model_validate_json(line)
            retrieve(shard)
            return shard.key

        return do
