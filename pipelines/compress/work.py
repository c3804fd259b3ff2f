"""What workers do of a compression: stage shards, and on clusters read them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glassplate.pipelines.archive.write.shard import check_staged
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.isolate import IsolatedEncoder
from glassplate.pipelines.compress.planning import ShardPlan
from glassplate.pipelines.storage.store import Store


@dataclass(frozen=True)
class EncodeWork:
    """Lines are shard plans; see `Work`."""

    folder: str
    plan: str
    config_json: str

    def begin(self) -> Callable[[str], str]:
        """Nothing is loaded here: processes of their own do the work."""
        encoder = IsolatedEncoder(CompressConfig.model_validate_json(self.config_json))

        def do(line: str) -> str:
            shard = ShardPlan.from_json(line)
            encoder.encode(shard)
            return shard.key

        return do


@dataclass(frozen=True)
class CheckWork:
    """Lines are keys of staged shards; see `Work` and `check_staged`.

    checked: Folder that gets an empty file for each shard that was read.
    """

    folder: str
    plan: str
    checked: str

    def begin(self) -> Callable[[str], str]:
        """Nothing to load."""
        store = Store(self.folder)

        def do(line: str) -> str:
            key = line.strip()
            check_staged(store, key)
            store.write(f"{self.checked}/{key}", b"")
            return key

        return do
