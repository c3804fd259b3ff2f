"""How far a run has come, read from the marks of staged shards: the same for every runner."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from operator import add
from typing import Protocol

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
        """Rate of this run's own work."""
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


@dataclass(frozen=True)
class Tally:
    """Inputs that are done, and their bytes."""

    done: int = 0
    failed: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(add, astuple(self), astuple(other)))


class MarkWatcher:
    """Adds up what the marks of a job say, each read once.

    A look that storage fails says what the last one said: the next may do better.
    """

    def __init__(
        self,
        store: Store,
        folder: str,
        names: Iterable[str],
        total: int,
        read: Callable[[str], Tally | None],
    ) -> None:
        """names: Of marks in the folder. total: Inputs. read: A mark; None: it is not sound yet."""
        self._store, self._folder, self._read = store, folder, read
        self._pending = set(names)
        self._total = total
        self._sum = Tally()
        self._started = time.monotonic()
        self._read_marks()
        self._resumed = self._sum

    def look(self) -> Progress:
        """How far the job is now."""
        self._read_marks()
        return Progress(
            done=self._sum.done,
            total=self._total,
            failed=self._sum.failed,
            source_bytes=self._sum.source_bytes,
            stored_bytes=self._sum.stored_bytes,
            seconds=time.monotonic() - self._started,
            resumed=self._resumed.done,
            resumed_bytes=self._resumed.source_bytes,
        )

    def _read_marks(self) -> None:
        try:
            for name in self._pending.intersection(self._store.list(self._folder)):
                if tally := self._read(name):
                    self._sum += tally
                    self._pending.remove(name)
        except (OSError, StorageError) as error:
            logger.debug("marks cannot be read: %s", error)
