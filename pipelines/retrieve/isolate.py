"""Retrieval in a process apart, so that a picture that kills the process is found and named.

As `isolate` does for encoding, but picture by picture: each is written by itself in any case.
"""

from __future__ import annotations

import json

from glassplate.pipelines.errors import WorkerDiedError, WorkerError
from glassplate.pipelines.jobs.child_process import Child, ChildPool
from glassplate.pipelines.jobs.fork_server import SERVER
from glassplate.pipelines.jobs.runners import LocalRunner
from glassplate.pipelines.retrieve.planning import Item, RetrieveConfig, RetrieveShard
from glassplate.pipelines.retrieve.shard import (
    Mark,
    RetrieveRow,
    failed_row,
    write_mark,
)
from glassplate.pipelines.storage.store import Store

_CHILD = "glassplate.pipelines.retrieve.child"


def warm_up(config: RetrieveConfig) -> None:
    """Have what the children need imported meanwhile, if they are to run here. Raises OSError."""
    if isinstance(config.runner, LocalRunner):
        SERVER.start(_CHILD)


class IsolatedRetriever:
    """Retrieves shards by child processes, as many at a time as there are workers here."""

    def __init__(self, config: RetrieveConfig, snapshot: int) -> None:
        self._store = Store(config.out)
        greeting = json.dumps({"config": config.model_dump(mode="json"), "snapshot": snapshot})
        memory = config.memory_of_worker()
        self._pool = ChildPool(_CHILD, greeting, memory, config.children())

    def retrieve(self, shard: RetrieveShard) -> Mark:
        """Give back the pictures of a shard; one that kills the child twice is a `failed` row.

        Raises WorkerError if the child reports an error that says nothing of a picture.
        """
        with self._pool.child() as child:
            return write_mark(self._store, shard, [_row(item, child) for item in shard.items])


def _row(item: Item, child: Child) -> RetrieveRow:
    request = item.model_dump_json()
    answer = child.ask(request) or child.ask(request)  # another one may have been to blame
    if answer is None:
        cause = f"the process that was to give it back {child.died_of}"
        fix = "Is there enough memory? See --worker-memory; verify the archive."
        return failed_row(item, WorkerDiedError(cause, fix, item.name))
    told = json.loads(answer)
    if isinstance(told, str):
        raise WorkerError(told)
    return RetrieveRow(**told)
