"""Answers for processes of their own: what they do with memory, and how they end."""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable

from glassplate.codecs.errors import ConfigError

_PAGE = 4096
_held: list[object] = []


def greeted(greeting: str) -> Callable[[str], str]:
    """'refuse' does not begin; anything else is the first word of every answer."""
    if greeting.strip() == "refuse":
        raise ConfigError("no such thing", "Try another.")

    def answer(request: str) -> str:
        what, _, value = request.strip().partition(" ")
        return f"{greeting.strip()} {_ACTIONS[what](value)}"

    return answer


def _take(count: str) -> str:
    """Data of this process, which the kernel limits."""
    try:
        _held.append(bytearray(int(count)))
    except MemoryError:
        return "MemoryError"
    return "taken"


def _map(count: str) -> str:
    """Shared memory, which the kernel does not count as data, page by page."""
    shared = mmap.mmap(-1, int(count))
    for start in range(0, len(shared), _PAGE):
        shared[start] = 1
    return "mapped"


def _die(_: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def _sleep(seconds: str) -> str:
    time.sleep(float(seconds))
    return "slept"


_ACTIONS: dict[str, Callable[[str], str]] = {
    "take": _take,
    "map": _map,
    "die": _die,
    "sleep": _sleep,
    "echo": lambda text: text,
    "pid": lambda _: str(os.getpid()),
    "read": lambda path: open(path).read().strip(),  # noqa: SIM115, PTH123
    "variable": lambda name: os.environ.get(name, ""),
}
