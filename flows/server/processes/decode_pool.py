"""Processes behind a bounded queue, for a service whose loop must not wait.

The same request from many clients is worked on once. Requests for one picture go to the process
that has it decoded, or at work. A process that dies or takes too long is replaced, and the request
that it had ends with BusyError.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glassplate.flows.server.protocol.errors import AnsweredError, BusyError
from glassplate.pipelines.errors import WorkerError
from glassplate.pipelines.jobs.child_process import Child


@dataclass(frozen=True)
class Done:
    """What a process wrote, and what it said of it.

    data: What it wrote; empty if the file was to be kept. file: Where it is then.
    """

    data: bytes
    facts: dict[str, Any]
    file: Path | None = None


@dataclass
class _Worker:
    child: Child
    load: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class DecodePool:
    """As many processes as are told, each with its own queue; all of them together are bounded."""

    def __init__(
        self,
        module: str,
        greeting: dict[str, Any],
        folder: Path,
        *,
        workers: int,
        memory: int,
        waiting: int,
        timeout: float,
    ) -> None:
        """
        Args:
            module: Its `greeted` makes, of the greeting as JSON, what answers requests.
            folder: Where processes write what they answer with.
            workers: Processes. memory: Bytes that each may take.
            waiting: Requests that may wait. timeout: Seconds for each, waiting included.
        """
        line = json.dumps(greeting)
        self._workers = [_Worker(Child(module, line, memory, i)) for i in range(workers)]
        self._threads = ThreadPoolExecutor(workers, "decode")
        self._folder = folder
        self._bound = workers + waiting
        self._timeout = timeout
        self._flights: dict[str, asyncio.Task[Done]] = {}
        self._homes: dict[str, tuple[_Worker, int]] = {}
        self.counts: Counter[str] = Counter()

    @property
    def load(self) -> int:
        """Requests that are worked on or wait."""
        return len(self._flights)

    async def ask(self, group: str, request: dict[str, Any], *, keep: bool = False) -> Done:
        """What a process makes of a request; requests of a group go to the same one.

        keep: Leave the file, whoever asks removes it; nobody shares it.

        Raises BusyError, and AnsweredError for what was wrong.
        """
        line = secrets.token_hex(16) if keep else json.dumps(request, sort_keys=True)
        flight = self._flights.get(line)
        if flight is None:
            if self.load >= self._bound:
                self.counts["refused"] += 1
                raise BusyError(f"{self.load} requests are waiting", "Try again later.")
            flight = asyncio.create_task(self._flown(group, request, keep=keep))
            self._flights[line] = flight
            flight.add_done_callback(lambda done: self._landed(line, done))
        else:
            self.counts["shared"] += 1
        return await asyncio.shield(flight)

    async def warm(self, request: dict[str, Any]) -> None:
        """Start every process that does not run, by a request that asks for nothing."""

        async def started(worker: _Worker) -> None:
            async with worker.turn:
                with suppress(BusyError):  # whoever asks next is told why
                    await self._exchange(worker.child, request, self._timeout)

        await asyncio.gather(*map(started, self._workers))

    def _landed(self, line: str, flight: asyncio.Task[Done]) -> None:
        del self._flights[line]
        if not flight.cancelled():
            flight.exception()  # looked at, also if everybody who asked has gone

    async def _flown(self, group: str, request: dict[str, Any], *, keep: bool) -> Done:
        worker = self._choose(group)
        out, kept = self._folder / secrets.token_hex(16), False
        try:
            async with asyncio.timeout(self._timeout) as limit, worker.turn:
                left = (limit.when() or 0) - asyncio.get_running_loop().time()
                limit.reschedule(None)  # from here on the process is ended, not only the wait
                answer = await self._exchange(worker.child, request | {"out": str(out)}, left)
            done = await self._result(answer, out, worker.child, keep=keep)
            kept = keep
            return done
        except TimeoutError as error:
            self.counts["timeouts"] += 1
            raise BusyError("it waited too long for a decoder", "Try again later.") from error
        finally:
            self._leave(group, worker)
            if not kept:
                out.unlink(missing_ok=True)

    async def _exchange(self, child: Child, request: dict[str, Any], seconds: float) -> str | None:
        """The process's answer, None if it died. Raises BusyError if it had to be ended."""
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, _ask, child, json.dumps(request))
        done, _ = await asyncio.wait([asked], timeout=max(seconds, 0))
        if not done:
            self.counts["timeouts"] += 1
            child.stop(for_good=False)
            await asyncio.wait([asked])
            cause = f"took longer than {self._timeout:g} seconds"
            raise BusyError(cause, "Ask for less.")
        return asked.result()

    async def _result(self, answer: str | None, out: Path, child: Child, *, keep: bool) -> Done:
        if answer is None:
            self.counts["died"] += 1
            raise BusyError(f"the process that worked on it {child.died_of}", "Try again.")
        told = json.loads(answer)
        if error := told.get("error"):
            raise AnsweredError(error["code"], error["cause"], error["fix"], error["subject"])
        self.counts["done"] += 1
        if keep:
            return Done(b"", told["facts"], out)
        return Done(await asyncio.to_thread(out.read_bytes), told["facts"])

    def _choose(self, group: str) -> _Worker:
        """The process that a group is with; else its usual one, unless another has less to do."""
        usual = self._workers[zlib.crc32(group.encode()) % len(self._workers)]
        least = min(self._workers, key=lambda worker: worker.load)
        chosen, members = self._homes.get(group, (least, 0))
        if not members and usual.load <= least.load:
            chosen = usual
        self._homes[group] = chosen, members + 1
        chosen.load += 1
        return chosen

    def _leave(self, group: str, worker: _Worker) -> None:
        worker.load -= 1
        _, members = self._homes.pop(group)
        if members > 1:
            self._homes[group] = worker, members - 1

    def close(self) -> None:
        """End all processes; requests that wait end with BusyError."""
        for worker in self._workers:
            worker.child.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _ask(child: Child, line: str) -> str | None:
    try:
        return child.ask(line)
    except WorkerError as error:
        raise BusyError(error.cause, error.fix or "Try again.") from error
