"""The one Beam transform: what a kind of job does with each shard, on whatever engine.

Places in the plan file go in, keys of the shards come out. One input, one output, nothing kept back
for the end of a bundle: engines have lost all else in silence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.storage.store import Store

_BEGINNING = threading.Lock()
"""Engines may have several threads in a process, all of which share what is begun."""


class Work(Hashable, Protocol):
    """A kind of job. Frozen, hashable and small: it goes to every worker.

    folder: URL of the folder that the plan file lies in.
    plan: Path of the plan file in it. With the other fields it has to tell one job from the next,
        since processes outlive jobs.
    """

    @property
    def folder(self) -> str: ...
    @property
    def plan(self) -> str: ...

    def begin(self) -> Callable[[str], str]:
        """What does the shard that stands in a line of the plan, and returns its key.

        Made once for a job in each process, though engines set up for each of their tasks, and
        called by as many threads as the engine has there.
        """
        ...


@dataclass
class DoShards(beam.PTransform):  # type: ignore[misc]
    """PCollection of (start, end), where shards stand in the plan file -> their keys, done."""

    work: Work

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        return places | beam.Reshuffle() | beam.ParDo(_DoShard(self.work))


class _DoShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, work: Work) -> None:
        self.work = work

    def setup(self) -> None:
        self.store = Store(self.work.folder)

    def process(self, place: tuple[int, int]) -> Iterator[str]:
        line = self.store.read(self.work.plan, *place).decode()
        yield begun(self.work)(line)


def begun(work: Work) -> Callable[[str], str]:
    """The work of this process, begun."""
    with _BEGINNING:
        return _begun(work)


def forget_begun() -> None:
    """Let go what the last work of this process needed."""
    with _BEGINNING:
        _begun.cache_clear()


@lru_cache(maxsize=1)
def _begun(work: Work) -> Callable[[str], str]:
    return work.begin()
