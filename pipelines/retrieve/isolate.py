"""Retrieval in a process apart, so that a picture that kills the process is found and named.

As `isolate` does for encoding, but picture by picture: each is written by itself in any case.
"""

from __future__ import annotations

import json

from glassplate.pipelines.errors import StorageError, WorkerDiedError, WorkerError
from glassplate.pipelines.jobs.child_process import Answer, Child, serve
from glassplate.pipelines.retrieve.planning import Item, RetrieveConfig, RetrieveShard
from glassplate.pipelines.retrieve.shard import (
    Mark,
    RetrieveRow,
    failed_row,
    open_snapshot,
    retrieve_item,
    write_mark,
)
from glassplate.pipelines.storage.store import Store


class IsolatedRetriever:
    """Retrieves shards by a child process, which is replaced when it dies."""

    def __init__(self, config: RetrieveConfig, snapshot: int) -> None:
        self._store = Store(config.out)
        greeting = {"config": config.model_dump(mode="json"), "snapshot": snapshot}
        self._child = Child(__name__, json.dumps(greeting))

    def retrieve(self, shard: RetrieveShard) -> Mark:
        """As `retrieve_shard`; pictures that kill the child become `failed` rows.

        Raises WorkerError if the child reports an error that says nothing of a picture.
        """
        return write_mark(self._store, shard, [self._row(item) for item in shard.items])

    def _row(self, item: Item) -> RetrieveRow:
        answer = self._child.ask(item.model_dump_json())
        if answer is None:
            cause = "the process that was to give it back died"
            fix = "Is there enough memory? Verify the archive."
            return failed_row(item, WorkerDiedError(cause, fix, item.name))
        told = json.loads(answer)
        if isinstance(told, str):
            raise WorkerError(told)
        return RetrieveRow(**told)


def _greeted(greeting: str) -> Answer:
    """The child: answers items with their rows, or with what went wrong elsewhere."""
    told = json.loads(greeting)
    config = RetrieveConfig.model_validate(told["config"])
    archive = open_snapshot(config, told["snapshot"])

    def answer(request: str) -> str:
        item = Item.model_validate_json(request)
        try:
            return retrieve_item(item, archive, config).model_dump_json()
        except StorageError as error:
            return json.dumps(str(error))

    return answer


if __name__ == "__main__":
    serve(_greeted)
