"""How far a run has come, read from the marks of staged shards: the same for every runner."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from glassplate.pipelines.archive.format.manifest import Ledger
from glassplate.pipelines.archive.format.staging import STAGING, read_mark
from glassplate.pipelines.compress.planning import RunPlan
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

_INTERVAL = 1.0


@dataclass(frozen=True)
class Progress:
    """A moment in a run. Counts are inputs; `resumed` ones were staged by an earlier run."""

    done: int
    total: int
    failed: int
    source_bytes: int
    stored_bytes: int
    seconds: float
    resumed: int = 0
    resumed_bytes: int = 0

    @property
    def images_per_second(self) -> float:
        """Of this run's own work."""
        return (self.done - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    @property
    def megabytes_per_second(self) -> float:
        """Source bytes of this run's own work, 10^6 a second."""
        own = self.source_bytes - self.resumed_bytes
        return own / 1e6 / self.seconds if self.seconds > 0 else 0.0

    @property
    def ratio(self) -> float | None:
        """Source bytes for each stored byte, None while nothing is stored."""
        return self.source_bytes / self.stored_bytes if self.stored_bytes else None

    @property
    def eta(self) -> float | None:
        """Seconds that are left, None while nothing is done."""
        rate = self.images_per_second
        return (self.total - self.done) / rate if rate else None


ProgressCallback = Callable[[Progress], None]


class Watched(Protocol):
    """Something whose progress can be seen."""

    def look(self) -> Progress:
        """How far it is now."""
        ...


@contextmanager
def reporting(watched: Callable[[], Watched], callback: ProgressCallback | None) -> Iterator[None]:
    """Call back about once a second from a thread of its own, and once more at the end."""
    if callback is None:
        yield
        return
    watcher = watched()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_INTERVAL):
            callback(watcher.look())

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    callback(watcher.look())
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        callback(watcher.look())


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
