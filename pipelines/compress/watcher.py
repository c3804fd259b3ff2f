"""A compression run's progress, from the marks of its staged shards."""

from __future__ import annotations

import time

from glassplate.pipelines.archive.format.manifest import Ledger
from glassplate.pipelines.archive.format.staging import STAGING, read_mark
from glassplate.pipelines.compress.planning import RunPlan
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.jobs.progress import Progress, logger
from glassplate.pipelines.storage.store import Store


class Watcher:
    """Adds up the marks of a plan's shards; each is read once."""

    def __init__(self, store: Store, plan: RunPlan) -> None:
        self.store = store
        self.total = plan.new_inputs
        self.pending = {shard.key for shard in plan.shards}
        self.sum = Ledger()
        self.started = time.monotonic()
        self._read_marks()
        self.resumed = self.sum

    def look(self) -> Progress:
        """How far the run is now."""
        self._read_marks()
        return Progress(
            done=self.sum.inputs,
            total=self.total,
            failed=self.sum.failed,
            source_bytes=self.sum.source_bytes,
            stored_bytes=self.sum.stored_bytes,
            seconds=time.monotonic() - self.started,
            resumed=self.resumed.inputs,
            resumed_bytes=self.resumed.source_bytes,
        )

    def _read_marks(self) -> None:
        try:
            for key in self.pending.intersection(self.store.list(STAGING)):
                self._read_mark(key)
        except (OSError, StorageError) as error:  # the next look may do better
            logger.debug("marks cannot be read: %s", error)

    def _read_mark(self, key: str) -> None:
        if staged := read_mark(self.store, key):
            self.sum += staged.ledger
            self.pending.remove(key)
