"""What was used last stays, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteBoundedCache(Generic[Value]):
    """A mapping that forgets what was used longest ago. Threads may share it."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._lock = Lock()
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """The value, which now counts as used; None if there is none."""
        with self._lock:
            if key not in self._values:
                self.misses += 1
                return None
            self.hits += 1
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep a value of so many bytes, unless it is larger than all that may be kept."""
        with self._lock:
            if old := self._values.pop(key, None):
                self.bytes -= old[1]
            if size > self.capacity:
                return
            self._values[key] = value, size
            self.bytes += size
            while self.bytes > self.capacity:
                _, (_, freed) = self._values.popitem(last=False)
                self.bytes -= freed
