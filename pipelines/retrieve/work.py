"""What workers do of a retrieval: give the pictures of a shard back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glassplate.pipelines.retrieve.isolate import IsolatedRetriever
from glassplate.pipelines.retrieve.planning import RetrieveConfig, RetrieveShard


@dataclass(frozen=True)
class RetrieveWork:
    """Lines are shards of a retrieval; see `Work`.

    snapshot: Snapshot of the archive. Workers outlive jobs, and the next job reads a newer one.
    """

    folder: str
    plan: str
    config_json: str
    snapshot: int

    def begin(self) -> Callable[[str], str]:
        """Nothing is opened here: processes of their own do the work."""
        config = RetrieveConfig.model_validate_json(self.config_json)
        retriever = IsolatedRetriever(config, self.snapshot)

        def do(line: str) -> str:
            shard = RetrieveShard.model_validate_json(line)
            retriever.retrieve(shard)
            return shard.key

        return do
