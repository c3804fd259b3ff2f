"""How far a run has come, read from the marks of staged shards: the same for every runner."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

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
