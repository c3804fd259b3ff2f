"""Processes of our own that answer lines with lines: what kills one kills nothing else.

A pool has as many as work at a time; one that died, or that takes more memory than it may, is
replaced by the next request.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import select
import signal
import socket
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.errors import WorkerError
from glassplate.pipelines.jobs.fork_server import SERVER
from glassplate.pipelines.jobs.gpus import take_one_gpu
from glassplate.pipelines.jobs.memory import limit_own_memory, resident

Answer = Callable[[str], str]

_LOOK = 20
"""Milliseconds between looks at a process's memory."""


@dataclass
class _Running:
    pid: int
    socket: socket.socket
    lines: IO[str]


class Child:
    """A process that is started by the first request, and again after it died.

    It ends when this is let go, with the end of the socket between the two.
    """

    def __init__(self, module: str, greeting: str, memory: int, number: int = 0) -> None:
        """
        Args:
            module: Its `greeted` makes, of the greeting, what answers requests.
            memory: Bytes that it may take.
            number: Number among the workers of this machine; they take its GPUs in turn.
        """
        self._module, self._greeting = module, greeting
        self._memory, self._number = memory, number
        self._running: _Running | None = None
        self._stopped = False
        self.died_of = ""
        _ALL.add(self)

    def ask(self, request: str) -> str | None:
        """The line that it answers a line with; None if it died of it: `died_of` says how.

        Raises WorkerError if it cannot be started, or after `stop`.
        """
        running = self._running or self._start()
        answer = self._exchange(running, request)
        if not answer:
            self.stop(for_good=False)
            return None
        return answer

    def stop(self, *, for_good: bool = True) -> None:
        """Kill it, if it runs. for_good: no request starts it again."""
        self._stopped = self._stopped or for_good
        running, self._running = self._running, None
        if running:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
            with suppress(OSError):  # another thread may be reading
                running.socket.shutdown(socket.SHUT_RDWR)

    def _start(self) -> _Running:
        self._check_wanted()
        options = {"answers": self._module, "memory": self._memory, "number": self._number}
        pid, channel = SERVER.fork(__name__, options, self._module, self._check_wanted)
        running = _Running(pid, channel, channel.makefile("rw", encoding="utf-8"))
        self._running = running
        self._check_wanted()
        hello = self._exchange(running, self._greeting)
        if not hello:
            self.stop(for_good=False)
            raise WorkerError("a worker process dies before it is asked anything", _ENOUGH)
        if error := json.loads(hello):
            self.stop(for_good=False)
            raise WorkerError(error)
        return running

    def _exchange(self, running: _Running, line: str) -> str:
        """What comes back, '' if the process died. Kills it if it takes too much memory."""
        self.died_of = "died"
        try:
            running.lines.write(line + "\n")
            running.lines.flush()
            self._wait(running)
            answer = running.lines.readline()
        except (OSError, ValueError):
            answer = ""
        self._check_wanted()
        return answer

    def _wait(self, running: _Running) -> None:
        poll = select.poll()
        poll.register(running.socket, select.POLLIN)
        while not poll.poll(_LOOK):
            self._check_wanted()
            if resident(running.pid) > self._memory:
                self.died_of = f"took more than {self._memory / 2**30:.2g} GiB of memory"
                with suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGKILL)

    def _check_wanted(self) -> None:
        if self._stopped:
            raise WorkerError("was stopped")


_ALL: weakref.WeakSet[Child] = weakref.WeakSet()
_ENOUGH = "Is there enough memory? See --worker-memory."


class ChildPool:
    """As many children as work at a time; who comes when all are busy waits."""

    def __init__(self, module: str, greeting: str, memory: int, size: int) -> None:
        self._idle: queue.LifoQueue[Child] = queue.LifoQueue()
        for number in reversed(range(size)):
            self._idle.put(Child(module, greeting, memory, number))

    @contextmanager
    def child(self) -> Iterator[Child]:
        """One of them, for as long as the block lasts."""
        child = self._idle.get()
        try:
            yield child
        finally:
            self._idle.put(child)


def stop_children() -> None:
    """Kill every child of this process; who waits for one gets a WorkerError."""
    for child in list(_ALL):
        child.stop()
    SERVER.stop()


def child(channel: socket.socket, options: dict[str, Any]) -> None:
    """The child's side: what the greeting makes answers every line, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it, and closes the socket
    logging.basicConfig(format="%(levelname)s: %(message)s")
    has_gpu = take_one_gpu(options["number"])
    limit_own_memory(options["memory"], by_kernel=not has_gpu)
    with suppress(ConnectionError), channel.makefile("rw", encoding="utf-8") as lines:
        if not (greeting := lines.readline()):
            return
        try:
            answer: Answer = import_module(options["answers"]).greeted(greeting)
        except (GlassplateError, OSError, ImportError) as error:
            _say(lines, json.dumps(str(error)))
            return
        _say(lines, "null")
        for line in lines:
            _say(lines, answer(line))


def _say(lines: IO[str], line: str) -> None:
    lines.write(line + "\n")
    lines.flush()
